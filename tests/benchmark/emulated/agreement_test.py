"""When two machines' answers count as the same."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgebert.benchmark.emulated.agreement import (
    TOLERANCES,
    agrees,
    compare_answers,
    name_precision,
    read_answers,
)
from edgebert.errors import MeasurementError

DENSE = {"op_name": "FULLY_CONNECTED", "inputs": [0, 1, -1]}
LOOKUP = {"op_name": "EMBEDDING_LOOKUP", "inputs": [2, 1]}


@pytest.mark.parametrize(
    ("activation", "weight", "precision"),
    [
        ("float32", "float32", "float"),
        ("float32", "int8", "dynamic-range int8"),
        ("int8", "int8", "int8 activations"),
        ("float32", "int4", "dynamic-range int8"),
    ],
)
def test_the_precision_is_that_of_the_products(activation: str, weight: str, precision: str) -> None:
    types = json.loads(json.dumps({0: activation, 1: weight, 2: "int32"}))
    assert name_precision([LOOKUP, DENSE], types) == precision
    # A quantised table is only looked up; nothing is computed with it.
    assert name_precision([LOOKUP], types) == "float"


@pytest.mark.parametrize("precision", TOLERANCES)
def test_the_tolerance_is_for_answers_up_to_one_and_grows_with_larger_ones(precision: str) -> None:
    for size in (0.01, 1.0, 50.0):
        ours = np.array([size, -size / 2])
        allowed = TOLERANCES[precision] * max(1.0, size)
        near, far = (ours + np.array([0, share * allowed]) for share in (0.99, 1.01))
        assert agrees(compare_answers("m", "cortex-a53", ours, near, precision))
        assert not agrees(compare_answers("m", "cortex-a53", ours, far, precision))


@pytest.mark.parametrize("odd", [np.nan, np.inf])
def test_what_is_no_number_never_agrees(odd: float) -> None:
    for ours, theirs in ((odd, 1.0), (1.0, odd), (odd, odd)):
        compared = compare_answers("m", "cortex-a53", np.array([0.0, ours]), np.array([0.0, theirs]), "float")
        assert not agrees(compared)
        assert compared.largest_difference is None


def test_answers_of_another_shape_are_refused() -> None:
    with pytest.raises(MeasurementError, match="expected 2 output values as on this machine, got 3"):
        compare_answers("m", "cortex-a53", np.zeros(2), np.zeros(3), "float")


def test_quantised_answers_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    whole, real = np.array([[-128, 0, 127]], np.int8), np.array([0.25, -3.5], np.float32)
    (tmp_path / "answers.bin").write_bytes(whole.tobytes() + real.tobytes())
    answers = [
        {"dtype": "int8", "shape": [1, 3], "scale": 0.5, "zero_point": -128},
        {"dtype": "float32", "shape": [2], "scale": 0.0, "zero_point": 0},
    ]
    assert read_answers(tmp_path, {"answers": answers}).tolist() == [0.0, 64.0, 127.5, 0.25, -3.5]
