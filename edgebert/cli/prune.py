"""`edgebert prune`: the smallest weights of a trained model become zero while it heals."""

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
from edgebert.cli.trim import add_file_arguments
from edgebert.compression.pruning.patterns import SINGLE, Groups, Pattern, parse_pattern
from edgebert.compression.pruning.policy import CLASSES, USUAL_CLASSES, USUAL_SPARSITY, Policy
from edgebert.compression.pruning.schedule import CONSTANT, KINDS, POLYNOMIAL, USUAL_END, Schedule

if TYPE_CHECKING:
    from edgebert.stations.prune_request import PruneRequest

HELP = "set the smallest weights to zero while the model heals: a smaller download, not a faster model"
EXAMPLES = """\
  edgebert prune --student runs/student --teacher runs/teacher --data snips --output runs/pruned --dry-run
  edgebert prune --student runs/student --teacher runs/teacher --data snips --output runs/pruned --sparsity 0.7
  edgebert prune --student runs/student --data snips --output runs/pruned --include embeddings=0.3 --exclude blocks.0
  edgebert prune --student runs/student --teacher runs/teacher --data snips --output runs/blocks --block 1x4
  edgebert prune --student runs/student --teacher runs/teacher --data snips --output runs/regular --block 2:4

What zeros bring: they compress, so an app is downloaded with fewer bytes: the sizes of a .tflite made before and after
are told, gzipped too, and edgebert inspect counts its zeros. What they do not: the file on the phone has the same size
and takes the same time, since LiteRT computes with zeros as with any weight (benchmarks/methods has measured it). For
speed, make the model smaller or its numbers narrower.

The folder is a checkpoint like any other. Convert it as it is: fine-tuning or distilling it fills the zeros again.
Killed or interrupted, the same command goes on where it was."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_student_and_teachers(parser, "the checkpoint to prune")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the pruned one goes")
    add_data_arguments(parser)
    _add_policy(parser.add_argument_group("what is cut"))
    _add_schedule(parser.add_argument_group("when it is cut"))
    add_file_arguments(parser)
    add_healing_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="check everything and print the plan; write nothing")
    add_result_arguments(parser)


def _add_policy(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--sparsity",
        type=float,
        metavar="SHARE",
        help=f"of the weights of {' and '.join(USUAL_CLASSES)} (default: {USUAL_SPARSITY:g}, or the pattern's own)",
    )
    group.add_argument(
        "--include",
        action="append",
        default=[],
        metavar="CLASS[=SHARE]",
        help=f"prune this class too, or with a sparsity of its own: {', '.join(CLASSES)}. Norms, biases, positions and "
        "segments are never pruned",
    )
    group.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="NAME",
        help="leave a class or a layer alone, such as blocks.0 or blocks.3.feed_forward.down",
    )
    group.add_argument(
        "--block",
        metavar="PATTERN",
        help="cut blocks of ROWSxCOLUMNS, such as 1x4 (a row is what makes one output), or ZEROS:OF in a row, such as "
        "2:4 (default: each weight alone)",
    )


def _add_schedule(group: "argparse._ArgumentGroup") -> None:
    group.add_argument(
        "--schedule",
        choices=KINDS,
        help="polynomial cuts more and more, fast at first; constant cuts all at its begin (default: polynomial; "
        "constant with ZEROS:OF)",
    )
    group.add_argument(
        "--begin", type=float, default=0.0, metavar="SHARE", help="of the training, when cutting begins (default: 0)"
    )
    group.add_argument(
        "--end",
        type=float,
        metavar="SHARE",
        help=f"of the training, when a polynomial one has cut all; the rest heals (default: {USUAL_END:g})",
    )


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli import pruning_report
    from edgebert.stations.pruning import check_pruning, prune_checkpoint

    for remark in request.notes:
        note(remark)
    return carry_out(arguments, request, check_pruning, prune_checkpoint, pruning_report)


def _request(arguments: argparse.Namespace) -> "PruneRequest":
    from edgebert.stations.result_folder import require_free

    require_free(arguments.output)
    pattern = SINGLE if arguments.block is None else parse_pattern(arguments.block)
    policy, schedule = _policy(arguments, pattern), _schedule(arguments, pattern)
    checkpoints = load_student_and_teachers(arguments)

    # TensorFlow is loaded here.
    from edgebert.stations.prune_request import PruneRequest

    fields = healing_fields(arguments, checkpoints)
    return PruneRequest(**fields, policy=policy, schedule=schedule, precision=arguments.precision)


def _policy(arguments: argparse.Namespace, pattern: Pattern) -> Policy:
    usual = pattern.sparsity if isinstance(pattern, Groups) else USUAL_SPARSITY
    sparsity = usual if arguments.sparsity is None else arguments.sparsity
    sparsities = dict.fromkeys(USUAL_CLASSES, sparsity)
    for text in arguments.include:
        name, given, share = text.partition("=")
        sparsities[name] = _share(text, share) if given else sparsity
    return Policy(sparsities, pattern, tuple(arguments.exclude))


def _share(text: str, share: str) -> float:
    from edgebert.errors import TrainingError

    try:
        return float(share)
    except ValueError as error:
        raise TrainingError(
            f"--include: expected CLASS or CLASS=SHARE such as embeddings=0.3, got {text!r}. Do: correct it."
        ) from error


def _schedule(arguments: argparse.Namespace, pattern: Pattern) -> Schedule:
    kind = arguments.schedule or (CONSTANT if isinstance(pattern, Groups) else POLYNOMIAL)
    end = USUAL_END if arguments.end is None and kind == POLYNOMIAL else arguments.end
    return Schedule(kind, arguments.begin, end)
