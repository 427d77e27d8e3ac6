"""Verdicts on answers made by hand."""

import numpy as np
import pytest

from edgebert.errors import DataError
from edgebert.export.sensitivity.exam import Exam
from edgebert.export.sensitivity.result import Verdict, points_lost
from tests.export.sensitivity.subjects import accuracy

TEXT = {"input_ids": np.ones((1, 3), np.int32)}


def test_a_classifier_is_judged_by_score_agreement_and_moved_probability() -> None:
    exam = Exam("classification", [TEXT] * 2, np.array([0, 1]), accuracy)
    exact = np.array([[0.6, 0.4], [0.9, 0.1]])
    found = np.array([[0.4, 0.6], [0.8, 0.2]])
    verdict = exam.judge(found, exact)
    assert (verdict.texts, verdict.score, verdict.agreement) == (2, 0.0, 0.5)
    assert verdict.distance == pytest.approx((0.2 + 0.1) / 2)
    assert points_lost(verdict, exam.judge(exact, exact)) == pytest.approx(50)


@pytest.mark.parametrize("task", ["classification", "regression", "embedding"])
def test_equal_answers_are_at_distance_nothing(task: str) -> None:
    exact = np.random.default_rng(3).uniform(0.1, 1, (5, 1 if task == "regression" else 4)).astype(np.float32)
    verdict = Exam(task, [TEXT] * 5).judge(exact, exact)
    assert verdict.score is None
    assert verdict.agreement == pytest.approx(1, abs=1e-12) and verdict.distance == pytest.approx(0, abs=1e-12)


def test_embeddings_are_judged_by_their_angle_and_scores_in_standard_deviations() -> None:
    verdict = Exam("embedding", [TEXT]).judge(np.array([[1.0, 1.0]]), np.array([[2.0, 0.0]]))
    assert verdict.agreement == pytest.approx(np.sqrt(0.5)) and verdict.distance == pytest.approx(1 - np.sqrt(0.5))
    exact = np.array([[0.0], [2.0]])
    verdict = Exam("regression", [TEXT] * 2).judge(exact + 0.5, exact)
    assert verdict.distance == pytest.approx(0.5) and verdict.agreement == pytest.approx(1)


def test_without_labels_agreement_is_what_is_lost() -> None:
    assert points_lost(Verdict(9, None, 0.97, 0.1), Verdict(9, None, 1.0, 0.0)) == pytest.approx(3)


def test_an_exam_without_texts_is_refused() -> None:
    with pytest.raises(DataError, match="expected at least one to ask, got none"):
        Exam("classification", [])
