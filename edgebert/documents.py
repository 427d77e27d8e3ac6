"""Dataclasses as JSON files of a named schema and version, and back.

Reading is strict: an unknown key, a wrong type or another version is an error that names the dotted path, because a
document is evidence and half-understood evidence is none.
"""

import dataclasses
import difflib
import json
import os
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import EdgebertError

Part = typing.TypeVar("Part")
_LIMIT = 2**63


@dataclass(frozen=True)
class Kind(typing.Generic[Part]):
    """What a file holds: a `content` with the fields `schema` and `schema_version`, called `noun` in errors.

    `remedy` ends the errors, `ignored` are keys that only serve people who read the file by eye.
    """

    content: type[Part]
    schema: str
    schema_version: int
    noun: str
    remedy: str
    error: type[EdgebertError]
    ignored: tuple[str, ...] = ()

    def read(self, path: str | os.PathLike) -> Part:
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise self.error(f"{path}: expected {self.noun}, got '{error.strerror}'. Do: check the path.") from error
        return self.parse(content, str(path))

    def parse(self, content: bytes, source: str) -> Part:
        """`source` names the content in errors."""
        try:
            document = json.loads(content, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise self.error(f"{source}: expected {self.noun}, got no JSON ('{error}'). Do: {self.remedy}") from error
        if not isinstance(document, dict) or document.get("schema") != self.schema:
            raise self.error(
                f"{source}: expected {self.noun} (schema '{self.schema}'), got another document. Do: {self.remedy}"
            )
        version = document.get("schema_version")
        if version != self.schema_version or isinstance(version, bool):
            raise self.error(
                f"{source}: expected schema_version {self.schema_version}, got {version!r}. Do: read it with the "
                f"edgebert that wrote it, or {self.remedy}"
            )
        fields = {key: value for key, value in document.items() if key not in self.ignored}
        try:
            return from_plain(self.content, fields)
        except ValueError as error:
            raise self.error(
                f"{source}: expected {self.noun} as it was written, got another ({error}). Do: {self.remedy}"
            ) from error


def to_plain(value: typing.Any) -> dict[str, typing.Any]:
    """A dataclass as plain dictionaries and lists."""
    return dataclasses.asdict(value)


def from_plain(kind: type[Part], value: object, path: str = "") -> Part:
    """The reverse of `to_plain`, checked; a ValueError begins with the dotted path below `path`."""
    return _parse(kind, value, path)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number that a document can have")


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
    if type(value) in (int, float):
        # Larger ones and infinity (as 1e999 is read) break what computes with them.
        _require(abs(value) < _LIMIT, f"{path}: expected a number of 64 bits, got {_name_type(value)}")
    return value


def _parse_items(expected: typing.Any, items: Sequence[object], path: str) -> tuple:
    # A column has thousands of integers; naming each one's path would take longer than measuring them did.
    if expected is int and all(type(item) is int and -_LIMIT < item < _LIMIT for item in items):
        return tuple(items)
    return tuple(_parse(expected, item, f"{path}[{position}]") for position, item in enumerate(items))


def _parse_dataclass(kind: type, value: object, path: str) -> typing.Any:
    _require(isinstance(value, dict), f"{path or 'document'}: expected an object, got {_name_type(value)}")
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
