"""Which layers, channels, heads and neurons of the teacher a smaller student keeps."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.truncation.values import Importance


class KeptBlock(NamedTuple):
    teacher_block: int
    heads: tuple[int, ...]
    neurons: tuple[int, ...]


@dataclass(frozen=True)
class Kept:
    """Counting from 0, except layers, which count from 1 as in layer maps."""

    teacher_layers: tuple[int, ...]
    channels: tuple[int, ...]
    blocks: tuple[KeptBlock, ...]


def teacher_blocks(student: EncoderConfig, teacher: EncoderConfig, layers: tuple[int, ...]) -> tuple[int, ...]:
    """The teacher's block for each of the student's; where student layers share one, the lowest of them decides."""
    lowest = [student.layer_blocks.index(block) for block in range(student.blocks)]
    return tuple(teacher.layer_blocks[layers[layer] - 1] for layer in lowest)


def choose(importance: Importance, student: EncoderConfig, teacher: EncoderConfig, layers: tuple[int, ...]) -> Kept:
    """The most important of each, in the teacher's order. All of the teacher is its own order, unchanged.

    layers: the teacher's, counted from 1, one for each of the student's.
    """
    blocks = tuple(
        KeptBlock(
            block,
            most_important(importance.blocks[block].heads, student.heads),
            most_important(importance.blocks[block].neurons, student.feed_forward_width),
        )
        for block in teacher_blocks(student, teacher, layers)
    )
    return Kept(layers, most_important(importance.channels, student.width), blocks)


def most_important(importance: np.ndarray, count: int) -> tuple[int, ...]:
    return tuple(sorted(int(position) for position in np.argsort(-importance, kind="stable")[:count]))


def shares(kept: Kept, importance: Importance) -> dict[str, float]:
    """The part of all importance that was kept, for the report: `channels`, `heads` and `neurons`, 0 to 1."""
    of_blocks = [(importance.blocks[block.teacher_block], block) for block in kept.blocks]
    return {
        "channels": _share([(importance.channels, kept.channels)]),
        "heads": _share([(ranked.heads, block.heads) for ranked, block in of_blocks]),
        "neurons": _share([(ranked.neurons, block.neurons) for ranked, block in of_blocks]),
    }


def _share(pairs) -> float:
    total = float(sum(np.sum(values) for values, _ in pairs))
    return float(sum(np.sum(values[list(chosen)]) for values, chosen in pairs)) / total if total else 1.0
