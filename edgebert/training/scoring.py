"""Predictions of a Keras model, and the score of any predictions: the one metric each kind of head is judged by."""

import numpy as np

from edgebert.config import HeadConfig
from edgebert.data.batches import EncodedDataset, batches
from edgebert.keras import tf
from edgebert.models.task import TaskModel


def predict(model: TaskModel, data: EncodedDataset, batch_size: int = 64) -> np.ndarray:
    """The model's output for each example, in the dataset's order: [N, C]."""
    outputs: list[np.ndarray] = [np.empty(0)] * len(data)
    for positions, inputs in batches(data, batch_size):
        computed = model.infer({name: tf.constant(tokens) for name, tokens in inputs.items()}).numpy()
        for position, row in zip(positions, computed, strict=True):
            outputs[position] = row
    return np.stack(outputs)


METRICS = {"classification": "accuracy", "regression": "spearman"}


def score(head: HeadConfig, outputs: np.ndarray, targets: np.ndarray) -> float:
    """Accuracy of the largest output, or Spearman's rank correlation."""
    if head.kind == "regression":
        return _spearman(outputs[:, 0], targets)
    return float(np.mean(np.argmax(outputs, axis=-1) == targets))


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(_ranks(a), _ranks(b))[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks with ties at their mean."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
