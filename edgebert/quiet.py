"""Native libraries write remarks of their own to the terminal (TensorFlow: about CUDA on a machine without one)."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def quiet_native_output() -> Iterator[None]:
    """Hold back what native code writes to stderr; if the work fails, show it after all."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as remarks:
        os.dup2(remarks.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            remarks.seek(0)
            os.write(2, remarks.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


@contextlib.contextmanager
def many_models() -> Iterator[None]:
    """Each model of a process traces its functions once; TensorFlow takes that for one function traced again and
    again, and warns."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
