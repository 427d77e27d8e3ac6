"""The nearest known name to one that is not known."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that resembles it most; one that begins with it comes before all others."""

    def resemblance(candidate: str) -> tuple[bool, float]:
        return candidate.startswith(name), difflib.SequenceMatcher(None, name, candidate).ratio()

    return max(known, key=resemblance)
