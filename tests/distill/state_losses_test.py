"""Losses on hidden states against float64 numpy and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings

from edgebert.distill.state_losses import (
    first_row_mse,
    hidden_cosine,
    hidden_mse,
    increment_mse,
    increments,
)
from edgebert.keras import tf
from tests.distill import reference
from tests.distill.cases import shapes, states_of

LOSSES = {
    hidden_mse: reference.hidden_mse,
    hidden_cosine: reference.hidden_cosine,
}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=20, deadline=None)
@given(shape=shapes)
def test_equals_the_reference(loss, shape) -> None:
    student, teacher = states_of(shape)
    expected = LOSSES[loss](student.astype(np.float64), teacher.astype(np.float64), shape.mask)
    assert float(loss(student, teacher, shape.mask)) == pytest.approx(expected, rel=2e-5, abs=2e-6)


@settings(max_examples=20, deadline=None)
@given(shape=shapes)
def test_first_rows_equal_the_reference(shape) -> None:
    student, teacher = states_of(shape)
    expected = reference.first_row_mse(student.astype(np.float64), teacher.astype(np.float64))
    assert float(first_row_mse(tf.constant(student), tf.constant(teacher))) == pytest.approx(
        expected, rel=2e-5, abs=2e-6
    )


# Two texts, of one and of two tokens, padded to three; width 2.
MASK = np.array([[1, 0, 0], [1, 1, 0]], np.int32)
STUDENT = np.array([[[3, 4], [9, 9], [9, 9]], [[1, 0], [0, 2], [7, 7]]], np.float32)
TEACHER = np.array([[[4, 3], [0, 0], [5, 5]], [[0, 1], [0, 5], [1, 1]]], np.float32)


def test_hidden_mse_by_hand() -> None:
    # (1 + 1) + (1 + 1) + (0 + 9) over 3 tokens of width 2.
    assert float(hidden_mse(STUDENT, TEACHER, MASK)) == pytest.approx(13 / 6)


def test_cosine_by_hand() -> None:
    # cos = 24/25, 0 and 1.
    assert float(hidden_cosine(STUDENT, TEACHER, MASK)) == pytest.approx((1 / 25 + 1 + 0) / 3)


def test_first_rows_by_hand() -> None:
    # (.6, .8) against (.8, .6) and (1, 0) against (0, 1).
    assert float(first_row_mse(STUDENT, TEACHER)) == pytest.approx((0.04 + 0.04 + 1 + 1) / 4)


@pytest.mark.parametrize("loss", [hidden_cosine, lambda a, b, mask: first_row_mse(a, b)])
def test_length_is_no_part_of_direction(loss) -> None:
    assert float(loss(STUDENT * 100, TEACHER, MASK)) == pytest.approx(float(loss(STUDENT, TEACHER, MASK)), rel=1e-5)


def test_a_vector_of_zeros_has_a_finite_loss_and_gradient() -> None:
    zeros = tf.Variable(tf.zeros_like(STUDENT))
    for loss in (lambda: hidden_cosine(zeros, TEACHER, MASK), lambda: first_row_mse(zeros, TEACHER)):
        with tf.GradientTape() as tape:
            value = loss()
        assert np.isfinite(value)
        assert np.all(np.isfinite(tape.gradient(value, zeros)))


@settings(max_examples=10, deadline=None)
@given(shape=shapes)
def test_increments_add_up_to_the_states(shape) -> None:
    states = [tf.constant(state) for state in states_of(shape)]
    states.append(states[0] * 0.5 - states[1])
    parts = increments(states)
    for layer in range(3):
        np.testing.assert_allclose(sum(parts[layer:]), states[layer], atol=1e-5)


def test_increment_mse_by_hand() -> None:
    mask = np.array([[1, 0]], np.int32)
    students = [np.array([[[5.0], [1.0]]], np.float32), np.array([[[2.0], [8.0]]], np.float32)]
    teachers = [np.array([[[9.0], [3.0]]], np.float32), np.array([[[4.0], [0.0]]], np.float32)]
    # Increments 5 - 2 against 9 - 4, then the last layers themselves, 2 against 4.
    assert [float(loss) for loss in increment_mse(students, teachers, mask)] == pytest.approx([4.0, 4.0])


def test_a_common_shift_of_all_but_the_last_increment_is_unseen_by_lower_layers() -> None:
    # All states shifted alike: successive differences are the same, only the last layer shows it.
    states = [np.full((1, 2, 3), value, np.float32) for value in (1.0, 2.0, 5.0)]
    shifted = [state + 2 for state in states]
    losses = increment_mse(shifted, states, np.ones((1, 2), np.int32))
    assert [float(loss) for loss in losses] == pytest.approx([0, 0, 4])
