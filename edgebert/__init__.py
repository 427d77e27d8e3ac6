"""edgebert: from a BERT-family checkpoint and a labelled file to a small, fast, verified .tflite."""

import sys

from edgebert.version import VERSION

if not ((3, 11) <= sys.version_info < (3, 12)):
    raise ImportError(
        f"python: expected 3.11 (the only version tflite-support has wheels for), got {sys.version.split()[0]}. "
        "Do: create the environment with python3.11 -m venv."
    )

__version__ = VERSION
