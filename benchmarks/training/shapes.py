"""What both sides train: MiniLM's and the student's shape, batches of SST-2-like lengths. No framework is imported."""

import numpy as np

VOCABULARY_SIZE = 30522
# layers, width, heads, feed-forward width
TEACHER = (6, 384, 12, 1536)
STUDENT = (4, 312, 12, 1200)
BATCH_SIZE = 32
LEARNING_RATE = 5e-5
WEIGHT_DECAY = 0.01
LARGEST_NORM = 1.0
DROPOUT = 0.1
# Steps timed together, between which the other side has its turn.
CHUNK = 8
# Padded lengths of an epoch of SST-2 in batches of like length, in their shares.
LENGTHS, SHARES = (8, 16, 24, 32, 40), (0.41, 0.31, 0.15, 0.09, 0.04)


def chunk(number: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(ids, labels) of the batches of one turn; the same on every side."""
    generator = np.random.default_rng(number)
    lengths = generator.choice(LENGTHS, size=CHUNK, p=SHARES)
    return [
        (
            generator.integers(1000, VOCABULARY_SIZE, (BATCH_SIZE, length)).astype(np.int32),
            generator.integers(0, 2, BATCH_SIZE).astype(np.int64),
        )
        for length in lengths
    ]
