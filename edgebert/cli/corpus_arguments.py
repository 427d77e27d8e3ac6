"""The flags of a corpus whose pieces are counted: plain text, labelled data, or both."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev
from edgebert.cli.output import counted, note

if TYPE_CHECKING:
    from edgebert.compression.vocabulary.counting import Corpus
    from edgebert.data.examples import Dataset
    from edgebert.data.wordpiece import WordPiece
    from edgebert.models.checkpoint import Checkpoint


def add_corpus_arguments(parser: argparse.ArgumentParser) -> None:
    add_data_arguments(parser)
    group = parser.add_argument_group("plain text")
    group.add_argument(
        "--texts",
        nargs="+",
        metavar="PATH",
        help="UTF-8 text beside or instead of labelled data: .txt files, folders of them, tar archives; .gz, .xz too",
    )


def has_corpus(arguments: argparse.Namespace) -> bool:
    return bool(arguments.texts) or has_data(arguments)


def has_data(arguments: argparse.Namespace) -> bool:
    return bool(arguments.source or arguments.train or arguments.dev)


def read_corpus(
    arguments: argparse.Namespace, checkpoint: "Checkpoint", tokenizer: "WordPiece", folder: Path | None
) -> "tuple[Corpus, tuple[Dataset, Dataset] | None]":
    """The corpus, and the train and dev data in it (None where there is plain text alone)."""
    from edgebert.cli.progress_line import ProgressLine
    from edgebert.compression.vocabulary.counting import corpus_of_examples, corpus_of_text
    from edgebert.data.plain_text import read_plain_text
    from edgebert.errors import DataError

    if not has_corpus(arguments):
        raise DataError(
            "corpus: expected --data SOURCE, --train FILE with --dev FILE, or --texts PATH, got none of them. "
            "Do: give one."
        )
    corpora, data = [], None
    if has_data(arguments):
        data = _labelled(arguments, checkpoint, folder)
        corpora.append(corpus_of_examples(*data, tokenizer))
    if arguments.texts:
        with ProgressLine(arguments.quiet) as report:
            text = read_plain_text(arguments.texts, tokenizer, report=report)
        corpora.append(corpus_of_text(text, tokenizer))
    corpus = corpora[0] if len(corpora) == 1 else corpora[0] + corpora[1]
    note(f"corpus: {', '.join(corpus.names)}, {counted(corpus.pieces, 'piece')}")
    return corpus, data


def _labelled(
    arguments: argparse.Namespace, checkpoint: "Checkpoint", folder: Path | None
) -> "tuple[Dataset, Dataset]":
    """Train and dev data, in the model's order of labels where it names one."""
    head = checkpoint.head
    labels, regression = None, False
    if head is not None and head.kind in ("classification", "regression"):
        from edgebert.stations.distil_request import label_order

        regression = head.kind == "regression"
        labels = None if regression else label_order(checkpoint)
    return read_train_and_dev(arguments, folder, labels=labels, regression=regression)
