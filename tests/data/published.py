"""Where the published datasets lie that tests read when they are there: beside the checkout, not in it."""

from pathlib import Path

import pytest

PUBLISHED = Path(__file__).resolve().parents[3] / "shared" / "data"


def published(name: str) -> Path:
    """The folder of a published dataset; the test is skipped where there is none."""
    folder = PUBLISHED / name
    if not folder.is_dir():
        pytest.skip(f"the published dataset {name} is not beside the checkout (../shared/data/{name})")
    return folder
