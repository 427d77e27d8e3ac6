"""Losses on attention against float64 numpy and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.distill.attention_losses import (
    attention_cross_entropy,
    attention_kl,
    attention_mse,
    regroup_heads,
    relation_kl,
)
from edgebert.keras import tf
from tests.distill import reference
from tests.distill.cases import pair_of, scores_of, shapes, vectors_of

LOSSES = {
    attention_mse: reference.attention_mse,
    attention_cross_entropy: reference.attention_cross_entropy,
    attention_kl: reference.attention_kl,
}


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.__name__)
@settings(max_examples=20, deadline=None)
@given(shape=shapes)
def test_equals_the_reference(loss, shape) -> None:
    student, teacher = scores_of(shape)
    expected = LOSSES[loss](student.astype(np.float64), teacher.astype(np.float64), shape.mask)
    assert float(loss(student, teacher, shape.mask)) == pytest.approx(expected, rel=2e-5, abs=3e-6)


@settings(max_examples=25, deadline=None)
@given(shape=shapes, student_heads=st.sampled_from([1, 2, 3, 6]), relation_heads=st.sampled_from([1, 2, 3, 6]))
def test_relations_of_unlike_models_equal_the_reference(shape, student_heads, relation_heads) -> None:
    # A student six or twelve wide, a teacher three times as wide with heads of its own.
    student = pair_of(shape, student_heads, shape.tokens, 6 // student_heads * shape.heads)[0]
    teacher = pair_of(shape, 6, shape.tokens, 3 * shape.heads)[1]
    expected = reference.relation_kl(student.astype(np.float64), teacher.astype(np.float64), shape.mask, relation_heads)
    found = float(relation_kl(tf.constant(student), tf.constant(teacher), shape.mask, relation_heads))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_attention_mse_by_hand() -> None:
    # One head, two real tokens of three: four cells, off by 1, 2, 3 and 0.
    teacher = np.zeros((1, 1, 3, 3), np.float32)
    student = np.array([[[[1, 2, 50], [3, 0, 50], [50, 50, 50]]]], np.float32)
    assert float(attention_mse(student, teacher, np.array([[1, 1, 0]]))) == pytest.approx(14 / 4)


def test_longer_texts_weigh_by_their_cells() -> None:
    # Texts of one and of two tokens: five cells; the text of one is off by 1.
    teacher = np.zeros((2, 1, 2, 2), np.float32)
    student = np.array([[[[1, 9], [9, 9]]], [[[0, 0], [0, 0]]]], np.float32)
    assert float(attention_mse(student, teacher, np.array([[1, 0], [1, 1]]))) == pytest.approx(1 / 5)


def test_cross_entropy_by_hand() -> None:
    # The teacher looks half and half, the student with .8 and .2; the third key is padding and would have won.
    teacher = np.zeros((1, 1, 3, 3), np.float32)
    student = np.log(np.array([[[[4, 1, 1000], [1, 4, 1000], [1, 1, 1]]]], np.float32))
    mask = np.array([[1, 1, 0]])
    expected = -(np.log(0.8) + np.log(0.2)) / 2
    assert float(attention_cross_entropy(student, teacher, mask)) == pytest.approx(expected, rel=1e-5)
    assert float(attention_kl(student, teacher, mask)) == pytest.approx(expected - np.log(2), rel=1e-5)


@settings(max_examples=15, deadline=None)
@given(shape=shapes)
def test_cross_entropy_is_least_at_the_teacher(shape) -> None:
    student, teacher = scores_of(shape)
    least = float(attention_cross_entropy(teacher, teacher, shape.mask))
    assert float(attention_cross_entropy(student, teacher, shape.mask)) >= least - 1e-5
    variable = tf.Variable(teacher)
    with tf.GradientTape() as tape:
        loss = attention_cross_entropy(variable, teacher, shape.mask)
    np.testing.assert_allclose(tape.gradient(loss, variable), 0, atol=1e-6)


def test_sure_attention_has_a_finite_cross_entropy() -> None:
    # In float32 the student's probability of the right key is 0; its logarithm is not.
    teacher = np.array([[[[300, 0], [0, 300]]]], np.float32)
    assert float(attention_cross_entropy(-teacher, teacher, np.ones((1, 2)))) == pytest.approx(300, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(shape=shapes)
def test_a_constant_on_a_row_of_scores_changes_the_scores_alone(shape) -> None:
    scores, _ = scores_of(shape)
    assert float(attention_kl(scores + 3, scores, shape.mask)) == pytest.approx(0, abs=1e-5)
    assert float(attention_mse(scores + 3, scores, shape.mask)) == pytest.approx(9, rel=1e-5)


@settings(max_examples=10, deadline=None)
@given(shape=shapes)
def test_regrouping_keeps_each_token_s_row(shape) -> None:
    vectors = pair_of(shape, 6, shape.tokens, 2)[0]
    for heads in (1, 2, 3, 4, 6, 12):
        regrouped = regroup_heads(tf.constant(vectors), heads).numpy()
        assert regrouped.shape == (len(shape.lengths), heads, shape.tokens, 12 // heads)
        for token in range(shape.tokens):
            np.testing.assert_array_equal(
                regrouped[:, :, token].reshape(len(vectors), -1), vectors[:, :, token].reshape(len(vectors), -1)
            )


@settings(max_examples=10, deadline=None)
@given(shape=shapes)
def test_relations_do_not_see_a_rotation_of_the_width(shape) -> None:
    vectors, _ = vectors_of(shape)
    rotation, _ = np.linalg.qr(np.random.default_rng(shape.seed).normal(size=[shape.head_width] * 2))
    rotated = tf.constant((vectors @ rotation).astype(np.float32))
    found = relation_kl(rotated, tf.constant(vectors), shape.mask, shape.heads)
    assert float(found) == pytest.approx(0, abs=1e-4)
