"""What each produced file answered to each dev example: a table from which errors and differences can be counted.

Of a classifier the chosen label and its probability are kept, not all of them: 150 labels of 3,000 examples would make
the file a hundred times larger, and nobody asks for the hundredth label's probability. The texts are kept, since the
examples that differ are to be read; whoever may not keep them leaves this file out.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.documents import Kind, to_plain
from edgebert.errors import DataError
from edgebert.files import write_atomically

SCHEMA = "edgebert-predictions"
SCHEMA_VERSION = 1
# Its name in a stage's folder.
FILE_NAME = "predictions.json"
# Differences in a score below this are no difference to anybody.
_DIGITS = 6


@dataclass(frozen=True)
class FileAnswers:
    """One file's answers in the order of the examples.

    `labels` are numbers of `label_names`, and `scores` their probabilities; of a regression `labels` is empty and
    `scores` are the answers.
    """

    model_sha256: str
    labels: tuple[int, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True)
class Predictions:
    """`targets` are label numbers, or the scores of a regression, whose `label_names` is empty."""

    schema: str
    schema_version: int
    dev_sha256: str | None
    label_names: tuple[str, ...]
    texts: tuple[str, ...]
    second_texts: tuple[str | None, ...]
    targets: tuple[float, ...]
    files: tuple[FileAnswers, ...]

    def __post_init__(self) -> None:
        count = len(self.texts)
        _require(len(self.second_texts) == count, f"second_texts: expected {count:,} of them")
        _require(len(self.targets) == count, f"targets: expected {count:,} of them")
        if self.is_classification:
            _require(all(_numbers_a_label(target, self) for target in self.targets), "targets: expected label numbers")
        for position, file in enumerate(self.files):
            path, wanted = f"files[{position}]", count if self.is_classification else 0
            _require(len(file.scores) == count, f"{path}.scores: expected {count:,} of them")
            _require(len(file.labels) == wanted, f"{path}.labels: expected {wanted:,} of them")
            _require(all(_numbers_a_label(label, self) for label in file.labels), f"{path}.labels: expected numbers")

    @property
    def is_classification(self) -> bool:
        return bool(self.label_names)

    def of(self, model_sha256: str) -> FileAnswers | None:
        """The answers of the file with this hash; none, where it was not asked."""
        return next((file for file in self.files if file.model_sha256 == model_sha256), None)


_KIND = Kind(Predictions, SCHEMA, SCHEMA_VERSION, "predictions", "score the files anew.", DataError)


def predictions_of(
    texts: Sequence[tuple[str, str | None]],
    targets: Sequence[float] | np.ndarray,
    outputs: Mapping[str, np.ndarray],
    label_names: Sequence[str] = (),
    dev_sha256: str | None = None,
) -> Predictions:
    """From each file's outputs [N, C] by the file's sha256; without label names they are a regression's [N, 1]."""
    return Predictions(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        dev_sha256=dev_sha256,
        label_names=tuple(label_names),
        texts=tuple(text for text, _ in texts),
        second_texts=tuple(second for _, second in texts),
        targets=tuple(int(target) if label_names else float(target) for target in targets),
        files=tuple(_answers(sha256, np.asarray(rows), bool(label_names)) for sha256, rows in outputs.items()),
    )


def write_predictions(path: str | os.PathLike, predictions: Predictions) -> Path:
    return write_atomically(path, (json.dumps(to_plain(predictions), allow_nan=False) + "\n").encode())


def read_predictions(path: str | os.PathLike) -> Predictions:
    return _KIND.read(path)


def _answers(sha256: str, outputs: np.ndarray, is_classification: bool) -> FileAnswers:
    if not is_classification:
        return FileAnswers(sha256, (), _rounded(outputs[:, 0]))
    return FileAnswers(sha256, tuple(np.argmax(outputs, axis=1).tolist()), _rounded(outputs.max(axis=1)))


def _rounded(scores: np.ndarray) -> tuple[float, ...]:
    return tuple(np.round(scores.astype(np.float64), _DIGITS).tolist())


def _numbers_a_label(value: float, predictions: Predictions) -> bool:
    return value == int(value) and 0 <= value < len(predictions.label_names)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
