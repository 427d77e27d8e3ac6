"""Dropout as a pure function of the run's seed and the step: a resumed run draws what the killed one would have drawn.

Keras draws from a stateful kernel whose counter lives inside TensorFlow and can be neither read nor set.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from edgebert.keras import keras, tf

# Draws in one step, far above what any model takes: keeps the numbers of two seeds apart.
MOST_DRAWS = 2**20


class StepwiseDropout:
    """Stands in for Keras' random generator in every Dropout layer of a model.

    A mask depends on the seed, on the step and on which draw of the step it is; a block that several layers share thus
    draws anew for each of them.
    """

    def __init__(self, seed: int, step: tf.Variable):
        self._seed, self._step, self._draws = seed, step, 0

    def begin_step(self) -> None:
        """Called where the step is traced: a second trace must count like the first."""
        self._draws = 0

    def dropout(self, inputs, rate: float, noise_shape=None):
        """The signature that Keras' Dropout calls."""
        seed = tf.stack([tf.constant(self._seed * MOST_DRAWS + self._draws, tf.int64), tf.cast(self._step, tf.int64)])
        self._draws += 1
        return tf.nn.experimental.stateless_dropout(inputs, rate, seed, rng_alg="philox", noise_shape=noise_shape)

    @contextmanager
    def installed(self, model: keras.Model) -> Iterator[None]:
        layers = [layer for layer in model.submodules if isinstance(layer, keras.layers.Dropout)]
        # Keras 2 offers no public place for a generator of one's own; its last release is pinned.
        before = [layer._random_generator for layer in layers]
        for layer in layers:
            layer._random_generator = self
        try:
            yield
        finally:
            for layer, generator in zip(layers, before, strict=True):
                layer._random_generator = generator
