"""Atomic writes: a reader sees the whole old file or the whole new one, and a failed write leaves nothing behind.

And what a file is known by, its hash.
"""

import contextlib
import hashlib
import os
import secrets
from pathlib import Path

from edgebert.errors import OutputError

# Of what is being written, or was when its writer was killed.
PARTIAL_SUFFIX = ".partial"


def write_atomically(path: str | os.PathLike, content: bytes) -> Path:
    """Write `content` to `path` through a temporary neighbour, fsync and rename; return the path."""
    target = Path(path)
    if target.exists() and not target.is_file():
        # A rename would put a file in the place of a device or a pipe.
        raise OutputError(f"{target}: expected a file or a free name, got something else. Do: choose another name.")
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}{PARTIAL_SUFFIX}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{target}: expected a place that can hold {len(content):,} bytes, got '{error.strerror}'. "
            "Do: choose another place, or make room there."
        ) from error
    return target


def sha256_of_file(path: str | os.PathLike) -> str:
    """Read in parts: a checkpoint need not fit beside its model."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_folder(path: str | os.PathLike) -> Path:
    """Create a folder with its parents; an existing one is fine."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a folder that can be created, got '{error.strerror}'. Do: choose another one."
        ) from error
    return folder
