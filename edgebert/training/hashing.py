"""Hashes of what a training run depends on: its weights and its data, by content."""

import hashlib
import json
from typing import Any

import numpy as np

from edgebert.data.batches import INPUT_NAMES, EncodedDataset


def values_sha256(values: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(values):
        array = np.ascontiguousarray(values[name])
        digest.update(f"{name}\n{array.dtype.str}\n{array.shape}\n".encode())
        digest.update(memoryview(array).cast("B") if array.size else b"")
    return digest.hexdigest()


def dataset_sha256(data: EncodedDataset, *, with_targets: bool = True) -> str:
    """Of the tokenised inputs in their order, and of the targets."""
    arrays = {"lengths": np.array([len(item.input_ids) for item in data.encoded], np.int64)}
    for name in INPUT_NAMES:
        rows = [getattr(item, name) for item in data.encoded]
        arrays[name] = np.fromiter((value for row in rows for value in row), np.int32)
    if with_targets and data.targets is not None:
        arrays["targets"] = data.targets
    return values_sha256(arrays)


def key_sha256(facts: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
