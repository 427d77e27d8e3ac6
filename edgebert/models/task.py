"""An encoder with a head: the model that is trained, exported and compared, teacher and student alike."""

from typing import NamedTuple

from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.keras import keras, tf, traced
from edgebert.models.encoder import Encoder, Trace
from edgebert.models.layers import dense, first_row, flat
from edgebert.models.masked_word_layer import MaskedWordLayer
from edgebert.models.places import through

# A vector shorter than this is left as short as it is instead of being blown up to unit length.
SHORTEST_VECTOR_SQUARED = 1e-24


class TaskTrace(NamedTuple):
    # Logits [B, C], a score [B, 1] or an embedding [B, W]; for masked words logits [B, T, V], or [N, V] of the N tokens
    # that were asked for.
    output: tf.Tensor
    encoder: Trace


class Head(keras.layers.Layer):
    """Rows [B, T, W] to logits [B, C], a regression score [B, 1] or an embedding [B, W]."""

    PLACES = ("transformed",)

    def __init__(self, config: EncoderConfig, head: HeadConfig, **kwargs):
        super().__init__(**kwargs)
        self.head = head
        self.dropout = keras.layers.Dropout(config.dropout)
        if head.transform:
            self.transform = dense(config, config.width, "transform")
            self.transform_activation = {"relu": tf.nn.relu, "tanh": tf.tanh}[head.transform]
        if head.outputs:
            self.classifier = dense(config, head.outputs, "classifier")

    def call(self, pooled, training=None):
        if self.head.transform:
            pooled = through(self, "transformed", self.transform_activation(self.transform(pooled)), training)
        if self.head.outputs:
            return self.classifier(self.dropout(pooled, training=training))
        if self.head.unit_length:
            squared = tf.reduce_sum(pooled * pooled, axis=-1, keepdims=True)
            pooled = pooled * tf.math.rsqrt(tf.maximum(squared, SHORTEST_VECTOR_SQUARED))
        return pooled


class TaskModel(keras.Model):
    def __init__(self, config: EncoderConfig, head: HeadConfig, **kwargs):
        super().__init__(**kwargs)
        self.config, self.head_config = config, head
        self.encoder = Encoder(config, name="encoder")
        self.head = MaskedWordLayer(config, name="head") if head == MASKED_WORDS else Head(config, head, name="head")
        if config.pooler and head.pooling != "pooler":
            # Kept for saving; nothing reads it, so nothing trains it.
            self.encoder.pooler.trainable = False

    def call(self, inputs, training=None):
        """The output alone; where only the first row is asked for, the last block computes no other."""
        return self._run(inputs, training, first_row_only=self.head_config.pooling in ("first", "pooler")).output

    @traced(input_signature=[{name: tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUT_NAMES}])
    def infer(self, inputs):
        """`call` without dropout, compiled once for every batch size and length."""
        return self(inputs, training=False)

    def trace(self, inputs, training=None, asked=None) -> TaskTrace:
        """The output with every hidden state and attention, whole.

        asked, booleans [B, T]: of masked words only these tokens are decoded, in their order; logits are the most of
        the work where the encoder is small.
        """
        return self._run(inputs, training, first_row_only=False, asked=asked)

    def _run(self, inputs, training, first_row_only: bool, asked=None) -> TaskTrace:
        trace = self.encoder(inputs, training=training, first_row_only=first_row_only)
        if self.head_config == MASKED_WORDS:
            return TaskTrace(self._decode(trace.rows, asked), trace)
        return TaskTrace(self.head(self._pool(trace.rows, inputs["input_mask"]), training=training), trace)

    def _decode(self, rows, asked):
        table = self.encoder.embeddings.word.weight
        if asked is not None:
            return self.head(tf.boolean_mask(rows, asked), table)
        logits = self.head(flat(rows), table)
        return tf.reshape(logits, [*tf.unstack(tf.shape(rows)[:2]), logits.shape[-1]])

    def _pool(self, rows, input_mask):
        if self.head_config.pooling == "first":
            return first_row(rows)
        if self.head_config.pooling == "pooler":
            return self.encoder.pooled(rows)
        weights = tf.cast(input_mask, rows.dtype)[:, :, None]
        return tf.reduce_sum(rows * weights, axis=1) / tf.reduce_sum(weights, axis=1)


def build_model(config: EncoderConfig, head: HeadConfig, name: str = "model") -> TaskModel:
    """A model with all its variables made, randomly initialised."""
    model = TaskModel(config, head, name=name)
    tokens = tf.zeros([1, 2], tf.int32)
    inputs = dict.fromkeys(INPUT_NAMES, tokens)
    rows = model.trace(inputs).encoder.rows
    if config.pooler:
        model.encoder.pooled(rows)
    model(inputs)
    return model


def named_variables(layer: keras.layers.Layer, prefix: str = "") -> dict[str, tf.Variable]:
    """Every variable under its one name, which the weight table, the compression policies and the report share:
    `encoder.blocks.0.query.kernel`, `encoder.embeddings.word.weight`, `head.classifier.bias`, ..."""
    found: dict[str, tf.Variable] = {}
    for attribute, value in vars(layer).items():
        if attribute.startswith("_"):
            continue
        if isinstance(value, tf.Variable):
            found[prefix + attribute] = value
        elif isinstance(value, keras.layers.Layer):
            found.update(named_variables(value, f"{prefix}{attribute}."))
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                if isinstance(item, keras.layers.Layer):
                    found.update(named_variables(item, f"{prefix}{attribute}.{number}."))
    return found
