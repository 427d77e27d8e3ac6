"""The measurement record as JSON. Reading is strict: an unknown key, a wrong type or columns of unequal length is an
error that names the dotted path, because a record is evidence and half-understood evidence is none.
"""

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path

from edgebert.errors import MeasurementError
from edgebert.measurement import SCHEMA, SCHEMA_VERSION, Record

# What a writer computed from the samples for people who read the file by eye; a reader computes it again.
DERIVED_KEY = "derived"

Part = typing.TypeVar("Part")

_SCALARS = (str, int, float, bool, type(None))


def to_json(record: Record, derived: Mapping[str, object] | None = None) -> bytes:
    """The record as JSON with each column on a line of its own; `derived` is for eyes, readers drop it."""
    document = to_plain(record)
    if derived is not None:
        document[DERIVED_KEY] = dict(derived)
    return (_render(document, "") + "\n").encode()


def from_json(content: bytes, source: str) -> Record:
    """The record in `content`; `source` names it in errors."""
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except ValueError as error:
        raise MeasurementError(
            f"{source}: expected the JSON of a measurement, got '{error}'. Do: give a file that "
            "`edgebert benchmark --json` wrote."
        ) from error
    except RecursionError as error:
        raise MeasurementError(
            f"{source}: expected the JSON of a measurement, got one nested too deeply. Do: give a file that "
            "`edgebert benchmark --json` wrote."
        ) from error
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        raise MeasurementError(
            f"{source}: expected a measurement (schema '{SCHEMA}'), got another document. Do: give a file that "
            "`edgebert benchmark --json` wrote."
        )
    version = document.get("schema_version")
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise MeasurementError(
            f"{source}: expected schema_version {SCHEMA_VERSION}, got {version!r}. Do: read it with the edgebert that "
            "wrote it, or measure again."
        )
    document.pop(DERIVED_KEY, None)
    try:
        return from_plain(Record, document)
    except ValueError as error:
        raise MeasurementError(f"{source}: {error}. Do: measure again; records are not edited by hand.") from error


def read_record(path: str | os.PathLike) -> Record:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise MeasurementError(
            f"{path}: expected a measurement record, got '{error.strerror}'. Do: check the path."
        ) from error
    return from_json(content, str(path))


def to_plain(value: typing.Any) -> dict[str, typing.Any]:
    """A part of a record as plain dictionaries and lists."""
    return dataclasses.asdict(value)


def from_plain(kind: type[Part], value: object, path: str = "") -> Part:
    """The reverse of `to_plain`, checked; a ValueError begins with the dotted path below `path`."""
    return _parse(kind, value, path)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number a measurement can have")


def _render(value: object, indent: str) -> str:
    """JSON, indented, except that a list of plain values stays on one line: a column is thousands of numbers."""
    if isinstance(value, Mapping) and value:
        inner = indent + " "
        items = (f"{inner}{json.dumps(key)}: {_render(item, inner)}" for key, item in value.items())
        return "{\n" + ",\n".join(items) + f"\n{indent}}}"
    if isinstance(value, (list, tuple)) and not all(isinstance(item, _SCALARS) for item in value):
        inner = indent + " "
        return "[\n" + ",\n".join(inner + _render(item, inner) for item in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)


def _parse(expected: typing.Any, value: object, path: str) -> typing.Any:
    """`value` as the annotated type `expected`, or a ValueError that begins with the dotted `path`."""
    if dataclasses.is_dataclass(expected):
        return _parse_dataclass(expected, value, path)
    origin, parts = typing.get_origin(expected), typing.get_args(expected)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _parse(parts[0], value, path)
    if origin is tuple:
        _require(isinstance(value, list), f"{path}: expected a list, got {_name_type(value)}")
        return _parse_items(parts[0], value, path)
    if origin is Mapping:
        _require(isinstance(value, dict), f"{path}: expected an object, got {_name_type(value)}")
        return {key: _parse(parts[1], item, f"{path}.{key}") for key, item in value.items()}
    accepted = (int, float) if expected is float else (expected,)
    _require(type(value) in accepted, f"{path}: expected {expected.__name__}, got {_name_type(value)}")
    return value


def _parse_items(expected: typing.Any, items: Sequence[object], path: str) -> tuple:
    # A column has thousands of integers; naming each one's path would take longer than measuring them did.
    if expected is int and all(type(item) is int for item in items):
        return tuple(items)
    return tuple(_parse(expected, item, f"{path}[{position}]") for position, item in enumerate(items))


def _parse_dataclass(kind: type, value: object, path: str) -> typing.Any:
    _require(isinstance(value, dict), f"{path or 'record'}: expected an object, got {_name_type(value)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    prefix = f"{path}." if path else ""
    for key in value:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            raise ValueError(f"{prefix}{key}: expected a known key{f' ({near[0]}?)' if near else ''}")
    for name, field in fields.items():
        if name not in value and field.default is dataclasses.MISSING:
            raise ValueError(f"{prefix}{name}: expected a value, got none")
    parsed = {name: _parse(hints[name], item, prefix + name) for name, item in value.items()}
    try:
        return kind(**parsed)
    except ValueError as error:
        raise ValueError(f"{prefix}{error}") from error


def _name_type(value: object) -> str:
    return "null" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
