"""The student's embedding tables: fewer channels, fewer rows, or two low-rank factors instead of one table."""

from collections.abc import Sequence

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.truncation.values import Source

EMBEDDINGS = "encoder.embeddings."
WORD = f"{EMBEDDINGS}word.weight"
POSITION = f"{EMBEDDINGS}position.weight"
SEGMENT = f"{EMBEDDINGS}segment.weight"
PROJECTION = f"{EMBEDDINGS}projection"


def embedding_tables(
    teacher: Source, student: EncoderConfig, channels: Sequence[int], vocabulary_rows: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """All of the embeddings but their norm. vocabulary_rows: the teacher's id of each of the student's pieces."""
    kept = np.asarray(channels)
    words = teacher.tensors[WORD]
    if vocabulary_rows is not None:
        words = words[np.asarray(vocabulary_rows)]
    # ALBERT adds up before it widens: the residual stream's channels do not exist yet.
    summed = slice(None) if student.projection == "after_norm" else kept
    tables = {POSITION: teacher.tensors[POSITION][: student.maximum_length, summed]}
    if student.segments:
        tables[SEGMENT] = teacher.tensors[SEGMENT][: student.segments, summed]
    elif teacher.config.segments:
        # A student without segments reads every token as the teacher reads those of the first.
        tables[POSITION] = tables[POSITION] + teacher.tensors[SEGMENT][0, summed]
    return tables | _words(teacher, student, words, kept)


def factorise(table: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """table [V, W] as words [V, width] @ kernel [width, W] + bias [W], with the least square error."""
    bias = table.mean(axis=0)
    centred = table - bias
    energies, directions = np.linalg.eigh((centred.T @ centred).astype(np.float64))
    chosen = directions[:, np.argsort(-energies, kind="stable")[:width]].astype(np.float32)
    return centred @ chosen, chosen.T, bias


def _words(teacher: Source, student: EncoderConfig, words: np.ndarray, kept: np.ndarray) -> dict[str, np.ndarray]:
    config, tensors = teacher.config, teacher.tensors
    if config.projection != "none":
        kernel, bias = tensors[f"{PROJECTION}.kernel"], tensors[f"{PROJECTION}.bias"]
        if (student.projection, student.embedding_width) == (config.projection, config.embedding_width):
            return {WORD: words, f"{PROJECTION}.kernel": kernel[:, kept], f"{PROJECTION}.bias": bias[kept]}
        words = words @ kernel + bias
    words = words[:, kept]
    if student.projection == "none":
        return {WORD: words}
    low_rank, kernel, bias = factorise(words, student.embedding_width)
    return {WORD: low_rank, f"{PROJECTION}.kernel": kernel, f"{PROJECTION}.bias": bias}
