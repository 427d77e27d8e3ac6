"""Where edgebert keeps what it downloads: environments of clients, emulated cores."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edgebert.errors import OutputError


def cache_folder() -> Path:
    """`EDGEBERT_CACHE`, or edgebert's folder in the user's cache (XDG)."""
    if own := os.environ.get("EDGEBERT_CACHE"):
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(shared) if Path(shared).is_absolute() else Path.home() / ".cache") / "edgebert"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Two commands that install at once: the second waits, and then finds what the first one installed."""
    try:
        file = path.open("w")
    except OSError as error:
        raise OutputError(
            f"{path.parent}: expected a folder that can be written to, got '{error.strerror}'. "
            "Do: set EDGEBERT_CACHE to another one."
        ) from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
