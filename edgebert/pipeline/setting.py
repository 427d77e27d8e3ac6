"""A field of the configuration: a key of the TOML file, a flag and its help at once."""

from dataclasses import field
from typing import Any


def setting(default: Any, help: str, flag: str | None = None, choices: tuple[str, ...] = (), repeat: bool = False):
    """A field with what a flag needs besides: `repeat` for a list whose flag is given several times."""
    metadata = {"help": help, "flag": flag, "choices": choices, "repeat": repeat}
    return field(default=default, metadata=metadata)
