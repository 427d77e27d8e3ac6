"""Argument types that several commands share."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path


def comma_separated(text: str) -> tuple[str, ...]:
    """`a,b` to ("a", "b"): at least one, each once."""
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    if not parts or len(set(parts)) != len(parts):
        raise argparse.ArgumentTypeError(f"expected names with commas between, each once, got '{text}'")
    return parts


def file_name(text: str) -> str:
    """A name without folders."""
    if Path(text).name != text:
        raise argparse.ArgumentTypeError(f"expected a name without folders, got '{text}'")
    return text


def numbers(kind: Callable[[str], float]) -> Callable[[str], tuple[float, ...]]:
    """`10,3` to (10, 3), each as `kind` reads it."""

    def read(text: str) -> tuple[float, ...]:
        try:
            return tuple(kind(part) for part in text.split(","))
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected numbers with commas between, got '{text}'") from error

    return read


def byte_count(text: str) -> int:
    """`4G`, `500M`, `0`: bytes, in powers of 1024."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)i?B?", text.strip(), re.IGNORECASE)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected a number of bytes such as 4G, 500M or 0, got '{text}'")
    return int(float(found.group(1)) * 1024 ** " KMGT".index(found.group(2).upper() or " "))
