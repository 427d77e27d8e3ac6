"""What both sides train: MiniLM's and the student's shape, batches of SST-2-like lengths. No framework is imported."""

from typing import NamedTuple

import numpy as np

VOCABULARY_SIZE = 30522
# layers, width, heads, feed-forward width
TEACHER = (6, 384, 12, 1536)
STUDENT = (4, 312, 12, 1200)
# Of the teacher, for each of the student's.
TAUGHT_BY = (1, 3, 5, 6)
BATCH_SIZE = 32
LEARNING_RATE = 5e-5
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0
DROPOUT = 0.1
ROUNDS = 12
# Turns before the first that counts: graphs are traced, memory is taken.
WARM_UP = 3
# Steps timed together, between which the other side has its turn.
CHUNK = 8
# Padded lengths of an epoch of SST-2 in batches of like length, in their shares.
LENGTHS, SHARES = (8, 16, 24, 32, 40), (0.41, 0.31, 0.15, 0.09, 0.04)


class Batch(NamedTuple):
    # [B, T], [B]
    ids: np.ndarray
    labels: np.ndarray
    # Which texts of all turns' these are, [B].
    positions: np.ndarray


def chunk(number: int) -> list[Batch]:
    """The batches of one turn; the same on every side."""
    generator = np.random.default_rng(number)
    lengths = generator.choice(LENGTHS, size=CHUNK, p=SHARES)
    first = number * CHUNK * BATCH_SIZE
    return [
        Batch(
            generator.integers(1000, VOCABULARY_SIZE, (BATCH_SIZE, length)).astype(np.int32),
            generator.integers(0, 2, BATCH_SIZE).astype(np.int64),
            first + place * BATCH_SIZE + np.arange(BATCH_SIZE),
        )
        for place, length in enumerate(lengths)
    ]


def all_texts() -> list[np.ndarray]:
    """The ids of every text of a run, by position."""
    return [ids for number in range(WARM_UP + ROUNDS) for batch in chunk(number) for ids in batch.ids]
