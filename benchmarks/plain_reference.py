"""The plain graph that ours is measured against: textbook BERT in tf_keras, textbook conversion, random weights.

    python -m benchmarks.plain_reference FOLDER [--shape tiny4] [--length 128]

writes FOLDER/plain-SHAPE-LENGTH-PRECISION.tflite, with the inputs that `edgebert benchmark` binds.
"""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgebert.data.wordpiece import WordPiece
from edgebert.export.metadata import pack_metadata
from edgebert.keras import keras, tf
from edgebert.quiet import quiet_native_output

# Layers, width, heads, feed-forward width; tiny4 is TinyBERT4, minilm6 is MiniLM-L6.
SHAPES = {
    "tiny2": (2, 128, 2, 512),
    "tiny4": (4, 312, 12, 1200),
    "minilm6": (6, 384, 12, 1536),
    "base": (12, 768, 12, 3072),
}
VOCABULARY_SIZE, POSITIONS = 30522, 512
LABELS = ("no", "yes")
SMALLEST_VOCABULARY = 64
PRECISIONS = ("float32", "float16", "dynamic", "int8")


class Block(keras.layers.Layer):
    def __init__(self, width: int, heads: int, feed_forward: int):
        super().__init__()
        self.heads, self.depth = heads, width // heads
        self.query, self.key, self.value, self.out = (keras.layers.Dense(width) for _ in range(4))
        self.up, self.down = keras.layers.Dense(feed_forward), keras.layers.Dense(width)
        self.first_norm = keras.layers.LayerNormalization(epsilon=1e-12)
        self.second_norm = keras.layers.LayerNormalization(epsilon=1e-12)

    def split(self, x):
        return tf.transpose(tf.reshape(x, [1, x.shape[1], self.heads, self.depth]), [0, 2, 1, 3])

    def call(self, x, bias):
        query = self.split(self.query(x) * self.depth**-0.5)
        weights = tf.nn.softmax(tf.matmul(query, self.split(self.key(x)), transpose_b=True) + bias)
        context = tf.transpose(tf.matmul(weights, self.split(self.value(x))), [0, 2, 1, 3])
        x = self.first_norm(x + self.out(tf.reshape(context, [1, x.shape[1], self.heads * self.depth])))
        return self.second_norm(x + self.down(tf.nn.gelu(self.up(x))))


def build(layers: int, width: int, heads: int, feed_forward: int, vocabulary: int, length: int):
    keras.utils.set_random_seed(7)
    ids, mask, segments = (
        keras.Input((length,), batch_size=1, dtype=tf.int32, name=name)
        for name in ("input_ids", "input_mask", "segment_ids")
    )
    embed = keras.layers.Embedding
    x = embed(vocabulary, width)(ids) + embed(2, width)(segments) + embed(POSITIONS, width)(tf.range(length))[None]
    x = keras.layers.LayerNormalization(epsilon=1e-12)(x)
    bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * -10000.0
    for _ in range(layers):
        x = Block(width, heads, feed_forward)(x, bias)
    pooled = keras.layers.Dense(width, activation="tanh")(x[:, 0])
    return keras.Model([ids, mask, segments], keras.layers.Dense(len(LABELS), activation="softmax")(pooled))


def convert(model, precision: str) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if precision != "float32":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if precision == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if precision == "int8":
        random = np.random.default_rng(0)
        _, length = model.inputs[0].shape

        def samples():
            for _ in range(8):
                ids = random.integers(0, SMALLEST_VOCABULARY, (1, length), np.int32)
                # By name: the converter orders inputs as it likes.
                yield {
                    "input_ids": ids,
                    "input_mask": np.ones((1, length), np.int32),
                    "segment_ids": np.zeros((1, length), np.int32),
                }

        converter.representative_dataset = samples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    with quiet_native_output(), warnings.catch_warnings():
        # TensorFlow's calibration warns about TensorFlow's own interpreter, and that token ids have no statistics.
        warnings.simplefilter("ignore")
        return converter.convert()


def write(
    folder: Path,
    shape: str,
    length: int,
    precisions: Sequence[str] = PRECISIONS,
    tokenizer: WordPiece | None = None,
) -> dict[str, Path]:
    """With a tokenizer its vocabulary is packed in, as in our files: each then gets its own tokens of a text."""
    plain = build(*SHAPES[shape], VOCABULARY_SIZE, length)
    written = {}
    for precision in precisions:
        written[precision] = folder / f"plain-{shape}-{length}-{precision}.tflite"
        content = convert(plain, precision)
        written[precision].write_bytes(content if tokenizer is None else pack(content, precision, tokenizer))
    return written


def pack(content: bytes, precision: str, tokenizer: WordPiece) -> bytes:
    return pack_metadata(
        content,
        vocabulary=tokenizer.vocabulary,
        labels=LABELS,
        tokenizer=tokenizer.settings,
        task="classification",
        pooling="pooler",
        maximum_length=POSITIONS,
        precision=precision,
        provenance={"weights": "random"},
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="tiny4")
    parser.add_argument("--length", type=int, default=128)
    arguments = parser.parse_args()
    for path in write(arguments.folder, arguments.shape, arguments.length).values():
        print(path)
