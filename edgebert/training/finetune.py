"""Fine-tuning of a model with a classification or regression head on a labelled dataset."""

import os
from functools import cached_property

from edgebert.data.batches import EncodedDataset
from edgebert.errors import DataError
from edgebert.keras import keras, tf
from edgebert.models.task import TaskModel, named_variables
from edgebert.progress import Report, silent
from edgebert.training.feed import Feed
from edgebert.training.hashing import dataset_sha256
from edgebert.training.loop import train as run_loop
from edgebert.training.scoring import predict, score
from edgebert.training.settings import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_SETTINGS,
    CheckpointSettings,
    EpochResult,
    TrainingSettings,
)

FinetuneSettings = TrainingSettings


def finetune(
    model: TaskModel,
    train: EncodedDataset,
    dev: EncodedDataset,
    settings: FinetuneSettings = DEFAULT_SETTINGS,
    report: Report = silent,
    folder: str | os.PathLike | None = None,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
) -> tuple[EpochResult, ...]:
    """Train in place; the model ends with the values of the epoch that scored best on dev.

    With a folder for checkpoints a killed run goes on where it was, when it is called with the same arguments.
    """
    require_labelled(train=train, dev=dev)
    return run_loop(
        "fine-tune",
        Labelled(model, dev),
        Feed(train, settings.batch_size, settings.seed),
        lambda: score(model.head_config, predict(model, dev), dev.targets),
        settings,
        report,
        folder,
        checkpoints,
    )


def require_labelled(**datasets: EncodedDataset) -> None:
    for name, data in datasets.items():
        if not len(data) or data.targets is None:
            raise DataError(f"{name} data: expected labelled examples, got none. Do: give a file with labels.")


class Labelled:
    """A model that learns the labels and nothing else."""

    def __init__(self, model: TaskModel, dev: EncodedDataset):
        self.model, self._dev = model, dev
        if model.head_config.kind == "regression":
            self._loss = keras.losses.MeanSquaredError()
        else:
            self._loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @cached_property
    def description(self) -> dict:
        return {"kind": "fine-tune", "head": self.model.head_config.to_json(), "dev": dataset_sha256(self._dev)}

    @property
    def trained(self) -> dict[str, tf.Variable]:
        trainable = {id(variable) for variable in self.model.trainable_variables}
        return {name: value for name, value in named_variables(self.model).items() if id(value) in trainable}

    def losses(self, inputs, targets=None, *, training: bool) -> dict[str, tf.Tensor]:
        return {"label": self._loss(targets, self.model(inputs, training=training))}
