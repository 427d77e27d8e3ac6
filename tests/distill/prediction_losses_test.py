"""Losses on outputs against float64 numpy and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.distill.prediction_losses import (
    NOT_MASKED,
    label_cross_entropy,
    label_mse,
    masked_token_cross_entropy,
    output_mse,
    soft_cross_entropy,
    soft_kl,
)
from edgebert.keras import tf
from tests.distill import reference

LOSSES = {soft_cross_entropy: reference.soft_cross_entropy, soft_kl: reference.soft_kl}
batches = st.tuples(st.integers(1, 5), st.integers(2, 7), st.integers(0, 2**32 - 1))
temperatures = st.floats(0.5, 20)


def logits_of(batch) -> tuple[np.ndarray, np.ndarray]:
    examples, classes, seed = batch
    generator = np.random.default_rng(seed)
    return tuple((generator.normal(size=(examples, classes)) * 3).astype(np.float32) for _ in range(2))


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=25, deadline=None)
@given(batch=batches, temperature=temperatures, squared=st.booleans())
def test_equals_the_reference(loss, batch, temperature, squared) -> None:
    student, teacher = logits_of(batch)
    expected = LOSSES[loss](student.astype(np.float64), teacher.astype(np.float64), temperature, squared)
    assert float(loss(student, teacher, temperature, squared)) == pytest.approx(expected, rel=2e-5, abs=3e-6)


@pytest.mark.parametrize("temperature", [1.0, 10.0, 20.0])
@pytest.mark.parametrize("nearness", [0.0, 0.9, 0.99])
def test_kl_keeps_its_digits_however_near_and_soft(nearness: float, temperature: float) -> None:
    # A log-probability is rounded by 1e-7; t^2 times that, 1e-5 to 4e-5, is what the difference of two would be off by.
    for seed in range(20):
        student, teacher = logits_of((1 + seed % 8, 3, seed))
        student += np.float32(nearness) * (teacher - student)
        expected = reference.soft_kl(student.astype(np.float64), teacher.astype(np.float64), temperature)
        off = abs(float(soft_kl(student, teacher, temperature)) - expected)
        assert off < 1e-6 * expected + 1e-7 * temperature


def test_kl_is_0_at_best_and_finite_at_worst() -> None:
    # The teacher's certainty is the student's impossibility, and the reverse; a class that the teacher rules out.
    teacher = np.float32([[200, -200, 0], [-1e9, 0, 0]])
    student = tf.Variable(np.float32([[-200, 200, 0], [0, 0, 0]]))
    with tf.GradientTape() as tape:
        loss = soft_kl(student, teacher)
    assert float(loss) == pytest.approx((400 + np.log(1.5)) / 2)
    np.testing.assert_allclose(tape.gradient(loss, student), [[-0.5, 0.5, 0], [1 / 6, -1 / 12, -1 / 12]], atol=1e-6)
    assert float(soft_kl(teacher, teacher, 10.0)) == 0.0


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=15, deadline=None)
@given(batch=batches, temperature=temperatures)
def test_gradient_is_the_difference_of_probabilities_times_the_temperature(loss, batch, temperature) -> None:
    student, teacher = logits_of(batch)
    variable = tf.Variable(student)
    with tf.GradientTape() as tape:
        value = loss(variable, teacher, temperature)
    difference = reference.softmax(student / temperature) - reference.softmax(teacher / temperature)
    expected = temperature * difference / len(student)
    np.testing.assert_allclose(tape.gradient(value, variable), expected, atol=2e-5)


def test_classes_are_summed_and_not_averaged() -> None:
    # Uniform over four classes: ln 4, and not ln 4 / 4.
    zeros = np.zeros((3, 4), np.float32)
    assert float(soft_cross_entropy(zeros, zeros)) == pytest.approx(np.log(4))
    assert float(soft_cross_entropy(zeros, zeros, temperature=3.0)) == pytest.approx(9 * np.log(4))
    assert float(soft_cross_entropy(zeros, zeros, 3.0, temperature_squared=False)) == pytest.approx(np.log(4))


def test_kl_by_hand() -> None:
    # (.5, .5) against (.8, .2).
    student, teacher = np.log([[0.8, 0.2]]), np.zeros((1, 2))
    assert float(soft_kl(student, teacher)) == pytest.approx(-np.log(0.8 * 0.2) / 2 - np.log(2), rel=1e-5)


def test_tokens_that_do_not_count_do_not_count() -> None:
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)).astype(np.float32)
    teacher = logits[::-1].copy()
    where = np.array([[True, False, True], [False, False, True]])
    for loss in LOSSES:
        picked = float(loss(logits[where], teacher[where], 2.0))
        assert float(loss(logits, teacher, 2.0, where=where)) == pytest.approx(picked, rel=1e-5)


def test_output_mse_by_hand_and_without_a_gradient_to_the_teacher() -> None:
    student, teacher = tf.Variable([[1.0], [4.0]]), tf.Variable([[2.0], [2.0]])
    with tf.GradientTape() as tape:
        loss = output_mse(student, teacher)
    assert float(loss) == pytest.approx((1 + 4) / 2)
    to_student, to_teacher = tape.gradient(loss, [student, teacher])
    np.testing.assert_allclose(to_student, [[-1.0], [2.0]])
    assert to_teacher is None


@settings(max_examples=15, deadline=None)
@given(batch=batches)
def test_label_cross_entropy_equals_the_reference(batch) -> None:
    logits, _ = logits_of(batch)
    labels = np.random.default_rng(batch[2]).integers(0, batch[1], batch[0])
    expected = reference.label_cross_entropy(logits.astype(np.float64), labels)
    assert float(label_cross_entropy(logits, labels)) == pytest.approx(expected, rel=1e-5, abs=1e-6)


def test_label_mse_compares_example_with_example() -> None:
    # [B, 1] less [B] would compare each with every one.
    assert float(label_mse(np.array([[1.0], [5.0]]), np.array([1.0, 3.0]))) == pytest.approx(2.0)


def test_masked_tokens_alone_count() -> None:
    logits = np.random.default_rng(1).normal(size=(2, 4, 6)).astype(np.float32)
    targets = np.full((2, 4), NOT_MASKED, np.int32)
    targets[0, 1], targets[1, 3] = 5, 0
    expected = reference.label_cross_entropy(logits[[0, 1], [1, 3]].astype(np.float64), [5, 0])
    variable = tf.Variable(logits)
    with tf.GradientTape() as tape:
        loss = masked_token_cross_entropy(variable, targets)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    touched = np.any(tape.gradient(loss, variable).numpy() != 0, axis=-1)
    np.testing.assert_array_equal(touched, targets != NOT_MASKED)


def test_a_batch_without_a_masked_token_loses_nothing() -> None:
    assert float(masked_token_cross_entropy(np.ones((1, 2, 3), np.float32), np.full((1, 2), NOT_MASKED))) == 0.0
