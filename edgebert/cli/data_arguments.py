"""The flags that say where labelled text is and how to read it."""

import argparse

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


def read_train_and_dev(arguments: argparse.Namespace):
    """The two datasets, in one label order; remarks of the reader go to stderr."""
    import dataclasses

    from edgebert.data.reading import read_examples
    from edgebert.errors import DataError

    if bool(arguments.data) == bool(arguments.train) or bool(arguments.train) != bool(arguments.dev):
        raise DataError(
            "data: expected --data SOURCE, or --train FILE with --dev FILE, got neither or both. Do: give one."
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
        arguments.dev or arguments.data, split=splits[1], labels=train.labels, regression=train.is_regression, **columns
    )
    for data in (train, dev):
        for remark in data.notes:
            note(f"{data.source}: {remark}")
        if data.skipped:
            note(f"{data.source}: {len(data.skipped)} rows skipped, the first: {data.skipped[0].reason}")
    if arguments.max_examples and arguments.max_examples < len(train):
        step = len(train) / arguments.max_examples
        kept = tuple(train.examples[int(number * step)] for number in range(arguments.max_examples))
        train = dataclasses.replace(train, examples=kept)
    return train, dev
