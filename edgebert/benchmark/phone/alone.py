"""One measurement at a time on a phone: a second one would slow the first and remove its files as a dead run's."""

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from edgebert.benchmark.phone.connection import Phone
from edgebert.cache import cache_folder
from edgebert.errors import MeasurementError, OutputError
from edgebert.files import make_folder

_DIGITS = 16


@contextmanager
def alone_on(phone: Phone) -> Iterator[None]:
    """Refuse a phone that another edgebert of this user measures; what dies lets go of it, however it dies."""
    # What stays on this machine's disk does not name the phone either.
    name = hashlib.sha256(phone.serial.encode()).hexdigest()[:_DIGITS]
    path = make_folder(cache_folder() / "phones") / f"{name}.lock"
    try:
        lock = path.open("w")
    except OSError as error:
        raise OutputError(
            f"{path.parent}: expected a folder that can be written to, got '{error.strerror}'. "
            "Do: set EDGEBERT_CACHE to another one."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise MeasurementError(
                f"{phone.serial}: expected a phone that nobody else measures, got one where another edgebert does. "
                "Do: wait until it has ended, then run the command again."
            ) from error
        yield
