"""Batches of each epoch as a pure function of seed and epoch, in few shapes, and the one signature that covers them."""

import itertools
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from edgebert.data.batches import INPUT_NAMES, EncodedDataset, batches
from edgebert.keras import tf

# Under which name what is added to the inputs goes in.
TEACHER = "teacher"


class Extras(Protocol):
    """What belongs to the examples beside inputs and targets: a teacher's kept outputs."""

    @property
    def signature(self) -> dict[str, tf.TensorSpec]: ...

    def batch(self, positions: np.ndarray, tokens: int) -> dict[str, np.ndarray]: ...


class Feed:
    """(inputs, targets) of each batch, or (inputs,) where there are no targets."""

    def __init__(self, data: EncodedDataset, batch_size: int, seed: int, extras: Extras | None = None):
        self.data, self._batch_size, self._seed, self._extras = data, batch_size, seed, extras

    @property
    def steps(self) -> int:
        """In one epoch."""
        return -(-len(self.data) // self._batch_size)

    @property
    def signature(self) -> tuple[Any, ...]:
        """Open in every dimension that batches differ in: a step is traced once."""
        inputs: dict[str, Any] = dict.fromkeys(INPUT_NAMES, tf.TensorSpec([None, None], tf.int32))
        if self._extras is not None:
            inputs[TEACHER] = self._extras.signature
        if self.data.targets is None:
            return (inputs,)
        return inputs, tf.TensorSpec([None], tf.as_dtype(self.data.targets.dtype))

    def epoch(self, epoch: int | None, skipped: int = 0) -> Iterator[tuple[Any, ...]]:
        """The epoch's batches but the first `skipped`; without a number in the order of lengths."""
        for positions, inputs in self._positioned(epoch, skipped):
            if self._extras is not None:
                inputs[TEACHER] = self._extras.batch(positions, inputs[INPUT_NAMES[0]].shape[1])
            yield (inputs,) if self.data.targets is None else (inputs, self.data.targets[positions])

    def _positioned(self, epoch: int | None, skipped: int) -> Iterator[tuple[np.ndarray, dict[str, Any]]]:
        """(positions in the dataset, inputs)"""
        seed = None if epoch is None else self._seed * 1000 + epoch
        return itertools.islice(batches(self.data, self._batch_size, seed), skipped, None)
