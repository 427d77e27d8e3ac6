import math

import numpy as np
import pytest

from edgebert.keras import tf
from edgebert.models.layers import activation_function, compiled_activation


@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "relu"])
def test_the_compiled_activation_is_the_same_function_with_the_same_gradient(name: str) -> None:
    values = tf.constant(np.linspace(-6.0, 6.0, 97).reshape(1, -1), tf.float32)

    @tf.function(input_signature=[tf.TensorSpec([None, 97], tf.float32)])
    def both(x):
        found = []
        for function in (activation_function(name), compiled_activation(name)):
            with tf.GradientTape() as tape:
                tape.watch(x)
                answer = function(x)
            found.append((answer, tape.gradient(answer, x)))
        return found

    plain, compiled = both(values)
    for ours, reference in zip(compiled, plain, strict=True):
        # Where 1 + tanh(x) has no digits left, neither is right.
        np.testing.assert_allclose(ours, reference, atol=5e-6)


def test_the_compiled_gelu_is_the_published_one() -> None:
    values = np.linspace(-6.0, 6.0, 97)
    expected = [value * 0.5 * (1.0 + math.erf(value / math.sqrt(2.0))) for value in values]
    found = compiled_activation("gelu")(tf.constant(values[None], tf.float32))[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)
