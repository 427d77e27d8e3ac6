"""The labelled data of a run, and what a person should hear of it."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgebert.augment.shards import augmented_folder, read_augmented
from edgebert.data.describing import describe
from edgebert.data.examples import Dataset, write_skipped
from edgebert.data.reading import read_examples
from edgebert.files import make_folder
from edgebert.pipeline.config import DataConfig


class Train(NamedTuple):
    train: Dataset
    remarks: tuple[str, ...]


class Read(NamedTuple):
    train: Dataset
    dev: Dataset
    # Where the student has training data of its own.
    student_train: Dataset | None
    remarks: tuple[str, ...]
    # Training examples there are, of which `max_examples` may have left some out.
    train_available: int


def read_train(config: DataConfig, folder: Path | None = None) -> Train:
    """The training data alone. Skipped rows are listed in `folder`."""
    train = _read(config, config.train, "train", None, regression=False)
    return Train(thinned(train, config.max_examples), tuple(_remarks("train", train, folder)))


def read_data(
    config: DataConfig,
    student_source: str | None = None,
    labels: Sequence[str] | None = None,
    regression: bool = False,
    folder: Path | None = None,
) -> Read:
    """All data in one label order: `labels`, or the training data's own. Skipped rows are listed in `folder`."""
    train = _read(config, config.train, "train", labels, regression)
    labels, regression = labels or train.labels, train.is_regression
    read = {"train": train, "dev": _read(config, config.dev, "dev", labels, regression)}
    if student_source is not None:
        read["student-train"] = _read(config, student_source, "train", labels, regression)
    remarks = [line for name, data in read.items() for line in _remarks(name, data, folder)]
    if read["dev"].sha256 == train.sha256:
        remarks.append("dev: the training examples themselves, so that scores say nothing of other texts")
    return Read(thinned(train, config.max_examples), read["dev"], read.get("student-train"), tuple(remarks), len(train))


def _read(config: DataConfig, file: str | None, split: str, labels: Sequence[str] | None, regression: bool) -> Dataset:
    """A file of its own, or the split of the source."""
    shards = augmented_folder(Path(file)) if file else None
    if shards is not None:
        # Columns and what to leave out were chosen when it was made.
        return read_augmented(shards, labels)
    return read_examples(
        file or config.source,
        split=None if file else split,
        text_column=config.text_column,
        second_text_column=config.second_text_column,
        label_column=config.label_column,
        labels=labels,
        regression=regression or None,
        include_out_of_scope=config.include_out_of_scope,
        skip_bad_rows=config.skip_bad_rows,
    )


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
        rows = "1 row" if len(data.skipped) == 1 else f"{len(data.skipped):,} rows"
        remarks.append(f"{name}: {rows} skipped{place}; the first: {data.skipped[0].reason}")
    return remarks
