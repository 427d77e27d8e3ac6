"""`edgebert convert`: a checkpoint to .tflite files."""

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.output import counted, note, table
from edgebert.cli.parsing import comma_separated, file_name

if TYPE_CHECKING:
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.convert import ExportRequest
    from edgebert.export.quantization.calibration import CalibrationSet

HELP = "convert a checkpoint to .tflite files, packed with its vocabulary and labels, and inspected"
EXAMPLES = """\
  edgebert convert minilm --out models                     the default teacher as a sentence embedder
  edgebert convert runs/teacher --out models --precision float32,dynamic
  edgebert convert runs/teacher --out models --length 64    fixed length; without it, as long as each text
  edgebert convert runs/teacher --out models --precision hybrid,static --calibration texts.txt
                                                            int8 activations, their ranges from real texts
  edgebert convert runs/quantized --out models --precision static
                                                            ranges that it was trained with (edgebert quantize)
  edgebert convert runs/student --out models --precision full-int8 --calibration snips --integer-output
                                                            for an NPU or a DSP: nothing in it knows floats
  edgebert convert runs/teacher --out models --compatible-with task-library
                                                            int8 that clients of 2023 can run, at some accuracy
  edgebert convert --list-precisions                        what each is, in a paragraph"""

_CALIBRATION_TEXTS = 256
# The mixture that `edgebert sensitivity` makes.
_CHOSEN_ON_TEXTS = "auto"
_PARAGRAPH_COLUMNS = 100


class _ListPrecisions(argparse.Action):
    """As --version does: prints and stops, whatever else is asked."""

    def __call__(self, parser, *_):
        print(precision_list())
        parser.exit()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="a folder in the Hugging Face layout, `minilm`, or a hub id (owner/name)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the files go")
    parser.add_argument(
        "--precision",
        type=comma_separated,
        default=("float32", "float16", "dynamic"),
        metavar="A,B",
        help="schemes of --list-precisions (default: float32,float16,dynamic)",
    )
    parser.add_argument("--list-precisions", action=_ListPrecisions, nargs=0, help="what each is, and stop")
    parser.add_argument("--length", type=int, help="fixed number of tokens (default: dynamic, what each text has)")
    parser.add_argument("--name", type=file_name, help="first part of the file names (default: the checkpoint's)")
    parser.add_argument(
        "--pooling",
        choices=("mean", "first"),
        help="make a sentence embedder with this pooling instead of using the checkpoint's own head",
    )
    parser.add_argument(
        "--compatible-with", metavar="CLIENT", help="files that this client can run, e.g. task-library (of 2023)"
    )
    parser.add_argument(
        "--integer-output",
        action="store_true",
        help="full-int8 alone: leave the answer int8 with its scale and zero point, for NPUs and DSPs, instead of "
        "handing it over as float32",
    )
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")
    calibration = parser.add_argument_group("calibration, for the schemes with int8 activations")
    calibration.add_argument(
        "--calibration",
        metavar="FILE",
        help="real texts like those that the model will see: a .txt with a text a line, or .csv, .tsv, .jsonl, or "
        "`snips`, `clinc150`",
    )
    calibration.add_argument(
        "--calibration-texts",
        type=int,
        default=_CALIBRATION_TEXTS,
        metavar="N",
        help=f"take at most N of them, evenly (default: {_CALIBRATION_TEXTS})",
    )
    calibration.add_argument(
        "--calibration-split", metavar="NAME", help="split of it, where it has several (default: train)"
    )
    calibration.add_argument("--text-column", metavar="NAME", help="column of the text (default: guessed)")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.compression.quantizing.ranges import StoredRanges, has_ranges_for
    from edgebert.config import HeadConfig
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.convert import Exporter, check_needs_no_texts
    from edgebert.export.inspect import summarize
    from edgebert.export.precisions import remarks_on
    from edgebert.files import make_folder, write_atomically
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.loading import load_model
    from edgebert.models.sources import resolve_checkpoint

    requests = _requests(arguments)
    # Learnt with its own head, which --pooling replaces.
    learnt = None if arguments.pooling else StoredRanges.read(Path(arguments.checkpoint))
    if arguments.calibration is None:
        for request in requests:
            check_needs_no_texts(request.precision, learnt)
    folder = resolve_checkpoint(arguments.checkpoint, allow_download=arguments.allow_download)
    checkpoint = load_checkpoint(folder)
    for remark in checkpoint.notes:
        note(remark)
    if checkpoint.left_aside:
        note(f"left aside, not used by this model: {', '.join(checkpoint.left_aside)}")
    tokenizer = WordPiece.from_folder(folder)
    calibration = None
    if arguments.calibration is not None:
        calibration = _calibration(arguments, tokenizer, arguments.length or checkpoint.encoder.maximum_length)
    head = HeadConfig(kind="embedding", pooling=arguments.pooling) if arguments.pooling else None
    exporter = Exporter(
        load_model(checkpoint, head).model,
        tokenizer,
        {"checkpoint": folder.name, "checkpoint_sha256": checkpoint.sha256},
        calibration,
        learnt,
    )
    for request in requests:
        exporter.check(request)
        for remark in remarks_on(request.precision, checkpoint.encoder.normalization):
            note(remark)
    make_folder(arguments.out)
    rows = []
    for request in requests:
        trained = has_ranges_for(request.precision, learnt)
        note(f"converting to {request.precision}{', with the ranges that it was trained with' * trained} ...")
        parts = [arguments.name or _name(arguments.checkpoint), request.precision]
        parts += [request.compatible_with, "integer-output" * request.integer_output]
        path = arguments.out / ("-".join(part for part in parts if part) + ".tflite")
        write_atomically(path, exporter.export(request))
        summary = summarize(path)
        rows.append((path, f"{summary.size_bytes:,}", summary.minimum_runtime))
    print(table(("file", "bytes", "needs runtime"), rows))
    return 0


def _requests(arguments: argparse.Namespace) -> "list[ExportRequest]":
    from edgebert.errors import ArtefactError
    from edgebert.export.convert import ExportRequest

    if _CHOSEN_ON_TEXTS in arguments.precision:
        raise ArtefactError(
            f"precision: expected one of --list-precisions, got {_CHOSEN_ON_TEXTS}, which is chosen on labelled texts. "
            "Do: make it with edgebert sensitivity CHECKPOINT --data SOURCE --scheme auto --output FILE.tflite."
        )
    return [
        ExportRequest(precision, arguments.length, arguments.compatible_with, arguments.integer_output)
        for precision in arguments.precision
    ]


def _calibration(arguments: argparse.Namespace, tokenizer: "WordPiece", length: int) -> "CalibrationSet":
    from edgebert.benchmark.texts import read_texts
    from edgebert.data.splits import Preferred
    from edgebert.errors import DataError
    from edgebert.export.quantization.calibration import ENOUGH_TEXTS, calibration_set

    if arguments.calibration_texts < 1:
        raise DataError(
            f"--calibration-texts: expected 1 or more, got {arguments.calibration_texts}. Do: correct it or leave it "
            "out."
        )
    read = read_texts(
        arguments.calibration,
        arguments.calibration_texts,
        split=arguments.calibration_split or Preferred("train"),
        text_column=arguments.text_column,
    )
    found = calibration_set(read.texts, tokenizer, length, read.source, read.sha256, read.available)
    note(f"calibrating with {counted(len(read.texts), 'text')} of {read.available:,} from {read.source}")
    if len(read.texts) < ENOUGH_TEXTS:
        note(f"{len(read.texts)} texts miss words on which some channels are loud: give some hundred")
    return found


def _name(checkpoint: str) -> str:
    return Path(checkpoint).name


def precision_list() -> str:
    """Every scheme with its paragraph."""
    from edgebert.export.precisions import PRECISIONS

    return "\n".join(
        f"{name}\n{textwrap.fill(each.description, _PARAGRAPH_COLUMNS, initial_indent='  ', subsequent_indent='  ')}"
        for name, each in PRECISIONS.items()
    )
