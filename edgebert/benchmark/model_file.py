"""Model files as a record names them."""

import hashlib
import os
from pathlib import Path

from edgebert.errors import ArtefactError
from edgebert.measurement import ModelFile

# A flatbuffer's identifier follows the four bytes of its root offset.
_IDENTIFIER = b"TFL3"
_IDENTIFIER_AT = slice(4, 8)


def read_model_file(path: str | os.PathLike) -> ModelFile:
    """Name, size and hash. This reads the whole file, so the load that is timed later finds it in the page cache."""
    source = Path(path)
    try:
        with source.open("rb") as file:
            start = file.read(_IDENTIFIER_AT.stop)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except OSError as error:
        raise ArtefactError(
            f"{source}: expected a readable .tflite, got '{error.strerror}'. Do: check the path."
        ) from error
    if start[_IDENTIFIER_AT] != _IDENTIFIER:
        raise ArtefactError(
            f"{source}: expected a .tflite (TFL3 at byte 4), got {start[_IDENTIFIER_AT]!r}. "
            "Do: give a file that `edgebert convert` wrote."
        )
    return ModelFile(name=source.name, size_bytes=size, sha256=digest)
