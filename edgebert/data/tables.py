"""CSV, TSV, JSONL, Parquet and `datasets` objects → one Table: named columns, and rows that know their place."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edgebert.data.decoding import byte_problem, read_lines, without_line_end
from edgebert.data.delimited import split_rows
from edgebert.errors import DataError


class RowError(ValueError):
    """Why a row cannot be used; reads `expected X, got Y`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: values by column, or the `problem` that kept it from being read.

    `raw` is the text as it stood in the file; None where there was none (Parquet), and then `values` are shown.
    """

    file: str
    line: int
    values: Mapping[str, object]
    raw: str | None = None
    problem: str | None = None
    unit: str = "line"

    def raw_text(self) -> str:
        return json.dumps(self.values, default=repr) if self.raw is None else self.raw


@dataclass(frozen=True)
class Table:
    """`class_names` gives, by column, the names that integer labels index, where the source says them.

    `is_typed` tells a format that distinguishes "1" from 1 (JSON) from one that does not (CSV).
    """

    source: str
    columns: tuple[str, ...]
    rows: Sequence[Row]
    is_typed: bool = True
    class_names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_csv(path: Path) -> Table:
    """Comma separated, RFC 4180 quotes."""
    return _read_delimited(path, ",", quoted=True)


def read_tsv(path: Path) -> Table:
    """Tab separated and nothing else, as in GLUE: a quote is a character like any other."""
    table = _read_delimited(path, "\t", quoted=False)
    quoted_like_csv = sum(_looks_quoted(row.values) for row in table.rows)
    if not quoted_like_csv:
        return table
    note = (
        f"{path}: {quoted_like_csv} rows look quoted as in CSV and were read verbatim; "
        "if they are, read the file with --layout quoted-tsv"
    )
    return Table(table.source, table.columns, table.rows, is_typed=False, notes=(note,))


def read_quoted_tsv(path: Path) -> Table:
    """Tab separated with RFC 4180 quotes, as spreadsheets write it."""
    return _read_delimited(path, "\t", quoted=True)


def read_jsonl(path: Path) -> Table:
    """One JSON object per line; the columns are the keys of all of them, in the order of their first appearance."""
    file = read_lines(path)
    rows = [_json_row(file.path, number, without_line_end(line)) for number, line in enumerate(file.lines, start=1)]
    columns = tuple(dict.fromkeys(key for row in rows for key in row.values))
    if not columns:
        problem = next((row for row in rows if row.problem), None)
        detail = f"line {problem.line}: {problem.problem}" if problem else "only empty objects"
        raise DataError(f"{path}: expected one JSON object per line, got none ({detail}). Do: check the file's format.")
    return Table(file.path, columns, rows)


def read_parquet(path: Path) -> Table:
    """A Parquet file; ClassLabel names that `datasets` stored in its schema give the label order."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise DataError(f"{path}: expected pyarrow to read Parquet, got '{error}'. Do: pip install pyarrow.") from error
    try:
        arrow_table = parquet.read_table(path)
        values_by_column = {name: _arrow_values(arrow_table, name) for name in arrow_table.column_names}
    except (OSError, pyarrow.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: expected a Parquet file, got '{reason}'. Do: check that it is whole.") from error
    columns = tuple(values_by_column)
    _require_distinct(columns, str(path), arrow_table.column_names)
    rows = [
        Row(str(path), number, dict(zip(columns, values, strict=True)), unit="row")
        for number, values in enumerate(zip(*values_by_column.values(), strict=True), start=1)
    ]
    _require_rows(rows, str(path))
    return Table(str(path), columns, rows, class_names=_names_in_schema(arrow_table.schema.metadata or {}))


def table_from_dataset(dataset: object) -> Table:
    """An object that behaves like a Hugging Face `datasets.Dataset`, which is not imported."""
    columns = getattr(dataset, "column_names", None)
    if not isinstance(columns, list | tuple) or not isinstance(dataset, Iterable):
        raise DataError(
            f"{type(dataset).__name__}: expected a path, the name of a bundled dataset or an object with column_names "
            "and rows, got none of them. Do: pass a path or a datasets.Dataset."
        )
    source = f"{type(dataset).__module__}.{type(dataset).__name__}"
    rows = [Row(source, number, dict(values), unit="row") for number, values in enumerate(dataset, start=1)]
    _require_rows(rows, source)
    features = getattr(dataset, "features", None) or {}
    names = {name: getattr(features[name], "names", None) for name in columns if name in features}
    class_names = {name: tuple(found) for name, found in names.items() if isinstance(found, list | tuple)}
    return Table(source, tuple(columns), rows, class_names=class_names)


def _read_delimited(path: Path, delimiter: str, *, quoted: bool) -> Table:
    file = read_lines(path)
    header, *body = split_rows(file.lines, delimiter, quoted=quoted)
    if header.problem:
        raise DataError(f"{path}:1: {header.problem}. Do: check the header row.")
    if problem := byte_problem(header.raw):
        raise DataError(f"{path}:1: {problem}. Do: save the file as UTF-8 text.")
    columns = tuple(name.strip() for name in header.fields)
    _require_distinct(columns, f"{path}:1", columns)
    _require_delimiter(columns, delimiter, path)
    _require_rows(body, file.path)
    rows = []
    for row in body:
        problem = row.problem or byte_problem(row.raw)
        if not problem and len(row.fields) != len(columns):
            got = str(len(row.fields)) if row.raw else "an empty line"
            problem = f"expected {len(columns)} columns, got {got}"
        values = {} if problem else dict(zip(columns, row.fields, strict=True))
        rows.append(Row(file.path, row.line, values, row.raw, problem))
    return Table(file.path, columns, rows, is_typed=False)


def _require_distinct(columns: Sequence[str], subject: str, names: Sequence[str]) -> None:
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated or not columns:
        raise DataError(
            f"{subject}: expected column names that differ, got {', '.join(map(repr, repeated)) or 'none'} repeated. "
            "Do: rename the columns."
        )


def _require_delimiter(columns: Sequence[str], delimiter: str, path: Path) -> None:
    """A single column with another delimiter in its name is a file in another format, not a text column."""
    found = next((other for other in ",;\t|" if other != delimiter and other in columns[0]), None)
    if len(columns) == 1 and found:
        raise DataError(
            f"{path}:1: expected columns separated by {delimiter!r}, got one named {columns[0]!r}. "
            f"Do: separate them by {delimiter!r}, or name the format (--layout csv, tsv, quoted-tsv or jsonl)."
        )


def _require_rows(rows: Sequence[object], source: str) -> None:
    if not rows:
        raise DataError(f"{source}: expected rows of data, got none. Do: check how it was written.")


def _looks_quoted(values: Mapping[str, object]) -> bool:
    cells = (value for value in values.values() if isinstance(value, str))
    return any(len(cell) > 3 and cell[0] == cell[-1] == '"' and '""' in cell[1:-1] for cell in cells)


def _json_row(path: str, line: int, raw: str) -> Row:
    problem = byte_problem(raw) if raw else "expected a JSON object, got an empty line"
    if problem:
        return Row(path, line, {}, raw, problem)
    try:
        value = json.loads(raw, object_pairs_hook=_object_without_repeats)
    except RecursionError:
        return Row(path, line, {}, raw, "expected a JSON object, got one nested too deeply")
    except ValueError as error:  # json.JSONDecodeError, a repeated key, or an integer of more than 4,300 digits
        return Row(path, line, {}, raw, f"expected a JSON object, got '{error}'")
    if not isinstance(value, dict):
        return Row(path, line, {}, raw, f"expected a JSON object, got {describe_type(value)}")
    return Row(path, line, value, raw)


def _object_without_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} twice")
    return values


def describe_type(value: object) -> str:
    """A value's kind in a user's words."""
    if value is None:
        return "nothing"
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), f"a {type(value).__name__}")


def _arrow_values(arrow_table: object, name: str) -> list[object]:
    column = arrow_table.column(name)
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        # Arrow does not check string bytes when it reads them; the rows that are not UTF-8 are found one by one.
        return [_arrow_value(scalar) for scalar in column]


def _arrow_value(scalar: object) -> object:
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape")


def _names_in_schema(metadata: Mapping[bytes, bytes]) -> dict[str, tuple[str, ...]]:
    """`datasets` writes its features into the Parquet schema under the key `huggingface`."""
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        names = {name: feature.get("names") for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, AttributeError):
        # Someone else's metadata under that key: without it the label order comes from the labels themselves.
        return {}
    return {name: tuple(found) for name, found in names.items() if isinstance(found, list)}
