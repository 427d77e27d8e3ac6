"""One encoder block: attention and feed-forward, with MobileBERT's bottleneck where the configuration has one."""

from edgebert.config import EncoderConfig
from edgebert.keras import keras, tf
from edgebert.models.layers import (
    Attention,
    activation_function,
    batch_size,
    compiled_activation,
    dense,
    first_row,
    flat,
    merge_heads,
    norm,
    split_heads,
    token_count,
)
from edgebert.models.places import through


class FeedForward(keras.layers.Layer):
    """Up, activation, down, residual, norm: [N, W] to [N, W]."""

    PLACES = ("activated", "summed")

    def __init__(self, config: EncoderConfig, **kwargs):
        super().__init__(**kwargs)
        self.activation = activation_function(config.activation)
        self.training_activation = compiled_activation(config.activation)
        self.up = dense(config, config.feed_forward_width, "up")
        self.down = dense(config, config.attention_width, "down")
        self.norm = norm(config, "norm")
        # MobileBERT drops out only behind its bottleneck.
        self.dropout = keras.layers.Dropout(0.0 if config.bottleneck else config.dropout)

    def call(self, x, training=None):
        activation = self.training_activation if training else self.activation
        activated = through(self, "activated", activation(self.up(x)), training)
        added = self.dropout(self.down(activated), training=training)
        return self.norm(through(self, "summed", x + added, training))


class Narrowing(keras.layers.Layer):
    """Dense and norm: what MobileBERT puts in front of a narrow block."""

    def __init__(self, config: EncoderConfig, width: int, **kwargs):
        super().__init__(**kwargs)
        self.dense = dense(config, width, "dense")
        self.norm = norm(config, "norm")

    def call(self, x):
        return self.norm(self.dense(x))


class Block(keras.layers.Layer):
    PLACES = ("scores", "masked", "probabilities", "context", "attended")

    def __init__(self, config: EncoderConfig, **kwargs):
        super().__init__(**kwargs)
        self.config = config
        self.query, self.key, self.value = (
            dense(config, config.heads_width, name) for name in ("query", "key", "value")
        )
        self.attention_output = dense(config, config.attention_width, "attention_output")
        self.attention_norm = norm(config, "attention_norm")
        self.dropout = keras.layers.Dropout(0.0 if config.bottleneck else config.dropout)
        self.attention_dropout = keras.layers.Dropout(config.attention_dropout)
        self.feed_forward = FeedForward(config, name="feed_forward")
        if config.bottleneck:
            self._add_bottleneck(config)

    def _add_bottleneck(self, config: EncoderConfig) -> None:
        bottleneck = config.bottleneck
        self.narrow_input = Narrowing(config, bottleneck.width, name="narrow_input")
        if bottleneck.key_query_shared and not bottleneck.all_inputs_narrow:
            self.narrow_attention = Narrowing(config, bottleneck.width, name="narrow_attention")
        self.earlier_feed_forwards = [
            FeedForward(config, name=f"earlier_feed_forward_{number}")
            for number in range(bottleneck.feed_forward_networks - 1)
        ]
        self.widen = dense(config, config.width, "widen")
        self.widen_norm = norm(config, "widen_norm")
        self.widen_dropout = keras.layers.Dropout(config.dropout)

    def call(self, x, mask_bias, training=None, first_row_only=False):
        """x [B, T, W], mask_bias [B, 1, 1, T] to ([B, R, W], Attention).

        With `first_row_only` just the first token is computed from the query on: the last block of a classifier needs
        no more, and at 128 tokens a four-layer student saves a fifth of its time.
        """
        batch, tokens = batch_size(x), token_count(x)
        query_input, key_input, value_input, residual = self._attention_inputs(flat(x))
        asked = 1 if first_row_only else tokens
        if first_row_only:
            query_input, residual = (
                first_row(tf.reshape(rows, [batch, tokens, rows.shape[-1]])) for rows in (query_input, residual)
            )
            x = x[:, :1]
        # The factor on the query, not on the scores: the converter folds it into the query's weights.
        query = split_heads(self.query(query_input) * self.config.head_width**-0.5, self.config.heads, batch, asked)
        key = split_heads(self.key(key_input), self.config.heads, batch, tokens)
        value = split_heads(self.value(value_input), self.config.heads, batch, tokens)
        context, attention = self._attend(query, key, value, mask_bias, training)
        attended = self.dropout(self.attention_output(context), training=training)
        summed = through(self, "attended", residual + attended, training)
        rows = self._feed(self.attention_norm(summed), flat(x), training)
        return tf.reshape(rows, [batch, asked, self.config.width]), attention

    def _feed(self, rows, wide, training):
        """Attention's output [N, W] through the feed-forward networks; `wide` is what the block was given."""
        if self.config.bottleneck is None:
            return self.feed_forward(rows, training=training)
        for feed_forward in self.earlier_feed_forwards:
            rows = feed_forward(rows, training=training)
        rows = self.widen(self.feed_forward(rows, training=training))
        return self.widen_norm(wide + self.widen_dropout(rows, training=training))

    def _attention_inputs(self, x):
        """What query, key and value read, and what the attention's output is added to."""
        bottleneck = self.config.bottleneck
        if bottleneck is None:
            return x, x, x, x
        narrow = self.narrow_input(x)
        if bottleneck.all_inputs_narrow:
            return narrow, narrow, narrow, narrow
        if bottleneck.key_query_shared:
            shared = self.narrow_attention(x)
            return shared, shared, x, narrow
        return x, x, x, narrow

    def _attend(self, query, key, value, mask_bias, training):
        scores = through(self, "scores", tf.matmul(query, key, transpose_b=True), training)
        masked = through(self, "masked", scores + mask_bias, training)
        probabilities = through(self, "probabilities", tf.nn.softmax(masked), training)
        context = tf.matmul(self.attention_dropout(probabilities, training=training), value)
        context = through(self, "context", context, training)
        return merge_heads(context), Attention(query, key, value, scores, probabilities)
