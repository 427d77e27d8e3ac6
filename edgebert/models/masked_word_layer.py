"""The masked-word head as a layer: rows to scores of the vocabulary's pieces, decoded with the table of words."""

from edgebert.config import EncoderConfig
from edgebert.keras import keras, tf
from edgebert.models.layers import LayerNorm, activation_function, dense


class MaskedWordLayer(keras.layers.Layer):
    """Rows [N, W] and the table of words [V, E] to scores [N, V].

    Its dense layer leads from the encoder's width to the table's: as ALBERT does it, and in BERT both are the same.
    """

    def __init__(self, config: EncoderConfig, **kwargs):
        super().__init__(**kwargs)
        self.transform = dense(config, config.embedding_width, "transform")
        self.activation = activation_function(config.activation)
        # Whatever the encoder has: MobileBERT's is normalised here, too.
        self.norm = LayerNorm(config.norm_epsilon, name="norm")
        self.decoder = TiedDecoder(config.vocabulary_size, name="decoder")

    def call(self, rows, table):
        return self.decoder(self.norm(self.activation(self.transform(rows))), table)


class TiedDecoder(keras.layers.Layer):
    """The table of words the other way round, with a bias of its own for each piece."""

    def __init__(self, vocabulary_size: int, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size

    def build(self, input_shape) -> None:
        self.bias = self.add_weight("bias", shape=(self.vocabulary_size,), initializer="zeros")
        super().build(input_shape)

    def call(self, x, table):
        return tf.matmul(x, tf.cast(table, x.dtype), transpose_b=True) + self.bias
