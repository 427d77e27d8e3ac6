"""Fine-tuning of a model with a classification or regression head on a labelled dataset."""

import math
import os

from edgebert.data.batches import EncodedDataset
from edgebert.errors import DataError
from edgebert.keras import keras
from edgebert.models.task import TaskModel, named_variables
from edgebert.progress import Report, silent
from edgebert.training.companion import Companion
from edgebert.training.feed import Feed
from edgebert.training.hashing import dataset_sha256
from edgebert.training.loop import Trainee
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
    companion: Companion | None = None,
) -> tuple[EpochResult, ...]:
    """Train in place; the model ends with the values of the epoch that scored best on dev.

    With a folder for checkpoints a killed run goes on where it was, when it is called with the same arguments.
    """
    _require_labelled(train=train, dev=dev)
    return run_loop(
        "fine-tune",
        _labelled(model, dev, companion),
        Feed(train, settings.batch_size, settings.seed),
        lambda: score(model.head_config, predict(model, dev), dev.targets),
        settings,
        report,
        folder,
        checkpoints,
    )


def _require_labelled(**datasets: EncodedDataset) -> None:
    for name, data in datasets.items():
        if not len(data) or data.targets is None:
            raise DataError(f"{name} data: expected labelled examples, got none. Do: give a file with labels.")


def _labelled(model: TaskModel, dev: EncodedDataset, companion: Companion | None) -> Trainee:
    """A model that learns the labels and nothing else."""
    if model.head_config.kind == "regression":
        loss = keras.losses.MeanSquaredError()
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    trainable = {id(variable) for variable in model.trainable_variables}
    return Trainee(
        model=model,
        trained={name: value for name, value in named_variables(model).items() if id(value) in trainable},
        losses=lambda inputs, targets: {"label": loss(targets, model(inputs, training=True))},
        description={"kind": "fine-tune", "head": model.head_config.to_json(), "dev": dataset_sha256(dev)},
        companion=companion,
        guessing_loss=math.log(model.head_config.outputs) if model.head_config.kind == "classification" else None,
    )
