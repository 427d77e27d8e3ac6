"""Tokenised examples in batches of like length: short texts do not pay for the longest one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import Encoded, WordPiece

INPUT_NAMES = ("input_ids", "input_mask", "segment_ids")
# Batches are padded to a multiple of this, so that few different shapes occur.
LENGTH_STEP = 8
# How many batches are sorted by length together; large enough for like lengths, small enough to stay well mixed.
BATCHES_SORTED_TOGETHER = 50


@dataclass(frozen=True)
class EncodedDataset:
    """Token ids of each example, not padded, and its target: class id, score, or nothing."""

    encoded: tuple[Encoded, ...]
    targets: np.ndarray | None

    def __len__(self) -> int:
        return len(self.encoded)


def encode_dataset(dataset: Dataset, tokenizer: WordPiece, length: int) -> EncodedDataset:
    """Tokenise once for all epochs; targets are class ids in the dataset's label order, or scores."""
    encoded = tuple(tokenizer.encode(example.text, example.second_text, length=length) for example in dataset.examples)
    if not dataset.is_labelled:
        return EncodedDataset(encoded, None)
    return EncodedDataset(encoded, dataset.label_values() if dataset.is_regression else dataset.label_ids())


def batches(data: EncodedDataset, batch_size: int, seed: int | None = None) -> Iterator[tuple[np.ndarray, dict]]:
    """(positions in the dataset, padded inputs) of each batch; with a seed in a random order, else as they stand.

    Either way texts of like length come together, and either way each example comes once.
    """
    lengths = np.array([len(encoded.input_ids) for encoded in data.encoded])
    if seed is None:
        order, starts = np.argsort(lengths, kind="stable"), np.arange(0, len(data), batch_size)
    else:
        order, starts = _shuffled(lengths, batch_size, np.random.default_rng(seed))
    for start in starts:
        positions = order[start : start + batch_size]
        yield positions, pad([data.encoded[position] for position in positions])


def _shuffled(lengths: np.ndarray, batch_size: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    order = generator.permutation(len(lengths))
    window = batch_size * BATCHES_SORTED_TOGETHER
    for start in range(0, len(order), window):
        part = order[start : start + window]
        order[start : start + window] = part[np.argsort(lengths[part], kind="stable")]
    return order, generator.permutation(np.arange(0, len(order), batch_size))


def pad(encoded: Sequence[Encoded], length: int | None = None) -> dict[str, np.ndarray]:
    """Inputs as int32 [B, T], padded to `length` or to the longest text, rounded up."""
    longest = max(len(item.input_ids) for item in encoded)
    width = length or -(-longest // LENGTH_STEP) * LENGTH_STEP
    padded = {name: np.zeros((len(encoded), width), np.int32) for name in INPUT_NAMES}
    for row, item in enumerate(encoded):
        for name in INPUT_NAMES:
            values = getattr(item, name)
            padded[name][row, : len(values)] = values
    return padded
