"""Fine-tuning of a model with a classification or regression head on a labelled dataset."""

from dataclasses import dataclass

import numpy as np

from edgebert.data.batches import EncodedDataset, batches
from edgebert.errors import DataError, TrainingError
from edgebert.keras import keras, tf
from edgebert.models.layers import INPUT_NAMES
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel, named_variables
from edgebert.progress import Progress, Report, silent
from edgebert.training.schedule import adamw
from edgebert.training.scoring import predict, score


@dataclass(frozen=True, slots=True)
class FinetuneSettings:
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    # Epochs without a better dev score after which training stops.
    patience: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class EpochResult:
    epoch: int
    training_loss: float
    dev_score: float


def finetune(
    model: TaskModel,
    train: EncodedDataset,
    dev: EncodedDataset,
    settings: FinetuneSettings = FinetuneSettings(),
    report: Report = silent,
) -> tuple[EpochResult, ...]:
    """Train in place; the model ends with the values of the epoch that scored best on dev."""
    for name, data in (("train", train), ("dev", dev)):
        if not len(data) or data.targets is None:
            raise DataError(f"{name} data: expected labelled examples, got none. Do: give a file with labels.")
    keras.utils.set_random_seed(settings.seed)
    steps = -(-len(train) // settings.batch_size)
    total = steps * settings.epochs
    model.compile(
        optimizer=adamw(settings.learning_rate, total, settings.warmup_share, settings.weight_decay),
        loss=_loss(model),
    )
    results: list[EpochResult] = []
    best: dict[str, np.ndarray] = {}
    for epoch in range(settings.epochs):
        watch = _Watch(report, f"fine-tune {epoch + 1}/{settings.epochs}", steps)
        history = model.fit(_keras_dataset(train, settings, epoch), epochs=1, verbose=0, callbacks=[watch])
        dev_score = score(model.head_config, predict(model, dev), dev.targets)
        results.append(EpochResult(epoch + 1, float(history.history["loss"][0]), dev_score))
        leader = max(results, key=lambda result: result.dev_score)
        if leader is results[-1]:
            best = model_tensors(model)
        elif epoch + 1 - leader.epoch >= settings.patience:
            break
    for name, variable in named_variables(model).items():
        variable.assign(best[name])
    return tuple(results)


def _loss(model: TaskModel) -> keras.losses.Loss:
    if model.head_config.kind == "regression":
        return keras.losses.MeanSquaredError()
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _keras_dataset(data: EncodedDataset, settings: FinetuneSettings, epoch: int) -> tf.data.Dataset:
    def generate():
        for positions, inputs in batches(data, settings.batch_size, seed=settings.seed * 1000 + epoch):
            yield inputs, data.targets[positions]

    tokens = tf.TensorSpec([None, None], tf.int32)
    signature = (dict.fromkeys(INPUT_NAMES, tokens), tf.TensorSpec([None], tf.as_dtype(data.targets.dtype)))
    return tf.data.Dataset.from_generator(generate, output_signature=signature).prefetch(4)


class _Watch(keras.callbacks.Callback):
    """Tells the progress, and stops a run whose loss is no number any more."""

    def __init__(self, report: Report, task: str, steps: int):
        super().__init__()
        self._report, self._task, self._steps = report, task, steps

    def on_train_batch_end(self, batch, logs=None):
        loss = logs["loss"]
        if not np.isfinite(loss):
            raise TrainingError(
                f"{self._task}, step {batch + 1}: expected a finite loss, got {loss}. Do: lower the learning rate."
            )
        self._report(Progress(self._task, batch + 1, self._steps, f"loss {loss:.4f}"))
