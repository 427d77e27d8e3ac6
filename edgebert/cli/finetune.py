"""`edgebert finetune`: a checkpoint learns a task; its result is a teacher, or a model to convert."""

import argparse
import json
from pathlib import Path

from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev, remark_on_guessing
from edgebert.cli.output import counted, note, table
from edgebert.cli.training_arguments import (
    add_result_arguments,
    add_training_arguments,
    checkpoint_settings,
    training_settings,
)

HELP = "train a checkpoint on labelled data: the teacher of edgebert distill, or a model to convert"
EXAMPLES = """\
  edgebert finetune minilm --data snips --output runs/teacher
  edgebert finetune minilm --train train.tsv --dev dev.tsv --output runs/teacher --epochs 4 --learning-rate 3e-5
  tensorboard --logdir runs/teacher/training            the training curves

The folder is a checkpoint like any other, of the epoch with the best dev score; in `training` is how it was made.
Killed or interrupted, the same command goes on where it was. A finished one is shown again and not redone."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", help="a folder in the Hugging Face layout, `minilm`, or a hub id (owner/name)")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the checkpoint goes")
    add_data_arguments(parser)
    group = add_training_arguments(parser)
    group.add_argument("--epochs", type=int, default=3, metavar="N", help="(default: 3)")
    group.add_argument("--learning-rate", type=float, default=5e-5, metavar="X", help="(default: 5e-5)")
    group.add_argument(
        "--patience", type=int, default=2, metavar="N", help="stop after N epochs without a better one (default: 2)"
    )
    group.add_argument(
        "--pooling", choices=("mean", "first", "pooler"), default="mean", help="what the head reads (default: mean)"
    )
    add_result_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.stations.result_folder import require_free, work_folder

    settings = training_settings(
        arguments, epochs=arguments.epochs, learning_rate=arguments.learning_rate, patience=arguments.patience
    )
    require_free(arguments.output)
    source = resolve_checkpoint(arguments.checkpoint, allow_download=arguments.allow_download)
    checkpoint = load_checkpoint(source)
    train, dev = read_train_and_dev(arguments, work_folder(arguments.output))

    # TensorFlow is loaded only now, with all that can be wrong in files said.
    from edgebert.stations.finetuning import FinetuneRequest, finetune_checkpoint

    request = FinetuneRequest(checkpoint, train, dev, settings, arguments.pooling, arguments.length)
    answers = "scores to predict" if train.is_regression else counted(len(train.labels), "label")
    note(f"training on {counted(len(train), 'example')}, scoring on {len(dev):,}, {answers}")
    with ProgressLine(arguments.quiet) as report:
        done = finetune_checkpoint(
            request, arguments.output, report, checkpoint_settings(arguments), replace=arguments.force
        )
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was trained")
    remark_on_guessing(dev, done.best.dev_score)
    if arguments.json:
        print(json.dumps({"folder": str(arguments.output), "found": done.found, **done.to_json()}, indent=1))
    else:
        print(_table(done))
    return 0


def _table(done: "Finetuned") -> str:  # noqa: F821 - imported late
    rows = [
        (each.epoch, f"{each.training_loss:.4f}", f"{100 * each.dev_score:.2f}", "kept" if each is done.best else "")
        for each in done.epochs
    ]
    return table(("epoch", "loss", f"dev {done.metric}", ""), rows)
