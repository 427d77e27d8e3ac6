"""The labelled data of a run, and what a person should hear of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgebert.data.describing import describe
from edgebert.data.examples import Dataset, write_skipped
from edgebert.data.reading import read_examples
from edgebert.files import make_folder
from edgebert.pipeline.config import DataConfig


class Read(NamedTuple):
    train: Dataset
    dev: Dataset
    remarks: tuple[str, ...]


def read_data(
    config: DataConfig, labels: Sequence[str] | None = None, regression: bool = False, folder: Path | None = None
) -> Read:
    """Train and dev in one label order: `labels`, or the training data's own. Skipped rows are listed in `folder`."""
    options = {
        "text_column": config.text_column,
        "second_text_column": config.second_text_column,
        "label_column": config.label_column,
        "include_out_of_scope": config.include_out_of_scope,
        "skip_bad_rows": config.skip_bad_rows,
    }
    train = read_examples(
        config.train or config.source,
        split=None if config.train else "train",
        labels=labels,
        regression=regression or None,
        **options,
    )
    dev = read_examples(
        config.dev or config.source,
        split=None if config.dev else "dev",
        labels=labels or train.labels,
        regression=train.is_regression or None,
        **options,
    )
    remarks = [line for name, data in (("train", train), ("dev", dev)) for line in _remarks(name, data, folder)]
    return Read(thinned(train, config.max_examples), dev, tuple(remarks))


def thinned(data: Dataset, count: int | None) -> Dataset:
    """`count` examples, evenly from the whole dataset."""
    if count is None or count >= len(data):
        return data
    kept = tuple(data.examples[number * len(data) // count] for number in range(count))
    return dataclasses.replace(data, examples=kept)


def spread_texts(data: Dataset, count: int) -> tuple[tuple[str, str | None], ...]:
    """`count` texts, evenly from the whole dataset."""
    return tuple((example.text, example.second_text) for example in thinned(data, count).examples)


def _remarks(name: str, data: Dataset, folder: Path | None) -> list[str]:
    remarks = [f"{name}: {remark}" for remark in describe(dataclasses.replace(data, skipped=())).warnings]
    if data.skipped:
        place = ""
        if folder is not None:
            place = f", listed in {write_skipped(data, make_folder(folder) / f'skipped-{name}.jsonl')}"
        remarks.append(f"{name}: {len(data.skipped):,} rows skipped{place}; the first: {data.skipped[0].reason}")
    return remarks
