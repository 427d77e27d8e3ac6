"""Differences of regressions, and which of many are shown."""

import numpy as np
import pytest

from edgebert.predictions import predictions_of
from edgebert.report.answers import SHOWN_DIFFERENCES, agreement_of, differences_of

A, B = "a" * 64, "b" * 64


def test_of_a_regression_the_largest_differences_come_first() -> None:
    ours, theirs = np.array([[1.0], [2.0], [3.5], [4.0]]), np.array([[1.0], [2.5], [3.0], [1.0]])
    predictions = predictions_of(
        [(f"text {number}", "second") for number in range(4)], [1, 2, 3, 4], {A: ours, B: theirs}
    )
    found = differences_of(2, predictions.of(A), predictions.of(B), predictions)
    assert [one.text for one in found.examples] == ["text 3", "text 1", "text 2"]
    assert (found.count, found.of, found.both_wrong) == (3, 4, None)
    assert (found.examples[0].reference_answer, found.examples[0].answer, found.examples[0].target) == (
        "1.000",
        "4.000",
        "4.000",
    )


@pytest.mark.parametrize("count", [1, SHOWN_DIFFERENCES, SHOWN_DIFFERENCES * 5 + 1])
def test_examples_are_taken_evenly(count: int) -> None:
    outputs = {A: np.eye(2)[[0] * count], B: np.eye(2)[[1] * count]}
    predictions = predictions_of([(str(number), None) for number in range(count)], [0] * count, outputs, ("no", "yes"))
    found = differences_of(0, predictions.of(A), predictions.of(B), predictions)
    places = [int(one.text) for one in found.examples]
    assert len(places) == min(count, SHOWN_DIFFERENCES) and len(set(places)) == len(places)
    assert places == sorted(places)
    gaps = np.diff([*places, count])
    assert gaps.max() - gaps.min() <= 1
    assert (found.row_alone_right, found.reference_alone_right, found.both_wrong) == (count, 0, 0)
    assert agreement_of(predictions.of(A), predictions.of(B)) == 0
    assert agreement_of(predictions.of(A), predictions.of(A)) == 1
