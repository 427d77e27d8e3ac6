"""What is told of a file beside the rounding model: its own answers count, its logits say how far they are apart."""

import numpy as np
import pytest

from edgebert.config import HeadConfig
from edgebert.stations.rounding_parity import parity_of

CLASSES = HeadConfig("classification", labels=("a", "b", "c"))
ROUNDING = np.array([[2.0, 0.0, -2.0], [1.0, 0.9, -3.0]])
TARGETS = np.array([0, 0])


def test_a_files_class_is_that_of_its_answer_and_not_of_its_logits() -> None:
    """Two probabilities in steps of 1/256 may be the same, and the first is the answer then, whichever logit leads."""
    told = np.array([[0.98, 0.02, 0.0], [0.5, 0.5, 0.0]])
    logits = np.array([[2.5, 0.5, -1.5], [0.8, 0.9, -2.8]])
    found = parity_of(CLASSES, ROUNDING, told, logits, TARGETS)
    assert (found.agreement, found.rounding_score, found.file_score, found.examples) == (1.0, 1.0, 1.0, 2)
    # The same for all classes is no difference: softmax takes it away.
    assert found.largest_difference == pytest.approx(0.2)
    other = parity_of(CLASSES, ROUNDING, told[:, ::-1], logits, TARGETS)
    assert other.agreement == 0.0 and other.largest_difference == found.largest_difference


def test_logits_are_read_from_probabilities_where_these_tell_them() -> None:
    probabilities = np.exp(ROUNDING) / np.exp(ROUNDING).sum(-1, keepdims=True)
    found = parity_of(CLASSES, ROUNDING, probabilities, None, TARGETS)
    assert found.agreement == 1.0 and found.largest_difference < 1e-12


def test_scores_are_compared_as_they_are_and_have_no_classes() -> None:
    scores = np.array([[1.0], [2.0], [4.0]])
    found = parity_of(HeadConfig("regression"), scores, scores + 0.5, None, np.array([1.0, 2.0, 3.0]))
    assert found.agreement is None and found.largest_difference == found.mean_difference == 0.5
    assert found.file_score == pytest.approx(1.0)
