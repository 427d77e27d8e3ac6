"""`edgebert sensitivity`: where a scheme loses accuracy, and a mixture that loses no more than it may."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.output import note
from edgebert.cli.parsing import comma_separated
from edgebert.cli.progress_line import ProgressLine
from edgebert.errors import DataError

if TYPE_CHECKING:
    from edgebert.cli.sensitivity_request import Request
    from edgebert.export.sensitivity.looking import Mixed
    from edgebert.export.sensitivity.result import Sensitivity

HELP = "say which tensors and parts of a model lose accuracy in a scheme, and mix one that loses little enough"
EXAMPLES = """\
  edgebert sensitivity runs/student --data clinc150
  edgebert sensitivity runs/student --dev dev.tsv --calibration texts.txt --scheme static --picture harm.svg
  edgebert sensitivity minilm --calibration texts.txt        no labels: how near its embeddings stay to float32's
  edgebert sensitivity runs/student --data clinc150 --scheme auto --max-drop 0.5 --output mixed.tflite
  edgebert sensitivity --show harm.json

Every figure is of a .tflite that was made for it: one class of parts quantised and all else float32, or one block, or
with --by part one layer. Distance is the share of probability that moved to other labels (embeddings: 1 - cosine); it
ranks what changes no label yet. SQNR is a tensor's signal over its error, 20 dB are an error of 10 %, 40 dB of 1 %.

--scheme auto starts with static and moves the most harmful parts back to dynamic or float32, until on one half of the
texts at most --max-drop points of 100 are lost; the other half was never looked at and is reported beside it. The file
is packed like one of `edgebert convert`, with the plan in it. Where no mixture is good enough, nothing is written, the
best one is said, and the exit code is 1."""

_AUTO = "auto"
_TO_STDOUT = "-"
_BY = ("class", "block", "part")
_NOT_MET = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "checkpoint", nargs="?", help="a folder in the Hugging Face layout, `minilm`, or a hub id (owner/name)"
    )
    parser.add_argument(
        "--scheme", default="static", help="one of `edgebert convert --list-precisions`, or auto (default: static)"
    )
    parser.add_argument("--pooling", choices=("mean", "first"), help="look into it as a sentence embedder")
    parser.add_argument("--name", help="what it is called in the result (default: the checkpoint's)")
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")
    _add_texts(parser.add_argument_group("texts"))
    mixture = parser.add_argument_group("a mixture, with --scheme auto")
    mixture.add_argument("--max-drop", type=float, metavar="POINTS", help="that may be lost, of 100 (default: 0.5)")
    mixture.add_argument("--output", type=Path, metavar="FILE.tflite", help="where the file goes")
    out = parser.add_argument_group("result")
    out.add_argument(
        "--by",
        type=comma_separated,
        default=("class", "block"),
        metavar="A,B",
        help=f"what is quantised together: {', '.join(_BY)} (default: class,block; auto always takes parts)",
    )
    out.add_argument("--top", type=int, default=12, metavar="N", help="list the N least exact tensors (default: 12)")
    out.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw all of it")
    out.add_argument("--json", metavar="FILE", help="write all of it; - prints it instead of tables")
    out.add_argument("--show", metavar="FILE", help="print (and draw) what --json wrote and look into nothing")
    out.add_argument("--quiet", action="store_true", help="no progress")


def _add_texts(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data", metavar="SOURCE", help="`snips`, `clinc150` or a folder: its dev split is asked, train calibrates"
    )
    group.add_argument(
        "--dev",
        metavar="FILE",
        help="labelled file to ask, instead of --data; without labels it "
        "is judged by how near its answers are to float32's",
    )
    group.add_argument("--limit", type=int, default=1000, metavar="N", help="ask N texts, evenly (default: 1000)")
    group.add_argument("--text-column", metavar="NAME", help="column of the text (default: guessed)")
    group.add_argument("--second-text-column", metavar="NAME", help="column of the second text of pairs")
    group.add_argument("--label-column", metavar="NAME", help="column of the label (default: guessed)")
    group.add_argument(
        "--calibration", metavar="FILE", help="real texts for int8's ranges (default: the train split of --data)"
    )
    group.add_argument(
        "--calibration-texts", type=int, default=256, metavar="N", help="take at most N of them, evenly (default: 256)"
    )
    group.add_argument("--calibration-split", metavar="NAME", help="split of it, where it has several (default: train)")
    group.add_argument(
        "--tensor-texts", type=int, default=16, metavar="N", help="compare tensors on N of the texts (default: 16)"
    )


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.sensitivity_report import as_text
    from edgebert.export.sensitivity.result import to_json
    from edgebert.files import write_atomically

    _check(arguments)
    found, mixed, request = _found(arguments)
    if arguments.json == _TO_STDOUT:
        sys.stdout.write(to_json(found).decode())
    else:
        # First the tables: should a file fail to be written, the figures have been seen.
        print(as_text(found, arguments.top))
    if arguments.json not in (None, _TO_STDOUT):
        write_atomically(arguments.json, to_json(found))
        note(f"wrote {arguments.json}")
    if arguments.picture is not None:
        from edgebert.report.sensitivity_picture import draw

        write_atomically(arguments.picture, draw(found))
        note(f"wrote {arguments.picture}")
    return 0 if mixed is None else _written(arguments, mixed, request)


def _check(arguments: argparse.Namespace) -> None:
    from edgebert.cli.benchmark_arguments import check_target
    from edgebert.cli.sensitivity_request import check_flags

    if arguments.top < 0:
        raise DataError(f"--top: expected 0 or more, got {arguments.top}. Do: give how many tensors to list.")
    if unknown := [name for name in arguments.by if name not in _BY]:
        raise DataError(f"--by: expected {', '.join(_BY)}, got {unknown[0]}. Do: choose among these.")
    if arguments.picture is not None and arguments.picture.suffix != ".svg":
        raise DataError(f"--picture: expected a name that ends in .svg, got '{arguments.picture}'. Do: name it so.")
    for flag in ("json", "picture", "output"):
        target = getattr(arguments, flag)
        if target not in (None, _TO_STDOUT):
            check_target(Path(target), f"--{flag}")
    if (arguments.show is None) == (arguments.checkpoint is None):
        got = "both" if arguments.show else "neither"
        raise DataError(f"checkpoint: expected a CHECKPOINT or --show FILE, got {got}. Do: give one of them.")
    if arguments.show is None:
        check_flags(arguments)


def _found(arguments: argparse.Namespace) -> "tuple[Sensitivity, Mixed | None, Request | None]":
    if arguments.show is not None:
        from edgebert.export.sensitivity.result import read_sensitivity

        return read_sensitivity(arguments.show), None, None
    from edgebert.cli.sensitivity_request import read_request
    from edgebert.export.sensitivity.choosing import halve
    from edgebert.export.sensitivity.looking import look_into, mix

    request = read_request(arguments)
    with ProgressLine(arguments.quiet) as progress:
        if arguments.scheme != _AUTO:
            return look_into(request.subject, arguments.scheme, arguments.by, progress), None, request
        most_points = 0.5 if arguments.max_drop is None else arguments.max_drop
        mixed = mix(request.subject, halve(request.texts), most_points, progress)
        return mixed.found, mixed, request


def _written(arguments: argparse.Namespace, mixed: "Mixed", request: "Request") -> int:
    from edgebert.export.sensitivity.packing import pack_mixed
    from edgebert.export.sensitivity.result import points_lost
    from edgebert.files import write_atomically

    choice, subject = mixed.choice, request.subject
    if not choice.is_met:
        lost = points_lost(choice.selection, choice.selection_float32)
        print(
            f"edgebert sensitivity: --max-drop: expected a mixture that loses at most {choice.most_points:g} points, "
            f"got {lost:.2f} with the best of {choice.tried:,} that were made. Do: allow more, give more texts, or use "
            "the scheme dynamic; nothing was written.",
            file=sys.stderr,
        )
        return _NOT_MET
    if arguments.output is None:
        note("no --output: the file was not written")
        return 0
    provenance = {
        "checkpoint": subject.checkpoint,
        "checkpoint_sha256": subject.checkpoint_sha256,
        "calibration": subject.calibration.provenance(),
        "chosen_on": {"source": subject.texts_source, "sha256": subject.texts_sha256, "texts": choice.selection.texts},
        "most_points": choice.most_points,
    }
    packed = pack_mixed(
        mixed.content, mixed.prepared, choice.treatments, request.tokenizer, request.head, request.maximum_length,
        provenance,
    )  # fmt: skip
    write_atomically(arguments.output, packed)
    note(f"wrote {arguments.output} ({len(packed):,} bytes)")
    return 0
