"""How many weights of each pruned matrix are zero."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.compression.pruning.policy import Matrix


@dataclass(frozen=True, slots=True)
class LayerZeros:
    name: str
    kind: str
    elements: int
    zero_share: float


def count_zeros(tensors: Mapping[str, np.ndarray], matrices: Sequence[Matrix]) -> tuple[LayerZeros, ...]:
    return tuple(
        LayerZeros(
            matrix.name, matrix.kind, matrix.elements, 1 - np.count_nonzero(tensors[matrix.name]) / matrix.elements
        )
        for matrix in matrices
    )


def with_plain_zeros(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A negative weight times 0 is -0.0, whose bytes are no zeros and compress as badly as the sign is random."""
    return {name: values + np.float32(0) for name, values in tensors.items()}
