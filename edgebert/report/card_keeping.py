"""What becomes of a card that is there already: what a person filled in goes along into the fresh one.

Some facts only a person knows. Each has a line of its own, left open when the card is written; the card's last line
holds the hash of all the rest. Where it still fits, nothing but open lines was filled in, and the card can be written
anew with these values. Where it does not, a person wrote there, and the card stays as it is.
"""

import hashlib
import re
from collections.abc import Mapping

TO_FILL = "TO BE FILLED IN"
# With the licence that hubs read from the first lines of a card.
LICENSE = "license"
DATA_LICENCE = "- Licence of the training data"
FIELDS = (
    LICENSE,
    "- Licence of these files",
    "- Licence of the checkpoint they come from",
    DATA_LICENCE,
    "- Intended use",
    "- Contact",
)
_FIELD = re.compile(rf"^({'|'.join(map(re.escape, FIELDS))}):(.*)$", re.MULTILINE)
# An editor may drop the last line's end or add lines to it.
_MARK = re.compile(r"\n<!-- edgebert model card ([0-9a-f]{64}) -->\s*\Z")


def open_field(name: str) -> str:
    return f"{name}: {TO_FILL}"


def marked(body: str) -> str:
    """The card, with the line that its later changes are known by."""
    return f"{body}\n<!-- edgebert model card {_sha256(body)} -->\n"


def renewed_card(old: str, fresh: str, replace: bool = False) -> str | None:
    """`fresh` with what was filled in in `old`; null where a person's words would be lost, unless told to `replace`."""
    values = _filled_in(old)
    if not replace and (was_edited(old) or not values.keys() <= _names(fresh)):
        return None
    return _FIELD.sub(lambda found: _line(found[1], values.get(found[1], found[2])), fresh)


def was_edited(card: str) -> bool:
    """Whether a person changed more than open fields since the card was written, or wrote one of their own."""
    found = _MARK.search(card)
    return found is None or found[1] != _sha256(card[: found.start()])


def _filled_in(card: str) -> Mapping[str, str]:
    """The first of each name; a second is an edit."""
    found = dict(reversed(_FIELD.findall(card)))
    return {name: value for name, value in found.items() if value.strip() != TO_FILL}


def _names(card: str) -> set[str]:
    return {name for name, _ in _FIELD.findall(card)}


def _line(name: str, value: str) -> str:
    return f"{name}: {value.strip()}".rstrip()


def _sha256(body: str) -> str:
    """Whatever stands in the fields."""
    return hashlib.sha256(_FIELD.sub(lambda found: open_field(found[1]), body).encode()).hexdigest()
