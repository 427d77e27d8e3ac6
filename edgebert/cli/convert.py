"""`edgebert convert`: a checkpoint to .tflite files."""

import argparse
from pathlib import Path

from edgebert.cli.output import note, table
from edgebert.cli.parsing import comma_separated, file_name

HELP = "convert a checkpoint to .tflite files, packed with its vocabulary and labels, and inspected"
EXAMPLES = """\
  edgebert convert minilm --out models                     the default teacher as a sentence embedder
  edgebert convert runs/teacher --out models --precision float32,dynamic
  edgebert convert runs/teacher --out models --length 64    fixed length; without it, as long as each text
  edgebert convert runs/teacher --out models --compatible-with task-library
                                                            int8 that clients of 2023 can run, at some accuracy"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="a folder in the Hugging Face layout, `minilm`, or a hub id (owner/name)")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="where the files go")
    parser.add_argument(
        "--precision",
        type=comma_separated,
        default=("float32", "float16", "dynamic"),
        metavar="A,B",
        help="float32, float16, dynamic (default: all three)",
    )
    parser.add_argument("--length", type=int, help="fixed number of tokens (default: dynamic, what each text has)")
    parser.add_argument("--name", type=file_name, help="first part of the file names (default: the checkpoint's)")
    parser.add_argument(
        "--pooling",
        choices=("mean", "first"),
        help="make a sentence embedder with this pooling instead of using the checkpoint's own head",
    )
    parser.add_argument("--compatible-with", metavar="CLIENT", help="task-library: files that its 2023 release can run")
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.config import HeadConfig
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.convert import Exporter, ExportRequest
    from edgebert.export.graph import check_length
    from edgebert.export.inspect import summarize
    from edgebert.files import make_folder, write_atomically
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.loading import load_model
    from edgebert.models.sources import resolve_checkpoint

    requests = [
        ExportRequest(precision, arguments.length, arguments.compatible_with) for precision in arguments.precision
    ]
    folder = resolve_checkpoint(arguments.checkpoint, allow_download=arguments.allow_download)
    checkpoint = load_checkpoint(folder)
    for remark in checkpoint.notes:
        note(remark)
    if checkpoint.left_aside:
        note(f"left aside, not used by this model: {', '.join(checkpoint.left_aside)}")
    check_length(checkpoint.encoder, arguments.length)
    make_folder(arguments.out)
    tokenizer = WordPiece.from_folder(folder)
    head = HeadConfig(kind="embedding", pooling=arguments.pooling) if arguments.pooling else None
    exporter = Exporter(
        load_model(checkpoint, head).model,
        tokenizer,
        {"checkpoint": folder.name, "checkpoint_sha256": checkpoint.sha256},
    )
    rows = []
    for request in requests:
        note(f"converting to {request.precision} ...")
        parts = [arguments.name or _name(arguments.checkpoint), request.precision, request.compatible_with]
        path = arguments.out / ("-".join(part for part in parts if part) + ".tflite")
        write_atomically(path, exporter.export(request))
        summary = summarize(path)
        rows.append((path, f"{summary.size_bytes:,}", summary.minimum_runtime))
    print(table(("file", "bytes", "needs runtime"), rows))
    return 0


def _name(checkpoint: str) -> str:
    return Path(checkpoint).name
