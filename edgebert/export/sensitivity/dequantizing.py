"""Stored integers as the real numbers that they stand for, and real numbers as a tensor's integers would have them."""

import numpy as np

from edgebert.export.model import Model, Quantization, Subgraph, Tensor

_LIMITS = {"int4": (-8, 7), "int8": (-128, 127), "int16": (-32768, 32767)}


def dequantized_constant(model: Model, subgraph: Subgraph, tensor: Tensor) -> np.ndarray:
    """Of any type and layout that the schemes write."""
    stored = model.values(tensor)
    if tensor.quantization is None:
        return stored.astype(np.float32)
    if tensor.quantization.is_blockwise:
        scales = model.values(subgraph.tensors[tensor.quantization.block_scales]).astype(np.float64)
        spread = np.repeat(scales.reshape(stored.shape[0], -1), tensor.quantization.block_size, axis=1)
        return stored.astype(np.float64) * spread
    return dequantized(stored, tensor.quantization)


def dequantized(stored: np.ndarray, quantization: Quantization) -> np.ndarray:
    scales, zero_points = _along(quantization, stored.ndim)
    return (stored.astype(np.float64) - zero_points) * scales


def rounded(exact: np.ndarray, quantization: Quantization, dtype: str) -> np.ndarray:
    """The nearest numbers that the tensor's integers can stand for."""
    scales, zero_points = _along(quantization, exact.ndim)
    low, high = _LIMITS[dtype]
    stored = np.clip(np.rint(exact.astype(np.float64) / scales) + zero_points, low, high)
    return (stored - zero_points) * scales


def _along(quantization: Quantization, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Scales and zero points in a shape that broadcasts along their axis."""
    scales, zero_points = quantization.scales.astype(np.float64), quantization.zero_points.astype(np.float64)
    if len(scales) == 1 or rank == 0:
        return scales[0], zero_points[0] if len(zero_points) else np.float64(0)
    shape = [1] * rank
    shape[quantization.axis] = -1
    return scales.reshape(shape), zero_points.reshape(shape)
