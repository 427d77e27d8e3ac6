"""The configuration of `edgebert compress` as flags: one for each field, named and explained there."""

import argparse
import dataclasses
import types
import typing
from collections.abc import Callable
from typing import Any

from edgebert.cli.parsing import byte_count, comma_separated, numbers
from edgebert.pipeline.config_file import dotted_names, types_of

# The command line keeps names of its own, such as `run`, beside the configuration's.
PREFIX = "config."
TITLES = {
    "": "run",
    "data": "data",
    "finetune": "teacher and training",
    "distill_text": "student on plain text, before the task",
    "distill": "student",
    "shrink": "smaller student (left out unless asked for, as the next three)",
    "prune": "zeros in the student",
    "quantize": "training for int8",
    "trim": "smaller vocabulary",
    "convert": "files",
    "verify": "verification",
    "benchmark": "measurement",
}
PARSERS: dict[Any, Callable[[str], Any]] = {
    tuple[str, ...]: comma_separated,
    tuple[int, ...]: numbers(int),
    tuple[float, ...]: numbers(float),
}
OWN_PARSERS = {"distill.cache_budget_bytes": byte_count}
METAVARS = {int: "N", float: "X", str: "TEXT", tuple[str, ...]: "A,B", tuple[int, ...]: "N,N", tuple[float, ...]: "X,X"}


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """A flag that is not given leaves nothing behind: what the file says, or the default, then holds."""
    kinds, groups = types_of(), {}
    for name, one in dotted_names().items():
        table, _, key = name.rpartition(".")
        if table not in groups:
            groups[table] = parser.add_argument_group(TITLES[table], f"[{table}] in a file" if table else None)
        kind = _plain(kinds[name])
        flag = one.metadata["flag"] or f"--{key.replace('_', '-')}"
        options: dict[str, Any] = {"dest": f"{PREFIX}{name}", "default": argparse.SUPPRESS, "help": _help(one)}
        if kind is bool:
            options["action"] = argparse.BooleanOptionalAction
        elif one.metadata["repeat"]:
            options |= {"action": "append", "metavar": "NAME"}
        else:
            options |= {"type": OWN_PARSERS.get(name) or PARSERS.get(kind, kind), "metavar": METAVARS[kind]}
            if one.metadata["choices"]:
                options |= {"choices": one.metadata["choices"], "metavar": None}
        groups[table].add_argument(flag, **options)


def given(arguments: argparse.Namespace) -> dict[str, Any]:
    """What flags said, as tables."""
    fields: dict[str, Any] = {}
    for name in dotted_names():
        if f"{PREFIX}{name}" in vars(arguments):
            table, _, key = name.rpartition(".")
            (fields.setdefault(table, {}) if table else fields)[key] = vars(arguments)[f"{PREFIX}{name}"]
    return fields


def _help(one: dataclasses.Field) -> str:
    text = one.metadata["help"]
    if one.default in (None, (), False) or "(default" in text or one.metadata["repeat"]:
        return text
    shown = ",".join(map(str, one.default)) if isinstance(one.default, tuple) else one.default
    return f"{text} (default: {shown})"


def _plain(kind: Any) -> Any:
    return typing.get_args(kind)[0] if isinstance(kind, types.UnionType) else kind
