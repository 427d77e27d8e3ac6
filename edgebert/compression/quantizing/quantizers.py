"""TF-MOT's quantisers, made to round exactly what the exported graph rounds."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from edgebert.compression.quantizing.ranges import PROBABILITY_RANGE, TANH_RANGE
from edgebert.compression.quantizing.ranges import Site as RangeSite
from edgebert.keras import keras, tf
from edgebert.model_optimization import tfmot

quantizers = tfmot.quantization.keras.quantizers

_BITS, _LARGEST = 8, 127


class MovingRange(quantizers.MovingAverageQuantizer):
    """Of an activation: starts where calibration left it, moves with the batches of training, stands still when told.

    site: how it starts; its factors, float32 [W], are what each channel is divided by before it is rounded and
    multiplied by behind that.
    """

    def __init__(self, site: RangeSite, is_frozen: tf.Variable):
        super().__init__(_BITS, per_axis=False, symmetric=getattr(site, "symmetric", False), narrow_range=False)
        self.start, self.is_frozen, self.learns = site.range, is_frozen, site.learns
        self.factors, self.rectified = getattr(site, "factors", None), getattr(site, "rectified", False)

    def build(self, tensor_shape, name, layer) -> dict[str, tf.Variable]:
        return {
            end: layer.add_weight(
                f"{name}_{end}", initializer=keras.initializers.Constant(value), trainable=False, dtype=tf.float32
            )
            for end, value in zip(("min_var", "max_var"), self.start, strict=True)
        }

    def __call__(self, inputs, training, weights, **kwargs):
        # The same factors on both sides: what is between is what the graph holds in int8.
        scaled = inputs if self.factors is None else inputs / self.factors
        scaled = tf.nn.relu(scaled) if self.rectified else scaled
        rounded = self._round(scaled, training and self.learns, weights)
        return rounded if self.factors is None else rounded * self.factors

    def _round(self, scaled, moves: bool, weights):
        def still():
            return super(MovingRange, self).__call__(scaled, False, weights)

        def moving():
            return super(MovingRange, self).__call__(scaled, True, weights)

        return tf.cond(self.is_frozen, still, moving) if moves else still()

    def get_config(self) -> dict[str, Any]:
        ours = {name: getattr(self, name) for name in ("start", "factors", "learns", "rectified")}
        return {**super().get_config(), **ours}


class FixedRange(quantizers.Quantizer):
    """Of a function whose results int8 kernels give one range, whatever it computes."""

    def __init__(self, low: float, high: float):
        self.low, self.high = low, high

    def build(self, tensor_shape, name, layer) -> dict[str, tf.Variable]:
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        return tf.quantization.fake_quant_with_min_max_args(inputs, self.low, self.high, _BITS)

    def get_config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}


PROBABILITIES, TANH = FixedRange(*PROBABILITY_RANGE), FixedRange(*TANH_RANGE)


class MaskedScores(quantizers.Quantizer):
    """Scores with the mask added: the scores' range, and room below it for what is masked."""

    def __init__(self, scores: "Site", depth: float):
        # Behind a function, and so not tracked: the range is that site's own.
        self._range_of, self.depth = lambda: scores.range, depth

    def build(self, tensor_shape, name, layer) -> dict[str, tf.Variable]:
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        ends = self._range_of()
        low, high = ends["min_var"] - self.depth, ends["max_var"]
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high, _BITS)

    def get_config(self) -> dict[str, Any]:
        return {"depth": self.depth}


class Whole(quantizers.Quantizer):
    """A vector of the model's, in the range that its values span now: one scale for all of them."""

    def build(self, tensor_shape, name, layer) -> dict[str, tf.Variable]:
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        return rounded_in(tf.convert_to_tensor(inputs), inputs)

    def get_config(self) -> dict[str, Any]:
        return {}


class Channels(quantizers.Quantizer):
    """A dense layer's weights [I, O], symmetric and with one scale a column, as they are now: nothing is remembered.

    The largest weight of a column is at the end of its range, where TF-MOT's own quantiser stops its gradient; here
    every weight has its gradient.
    """

    def __init__(self, factors: np.ndarray | None = None):
        self.factors = None if factors is None else factors[:, None]

    def build(self, tensor_shape, name, layer) -> dict[str, tf.Variable]:
        return {}

    def __call__(self, inputs, training, weights, **kwargs):
        return tf.grad_pass_through(self._rounded)(tf.convert_to_tensor(inputs))

    def _rounded(self, weights):
        scaled = weights if self.factors is None else weights * self.factors
        peaks = tf.reduce_max(tf.abs(scaled), axis=0)
        rounded = tf.quantization.fake_quant_with_min_max_vars_per_channel(
            scaled, -peaks, peaks, _BITS, narrow_range=True
        )
        return rounded if self.factors is None else rounded / self.factors

    def get_config(self) -> dict[str, Any]:
        return {"factors": self.factors}


def rounded_rows(rows: tf.Tensor) -> tf.Tensor:
    """Rows of a table, each symmetric with a scale of its own. Of the rows that were looked up: the same numbers as of
    the whole table, of which a batch reads a hundredth."""
    return tf.grad_pass_through(_rounded_rows)(rows)


def _rounded_rows(rows):
    peaks = tf.reduce_max(tf.abs(rows), axis=-1, keepdims=True)
    # A row of zeros has no scale.
    scales = tf.where(peaks > 0, peaks / _LARGEST, 1.0)
    return tf.round(rows / scales) * scales


def rounded_in(values: tf.Tensor, whole: tf.Tensor) -> tf.Tensor:
    """Values of a tensor, in the one range that spans the whole of it and 0."""

    def rounded(values):
        low, high = tf.minimum(tf.reduce_min(whole), 0.0), tf.maximum(tf.reduce_max(whole), 0.0)
        return tf.quantization.fake_quant_with_min_max_vars(values, low, high, _BITS)

    return tf.grad_pass_through(rounded)(values)


class Site(keras.layers.Layer):
    """A tensor between layers, or one that several of them read."""

    def __init__(self, quantizer: quantizers.Quantizer, name: str):
        super().__init__(name=name.replace(".", "_"), trainable=False)
        self.quantizer = quantizer

    def build(self, input_shape) -> None:
        # Private: it is no value of the model.
        self._range = self.quantizer.build(input_shape, "range", self)
        super().build(input_shape)

    def call(self, x, training=None):
        return self.quantizer(x, bool(training), self._range)

    @property
    def range(self) -> Mapping[str, tf.Variable]:
        return self._range
