"""The configuration as a TOML file or plain tables: read strictly, overridden key by key, and written again."""

import dataclasses
import difflib
import json
import os
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgebert.errors import TrainingError
from edgebert.pipeline.config import CompressConfig, tables

EXPECTED = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def read_toml(path: str | os.PathLike) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise TrainingError(
            f"{path}: expected a configuration in TOML, got '{reason}'. Do: correct the file."
        ) from error


def build_config(*layers: Mapping[str, Any], source: str = "configuration") -> CompressConfig:
    """The defaults, overridden by each of the layers in turn; a layer is tables within a table, as TOML holds them."""
    fields: dict[str, Any] = {}
    for layer in layers:
        for name, value in _checked(layer, source).items():
            fields[name] = fields.get(name, {}) | value if isinstance(value, dict) else value
    built = {name: tables()[name](**value) if isinstance(value, dict) else value for name, value in fields.items()}
    return CompressConfig(**built)


def to_plain(config: CompressConfig) -> dict[str, Any]:
    """All fields that have a value, as `build_config` reads them."""
    return _without_none(dataclasses.asdict(config))


def to_toml(config: CompressConfig) -> str:
    plain = to_plain(config)
    blocks = [_lines({name: value for name, value in plain.items() if not isinstance(value, dict)})]
    blocks += [f"[{name}]\n{_lines(value)}" for name, value in plain.items() if isinstance(value, dict) and value]
    return "\n\n".join(block for block in blocks if block) + "\n"


def dotted_names() -> dict[str, dataclasses.Field]:
    """Every field by its dotted name, top ones first."""
    found = {one.name: one for one in dataclasses.fields(CompressConfig) if one.name not in tables()}
    for table, kind in tables().items():
        found |= {f"{table}.{one.name}": one for one in dataclasses.fields(kind)}
    return found


def types_of() -> dict[str, Any]:
    """The annotated type of every field, by its dotted name."""
    found = {name: kind for name, kind in typing.get_type_hints(CompressConfig).items() if name not in tables()}
    for table, kind in tables().items():
        hints = typing.get_type_hints(kind)
        found |= {f"{table}.{one.name}": hints[one.name] for one in dataclasses.fields(kind)}
    return found


def _checked(layer: Mapping[str, Any], source: str) -> dict[str, Any]:
    hints, checked = types_of(), {}
    for name, value in layer.items():
        if name not in tables():
            checked[name] = _value(name, value, hints, source)
        elif not isinstance(value, Mapping):
            raise _wrong(source, name, "a table", value, f"write [{name}] and its keys below")
        else:
            checked[name] = {key: _value(f"{name}.{key}", one, hints, source) for key, one in value.items()}
    return checked


def _value(name: str, value: Any, hints: Mapping[str, Any], source: str) -> Any:
    if name not in hints:
        near = _nearest(name, hints)
        raise TrainingError(
            f"{source} {name}: expected a known key, got {name.rpartition('.')[2]!r}. Do: write {near}."
        )
    kind = hints[name]
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        kind = typing.get_args(kind)[0]
    if typing.get_origin(kind) is tuple:
        part = typing.get_args(kind)[0]
        # One value is a list of one.
        values = value if isinstance(value, list | tuple) else [value]
        return tuple(_scalar(name, one, part, source) for one in values)
    return _scalar(name, value, kind, source)


def _scalar(name: str, value: Any, kind: type, source: str) -> Any:
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    accepted = (int, float) if kind is float else (kind,)
    if type(value) not in accepted:
        raise _wrong(source, name, EXPECTED[kind], value, f"write {EXPECTED[kind]}")
    return kind(value)


def _nearest(name: str, known: Mapping[str, Any]) -> str:
    """In the same table if something there resembles it, else in any."""
    table, _, key = name.rpartition(".")
    beside = {one.rpartition(".")[2]: one for one in known if one.rpartition(".")[0] == table}
    # Of one name in several tables the first, which is where a run begins.
    anywhere = {one.rpartition(".")[2]: one for one in reversed(known)} | {one: f"[{one}]" for one in tables()}
    for names in (beside, anywhere):
        if close := difflib.get_close_matches(key, names, n=1):
            return names[close[0]]
    return f"one of {', '.join(beside or known)}"


def _lines(fields: Mapping[str, Any]) -> str:
    # JSON's texts, numbers and lists are TOML's.
    return "\n".join(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items())


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_none(one) for name, one in value.items() if one is not None}
    return list(value) if isinstance(value, tuple) else value


def _wrong(source: str, name: str, expected: str, got: Any, remedy: str) -> TrainingError:
    return TrainingError(f"{source} {name}: expected {expected}, got {got!r}. Do: {remedy}.")
