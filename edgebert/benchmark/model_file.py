"""Model files as a record names them."""

import hashlib
import os
from pathlib import Path

from edgebert.export.flatbuffer import read_model
from edgebert.measurement import ModelFile


def read_model_file(path: str | os.PathLike) -> ModelFile:
    """Name, size and hash. This reads the whole file, so the load that is timed later finds it in the page cache."""
    source = Path(path)
    # Whatever is wrong with the file is said here, as `edgebert inspect` says it, and not by native code in a worker.
    content = read_model(source).content
    return ModelFile(name=source.name, size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
