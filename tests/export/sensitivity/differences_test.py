"""SQNR and cosine against their definitions in numpy."""

import math

import numpy as np
import pytest

from edgebert.export.sensitivity.differences import Difference


def difference(*pairs: tuple[np.ndarray, np.ndarray]) -> Difference:
    found = Difference()
    for exact, rounded in pairs:
        found.add(exact, rounded)
    return found


def test_parity_with_numpy_over_several_arrays() -> None:
    random = np.random.default_rng(1)
    pairs = []
    for shape in ((3, 5), (7,), (2, 1, 4)):
        exact = random.normal(0, 3, shape).astype(np.float32)
        pairs.append((exact, (np.rint(exact * 10) / 10).astype(np.float32)))
    found = difference(*pairs)
    exact, rounded = (np.concatenate([pair[side].ravel() for pair in pairs]).astype(np.float64) for side in (0, 1))
    assert found.elements == exact.size == 30
    assert found.sqnr_db == pytest.approx(10 * np.log10(np.sum(exact**2) / np.sum((exact - rounded) ** 2)), rel=1e-9)
    cosine = np.dot(exact, rounded) / np.linalg.norm(exact) / np.linalg.norm(rounded)
    assert found.cosine == pytest.approx(cosine, rel=1e-12)


def test_twenty_decibels_are_an_error_of_a_tenth() -> None:
    exact = np.ones(100)
    assert difference((exact, exact * 1.1)).sqnr_db == pytest.approx(20)
    assert difference((exact, exact * 1.01)).sqnr_db == pytest.approx(40)


def test_equal_arrays_have_no_error_at_all() -> None:
    exact = np.random.default_rng(2).normal(0, 1, (40, 3))
    found = difference((exact, exact))
    assert found.sqnr_db == math.inf and found.cosine == pytest.approx(1, abs=1e-15)
    silent = difference((np.zeros(4), np.zeros(4)))
    assert silent.sqnr_db == math.inf and silent.cosine == 1.0


def test_nothing_but_error() -> None:
    found = difference((np.zeros(4), np.ones(4)))
    assert found.sqnr_db == -math.inf and found.cosine == 0.0
