"""The parts of an encoder, in the form that XNNPACK runs whole.

Shapes in comments: B batch, T tokens, R tokens computed (T, or 1 for the first only), W width, A heads, D width of one
head, N rows: B*T or B*R.
"""

import functools
from typing import NamedTuple

from edgebert.config import EncoderConfig
from edgebert.keras import keras, tf, traced
from edgebert.models.places import through

# Large enough that exp() of it is exactly 0 in float32, so a padded text gives the unpadded one's bits; small enough
# for float16.
MASKED_SCORE = -10000.0
# A table as small as that of the segments stays float in every precision: int8 would save no bytes and take longer.
FLOAT_TABLE_ROWS = 4
# Quantisers that treat RESHAPE and TRANSPOSE apart from the mask's find the head split and merge by this scope.
HEADS_SCOPE = "heads"


@functools.cache
def _embedding_lookup(width: int):
    """Of tables of this width: one function for all would, from the second width on, return rows of no known width."""

    # The converter turns this named function into EMBEDDING_LOOKUP, whose table can be int8 with one scale a row;
    # GATHER's table can not.
    @traced(experimental_implements="embedding_matmul", reduce_retracing=True)
    def look_up(value, lookup):
        return tf.gather(value, lookup)

    return look_up


def activation_function(name: str):
    return {
        "gelu": tf.nn.gelu,
        "gelu_tanh": lambda x: tf.nn.gelu(x, approximate=True),
        "relu": tf.nn.relu,
    }[name]


@functools.cache
def compiled_activation(name: str):
    """The same, fused by XLA, for training: GELU and its gradient are a dozen passes over the widest rows, and fusing
    them makes a small student's step a sixth faster. Exported graphs need the operators apart."""
    return traced(activation_function(name), jit_compile=True, reduce_retracing=True)


def dense(config: EncoderConfig, width: int, name: str) -> keras.layers.Dense:
    return keras.layers.Dense(
        width, kernel_initializer=keras.initializers.TruncatedNormal(stddev=config.initializer_range), name=name
    )


class Table(keras.layers.Layer):
    """An embedding table: integer indices [B, T] to rows [B, T, W]."""

    def __init__(self, rows: int, width: int, initializer_range: float, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.width, self.initializer_range = rows, width, initializer_range

    def build(self, input_shape) -> None:
        self.weight = self.add_weight(
            "weight",
            shape=(self.rows, self.width),
            initializer=keras.initializers.TruncatedNormal(stddev=self.initializer_range),
        )
        super().build(input_shape)

    def call(self, indices, training=None):
        weight = tf.cast(self.weight, self.compute_dtype)
        if training or self.rows <= FLOAT_TABLE_ROWS:
            return tf.gather(weight, indices)
        # EMBEDDING_LOOKUP takes one list of indices.
        looked_up = _embedding_lookup(self.width)(weight, tf.reshape(indices, [-1]))
        return tf.reshape(looked_up, [batch_size(indices), token_count(indices), self.width])


class LayerNorm(keras.layers.Layer):
    """Layer normalisation written as c * (r * gain) + bias with c = x - mean(x).

    In this order the converter leaves the gain where it is; as (c * r) * gain it would fold the gain into the next
    dense weights, and int8 weights would lose accuracy (cosine .9980 instead of .9988 on MiniLM).
    """

    def __init__(self, epsilon: float, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape) -> None:
        self.gain = self.add_weight("gain", shape=(input_shape[-1],), initializer="ones")
        self.bias = self.add_weight("bias", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, x):
        centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
        variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
        return centred * (tf.math.rsqrt(variance + self.epsilon) * self.gain) + self.bias


class NoNorm(keras.layers.Layer):
    """MobileBERT's replacement for layer normalisation: an affine map of each channel."""

    PLACES = ("scaled", "shifted")

    def build(self, input_shape) -> None:
        self.gain = self.add_weight("gain", shape=(input_shape[-1],), initializer="ones")
        self.bias = self.add_weight("bias", shape=(input_shape[-1],), initializer="zeros")
        super().build(input_shape)

    def call(self, x, training=None):
        gain, bias = through(self, "gain", self.gain), through(self, "bias", self.bias)
        scaled = through(self, "scaled", x * gain, training)
        return through(self, "shifted", scaled + bias, training)


def norm(config: EncoderConfig, name: str) -> keras.layers.Layer:
    if config.normalization == "no_norm":
        return NoNorm(name=name)
    return LayerNorm(config.norm_epsilon, name=name)


class Attention(NamedTuple):
    """Everything of one layer's attention that a distillation objective compares."""

    query: tf.Tensor  # [B, A, R, D], scaled by 1/sqrt(D)
    key: tf.Tensor  # [B, A, T, D]
    value: tf.Tensor  # [B, A, T, D]
    scores: tf.Tensor  # [B, A, R, T], scaled, before the mask
    probabilities: tf.Tensor  # [B, A, R, T]


def batch_size(x):
    return x.shape[0] if x.shape[0] is not None else tf.shape(x)[0]


def token_count(x):
    """The token count where it is known; where the batch is known instead, -1 for reshapes to find it."""
    if x.shape[1] is not None:
        return x.shape[1]
    return -1 if x.shape[0] is not None else tf.shape(x)[1]


def flat(x):
    """[B, T, W] to rows [B*T, W].

    Dense layers get rows: on [B, T, W] with an open length Keras spells them as Tensordot, whose run-time shapes cut
    the graph into 49 pieces for XNNPACK.
    """
    return tf.reshape(x, [-1, x.shape[-1]])


def first_row(x):
    """[B, T, W] to [B, W]. x[:, 0] would drop the axis while slicing, which XNNPACK does not take."""
    return tf.reshape(x[:, :1], [-1, x.shape[-1]])


def split_heads(rows, heads: int, batch, tokens):
    """[B*T, A*D] to [B, A, T, D]."""
    with tf.name_scope(HEADS_SCOPE):
        split = tf.reshape(rows, [batch, tokens, heads, rows.shape[-1] // heads])
        return tf.transpose(split, [0, 2, 1, 3])


def merge_heads(x):
    """[B, A, T, D] to [B*T, A*D]."""
    with tf.name_scope(HEADS_SCOPE):
        return tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [-1, x.shape[1] * x.shape[3]])
