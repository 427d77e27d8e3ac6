"""edgebert: from a BERT-family checkpoint and a labelled file to a small, fast, verified .tflite."""

import sys

from edgebert.version import VERSION

if not ((3, 11) <= sys.version_info < (3, 12)):
    raise ImportError(
        f"python: expected 3.11 (the only version tflite-support has wheels for), got {sys.version.split()[0]}. "
        "Do: create the environment with python3.11 -m venv."
    )

__version__ = VERSION


def __getattr__(name: str) -> object:
    """`edgebert.compress`, and with it TensorFlow, only where somebody asks for it."""
    if name != "compress":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from edgebert.pipeline.calling import compress

    return compress
