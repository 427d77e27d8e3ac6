"""`edgebert shrink`: a trained model loses its least important parts and heals, step by step."""

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
from edgebert.cli.output import note
from edgebert.cli.training_arguments import add_result_arguments

if TYPE_CHECKING:
    from edgebert.stations.shrink_request import ShrinkRequest

HELP = "remove the heads, neurons, channels or layers that matter least, in steps, healing after each"
EXAMPLES = """\
  edgebert shrink --student runs/student --teacher runs/teacher --data snips --output runs/half --dry-run
  edgebert shrink --student runs/student --teacher runs/teacher --data snips --output runs/half
  edgebert shrink --student runs/student --teacher runs/teacher --data snips --output runs/quarter --keep 0.25 --steps 3
  edgebert shrink --student runs/student --data snips --output runs/small --heads 6 --feed-forward 400 --layers 3
  edgebert shrink --student runs/student --teacher runs/teacher --data snips --output runs/narrow --width 256

Without numbers the blocks keep half of their weights (--keep 0.5): half of the heads and half of the neurons of every
layer. What matters is measured on training texts, before every step anew; --epochs are of each step. The result is
dense and an ordinary checkpoint: it is fine-tuned, distilled, converted and measured like any other, and is smaller and
faster in proportion. Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_student_and_teachers(parser, "the checkpoint to make smaller")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the smaller one goes")
    add_data_arguments(parser)
    _add_parts(parser)
    add_healing_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    add_result_arguments(parser)


def _add_parts(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what remains")
    for name, what in (
        ("--heads", "attention heads of every layer"),
        ("--feed-forward", "neurons of every layer's feed-forward network"),
        ("--width", "channels of the rows; heads stay as wide as they are"),
        ("--layers", "layers"),
    ):
        group.add_argument(name, type=int, metavar="N", help=f"{what} (default: as many as there are)")
    group.add_argument(
        "--keep",
        type=float,
        metavar="SHARE",
        help="instead of numbers: heads and neurons so that the blocks keep this share of their weights (default: 0.5)",
    )
    group.add_argument("--steps", type=int, default=2, metavar="N", help="in how many steps (default: 2)")
    group.add_argument(
        "--importance",
        choices=("taylor", "magnitude"),
        default="taylor",
        help="what parts are kept by (default: taylor, the loss's change to first order, measured on training texts)",
    )
    group.add_argument(
        "--importance-examples", type=int, default=512, metavar="N", help="texts it is measured on (default: 512)"
    )


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli import shrinking_report
    from edgebert.stations.shrinking import check_shrinking, shrink_checkpoint

    for remark in request.plan.notes:
        note(remark)
    return carry_out(arguments, request, check_shrinking, shrink_checkpoint, shrinking_report)


def _request(arguments: argparse.Namespace) -> "ShrinkRequest":
    from edgebert.compression.shrinking.counts import require_prunable, steps_to, target_counts
    from edgebert.stations.result_folder import require_free

    require_free(arguments.output)
    checkpoints = load_student_and_teachers(arguments)
    student = checkpoints[0]
    require_prunable(student.encoder, str(student.source))
    asked = {
        "layers": arguments.layers,
        "heads": arguments.heads,
        "feed_forward_width": arguments.feed_forward,
        "width": arguments.width,
    }
    target = target_counts(student.encoder, asked, arguments.keep)

    # TensorFlow is loaded here.
    from edgebert.compression.shrinking.cutting import Ranking
    from edgebert.stations.shrink_request import ShrinkRequest

    ranking = Ranking(arguments.importance, arguments.importance_examples, arguments.seed)
    steps_to(student.encoder, target, arguments.steps)
    return ShrinkRequest(
        **healing_fields(arguments, checkpoints), target=target, steps=arguments.steps, ranking=ranking
    )
