"""Label cells → class names in a known order, or numbers.

A column is a regression when it holds numbers that are not integers and more numbers than words (a single typing error
must not turn 5,000 scores into 3,000 classes). Otherwise every distinct label is a class.
"""

import difflib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgebert.data.decoding import character_problem
from edgebert.data.tables import RowError, describe_type
from edgebert.errors import DataError

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
# "007" and "1e3" are names; "1.0" is what an integer column becomes on its way through pandas. 18 digits fit int64.
_INTEGER = re.compile(r"(0|-?[1-9][0-9]{0,17})(?:\.0+)?")
_SHOWN_CHARACTERS = 80


@dataclass(frozen=True)
class RawLabel:
    """A label as it stands in a cell: its text, and its value if it is a number."""

    text: str
    number: float | None = None

    @cached_property
    def is_integer(self) -> bool:
        return self.number is not None and _INTEGER.fullmatch(self.text) is not None

    @cached_property
    def name(self) -> str:
        """The class name: integers without the `.0` that some tools add."""
        return _INTEGER.fullmatch(self.text).group(1) if self.is_integer else self.text


def read_label(cell: object, *, is_typed: bool) -> RawLabel:
    """Read a cell; in a typed format text is a name even if it looks like a number with a fraction."""
    if isinstance(cell, np.generic):
        cell = cell.item()
    if cell is None or (isinstance(cell, float) and math.isnan(cell)) or (isinstance(cell, str) and not cell.strip()):
        raise RowError("expected a label, got an empty cell")
    if isinstance(cell, bool):
        return RawLabel("true" if cell else "false")
    if isinstance(cell, int | float):
        return _read_number(cell)
    if not isinstance(cell, str):
        raise RowError(f"expected a label that is a name or a number, got {describe_type(cell)}")
    text = cell.strip()
    problem = character_problem(text)
    if problem:
        raise RowError(problem)
    is_number = _NUMBER.fullmatch(text) if not is_typed else _INTEGER.fullmatch(text)
    return _read_number(float(text), text) if is_number else RawLabel(text)


def _read_number(value: float, text: str | None = None) -> RawLabel:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise RowError(f"expected a finite number as a label, got {(text or repr(number))[:_SHOWN_CHARACTERS]}")
    if text is None:
        text = repr(int(value)) if number.is_integer() and abs(number) < 2**53 else repr(value)
    return RawLabel(text, number)


def holds_numbers(labels: Iterable[RawLabel]) -> bool:
    """Whether a column is a regression, by the rule above."""
    numbers = words = fractions = 0
    for label in labels:
        numbers += label.number is not None
        words += label.number is None
        fractions += label.number is not None and not label.number.is_integer()
    return fractions > 0 and numbers > words


def check_label_order(labels: Sequence[str], subject: str = "labels") -> tuple[str, ...]:
    """A label order given by a caller or a file: names, at least one, each once."""
    names = () if isinstance(labels, str) else tuple(labels)
    wrong = [name for name in names if not isinstance(name, str) or not name.strip() or names.count(name) > 1]
    if not names or wrong:
        got = repr(wrong[0]) + (" twice" if wrong and names.count(wrong[0]) > 1 else "") if wrong else repr(labels)
        raise DataError(f"{subject}: expected class names in order, each once, got {got}. Do: list every name once.")
    return names


def default_order(names: Iterable[str]) -> tuple[str, ...]:
    """Sorted; by value if all of them are integers, so that 10 follows 9."""
    distinct = set(names)
    values = {name: _INTEGER.fullmatch(name) for name in distinct}
    if all(values.values()):
        return tuple(sorted(distinct, key=lambda name: int(values[name].group(1))))
    return tuple(sorted(distinct))


@dataclass(frozen=True)
class LabelOrder:
    """Finds a label's name in a fixed order.

    An integer that is not itself a name is an index into the order, unless some names are integers: then it could be
    either, and is refused. `false` and `true` index an order of two.
    """

    names: tuple[str, ...]

    def find(self, label: RawLabel) -> str:
        name = label.name
        if name in self._known:
            return name
        if label.is_integer and not self._has_integer_names:
            if 0 <= int(name) < len(self.names):
                return self.names[int(name)]
            raise RowError(f"expected a label from 0 to {len(self.names) - 1}, got {name}")
        if name in ("false", "true") and len(self.names) == 2 and not self._has_integer_names:
            return self.names[name == "true"]
        raise RowError(self._unknown(name))

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _has_integer_names(self) -> bool:
        return any(_INTEGER.fullmatch(name) for name in self.names)

    @cached_property
    def _problems(self) -> dict[str, str]:
        """Kept per label: the nearest name costs milliseconds, and one wrong label is often in thousands of rows."""
        return {}

    def _unknown(self, name: str) -> str:
        if name not in self._problems:
            folded = {known.casefold(): known for known in self.names}
            # Cut, because the search is quadratic and a swallowed column can be megabytes long.
            start = name[:_SHOWN_CHARACTERS]
            nearest = folded[difflib.get_close_matches(start.casefold(), folded, n=1, cutoff=0.0)[0]]
            self._problems[name] = (
                f"expected one of the {len(self.names)} labels, got {start!r} (the nearest is {nearest!r})"
            )
        return self._problems[name]
