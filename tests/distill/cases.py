"""Random batches of different lengths, and small models, for the tests of distillation."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.keras import tf
from edgebert.models.task import TaskModel, build_model

CLASSES = HeadConfig("classification", labels=("no", "yes", "maybe"))


class Shape(NamedTuple):
    lengths: tuple[int, ...]
    padding: int
    heads: int
    head_width: int
    seed: int

    @property
    def tokens(self) -> int:
        return max(self.lengths) + self.padding

    @property
    def mask(self) -> np.ndarray:
        return (np.arange(self.tokens)[None] < np.array(self.lengths)[:, None]).astype(np.int32)


shapes = st.builds(
    Shape,
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple),
    padding=st.integers(0, 3),
    heads=st.integers(1, 3),
    head_width=st.sampled_from([1, 2, 4]),
    seed=st.integers(0, 2**32 - 1),
)


def pair_of(shape: Shape, *dimensions: int, scale: float = 1.5) -> tuple[np.ndarray, np.ndarray]:
    """Student's and teacher's values, float32, so that both computations read the same numbers."""
    generator = np.random.default_rng(shape.seed)
    size = (len(shape.lengths), *dimensions)
    return tuple((generator.normal(size=size) * scale).astype(np.float32) for _ in range(2))


def states_of(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return pair_of(shape, shape.tokens, shape.heads * shape.head_width)


def scores_of(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return pair_of(shape, shape.heads, shape.tokens, shape.tokens)


def vectors_of(shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    return pair_of(shape, shape.heads, shape.tokens, shape.head_width)


def encoder_config(**changes) -> EncoderConfig:
    fields = {
        "vocabulary_size": 40,
        "width": 12,
        "layers": 4,
        "heads": 3,
        "feed_forward_width": 16,
        "embedding_width": 12,
        "maximum_length": 16,
        "pooler": False,
        "initializer_range": 0.4,
    }
    fields |= changes
    fields["embedding_width"] = changes.get("embedding_width", fields["width"])
    return EncoderConfig(**fields)


def model(seed: int, head: HeadConfig = CLASSES, **changes) -> TaskModel:
    tf.random.set_seed(seed)
    return build_model(encoder_config(**changes), head)


def inputs_of(*lengths: int, padding: int = 2, seed: int = 0) -> dict[str, tf.Tensor]:
    generator = np.random.default_rng(seed)
    tokens = max(lengths) + padding
    mask = np.arange(tokens)[None] < np.array(lengths)[:, None]
    ids = np.zeros((len(lengths), tokens), np.int32)
    for row, length in enumerate(lengths):
        ids[row, :length] = generator.integers(1, 40, length)
    return {
        "input_ids": tf.constant(ids),
        "input_mask": tf.constant(mask.astype(np.int32)),
        "segment_ids": tf.zeros_like(ids),
    }
