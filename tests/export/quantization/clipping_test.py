"""Cutting a row's outliers off makes rounding to four bits better, never worse, and leaves zeros alone."""

import numpy as np
import pytest

from edgebert.export.quantization.clipping import clipped_rows


def rounded(rows: np.ndarray, bits: int) -> np.ndarray:
    steps = 2 ** (bits - 1) - 1
    scales = np.abs(rows).max(axis=1, keepdims=True) / steps
    return np.rint(rows / np.where(scales > 0, scales, 1)) * scales


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("tail", [3, 30])
def test_the_error_never_grows(bits: int, tail: int) -> None:
    table = np.random.default_rng(0).standard_t(tail, (5000, 48)).astype(np.float32)
    errors = [((rounded(each, bits) - table) ** 2).sum(axis=1) for each in (clipped_rows(table, bits), table)]
    assert np.all(errors[0] <= errors[1] * (1 + 1e-5))
    if bits == 4:
        assert errors[0].sum() < 0.95 * errors[1].sum()


def test_zeros_stay_and_signs_stay() -> None:
    table = np.random.default_rng(1).normal(size=(7, 32)).astype(np.float32)
    table[3] = 0
    clipped = clipped_rows(table, 4)
    np.testing.assert_array_equal(clipped[3], 0)
    np.testing.assert_array_equal(np.sign(clipped), np.sign(table))
    assert np.all(np.abs(clipped) <= np.abs(table))
