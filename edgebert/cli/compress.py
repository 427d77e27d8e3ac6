"""`edgebert compress`: checkpoint and labelled data to .tflite files that clients were seen to run."""

import argparse
from pathlib import Path

from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev
from edgebert.cli.output import counted, note, table
from edgebert.cli.parsing import comma_separated

HELP = "the whole road: fine-tune, convert, score, verify in real clients, measure"
EXAMPLES = """\
  edgebert compress --teacher minilm --data snips --run runs/snips --max-examples 2000 --epochs 1
  edgebert compress --teacher folder --train train.csv --dev dev.csv --run runs/mine

A stage that finished with the same inputs is not run again: repeat the command after an interruption.
Nothing is distilled or pruned yet: the files are the fine-tuned checkpoint in each precision."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--teacher", required=True, help="a checkpoint folder, `minilm`, or a hub id (owner/name)")
    parser.add_argument(
        "--run",
        dest="run_folder",
        required=True,
        type=Path,
        metavar="FOLDER",
        help="the run's folder: everything is in it",
    )
    add_data_arguments(parser)
    training = parser.add_argument_group("training")
    training.add_argument("--epochs", type=int, default=3, help="(default: 3)")
    training.add_argument("--batch-size", type=int, default=32, help="(default: 32)")
    training.add_argument("--learning-rate", type=float, default=5e-5, help="(default: 5e-5)")
    training.add_argument("--training-length", type=int, default=128, help="tokens kept in training (default: 128)")
    training.add_argument("--pooling", choices=("mean", "first", "pooler"), default="mean", help="(default: mean)")
    training.add_argument("--seed", type=int, default=0, help="(default: 0)")
    files = parser.add_argument_group("files")
    files.add_argument(
        "--precision",
        type=comma_separated,
        default=("float32", "float16", "dynamic"),
        metavar="A,B",
        help="float32, float16, dynamic (default: all three)",
    )
    files.add_argument("--length", type=int, help="fixed number of tokens (default: dynamic, what each text has)")
    parser.add_argument("--allow-download", action="store_true", help="fetch a hub id that is not in the local cache")
    parser.add_argument("--quiet", action="store_true", help="no progress")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.files import make_folder
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.pipeline import CompressSettings, compress
    from edgebert.training.finetune import FinetuneSettings

    # A folder that cannot be written is found before anything is read.
    make_folder(arguments.run_folder)
    train, dev = read_train_and_dev(arguments, arguments.run_folder)
    settings = CompressSettings(
        teacher=resolve_checkpoint(arguments.teacher, allow_download=arguments.allow_download),
        train=train,
        dev=dev,
        precisions=arguments.precision,
        training_length=arguments.training_length,
        length=arguments.length,
        pooling=arguments.pooling,
        finetuning=FinetuneSettings(
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            learning_rate=arguments.learning_rate,
            seed=arguments.seed,
        ),
    )
    answers = "scores to predict" if train.is_regression else counted(len(train.labels), "label")
    note(f"training on {counted(len(train), 'example')}, scoring on {len(dev):,}, {answers}")
    with ProgressLine(arguments.quiet) as report:
        outcome = compress(settings, arguments.run_folder, report)
    reference = outcome.rows[0]
    clients = sorted({name for row in outcome.rows for name in row.clients})
    header = ("file", "bytes", "smaller", outcome.metric, "same answer", "ms", "faster", "runtime", *clients)
    rows = [
        (
            row.path,
            f"{row.size_bytes:,}",
            f"{reference.size_bytes / row.size_bytes:.1f}x",
            f"{100 * row.score:.2f}",
            f"{100 * row.agreement:.2f}",
            f"{row.latency_ms:.2f}",
            f"{reference.latency_ms / row.latency_ms:.1f}x",
            row.minimum_runtime,
            *(row.clients.get(name, "-") for name in clients),
        )
        for row in outcome.rows
    ]
    print(table(header, rows))
    note(
        f"{outcome.metric} and answers are of the files themselves on {len(dev):,} dev examples; "
        "ms is the median on this host"
    )
    return 0
