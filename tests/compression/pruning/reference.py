"""Magnitude pruning in plain numpy, on matrices as a file has them."""

import numpy as np


def cut(matrix: np.ndarray, sparsity: float, rows: int, columns: int) -> np.ndarray:
    """The blocks of the smallest mean magnitude are zero; one at least is kept."""
    pooled = np.abs(matrix.astype(np.float64)).reshape(
        matrix.shape[0] // rows, rows, matrix.shape[1] // columns, columns
    )
    means = pooled.mean(axis=(1, 3))
    kept = max(round(means.size * (1 - sparsity)), 1)
    smallest = np.argsort(means, axis=None)[: means.size - kept]
    mask = np.ones(means.size)
    mask[smallest] = 0
    whole = np.kron(mask.reshape(means.shape), np.ones((rows, columns)))
    return (matrix * whole).astype(np.float32)


def groups_cut(matrix: np.ndarray, zeros: int, size: int) -> np.ndarray:
    """Of every `size` neighbours in a row the `zeros` smallest are zero."""
    groups = matrix.reshape(-1, size).copy()
    for group in groups:
        group[np.argsort(np.abs(group))[:zeros]] = 0
    return groups.reshape(matrix.shape)
