"""Rows of a table → examples with labels in a known order, and the rows that could not become one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edgebert.data.columns import Columns
from edgebert.data.decoding import character_problem
from edgebert.data.examples import Dataset, Example, SkippedRow
from edgebert.data.labels import (
    LabelOrder,
    RawLabel,
    check_label_order,
    default_order,
    holds_numbers,
    read_label,
)
from edgebert.data.tables import Row, RowError, Table, describe_type
from edgebert.errors import DataError

_SHOWN_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class _Draft:
    """A row whose texts are good; `label` is None where the source marks it as unlabelled."""

    row: Row
    text: str
    second_text: str | None
    label: RawLabel | None


def assemble(
    table: Table, columns: Columns, labels: Sequence[str] | None, regression: bool | None, skip_bad_rows: bool
) -> Dataset[Example]:
    """Turn a table's rows into a Dataset; see `edgebert.data.reading.read_examples` for the rules."""
    file_order = table.class_names.get(columns.label) if columns.label is not None else None
    drafts, skipped = _read_drafts(table, columns, file_order, is_typed=table.is_typed and not regression)
    raw_labels = [draft.label for draft in drafts if draft.label is not None]
    if regression is None:
        regression = labels is None and file_order is None and holds_numbers(raw_labels)
    order: tuple[str, ...] | None = None
    if regression:
        convert = _number
    else:
        convert, order = _class_converter(raw_labels, labels, file_order, table.source)
    examples: list[Example] = []
    for draft in drafts:
        try:
            label = None if draft.label is None else convert(draft.label)
            examples.append(Example(draft.text, draft.second_text, label))
        except RowError as problem:
            skipped.append(skipped_row(draft.row, str(problem)))
    skipped = in_file_order(skipped, table.rows)
    refuse_bad_rows(skipped, len(examples), table.source, skip_bad_rows)
    notes = (*table.notes, *_unlabelled_note(table, columns))
    return Dataset(tuple(examples), order, table.source, tuple(skipped), notes)


def refuse_bad_rows(skipped: Sequence[SkippedRow], usable_count: int, source: str, skip_bad_rows: bool) -> None:
    """Raise at the first bad row unless they may be skipped, and in any case when no row is left."""
    if skipped and not skip_bad_rows:
        first = skipped[0]
        more = f" ({len(skipped)} bad rows in all)" if len(skipped) > 1 else ""
        raise DataError(
            f"{first.place}: {first.reason}{more}. Do: correct it, or leave bad rows out and list them "
            "(--skip-bad-rows)."
        )
    if not usable_count:
        detail = f"; the first: {skipped[0].place}: {skipped[0].reason}" if skipped else ""
        raise DataError(
            f"{source}: expected usable rows, got none ({len(skipped)} skipped{detail}). Do: check the format."
        )


def skipped_row(row: Row, reason: str) -> SkippedRow:
    return SkippedRow(row.file, row.line, reason, row.raw_text(), row.unit)


def in_file_order(skipped: Sequence[SkippedRow], rows: Sequence[Row]) -> list[SkippedRow]:
    """Bad rows are found in two passes (texts, then labels); the first to be named is the first in the source."""
    if not skipped:
        return []
    position = {(row.file, row.unit, row.line): index for index, row in enumerate(rows)}
    return sorted(skipped, key=lambda row: position[row.file, row.unit, row.line])


def read_text_cell(row: Row, column: str) -> str:
    """The text of a cell, verbatim: blanks at its ends are the tokenizer's business."""
    cell = row.values.get(column)
    if isinstance(cell, str):
        problem = character_problem(cell)
        if problem:
            raise RowError(f"column {column!r}: {problem}")
        if cell.strip():
            return cell
    got = "an empty one" if isinstance(cell, str) else describe_type(cell)
    raise RowError(f"expected a text in column {column!r}, got {got}")


def _read_drafts(
    table: Table, columns: Columns, file_order: tuple[str, ...] | None, *, is_typed: bool
) -> tuple[list[_Draft], list[SkippedRow]]:
    drafts: list[_Draft] = []
    skipped: list[SkippedRow] = []
    read = _LabelReader(columns.label, file_order, is_typed)
    for row in table.rows:
        if row.problem:
            skipped.append(skipped_row(row, row.problem))
            continue
        try:
            text = read_text_cell(row, columns.text)
            second_text = read_text_cell(row, columns.second_text) if columns.second_text is not None else None
            drafts.append(_Draft(row, text, second_text, read.label_of(row)))
        except RowError as problem:
            skipped.append(skipped_row(row, str(problem)))
    return drafts, skipped


class _LabelReader:
    """Reads one column. A label stands in thousands of rows: spelled the same, it is read once."""

    def __init__(self, column: str | None, file_order: tuple[str, ...] | None, is_typed: bool) -> None:
        self._column = column
        # A ClassLabel of -1 is how published test splits say that the label is withheld.
        self._withheld = None if file_order is None else -1
        self._is_typed = is_typed
        self._known: dict[str, RawLabel] = {}

    def label_of(self, row: Row) -> RawLabel | None:
        cell = row.values.get(self._column)
        if self._column is None or (isinstance(cell, int) and cell == self._withheld):
            return None
        if not isinstance(cell, str):
            return read_label(cell, is_typed=self._is_typed)
        if cell not in self._known:
            self._known[cell] = read_label(cell, is_typed=self._is_typed)
        return self._known[cell]


def _class_converter(
    raw_labels: Sequence[RawLabel],
    labels: Sequence[str] | None,
    file_order: tuple[str, ...] | None,
    source: str,
) -> tuple[Callable[[RawLabel], str], tuple[str, ...] | None]:
    """How a label becomes a name, and the order of the names: the caller's, else the file's, else sorted."""
    in_file = LabelOrder(check_label_order(file_order, f"{source}: label order")) if file_order is not None else None
    if labels is not None:
        given = LabelOrder(check_label_order(labels))
        if in_file is None:
            return given.find, given.names
        return lambda label: given.find(read_label(in_file.find(label), is_typed=True)), given.names
    if in_file is not None:
        return in_file.find, in_file.names
    order = default_order(label.name for label in raw_labels)
    return lambda label: label.name, order or None


def _number(label: RawLabel) -> float:
    if label.number is None:
        raise RowError(f"expected a number as a label, got {label.text[:_SHOWN_CHARACTERS]!r}")
    return label.number


def _unlabelled_note(table: Table, columns: Columns) -> tuple[str, ...]:
    used = (columns.text, columns.second_text)
    others = [name for name in table.columns if name not in used]
    if columns.label is not None or not others:
        return ()
    listed = ", ".join(repr(name) for name in others)
    return (f"{table.source}: read without labels: none of the other columns ({listed}) is known as one",)
