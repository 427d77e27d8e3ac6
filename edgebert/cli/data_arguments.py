"""The flags that say where labelled text is and how to read it."""

import argparse
import dataclasses
from pathlib import Path

from edgebert.cli.output import note


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        metavar="SOURCE",
        help="`snips` or `clinc150` (bundled), or a folder with a file for each of train and dev",
    )
    group.add_argument("--train", metavar="FILE", help="training file (.csv .tsv .jsonl .parquet), instead of --data")
    group.add_argument("--dev", metavar="FILE", help="file to score on, with --train")
    group.add_argument("--text-column", metavar="NAME", help="column of the text (default: guessed)")
    group.add_argument("--second-text-column", metavar="NAME", help="column of the second text of pairs")
    group.add_argument("--label-column", metavar="NAME", help="column of the label (default: guessed)")
    group.add_argument("--max-examples", type=int, metavar="N", help="train on N examples, evenly taken")
    group.add_argument("--include-out-of-scope", action="store_true", help="CLINC150: out-of-scope texts as a class")
    group.add_argument("--skip-bad-rows", action="store_true", help="leave out malformed rows, counted and listed")


def read_train_and_dev(arguments: argparse.Namespace, folder: Path):
    """The two datasets, in one label order; what was skipped is listed in `folder`, remarks go to stderr."""
    from edgebert.data.reading import read_examples
    from edgebert.errors import DataError

    if bool(arguments.data) == bool(arguments.train) or bool(arguments.train) != bool(arguments.dev):
        raise DataError(
            "data: expected --data SOURCE, or --train FILE with --dev FILE, got neither or both. Do: give one of them."
        )
    columns = {
        "text_column": arguments.text_column,
        "second_text_column": arguments.second_text_column,
        "label_column": arguments.label_column,
        "include_out_of_scope": arguments.include_out_of_scope,
        "skip_bad_rows": arguments.skip_bad_rows,
    }
    splits = (None, None) if arguments.train else ("train", "dev")
    train = read_examples(arguments.train or arguments.data, split=splits[0], **columns)
    dev = read_examples(
        arguments.dev or arguments.data,
        split=splits[1],
        labels=train.labels,
        regression=train.is_regression or None,
        **columns,
    )
    for name, data in (("train", train), ("dev", dev)):
        _remark(name, data, folder)
    return _thinned(train, arguments.max_examples), dev


def _remark(name: str, data: "Dataset", folder: Path) -> None:  # noqa: F821 - imported late, see the package's docstring
    from edgebert.data.describing import describe
    from edgebert.data.examples import write_skipped
    from edgebert.files import make_folder

    for remark in (*data.notes, *describe(data).warnings):
        note(f"{name}: {remark}")
    if data.skipped:
        path = write_skipped(data, make_folder(folder) / f"skipped-{name}.jsonl")
        note(f"{name}: {len(data.skipped)} rows skipped, listed in {path}; the first: {data.skipped[0].reason}")


def _thinned(data: "Dataset", count: int | None) -> "Dataset":  # noqa: F821
    """`count` examples, evenly from the whole dataset."""
    if count is None or count >= len(data):
        return data
    step = len(data) / count
    kept = tuple(data.examples[int(number * step)] for number in range(count))
    return dataclasses.replace(data, examples=kept)
