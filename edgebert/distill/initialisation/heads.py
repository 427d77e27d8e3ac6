"""The teacher's pooler and head for the student, as far as both mean the same."""

from collections.abc import Sequence

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.distill.initialisation.refitting import columns, refit
from edgebert.distill.initialisation.values import Source, Spread

POOLER = "encoder.pooler"
TRANSFORM = "head.transform"
CLASSIFIER = "head.classifier"


def pooler_and_head(
    teacher: Source,
    student: EncoderConfig,
    head: HeadConfig,
    channels: Sequence[int],
    rows: Spread | None = None,
) -> dict[str, np.ndarray]:
    """What can be taken over; what is absent starts at random. rows: the spread of the encoder's last rows."""
    kept, basis = np.asarray(channels), columns(teacher.config.width, channels)
    taken: dict[str, np.ndarray] = {}
    if student.pooler and teacher.config.pooler:
        taken |= _square(teacher, POOLER, basis, kept, rows)
    if teacher.head is None or (teacher.head.pooling, teacher.head.transform) != (head.pooling, head.transform):
        return taken
    reads_rows = None if head.pooling == "pooler" else rows
    if head.transform:
        taken |= _square(teacher, TRANSFORM, basis, kept, reads_rows)
        reads_rows = None
    outputs = _same_outputs(teacher.head, head)
    if outputs:
        kernel, bias = _layer(teacher, CLASSIFIER)
        kernel, bias = refit(kernel, bias, basis, reads_rows)
        taken |= {f"{CLASSIFIER}.kernel": kernel[:, outputs], f"{CLASSIFIER}.bias": bias[outputs]}
    return taken


def _square(teacher: Source, name: str, basis: np.ndarray, kept: np.ndarray, rows: Spread | None):
    kernel, bias = refit(*_layer(teacher, name), basis, rows)
    return {f"{name}.kernel": kernel[:, kept], f"{name}.bias": bias[kept]}


def _layer(teacher: Source, name: str) -> tuple[np.ndarray, np.ndarray]:
    return teacher.tensors[f"{name}.kernel"], teacher.tensors[f"{name}.bias"]


def _same_outputs(teacher: HeadConfig, student: HeadConfig) -> list[int]:
    """The teacher's output for each of the student's; none where the student answers something else."""
    if teacher.kind != student.kind or not set(student.labels) <= set(teacher.labels):
        return []
    if student.kind == "classification":
        return [teacher.labels.index(label) for label in student.labels]
    return list(range(student.outputs))
