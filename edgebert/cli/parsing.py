"""Argument types that several commands share."""

import argparse
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
