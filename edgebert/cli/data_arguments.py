"""The flags that say where labelled text is and how to read it."""

import argparse
import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from edgebert.cli.output import note
from edgebert.pipeline.config import DataConfig

METAVARS = {"source": "SOURCE", "train": "FILE", "dev": "FILE"}
# Where nothing is trained, of the data only dev is read.
OF_TRAINING = ("train", "max_examples")


def add_data_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    for one in dataclasses.fields(DataConfig):
        _add(group, one, one.metadata["help"])


def add_dev_arguments(parser: argparse.ArgumentParser) -> "argparse._ArgumentGroup":
    group = parser.add_argument_group("data to score on")
    for one in dataclasses.fields(DataConfig):
        if one.name not in OF_TRAINING:
            _add(group, one, "file to score on, instead of --data" if one.name == "dev" else one.metadata["help"])
    return group


def _add(group: "argparse._ArgumentGroup", one: dataclasses.Field, explanation: str) -> None:
    flag = one.metadata["flag"] or f"--{one.name.replace('_', '-')}"
    options = {"dest": one.name, "default": one.default, "help": explanation}
    if isinstance(one.default, bool):
        group.add_argument(flag, action="store_true", **options)
    elif one.name == "max_examples":
        group.add_argument(flag, type=int, metavar="N", **options)
    else:
        group.add_argument(flag, metavar=METAVARS.get(one.name, "NAME"), **options)


def read_train(arguments: argparse.Namespace, folder: Path | None) -> "Dataset":  # noqa: F821 - imported late, see the package's docstring
    """The training examples. What was skipped is listed in `folder`, or without one only counted."""
    from edgebert.pipeline.reading import read_train

    config = _config(arguments)
    config.check_train()
    read = read_train(config, folder)
    _tell(read.remarks)
    return read.train


def read_train_and_dev(
    arguments: argparse.Namespace,
    folder: Path | None,
    labels: Sequence[str] | None = None,
    regression: bool = False,
) -> "tuple[Dataset, Dataset]":  # noqa: F821
    """Both datasets, in one label order: `labels`, or the training data's own."""
    from edgebert.pipeline.reading import read_data

    config = _config(arguments)
    config.check()
    read = read_data(config, labels=labels, regression=regression, folder=folder)
    _tell(read.remarks)
    return read.train, read.dev


def _config(arguments: argparse.Namespace) -> DataConfig:
    return DataConfig(**{one.name: getattr(arguments, one.name) for one in dataclasses.fields(DataConfig)})


def _tell(remarks: Sequence[str]) -> None:
    for remark in remarks:
        note(remark)


def remark_on_guessing(dev: "Dataset", dev_score: float) -> None:  # noqa: F821 - imported late
    """A score that always the same answer reaches is easily taken for one."""
    if dev.is_regression:
        return
    ((most_frequent, count),) = Counter(dev.label_ids().tolist()).most_common(1)
    if dev_score <= count / len(dev) < 1:
        note(
            f"nothing was learnt: always answering {dev.labels[most_frequent]!r} scores {100 * count / len(dev):.2f} "
            "too. Try a lower learning rate, or more epochs"
        )
