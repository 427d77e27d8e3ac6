"""`edgebert quantize`: a trained model learns to be as good in int8."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.data_arguments import add_data_arguments
from edgebert.cli.healing_arguments import (
    add_healing_arguments,
    add_student_and_teachers,
    carry_out,
    healing_fields,
    load_student_and_teachers,
)
from edgebert.cli.training_arguments import add_result_arguments
from edgebert.compression.quantizing.freezing import USUAL_FREEZE_SHARE
from edgebert.compression.quantizing.ranges import TRAINABLE_SCHEMES

if TYPE_CHECKING:
    from edgebert.stations.quantize_request import QuantizeRequest

CALIBRATION_TEXTS = 256
HELP = "train a model for int8: it learns with what rounding does to it, and the ranges with it"
EXAMPLES = """\
  edgebert quantize --student runs/student --teacher runs/teacher --data snips --output runs/int8 --dry-run
  edgebert quantize --student runs/student --teacher runs/teacher --data snips --output runs/int8
  edgebert quantize --student runs/pruned --data snips --output runs/int8 --epochs 1 --learning-rate 2e-5
  edgebert convert runs/int8 --out models --precision static       with these ranges; needs no calibration texts
  edgebert quantize --student runs/no-norm --teacher runs/teacher --data snips --output runs/npu --scheme full-int8

Weights, activations and attention are rounded in training as the scheme's file rounds them; ranges start where
calibration on training texts puts them, move with the batches and stand still in the last part. Weights that are zero
stay zero, so a pruned model stays pruned. Try `edgebert convert --precision SCHEME --calibration FILE` first: of ten
pairs of a calibrated and a trained file in benchmarks/methods none is .6 points apart, whichever is ahead. Channels
start evened out, so recipes that compare attention's relations, or for full-int8 hidden states, are refused. For
full-int8, where norms, residual and softmax are rounded too, the student needs NoNorm and a head of the first token:
edgebert distill --start runs/student --recipe logits_only --normalization no_norm --activation relu --pooling first
makes one of any student.

The folder is a checkpoint like any other, with the ranges beside it in quantization.json. They belong to these weights:
after further training they are refused. Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_student_and_teachers(parser, "the checkpoint to train for int8")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the result goes")
    parser.add_argument(
        "--scheme",
        default=TRAINABLE_SCHEMES[0],
        metavar="NAME",
        help=f"what it is trained for: {', '.join(TRAINABLE_SCHEMES)} (default: {TRAINABLE_SCHEMES[0]}; what it is "
        "says edgebert convert --list-precisions)",
    )
    parser.add_argument(
        "--freeze-share",
        type=float,
        default=USUAL_FREEZE_SHARE,
        metavar="SHARE",
        help=f"of the steps, at the end, in which ranges stand still (default: {USUAL_FREEZE_SHARE:g})",
    )
    parser.add_argument(
        "--calibration-texts",
        type=int,
        default=CALIBRATION_TEXTS,
        metavar="N",
        help=f"training texts that the first ranges are taken from, at most (default: {CALIBRATION_TEXTS})",
    )
    add_data_arguments(parser)
    add_healing_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    add_result_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli import quantizing_report
    from edgebert.stations.quantizing import check_quantizing, quantize_checkpoint

    return carry_out(arguments, request, check_quantizing, quantize_checkpoint, quantizing_report)


def _request(arguments: argparse.Namespace) -> "QuantizeRequest":
    from edgebert.stations.result_folder import require_free

    require_free(arguments.output)
    checkpoints = load_student_and_teachers(arguments)

    # TensorFlow is loaded here.
    from edgebert.stations.quantize_request import QuantizeRequest, check_scheme

    check_scheme(arguments.scheme)
    return QuantizeRequest(
        **healing_fields(arguments, checkpoints),
        scheme=arguments.scheme,
        freeze_share=arguments.freeze_share,
        calibration_texts=arguments.calibration_texts,
    )
