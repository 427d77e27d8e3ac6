"""What every masked loss promises, whatever it computes."""

from typing import NamedTuple

import numpy as np
import pytest

from edgebert.distill import attention_losses, state_losses
from edgebert.keras import tf
from tests.distill.cases import Shape, scores_of, states_of, vectors_of


class Case(NamedTuple):
    loss: object
    values: object
    # Axes of the values that run over tokens.
    token_axes: tuple[int, ...]
    least_is_zero: bool = True


def _increments(student, teacher, mask):
    """Two layers, the second half of the first."""
    return tf.add_n(state_losses.increment_mse([student, student * 0.5], [teacher, teacher * 0.5], mask))


def _relations(student, teacher, mask):
    return attention_losses.relation_kl(student, teacher, mask, relation_heads=2)


CASES = {
    "hidden_mse": Case(state_losses.hidden_mse, states_of, (1,)),
    "hidden_cosine": Case(state_losses.hidden_cosine, states_of, (1,)),
    "increments": Case(_increments, states_of, (1,)),
    "attention_mse": Case(attention_losses.attention_mse, scores_of, (2, 3)),
    "attention_cross_entropy": Case(attention_losses.attention_cross_entropy, scores_of, (2, 3), False),
    "attention_kl": Case(attention_losses.attention_kl, scores_of, (2, 3)),
    "relation_kl": Case(_relations, vectors_of, (2,)),
}
SHAPE = Shape(lengths=(5, 2, 1, 4), padding=2, heads=2, head_width=4, seed=7)

pytestmark = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def padded_places(case: Case, shape: Shape) -> np.ndarray:
    """Where any token of the values is padding, broadcastable to them."""
    real = np.array(True)
    for axis in case.token_axes:
        dimensions = [1] * len(case.values(shape)[0].shape)
        dimensions[0], dimensions[axis] = shape.mask.shape
        real = real & (shape.mask == 1).reshape(dimensions)
    return ~real


def value_and_gradients(case: Case, student, teacher, mask):
    student, teacher = tf.Variable(student), tf.Variable(teacher)
    with tf.GradientTape() as tape:
        loss = case.loss(student, teacher, mask)
    return loss, *tape.gradient(loss, [student, teacher])


def test_a_student_that_is_its_teacher_loses_nothing(case) -> None:
    _, teacher = case.values(SHAPE)
    loss, gradient, _ = value_and_gradients(case, teacher, teacher, SHAPE.mask)
    np.testing.assert_allclose(gradient, 0, atol=1e-6)
    if case.least_is_zero:
        assert float(loss) == pytest.approx(0, abs=1e-6)


def test_another_student_loses_something(case) -> None:
    student, teacher = case.values(SHAPE)
    assert float(case.loss(student, teacher, SHAPE.mask)) > 0.05


@pytest.mark.parametrize("filling", [0.0, 1e4, np.inf, np.nan])
def test_what_padding_holds_does_not_matter(case, filling) -> None:
    student, teacher = case.values(SHAPE)
    expected, expected_gradient, _ = value_and_gradients(case, student, teacher, SHAPE.mask)
    padded = padded_places(case, SHAPE)
    student, teacher = np.where(padded, np.float32(filling), student), np.where(padded, np.float32(-filling), teacher)
    loss, gradient, _ = value_and_gradients(case, student, teacher, SHAPE.mask)
    assert float(loss) == pytest.approx(float(expected), rel=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, atol=1e-6)


def test_how_much_padding_there_is_does_not_matter(case) -> None:
    student, teacher = case.values(SHAPE)
    expected = float(case.loss(student, teacher, SHAPE.mask))
    widths = [(0, 3 if axis in case.token_axes else 0) for axis in range(student.ndim)]
    student, teacher = (np.pad(values, widths, constant_values=9.0) for values in (student, teacher))
    mask = np.pad(SHAPE.mask, [(0, 0), (0, 3)])
    assert float(case.loss(student, teacher, mask)) == pytest.approx(expected, rel=1e-6)


def test_an_example_without_a_token_does_not_matter(case) -> None:
    student, teacher = case.values(SHAPE)
    expected = float(case.loss(student, teacher, SHAPE.mask))
    student, teacher = (np.concatenate([values, values[:1] * 3]) for values in (student, teacher))
    mask = np.concatenate([SHAPE.mask, np.zeros_like(SHAPE.mask[:1])])
    assert float(case.loss(student, teacher, mask)) == pytest.approx(expected, rel=1e-6)
    assert float(case.loss(student, teacher, np.zeros_like(mask))) == 0.0


def test_the_order_of_the_batch_does_not_matter(case) -> None:
    student, teacher = case.values(SHAPE)
    order = [2, 0, 3, 1]
    expected = float(case.loss(student, teacher, SHAPE.mask))
    assert float(case.loss(student[order], teacher[order], SHAPE.mask[order])) == pytest.approx(expected, rel=1e-6)


def test_padding_and_teacher_get_no_gradient(case) -> None:
    student, teacher = case.values(SHAPE)
    _, to_student, to_teacher = value_and_gradients(case, student, teacher, SHAPE.mask)
    assert to_teacher is None
    padded = np.broadcast_to(padded_places(case, SHAPE), student.shape)
    np.testing.assert_array_equal(to_student.numpy()[padded], 0)
    assert np.all(np.any(to_student.numpy() != 0, axis=tuple(range(1, student.ndim)))[[0, 1, 3]])


@pytest.mark.parametrize("dtype", [np.bool_, np.int64, np.float16])
def test_the_mask_may_have_any_type(case, dtype) -> None:
    student, teacher = case.values(SHAPE)
    expected = float(case.loss(student, teacher, SHAPE.mask))
    assert float(case.loss(student, teacher, SHAPE.mask.astype(dtype))) == expected


def test_half_precision_inputs_give_a_float32_loss(case) -> None:
    student, teacher = (values.astype(np.float16) for values in case.values(SHAPE))
    loss = case.loss(student, teacher, SHAPE.mask)
    assert loss.dtype == tf.float32
    expected = float(case.loss(student.astype(np.float32), teacher.astype(np.float32), SHAPE.mask))
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_graph_and_xla_agree_with_eager(case) -> None:
    student, teacher = (tf.constant(values) for values in case.values(SHAPE))
    expected = float(case.loss(student, teacher, SHAPE.mask))

    def loss(student, teacher, mask):
        return case.loss(student, teacher, mask)

    shape = list(student.shape)
    shape[0] = None
    for axis in case.token_axes:
        shape[axis] = None
    signature = [tf.TensorSpec(shape), tf.TensorSpec(shape), tf.TensorSpec([None, None], tf.int32)]
    for compiled in (tf.function(loss, input_signature=signature), tf.function(loss, jit_compile=True)):
        assert float(compiled(student, teacher, tf.constant(SHAPE.mask))) == pytest.approx(expected, rel=1e-5)
