"""A checkpoint and labelled data to a checkpoint that knows the task: `edgebert finetune`, and every teacher."""

import dataclasses
import os
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from edgebert.config import HeadConfig
from edgebert.data.batches import encode_dataset
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import DataError
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Report, silent
from edgebert.stations.result_folder import ResultFolder
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.finetune import finetune
from edgebert.training.hashing import key_sha256, values_sha256
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS
from edgebert.training.settings import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_SETTINGS,
    CheckpointSettings,
    EpochResult,
    TrainingSettings,
    best_epoch,
)

STATION = "finetune"
# Tokens of a text, where nobody says how many: as far as published classifiers read.
USUAL_LENGTH = 128


@dataclass(frozen=True)
class FinetuneRequest:
    checkpoint: Checkpoint
    train: Dataset
    dev: Dataset
    settings: TrainingSettings = DEFAULT_SETTINGS
    pooling: str = "mean"
    # Tokens of a text that are kept.
    length: int | None = None

    def __post_init__(self) -> None:
        require_labelled(train=self.train, dev=self.dev)
        labels = self.train.labels or ()
        if not self.train.is_regression and len(labels) < 2:
            raise DataError(
                f"{self.train.source}: expected two labels or more to learn, got {labels[0]!r} for every example. "
                "Do: check the label column."
            )
        check_length(self.checkpoint.encoder, self.tokens)
        check_arithmetic(self.settings.arithmetic)

    @property
    def tokens(self) -> int:
        return usual_length(self.checkpoint) if self.length is None else self.length

    @property
    def head(self) -> HeadConfig:
        if self.train.is_regression:
            return HeadConfig(kind="regression", pooling=self.pooling)
        return HeadConfig(kind="classification", pooling=self.pooling, labels=self.train.labels)

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.checkpoint.source)

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        return {
            "checkpoint": checkpoint_facts(self.checkpoint, self.tokenizer),
            "train_sha256": self.train.sha256,
            "dev_sha256": self.dev.sha256,
            "tokens": self.tokens,
            "head": self.head.to_json(),
            "settings": dataclasses.asdict(self.settings),
        }


@dataclass(frozen=True)
class Finetuned:
    metric: str
    epochs: tuple[EpochResult, ...]
    # It was there before; nothing was trained now.
    found: bool = False

    @property
    def best(self) -> EpochResult:
        """Whose weights the checkpoint has."""
        return best_epoch(self.epochs)

    def to_json(self) -> dict[str, Any]:
        epochs = [dataclasses.asdict(epoch) for epoch in self.epochs]
        return {
            "metric": self.metric,
            "dev_score": self.best.dev_score,
            "best_epoch": self.best.epoch,
            "epochs": epochs,
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any], *, found: bool) -> Self:
        return cls(fields["metric"], tuple(EpochResult(**epoch) for epoch in fields["epochs"]), found)


def finetune_checkpoint(
    request: FinetuneRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> Finetuned:
    """Make the checkpoint in `folder`. Killed, the same call goes on where it was; a finished one is only reported.

    `replace` gives up what the folder holds of other inputs; without it that is an error.
    """
    with ResultFolder(folder, STATION, request.to_json(), replace) as place:
        if place.finished:
            return Finetuned.from_json(place.result, found=True)
        # A fresh head's random values must be the same when a killed run is taken up again.
        begin(request.settings.seed)
        model = load_model(request.checkpoint, request.head).model
        place.begin()
        data = (encode_dataset(each, request.tokenizer, request.tokens) for each in (request.train, request.dev))
        epochs = finetune(model, *data, request.settings, report, place.work, checkpoints)
        done = Finetuned(METRICS[request.head.kind], epochs)
        save_checkpoint(place.path, model_tensors(model), model.config, request.head, request.checkpoint)
        place.finish(done.to_json())
    return done


def checkpoint_facts(checkpoint: Checkpoint, tokenizer: WordPiece) -> dict[str, Any]:
    """What a model that is made of the checkpoint depends on, by content: where the folder lies does not matter."""
    return {
        "sha256": checkpoint.sha256,
        "encoder": checkpoint.encoder.to_json(),
        "vocabulary_sha256": key_sha256({"pieces": tokenizer.vocabulary}),
        "tokenizer": tokenizer.settings.to_json(),
    }


def stored_values_sha256(checkpoint: Checkpoint) -> str:
    """Of the values as they are read back: a checkpoint of half precision keeps its number types."""
    return values_sha256(model_tensors(load_model(checkpoint).model))


def usual_length(checkpoint: Checkpoint) -> int:
    return min(USUAL_LENGTH, checkpoint.encoder.maximum_length)


def require_labelled(**datasets: Dataset) -> None:
    for name, data in datasets.items():
        if not data.is_labelled:
            raise DataError(
                f"{data.source}: expected a label for every {name} example, got some without one. "
                "Do: name the label column (--label-column)."
            )


def require_kind(data: Dataset, kind: str, whose: str) -> None:
    """That the labels, if there are any, are such as the model answers with; `whose`: `the teacher's`."""
    if data.is_labelled and data.is_regression != (kind == "regression"):
        got = "scores" if data.is_regression else "classes"
        raise DataError(
            f"{data.source}: expected labels for {whose} {kind}, got {got}. Do: give the data of {whose} task."
        )
