"""`edgebert average`: the mean of the weights of several trainings from one start."""

import argparse
import dataclasses
import json
from pathlib import Path

from edgebert.cli.data_arguments import add_dev_arguments
from edgebert.cli.output import counted, note, table
from edgebert.cli.training_arguments import add_result_arguments

HELP = "one checkpoint of several trainings from one start: the mean of their weights"
EXAMPLES = """\
  edgebert finetune minilm --data snips --output runs/one --learning-rate 5e-5
  edgebert finetune minilm --data snips --output runs/two --learning-rate 3e-5 --averaging 0.999
  edgebert average runs/one runs/two --output runs/teacher --data snips
  edgebert average runs/one runs/two runs/three --output runs/teacher --dev dev.tsv --json
  edgebert average runs/one runs/two --output runs/teacher           without scores

A "model soup" (Wortsman et al. 2022). Trainings of one checkpoint on one task, with other rates, seeds or orders, often
have a mean that answers better than each of them, at the cost of one: 89.8 % on SST-2 of MiniLMs with 89.3 and 89.4. It
takes a common start; trainings from different random weights have a mean that knows nothing. With data the dev score of
each and of the mean is told; where the mean is not the best, take the best.

Average before pruning or quantising: masks and ranges belong to one training. The folder is a checkpoint like any
other, in the number type of the first."""

# Two trainings of MiniLM on SST-2 lie .006 from their mean, two models that share nothing 1.
FAR_APART = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoints", nargs="+", metavar="CHECKPOINT", help="folders of finished trainings")
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="where the mean goes")
    group = add_dev_arguments(parser)
    group.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="tokens of a text that are kept (default: 128, or all that fit); for the scores that a training told, its "
        "own --length",
    )
    add_result_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    request = _request(arguments)

    from edgebert.cli.progress_line import ProgressLine
    from edgebert.stations.averaging import average_checkpoints

    if request.leaves_projections_out:
        note("projections.safetensors left out: not every checkpoint has one of the same layers")
    with ProgressLine(arguments.quiet) as report:
        done = average_checkpoints(request, arguments.output, report, replace=arguments.force)
    if done.found:
        note(f"{arguments.output} was finished before with the same inputs; nothing was made")
    _remark(done)
    if arguments.json:
        sources = [str(one.source) for one in request.checkpoints]
        told = {"folder": str(arguments.output), "found": done.found, "checkpoints": sources, **done.to_json()}
        print(json.dumps(told, indent=1))
    else:
        print(_table(request, done))
    return 0


def _request(arguments: argparse.Namespace) -> "AverageRequest":  # noqa: F821 - imported late, see the package's docstring
    from edgebert.errors import DataError
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint
    from edgebert.stations.result_folder import require_free

    if arguments.source and arguments.dev:
        raise DataError("data: expected --data SOURCE or --dev FILE, got both. Do: give one of them.")
    require_free(arguments.output)
    sources = [resolve_checkpoint(one, allow_download=arguments.allow_download) for one in arguments.checkpoints]
    checkpoints = tuple(load_checkpoint(source) for source in sources)

    # TensorFlow is loaded here.
    from edgebert.stations.average_request import AverageRequest

    # What is wrong with the checkpoints is said before data is read.
    request = AverageRequest(checkpoints)
    if not (arguments.source or arguments.dev):
        if arguments.length is not None:
            raise DataError("--length: expected with --data or --dev, got neither. Do: leave it out, or give data.")
        return request
    return dataclasses.replace(request, dev=_read_dev(arguments, checkpoints[0]), length=arguments.length)


def _read_dev(arguments: argparse.Namespace, checkpoint: "Checkpoint") -> "Dataset":  # noqa: F821
    """In the order of the checkpoints' labels, where they name them."""
    from edgebert.data.reading import read_examples
    from edgebert.stations.distil_request import label_order

    head = checkpoint.head
    regression = head is not None and head.kind == "regression"
    data = read_examples(
        arguments.dev or arguments.source,
        split=None if arguments.dev else "dev",
        text_column=arguments.text_column,
        second_text_column=arguments.second_text_column,
        label_column=arguments.label_column,
        labels=label_order(checkpoint) if head is not None and head.kind == "classification" else None,
        regression=regression or None,
        include_out_of_scope=arguments.include_out_of_scope,
        skip_bad_rows=arguments.skip_bad_rows,
    )
    for remark in data.notes:
        note(remark)
    if data.skipped:
        note(f"dev: {counted(len(data.skipped), 'row')} skipped; the first: {data.skipped[0].reason}")
    return data


def _remark(done: "Averaged") -> None:  # noqa: F821
    if max(done.distances) > FAR_APART:
        note("the checkpoints lie far apart: a mean of trainings from different starts knows nothing")
    if done.dev_scores and done.dev_score < max(done.dev_scores):
        note("the mean scores below the best of the checkpoints")


def _table(request: "AverageRequest", done: "Averaged") -> str:  # noqa: F821
    header, rows = ["checkpoint", "from the mean"], []
    for checkpoint, distance in zip(request.checkpoints, done.distances, strict=True):
        rows.append([checkpoint.source, f"{distance:.1%}"])
    rows.append(["mean", ""])
    if done.metric is not None:
        header.append(f"dev {done.metric}")
        for row, score in zip(rows, (*done.dev_scores, done.dev_score), strict=True):
            row.append(f"{100 * score:.2f}")
    return table(header, rows)
