"""What a person wants to know about a dataset before spending an hour on it: counts, lengths, duplicates, conflicts."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.data.examples import Dataset, Example, SpanExample, TaggedExample

_SHOWN_CONFLICTS = 3
_SHOWN_NAMES = 5
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Lengths:
    """Of the texts (both of a pair together), in words divided by white space: a word is one or more tokens."""

    minimum_words: int
    median_words: int
    ninety_ninth_percentile_words: int
    maximum_words: int


@dataclass(frozen=True, slots=True)
class Conflict:
    """A text, and the labels that it occurs with."""

    text: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """`label_counts` are in label order (tags for tagged examples); `duplicate_count` leaves the first of each out."""

    example_count: int
    label_counts: tuple[tuple[str, int], ...]
    label_range: tuple[float, float] | None
    lengths: Lengths
    duplicate_count: int
    conflicts: tuple[Conflict, ...]
    warnings: tuple[str, ...]


def describe(dataset: Dataset) -> Description:
    """Describe a dataset. Nothing here is a reason to refuse it; `warnings` are for the person to judge."""
    counts = _label_counts(dataset)
    occurrences = Counter(map(_content, dataset.examples))
    conflicts = _conflicts(dataset)
    label_range = None
    if dataset.is_regression:
        values = dataset.label_values()
        label_range = (float(values.min()), float(values.max()))
    return Description(
        example_count=len(dataset),
        label_counts=counts,
        label_range=label_range,
        lengths=_lengths([_words(example) for example in dataset.examples]),
        duplicate_count=sum(occurrences.values()) - len(occurrences),
        conflicts=conflicts,
        warnings=_warnings(dataset, counts, conflicts),
    )


def _label_counts(dataset: Dataset) -> tuple[tuple[str, int], ...]:
    if dataset.labels is None:
        return ()
    found: Counter[str] = Counter()
    for example in dataset.examples:
        if isinstance(example, TaggedExample):
            found.update(example.tags)
        elif example.label is not None:
            found[example.label] += 1
    return tuple((name, found[name]) for name in dataset.labels)


def _content(example: Example | TaggedExample | SpanExample) -> tuple[str, ...]:
    """What makes two examples the same to a model that ignores case and white space."""
    if isinstance(example, TaggedExample):
        texts: tuple[str, ...] = example.words
    elif isinstance(example, SpanExample):
        texts = (example.question, example.context)
    else:
        texts = (example.text,) if example.second_text is None else (example.text, example.second_text)
    return tuple(" ".join(text.casefold().split()) for text in texts)


def _words(example: Example | TaggedExample | SpanExample) -> int:
    return sum(len(text.split()) for text in _content(example))


def _lengths(words: Sequence[int]) -> Lengths:
    median, high = np.percentile(words, [50, 99], method="nearest").astype(int).tolist()
    return Lengths(min(words), median, high, max(words))


def _conflicts(dataset: Dataset) -> tuple[Conflict, ...]:
    """Only for classes: two near scores of one pair are what annotators do."""
    labels_by_content: dict[tuple[str, ...], dict[str, None]] = {}
    for example in dataset.examples:
        if isinstance(example, Example) and isinstance(example.label, str):
            labels_by_content.setdefault(_content(example), {})[example.label] = None
    return tuple(
        Conflict(" / ".join(content), tuple(labels)) for content, labels in labels_by_content.items() if len(labels) > 1
    )


def _warnings(dataset: Dataset, counts: Sequence[tuple[str, int]], conflicts: Sequence[Conflict]) -> tuple[str, ...]:
    warnings = list(dataset.notes)
    if dataset.skipped:
        first = dataset.skipped[0]
        warnings.append(f"rows skipped: {len(dataset.skipped)}; the first: {first.place}: {first.reason}")
    seen = [name for name, count in counts if count]
    if len(seen) == 1:
        warnings.append(f"every example has the label {seen[0]!r}: there is nothing to learn or to measure")
    absent = [name for name, count in counts if not count]
    if seen and absent:
        more = ", ..." if len(absent) > _SHOWN_NAMES else ""
        warnings.append(f"labels without an example here: {len(absent)} ({', '.join(absent[:_SHOWN_NAMES])}{more})")
    if conflicts:
        shown = "; ".join(
            f"{conflict.text[:_SHOWN_CHARACTERS]!r} ({', '.join(conflict.labels)})"
            for conflict in conflicts[:_SHOWN_CONFLICTS]
        )
        warnings.append(f"texts with more than one label: {len(conflicts)}, {shown}")
    unlabelled = sum(getattr(example, "label", None) is None for example in dataset.examples)
    if counts and not isinstance(dataset.examples[0], TaggedExample) and 0 < unlabelled < len(dataset):
        warnings.append(f"examples without a label: {unlabelled} of {len(dataset)}")
    return tuple(warnings)
