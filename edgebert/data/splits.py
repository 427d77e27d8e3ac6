"""Split names: publishers call the middle one dev, val, valid, validate or validation, and mean the same."""

from collections.abc import Mapping
from typing import TypeVar

from edgebert.errors import DataError

_MIDDLE_NAMES = ("dev", "val", "valid", "validate", "validation")

AnySplit = TypeVar("AnySplit")


class Preferred(str):
    """The name of a split to take where a source has several; of one that has no other, that is it."""

    __slots__ = ()


def choose_split(splits: Mapping[str, AnySplit], wanted: str | None, source: str) -> AnySplit:
    """The split of that name or of another name for it; without a name, the only one there is."""
    if len(splits) == 1 and (wanted is None or isinstance(wanted, Preferred)):
        return next(iter(splits.values()))
    names = _MIDDLE_NAMES if wanted in _MIDDLE_NAMES else (wanted,)
    found = [splits[wanted]] if wanted in splits else [splits[name] for name in names if name in splits]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(sorted(splits)) or "none"
    got = "no name" if wanted is None else repr(wanted)
    raise DataError(f"{source}: expected the name of a split, got {got}. Do: choose the split among {listed}.")


def refuse_split(wanted: str | None, source: str) -> None:
    """A single file is one split already."""
    if wanted is not None and not isinstance(wanted, Preferred):
        raise DataError(
            f"{source}: expected no split for a single file, got {wanted!r}. "
            "Do: leave the split out, or name the folder instead of the file."
        )


def split_of_file_name(name: str) -> str | None:
    """The split that a name like `emerging.dev.conll` or `wnut17train.conll` speaks of."""
    found = [split for split in ("train", "test", *reversed(_MIDDLE_NAMES)) if split in name.lower()]
    return found[0] if found else None
