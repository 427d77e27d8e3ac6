"""Writes tiny_*.tflite and tiny_vocab.txt: one layer of attention over token ids, for tests of the benchmark.

    python tests/golden/make_tiny_models.py

They are made with TensorFlow alone and not with edgebert, so that a defect of our converter cannot hide in them; the
weights are seeded, so that the files change only when TensorFlow or this script does.
"""

import os
import string
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parent
WIDTH, HEADS, FEED_FORWARD, POSITIONS, LABELS = 16, 2, 32, 512, 2
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary() -> list[str]:
    """Enough pieces for every English sentence: letters alone and continued, digits, marks and a few words."""
    letters = list(string.ascii_lowercase)
    words = ["the", "a", "and", "is", "not", "film", "order", "good", "##s", "##ing", "##ed"]
    pieces = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters), *string.digits, *".,!?'-", *words]
    return list(dict.fromkeys(pieces))


class Tiny(tf.Module):
    def __init__(self, rows: int) -> None:
        super().__init__()
        draw = np.random.default_rng(0)

        def weight(*shape: int) -> tf.Variable:
            return tf.Variable(draw.normal(0, 0.2, shape).astype(np.float32))

        self.tokens, self.segments, self.positions = weight(rows, WIDTH), weight(2, WIDTH), weight(POSITIONS, WIDTH)
        self.query, self.key, self.value, self.out = (weight(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down, self.head = weight(WIDTH, FEED_FORWARD), weight(FEED_FORWARD, WIDTH), weight(WIDTH, LABELS)

    def answer(self, ids: tf.Tensor, mask: tf.Tensor, segments: tf.Tensor | None) -> tf.Tensor:
        order = tf.cumsum(tf.zeros_like(ids) + 1, axis=1, exclusive=True)
        x = tf.gather(self.tokens, ids) + tf.gather(self.positions, order)
        if segments is not None:
            x += tf.gather(self.segments, segments)
        x = self.norm(x)
        bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -100.0
        query, key, value = (self.split(self.dense(x, weight)) for weight in (self.query, self.key, self.value))
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * (WIDTH // HEADS) ** -0.5 + bias)
        context = tf.reshape(tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3]), [1, -1, WIDTH])
        x = self.norm(x + self.dense(context, self.out))
        x = self.norm(x + self.dense(tf.nn.relu(self.dense(x, self.up)), self.down))
        return tf.nn.softmax(tf.matmul(x[:, 0], self.head))

    def split(self, x: tf.Tensor) -> tf.Tensor:
        return tf.transpose(tf.reshape(x, [1, -1, HEADS, WIDTH // HEADS]), [0, 2, 1, 3])

    @staticmethod
    def dense(x: tf.Tensor, weight: tf.Variable) -> tf.Tensor:
        return tf.reshape(tf.matmul(tf.reshape(x, [-1, weight.shape[0]]), weight), [1, -1, weight.shape[1]])

    @staticmethod
    def norm(x: tf.Tensor) -> tf.Tensor:
        centred = x - tf.reduce_mean(x, -1, keepdims=True)
        return centred * tf.math.rsqrt(tf.reduce_mean(centred * centred, -1, keepdims=True) + 1e-6)


def convert(names: tuple[str, ...], length: int | None, quantized: bool, rows: int) -> bytes:
    """`names` are the inputs' names in the order ids, mask and, if there is a third, segments."""
    model = Tiny(rows)

    def answer(*inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"probabilities": model.answer(*inputs, *([None] * (3 - len(inputs))))}

    specification = [tf.TensorSpec([1, length], tf.int32, name=name) for name in names]
    function = tf.function(answer, input_signature=specification).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    if quantized:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


if __name__ == "__main__":
    pieces = vocabulary()
    (FOLDER / "tiny_vocab.txt").write_text("\n".join(pieces) + "\n")
    ours, clients = ("input_ids", "input_mask", "segment_ids"), ("ids", "mask", "segment_ids")
    for name, content in (
        ("tiny_dynamic_length", convert(ours, None, False, len(pieces))),
        ("tiny_fixed_length", convert(clients, 32, True, len(pieces))),
        ("tiny_without_segments", convert(("input_word_ids", "input_mask"), 16, False, len(pieces))),
    ):
        (FOLDER / f"{name}.tflite").write_bytes(content)
