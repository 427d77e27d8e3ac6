"""The texts that a benchmark is run on: the user's, or twenty ordinary English sentences."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import DataError

BUILTIN_SOURCE = "built-in English sentences"
# Written for this purpose: as short and as long as what people type into a search box, a chat or a review.
_SENTENCES = (
    "Yes.",
    "Where is my order?",
    "Please cancel my subscription today.",
    "What time does the pharmacy on Mill Street close?",
    "The battery lasts two days, which is more than I had hoped for.",
    "Turn off the lights in the kitchen.",
    "I was charged twice for the same train ticket last week.",
    "A quiet film with a wonderful last scene.",
    "How do I change the language of the keyboard?",
    "The soup was cold, the waiter was rude, and we still had to wait forty minutes for the bill.",
    "Remind me to call my sister tomorrow at nine.",
    "Never again!",
    "Can you tell me whether the museum is open on public holidays?",
    "The parcel arrived one day late but everything in it was in perfect condition.",
    "My card does not work abroad, and the telephone number on the back of it only leads to a recorded message.",
    "It rains.",
    "She plays the first half of the story so well that nobody minds how little happens in the second one.",
    "Add milk, eggs and a loaf of bread to the shopping list.",
    "The new version starts faster than the old one, although it now asks for a password every single time it does.",
    "We moved here five years ago for the schools, stayed for the people next door, and have never once regretted it, "
    "not even in the winter when the road is closed and the power fails for half a day.",
)

Text = tuple[str, str | None]


@dataclass(frozen=True)
class Texts:
    """Some of the `available` texts of `source`, each with its second text or None, and the whole source's hash."""

    texts: tuple[Text, ...]
    source: str
    sha256: str
    available: int


def builtin_texts(limit: int) -> Texts:
    return _choose(_alone(_SENTENCES), limit, BUILTIN_SOURCE, _sha256("\n".join(_SENTENCES).encode()))


def read_texts(source: str, limit: int, **reading: str | None) -> Texts:
    """One text a line from a .txt; from anything else what `edgebert.data` reads as `reading` says, pairs included."""
    if Path(source).suffix.lower() == ".txt":
        content = _read_bytes(Path(source))
        texts, sha256 = _alone(_lines(source, content)), _sha256(content)
    else:
        # Imported late: a board that measures a .txt does not load the readers of tables.
        from edgebert.data.reading import read_examples

        dataset = read_examples(source, **reading)
        texts, sha256 = tuple((example.text, example.second_text) for example in dataset), dataset.sha256
    if not texts:
        raise DataError(f"{source}: expected at least one text, got none. Do: put one text on each line.")
    for position, (text, _) in enumerate(texts, start=1):
        if not text.strip():
            raise DataError(f"{source}: expected a text, got an empty one as text {position}. Do: remove it.")
    return _choose(texts, limit, Path(source).name, sha256)


def _choose(texts: tuple[Text, ...], limit: int, source: str, sha256: str) -> Texts:
    """At most `limit` texts, taken evenly: files are often sorted, and their first lines all alike."""
    count = min(limit, len(texts))
    chosen = tuple(texts[position * len(texts) // count] for position in range(count))
    return Texts(texts=chosen, source=source, sha256=sha256, available=len(texts))


def _alone(texts: Iterable[str]) -> tuple[Text, ...]:
    return tuple((text, None) for text in texts)


def _read_bytes(source: Path) -> bytes:
    try:
        return source.read_bytes()
    except OSError as error:
        raise DataError(f"{source}: expected a readable file, got '{error.strerror}'. Do: check the path.") from error


def _lines(source: str, content: bytes) -> tuple[str, ...]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source}: expected UTF-8, got byte {content[error.start]:#04x} at {error.start}. Do: save it as UTF-8."
        ) from error
    return tuple(line.rstrip("\r") for line in text.removesuffix("\n").split("\n")) if text else ()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
