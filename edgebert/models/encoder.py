"""The encoder: token ids to rows, for every architecture that `EncoderConfig` can describe."""

from typing import NamedTuple

from edgebert.config import EncoderConfig
from edgebert.keras import keras, tf
from edgebert.models.block import Block
from edgebert.models.layers import MASKED_SCORE, Attention, Table, batch_size, dense, first_row, flat, norm, token_count
from edgebert.models.places import through


class Trace(NamedTuple):
    """All that an encoder computed on the way, by name."""

    hidden: tuple[tf.Tensor, ...]  # embeddings' output, then each layer's: layers + 1 tensors [B, T, W]
    attention: tuple[Attention, ...]  # one a layer

    @property
    def rows(self) -> tf.Tensor:
        return self.hidden[-1]


class Embeddings(keras.layers.Layer):
    """input_ids and segment_ids [B, T] to [B, T, W]."""

    PLACES = ("placed", "summed")

    def __init__(self, config: EncoderConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        sum_width = config.embedding_width if config.projection == "after_norm" else config.width
        self.word = Table(config.vocabulary_size, config.embedding_width, config.initializer_range, name="word")
        self.position = Table(config.maximum_length, sum_width, config.initializer_range, name="position")
        if config.segments:
            self.segment = Table(config.segments, sum_width, config.initializer_range, name="segment")
        if config.projection != "none":
            self.projection = dense(config, config.width, "projection")
        self.norm = norm(config, "norm")
        self.dropout = keras.layers.Dropout(config.dropout)

    def call(self, input_ids, segment_ids, training=None):
        config = self.config
        words = self.word(input_ids, training=training)
        if config.trigram:
            # MobileBERT reads each token with its neighbours; beyond the ends there are zeros. Padded before it is
            # sliced: a file of dynamic length is first prepared for one token, and XNNPACK refuses an empty slice.
            padded = tf.pad(words, [[0, 0], [1, 1], [0, 0]])
            words = tf.concat([padded[:, 2:], words, padded[:, :-2]], axis=-1)
        if config.projection == "before_sum":
            words = self._project(words)
        summed = words + self.position(position_ids(input_ids), training=training)
        if config.segments:
            placed = through(self, "placed", summed, training)
            summed = placed + self.segment(segment_ids, training=training)
        summed = through(self, "summed", summed, training)
        x = self.dropout(self.norm(summed), training=training)
        return self._project(x) if config.projection == "after_norm" else x

    def _project(self, x):
        return tf.reshape(self.projection(flat(x)), [batch_size(x), token_count(x), self.config.width])


def position_ids(input_ids):
    """0, 1, 2, ... for one row of tokens: [1, T]."""
    length = input_ids.shape[1]
    if length is not None:
        return tf.range(length)[None]
    # A running count of ones, without asking for the shape: RANGE would cost another 0.1 ms when the length changes.
    return tf.cumsum(input_ids[:1] * 0 + 1, axis=1, exclusive=True)


class Encoder(keras.layers.Layer):
    PLACES = ("pooled",)

    def __init__(self, config: EncoderConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.embeddings = Embeddings(config, name="embeddings")
        self.blocks = [Block(config, name=f"block_{number}") for number in range(config.blocks)]
        if config.pooler:
            self.pooler = dense(config, config.width, "pooler")

    def call(self, inputs, training=None, first_row_only=False) -> Trace:
        """inputs: input_ids, input_mask and segment_ids, each int32 [B, T].

        With `first_row_only` the last entry of `hidden` is [B, 1, W].
        """
        mask_bias = (1.0 - tf.cast(inputs["input_mask"], self.compute_dtype))[:, None, None, :] * MASKED_SCORE
        x = self.embeddings(inputs["input_ids"], inputs["segment_ids"], training=training)
        hidden, attentions = [x], []
        for layer, block in enumerate(self.config.layer_blocks):
            only_first = first_row_only and layer == self.config.layers - 1
            x, attention = self.blocks[block](x, mask_bias, training=training, first_row_only=only_first)
            hidden.append(x)
            attentions.append(attention)
        return Trace(tuple(hidden), tuple(attentions))

    def pooled(self, rows):
        """The published pooler: tanh of a dense layer on the first row, [B, T, W] to [B, W]."""
        return through(self, "pooled", tf.tanh(self.pooler(first_row(rows))))
