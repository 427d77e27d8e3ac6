"""Where tests keep what they fetch, so that it is fetched once."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def kept_cache(config: pytest.Config) -> Iterator[Path]:
    """EDGEBERT_CACHE where it is set, else pytest's own cache."""
    chosen = os.environ.get("EDGEBERT_CACHE") or str(config.cache.mkdir("edgebert"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEBERT_CACHE", chosen)
        yield Path(chosen)
