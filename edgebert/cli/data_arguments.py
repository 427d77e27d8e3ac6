"""The flags that say where labelled text is and how to read it."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from edgebert.cli.output import counted, note


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument(
        "--data",
        metavar="SOURCE",
        help="`snips` or `clinc150` (bundled), or a folder with a file for each of train and dev",
    )
    group.add_argument(
        "--train",
        metavar="FILE",
        help="training file (.csv .tsv .jsonl .parquet) or what `edgebert augment --out` made, instead of --data",
    )
    group.add_argument("--dev", metavar="FILE", help="file to score on, with --train")
    group.add_argument("--text-column", metavar="NAME", help="column of the text (default: guessed)")
    group.add_argument("--second-text-column", metavar="NAME", help="column of the second text of pairs")
    group.add_argument("--label-column", metavar="NAME", help="column of the label (default: guessed)")
    group.add_argument("--max-examples", type=int, metavar="N", help="train on N examples, evenly taken")
    group.add_argument("--include-out-of-scope", action="store_true", help="CLINC150: out-of-scope texts as a class")
    group.add_argument("--skip-bad-rows", action="store_true", help="leave out malformed rows, counted and listed")


def read_train(
    arguments: argparse.Namespace,
    folder: Path | None,
    labels: Sequence[str] | None = None,
    regression: bool | None = None,
) -> "Dataset":  # noqa: F821 - imported late, see the package
    """The training examples; their label order, or that they are scores to predict, may be known before.

    What was skipped is listed in `folder`, or without one only counted; remarks go to stderr.
    """
    from edgebert.augment.shards import augmented_folder, read_augmented
    from edgebert.data.reading import read_examples
    from edgebert.errors import DataError

    if bool(arguments.data) == bool(arguments.train):
        raise DataError("data: expected --data SOURCE or --train FILE, got neither or both. Do: give one of them.")
    shards = augmented_folder(Path(arguments.train)) if arguments.train else None
    if shards is not None:
        # Columns and what to leave out were chosen when it was made.
        train = read_augmented(shards, labels)
    else:
        split, how = None if arguments.train else "train", _reading(arguments)
        train = read_examples(
            arguments.train or arguments.data, split=split, labels=labels, regression=regression, **how
        )
    _remark("train", train, folder)
    return _thinned(train, arguments.max_examples)


def read_train_and_dev(
    arguments: argparse.Namespace,
    folder: Path | None,
    labels: Sequence[str] | None = None,
    regression: bool | None = None,
) -> "tuple[Dataset, Dataset]":  # noqa: F821
    """Both datasets, in one label order: `labels`, or the training data's own."""
    from edgebert.data.reading import read_examples
    from edgebert.errors import DataError

    if bool(arguments.train) != bool(arguments.dev):
        raise DataError("data: expected --train FILE with --dev FILE, got one alone. Do: give both, or --data SOURCE.")
    train = read_train(arguments, folder, labels, regression)
    dev = read_examples(
        arguments.dev or arguments.data,
        split=None if arguments.dev else "dev",
        labels=labels or train.labels,
        regression=regression or train.is_regression or None,
        **_reading(arguments),
    )
    _remark("dev", dev, folder)
    return train, dev


def _reading(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "text_column": arguments.text_column,
        "second_text_column": arguments.second_text_column,
        "label_column": arguments.label_column,
        "include_out_of_scope": arguments.include_out_of_scope,
        "skip_bad_rows": arguments.skip_bad_rows,
    }


def _remark(name: str, data: "Dataset", folder: Path | None) -> None:  # noqa: F821 - imported late, see the package's docstring
    from edgebert.data.describing import describe
    from edgebert.data.examples import write_skipped
    from edgebert.files import make_folder

    # What was skipped is told below, with the place of its list.
    for remark in describe(dataclasses.replace(data, skipped=())).warnings:
        note(f"{name}: {remark}")
    if data.skipped:
        place = ""
        if folder is not None:
            place = f", listed in {write_skipped(data, make_folder(folder) / f'skipped-{name}.jsonl')}"
        note(f"{name}: {counted(len(data.skipped), 'row')} skipped{place}; the first: {data.skipped[0].reason}")


def _thinned(data: "Dataset", count: int | None) -> "Dataset":  # noqa: F821
    """`count` examples, evenly from the whole dataset."""
    from edgebert.errors import DataError

    if count is not None and count < 1:
        raise DataError(f"--max-examples: expected 1 or more, got {count}. Do: correct it or leave it out.")
    if count is None or count >= len(data):
        return data
    kept = tuple(data.examples[number * len(data) // count] for number in range(count))
    return dataclasses.replace(data, examples=kept)
