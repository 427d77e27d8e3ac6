"""Importance without data, from the weights alone: the baseline, and a random order for comparison."""

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.truncation.values import BlockImportance, Importance, Source


def magnitude_importance(teacher: Source) -> Importance:
    """Products of the weights that lead in and out: what is written nowhere or read nowhere counts nothing.

    heads: sum over the head's channels of |value column|^2 |attention_output row|^2; neurons: |up column| |down row|;
    channels: the squared gains, each norm's adding up to 1. The weights that read them tell nothing: by those, or by
    both, MiniLM's truncation to 312 channels is worse than a random one. layers: the squares of all that writes into
    the residual stream.
    """
    blocks = tuple(_block(teacher, f"encoder.blocks.{number}.") for number in range(teacher.config.blocks))
    layers = np.array([_written(teacher, f"encoder.blocks.{block}.") for block in teacher.config.layer_blocks])
    return Importance(blocks, _channels(teacher), layers)


def random_importance(config: EncoderConfig, seed: int) -> Importance:
    generator = np.random.default_rng(seed)
    blocks = tuple(
        BlockImportance(generator.random(config.heads), generator.random(config.feed_forward_width))
        for _ in range(config.blocks)
    )
    return Importance(blocks, generator.random(config.width), generator.random(config.layers))


def _block(teacher: Source, block: str) -> BlockImportance:
    tensors = teacher.tensors
    written = np.sum(np.square(tensors[f"{block}value.kernel"]), axis=0)
    read = np.sum(np.square(tensors[f"{block}attention_output.kernel"]), axis=1)
    up = np.linalg.norm(tensors[f"{block}feed_forward.up.kernel"], axis=0)
    down = np.linalg.norm(tensors[f"{block}feed_forward.down.kernel"], axis=1)
    return BlockImportance((written * read).reshape(teacher.config.heads, -1).sum(axis=1), up * down)


def _written(teacher: Source, block: str) -> float:
    writers = (teacher.tensors[f"{block}{name}.kernel"] for name in ("attention_output", "feed_forward.down"))
    return float(sum(np.sum(np.square(kernel)) for kernel in writers))


def _channels(teacher: Source) -> np.ndarray:
    norms = [name for name in teacher.tensors if name.startswith("encoder.") and name.endswith("norm.gain")]
    squares = [np.square(teacher.tensors[name]) for name in norms]
    return sum(square / max(np.sum(square), np.finfo(np.float32).tiny) for square in squares)
