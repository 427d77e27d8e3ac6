"""The fused optimizer against AdamW as its paper writes it, in float64 numpy."""

import numpy as np
import pytest

from edgebert.keras import keras, tf
from edgebert.training.optimizer import adamw

PEAK, DECAY, STEPS = 0.05, 0.1, 7
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-6


def _reference(values: dict, gradients: list[dict], decayed: set) -> dict:
    values = {name: value.astype(np.float64) for name, value in values.items()}
    first = {name: np.zeros_like(value) for name, value in values.items()}
    second = {name: np.zeros_like(value) for name, value in values.items()}
    for step, each in enumerate(gradients, 1):
        rate = PEAK * (STEPS - step + 1) / STEPS
        norm = np.sqrt(sum(float(np.sum(gradient.astype(np.float64) ** 2)) for gradient in each.values()))
        for name, gradient in each.items():
            clipped = gradient * min(1.0, 1.0 / norm)
            first[name] = BETA_1 * first[name] + (1 - BETA_1) * clipped
            second[name] = BETA_2 * second[name] + (1 - BETA_2) * clipped**2
            if name in decayed:
                values[name] *= 1 - rate * DECAY
            corrected = rate * np.sqrt(1 - BETA_2**step) / (1 - BETA_1**step)
            values[name] -= corrected * first[name] / (np.sqrt(second[name]) + EPSILON)
    return values


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "graph"])
def test_weights_are_those_of_the_published_formulas(compiled: bool) -> None:
    """A dense kernel, a bias, and a table whose gradient names one row twice; norms above and below the clip."""
    generator = np.random.default_rng(3)
    values = {"kernel": generator.normal(size=(4, 3)), "bias": generator.normal(size=3), "table": np.ones((5, 2))}
    values = {name: value.astype(np.float32) for name, value in values.items()}
    rows = np.array([1, 3, 1])
    optimizer = adamw(PEAK, STEPS, warmup_share=0.0, weight_decay=DECAY)
    variables = {name: tf.Variable(value, name=name) for name, value in values.items()}
    optimizer.build(list(variables.values()))

    def apply(kernel, bias, picked):
        table = tf.IndexedSlices(picked, tf.constant(rows), tf.constant([5, 2]))
        gradients = {"kernel": kernel, "bias": bias, "table": table}
        optimizer.apply_gradients([(gradients[name], variables[name]) for name in variables])

    apply = tf.function(apply) if compiled else apply
    dense = []
    for step in range(STEPS):
        size = 3.0 if step % 2 else 0.01
        kernel, bias, picked = (
            (size * generator.normal(size=shape)).astype(np.float32) for shape in [(4, 3), (3,), (3, 2)]
        )
        apply(*map(tf.constant, (kernel, bias, picked)))
        table = np.zeros((5, 2))
        np.add.at(table, rows, picked)
        dense.append({"kernel": kernel, "bias": bias, "table": table})
    expected = _reference(values, dense, decayed={"kernel", "table"})
    for name, variable in variables.items():
        np.testing.assert_allclose(variable.numpy(), expected[name], rtol=2e-5, atol=1e-6, err_msg=name)


def test_biases_and_gains_are_not_decayed() -> None:
    """With no gradient at all only the decay moves a weight."""
    optimizer = adamw(peak=0.1, total_steps=10, warmup_share=0.0, weight_decay=0.5)
    variables = [tf.Variable([1.0], name=name) for name in ("kernel", "bias", "gain")]
    optimizer.apply_gradients([(tf.zeros([1]), variable) for variable in variables])
    kernel, bias, gain = (variable.numpy()[0] for variable in variables)
    np.testing.assert_allclose(kernel, 1.0 - 0.1 * 0.5, rtol=1e-6)
    assert bias == 1.0 and gain == 1.0


def test_the_slots_are_those_of_keras_adam() -> None:
    """What a checkpoint keeps of the optimizer."""
    variable = tf.Variable([1.0, 2.0], name="kernel")
    ours, keras_own = adamw(0.1, 10, 0.0, 0.1), keras.optimizers.AdamW()
    for optimizer in (ours, keras_own):
        optimizer.build([variable])
    assert [each.shape for each in ours.variables] == [each.shape for each in keras_own.variables]


def test_averages_follow_the_weights_and_stand_in_their_place_only_inside() -> None:
    optimizer, variable = adamw(0.1, 10, 0.0, 0.0, averaging=0.75), tf.Variable([1.0], name="kernel")
    optimizer.build([variable])
    average = 1.0
    for _ in range(3):
        optimizer.apply_gradients([(tf.ones([1]), variable)])
        average = 0.75 * average + 0.25 * float(variable[0])
    own = variable.numpy()
    with optimizer.averages_in_place():
        np.testing.assert_allclose(variable.numpy(), [average], rtol=1e-6)
        assert abs(average - own[0]) > 0.01
    np.testing.assert_array_equal(variable.numpy(), own)


def test_without_averaging_nothing_stands_in_the_weights_place() -> None:
    optimizer, variable = adamw(0.1, 10, 0.0, 0.0), tf.Variable([1.0], name="kernel")
    optimizer.apply_gradients([(tf.ones([1]), variable)])
    own = variable.numpy()
    with optimizer.averages_in_place():
        np.testing.assert_array_equal(variable.numpy(), own)
