"""Which pieces of a vocabulary are kept.

Of a complete vocabulary, one in which every character of a piece is a piece too, at a word's start and inside it, all
single characters are kept, and then cutting words from left to right cannot fail where it did not fail before: whatever
was cut off, the next character alone is a piece. A word whose pieces are all kept is cut as before: its longest piece
is still there, and no longer one has come.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from edgebert.data.characters import WordSplitter
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import TokenizerError


@dataclass(frozen=True)
class Choice:
    """Pieces of the corpus that occur `minimum_count` times or more; with `keep_pieces`, of these the most frequent,
    and where there are too few of them others in the vocabulary's order, which published ones have by frequency."""

    minimum_count: int = 1
    keep_pieces: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("minimum-count", self.minimum_count), ("keep-pieces", self.keep_pieces)):
            if value is not None and value < 1:
                raise TokenizerError(f"--{name}: expected 1 or more, got {value}. Do: raise it.")


@dataclass(frozen=True)
class Kept:
    """Ids of the pieces that are kept, in their order: the new id is the place."""

    ids: tuple[int, ...]
    # How many for which reason; `held` hold a character that is no piece by itself.
    special: int
    characters: int
    held: int
    corpus: int
    further: int

    @property
    def is_complete(self) -> bool:
        """Whether no word can become unknown that was not."""
        return not self.held


def choose(tokenizer: WordPiece, counts: np.ndarray, choice: Choice) -> Kept:
    """counts: how often each piece occurs in the corpus, by id."""
    needed = Needed(tokenizer)
    pieces = len(tokenizer.vocabulary)
    room = pieces if choice.keep_pieces is None else choice.keep_pieces
    if room < len(needed.ids):
        raise TokenizerError(
            f"--keep-pieces: expected at least {len(needed.ids):,} of {pieces:,}, as special tokens and single "
            f"characters must stay, got {room:,}. Do: raise it."
        )
    if choice.keep_pieces is not None and room >= pieces:
        raise TokenizerError(
            f"--keep-pieces: expected fewer than the vocabulary's {pieces:,}, got {room:,}. Do: lower it."
        )
    taken = set(needed.ids)
    # Of equal counts the lower id first.
    by_count = (int(number) for number in np.argsort(-counts, kind="stable") if counts[number] >= choice.minimum_count)
    corpus = [number for number in by_count if number not in taken][: room - len(taken)]
    taken.update(corpus)
    further = [] if choice.keep_pieces is None else _others(tokenizer, taken, room - len(taken))
    taken.update(further)
    groups = needed.special, needed.characters, needed.held
    return Kept(tuple(sorted(taken)), *map(len, groups), len(corpus), len(further))


class Needed:
    """Ids that no choice leaves out."""

    def __init__(self, tokenizer: WordPiece):
        self._pieces, self._settings = tokenizer.vocabulary, tokenizer.settings

    @cached_property
    def special(self) -> frozenset[int]:
        names = set(self._settings.special_tokens)
        return frozenset(number for number, piece in enumerate(self._pieces) if piece in names)

    @cached_property
    def characters(self) -> frozenset[int]:
        """Pieces of one character, at the start of a word or inside it."""
        found = (number for number, piece in enumerate(self._pieces) if len(self._text(piece)) == 1)
        return frozenset(found) - self.special

    @cached_property
    def held(self) -> frozenset[int]:
        """Longer pieces with a character that cannot be written without them."""
        alone = {self._pieces[number] for number in self.characters}
        words = _splitter(self._settings)
        return frozenset(
            number
            for number, piece in enumerate(self._pieces)
            if number not in self.special
            and any(character not in alone for character in self._characters(piece))
            and _is_found_in_texts(words, self._text(piece))
        )

    @property
    def ids(self) -> frozenset[int]:
        return self.special | self.characters | self.held

    def _text(self, piece: str) -> str:
        prefix = self._settings.continuation_prefix
        # The prefix alone is a piece that a word may start with.
        return piece[len(prefix) :] if self._continues(piece) else piece

    def _continues(self, piece: str) -> bool:
        prefix = self._settings.continuation_prefix
        return piece.startswith(prefix) and piece != prefix

    def _characters(self, piece: str) -> Iterator[str]:
        """The pieces that its characters would be."""
        for place, character in enumerate(self._text(piece)):
            starts = place == 0 and not self._continues(piece)
            yield character if starts else self._settings.continuation_prefix + character


def _others(tokenizer: WordPiece, taken: set[int], count: int) -> list[int]:
    """Words of the vocabulary's order; not what no text is cut into."""
    prefix, splitter = tokenizer.settings.continuation_prefix, _splitter(tokenizer.settings)
    found = []
    for number, piece in enumerate(tokenizer.vocabulary):
        if len(found) == count:
            break
        if number not in taken and _is_found_in_texts(splitter, piece.removeprefix(prefix)):
            found.append(number)
    return found


def _is_found_in_texts(splitter: WordSplitter, text: str) -> bool:
    """Whether a text may be cut into it: not [unused1], which is three words, nor a capital where all are lowered.

    In any order: marks that a stripped one stood between are out of the order that they are normalised to.
    """
    return [sorted(word) for word in splitter.words(text)] == [sorted(text)]


def _splitter(settings: TokenizerSettings) -> WordSplitter:
    return WordSplitter(
        lowercase=settings.lowercase,
        strip_accents=settings.strips_accents,
        split_cjk=settings.split_cjk,
        clean_text=settings.clean_text,
    )


def kept_pieces(vocabulary: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(vocabulary[number] for number in ids)
