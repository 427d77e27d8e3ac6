"""Several teachers as one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.distill.recipe import TEACHER_WEIGHTINGS
from edgebert.distill.teachers import combine_outputs, combine_teachers
from edgebert.keras import tf
from edgebert.models.encoder import Trace
from edgebert.models.task import TaskTrace
from tests.distill.reference import softmax


def random_outputs(seed: int, teachers: int, examples: int = 4, classes: int = 3) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(teachers, examples, classes)) * 2).astype(np.float32)


def reference(outputs: np.ndarray, weighting: str) -> np.ndarray:
    combined = np.zeros(outputs.shape[1:])
    for example in range(outputs.shape[1]):
        confidences = []
        for row in outputs[:, example].astype(np.float64):
            p = softmax(row)
            entropy = -np.sum(p * np.log(p)) / np.log(len(p))
            confidences.append({"mean": 1.0, "max_probability": p.max(), "entropy": 1 - entropy}[weighting])
        weights = np.array(confidences) / np.sum(confidences)
        combined[example] = weights @ outputs[:, example]
    return combined


@pytest.mark.parametrize("weighting", TEACHER_WEIGHTINGS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), teachers=st.integers(1, 4))
def test_equals_the_reference(weighting, seed, teachers) -> None:
    outputs = random_outputs(seed, teachers)
    np.testing.assert_allclose(
        combine_outputs(list(outputs), weighting), reference(outputs, weighting), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("weighting", TEACHER_WEIGHTINGS)
def test_teachers_of_one_mind_are_one_teacher_in_any_order(weighting) -> None:
    outputs = random_outputs(1, 3)
    np.testing.assert_allclose(combine_outputs([outputs[0]] * 3, weighting), outputs[0], rtol=1e-5)
    np.testing.assert_allclose(
        combine_outputs(list(outputs), weighting), combine_outputs(list(outputs[::-1]), weighting), rtol=1e-4
    )


def test_the_surer_teacher_weighs_more_example_by_example() -> None:
    sure, unsure = [10.0, 0.0], [0.0, 0.0]
    outputs = [np.array([sure, unsure], np.float32), np.array([unsure, sure], np.float32)]
    # By entropy, who knows nothing has no say; by the largest probability, half of the other's.
    np.testing.assert_allclose(combine_outputs(outputs, "entropy"), [sure, sure], atol=1e-2)
    np.testing.assert_allclose(combine_outputs(outputs, "max_probability")[:, 0], [10 / 1.5, 10 / 1.5], rtol=1e-3)
    np.testing.assert_allclose(combine_outputs(outputs)[:, 0], [5, 5])


def test_where_nobody_knows_all_weigh_the_same() -> None:
    outputs = [np.full((1, 3), value, np.float32) for value in (1, 3)]
    np.testing.assert_allclose(combine_outputs(outputs, "entropy"), [[2, 2, 2]], rtol=1e-5)


def test_the_encoder_is_the_first_teacher_s() -> None:
    first, second = (TaskTrace(tf.constant([[value]]), Trace((), ())) for value in (1.0, 3.0))
    combined = combine_teachers([first, second])
    assert combined.encoder is first.encoder
    np.testing.assert_array_equal(combined.output, [[2.0]])


def test_no_teacher_gets_a_gradient() -> None:
    outputs = [tf.Variable([[1.0, 2.0]]), tf.Variable([[3.0, 0.0]])]
    with tf.GradientTape() as tape:
        combined = combine_outputs(outputs, "entropy")
    assert tape.gradient(combined, outputs) == [None, None]
