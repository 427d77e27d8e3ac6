"""What a data file becomes: examples of one kind, the order of their labels, and the rows that were left out.

Classes are kept by name and turned into ids as late as possible (`Dataset.label_ids`): an id without its label order is
how a model ends up with a perfect loss and ten per cent accuracy.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from edgebert.errors import DataError
from edgebert.files import write_atomically


@dataclass(frozen=True, slots=True)
class Example:
    """A text, or a pair of texts; `label` is a class name, a number (regression) or None (unlabelled)."""

    text: str
    second_text: str | None = None
    label: str | float | None = None


@dataclass(frozen=True, slots=True)
class TaggedExample:
    """A sentence as words with one tag each; `label` is the intent of the whole sentence where the source has one."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    label: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """`context[start : start + len(text)] == text`, counted in characters (code points); readers verify it."""

    text: str
    start: int


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A question about a context; no answers means that the context does not hold one (SQuAD 2.0)."""

    question: str
    context: str
    answers: tuple[Answer, ...]
    identifier: str | None = None


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that could not be used. `line` counts from 1 in `unit`s: lines of a text file, rows of a table, ..."""

    file: str
    line: int
    reason: str
    raw: str
    unit: str = "line"

    @property
    def place(self) -> str:
        return f"{self.file}:{self.line}" if self.unit == "line" else f"{self.file}, {self.unit} {self.line}"


AnyExample = TypeVar("AnyExample", Example, TaggedExample, SpanExample)


@dataclass(frozen=True)
class Dataset(Generic[AnyExample]):
    """Examples in the order of their source.

    `labels` are the class names (for TaggedExamples: the tags) in the order of their ids, None for regression,
    spans and unlabelled data. `notes` are the reader's remarks about the source, for the person who runs it.
    """

    examples: tuple[AnyExample, ...]
    labels: tuple[str, ...] | None
    source: str
    skipped: tuple[SkippedRow, ...] = ()
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.examples)

    def __iter__(self) -> Iterator[AnyExample]:
        return iter(self.examples)

    @cached_property
    def sha256(self) -> str:
        """Of the examples and the label order alone: where the data lay and what was skipped do not change it."""
        digest = hashlib.sha256(_canonical_json(self.labels))
        for example in self.examples:
            digest.update(_canonical_json([type(example).__name__, *astuple(example)]))
        return digest.hexdigest()

    @property
    def is_regression(self) -> bool:
        """Whether every example carries a number."""
        return bool(self.examples) and all(isinstance(_label(example), float) for example in self.examples)

    @property
    def is_labelled(self) -> bool:
        """Whether every example carries a label (a class name or a number)."""
        return bool(self.examples) and all(_label(example) is not None for example in self.examples)

    def label_ids(self) -> np.ndarray:
        """Class ids in the order of `labels`, int64 of shape [examples]."""
        return self._ids([_label(example) for example in self.examples], "class names")

    def label_values(self) -> np.ndarray:
        """Regression targets, float32 of shape [examples]."""
        if not self.is_regression:
            raise DataError(
                f"{self.source}: expected a number for every example, got {self._kind()}. "
                "Do: use label_ids() for classes, or name the column that holds the numbers (--label-column)."
            )
        return np.asarray([_label(example) for example in self.examples], dtype=np.float32)

    def tag_ids(self) -> tuple[np.ndarray, ...]:
        """For TaggedExamples: ids of the tags in the order of `labels`, one int64 array of shape [words] each."""
        return tuple(self._ids(getattr(example, "tags", (None,)), "tagged words") for example in self.examples)

    def _ids(self, names: Sequence[str | float | None], expected: str) -> np.ndarray:
        known = self._label_id_by_name
        unknown = [name for name in names if name not in known]
        if not known or unknown:
            got = repr(unknown[0]) if known and unknown[0] is not None else self._kind()
            raise DataError(
                f"{self.source}: expected {expected} from a label order, got {got}. "
                "Do: read data of that kind, or pass the labels in order (labels=...)."
            )
        return np.fromiter((known[name] for name in names), dtype=np.int64, count=len(names))

    @cached_property
    def _label_id_by_name(self) -> dict[str | float | None, int]:
        return {name: index for index, name in enumerate(self.labels or ())}

    def _kind(self) -> str:
        if not self.examples:
            return "no examples"
        if not isinstance(self.examples[0], Example):
            return type(self.examples[0]).__name__ + "s"
        if self.is_regression:
            return "numbers"
        return "class names" if self.is_labelled else "examples without a label"


def write_skipped(dataset: Dataset, path: str | os.PathLike) -> Path:
    """Write one JSON object per skipped row; a byte that was not UTF-8 is its `\\udcXX` escape in `raw`."""
    rows = (
        {"file": row.file, "line": row.line, "unit": row.unit, "reason": row.reason, "raw": row.raw}
        for row in dataset.skipped
    )
    return write_atomically(path, b"".join(json.dumps(row).encode("ascii") + b"\n" for row in rows))


def _label(example: Example | TaggedExample | SpanExample) -> str | float | None:
    return getattr(example, "label", None)


def _canonical_json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")).encode("ascii") + b"\n"
