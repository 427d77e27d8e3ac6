"""Which words of a text may be replaced, and where they stand in it and among its pieces."""

import functools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from edgebert.augment.stop_words import STOP_WORDS
from edgebert.data.characters import WordSplitter
from edgebert.data.wordpiece import WordPiece

# A character for trying whether another one divides words.
_LETTER = "a"


@dataclass(frozen=True, slots=True)
class Word:
    """`text[start:end]` is the spelling; `normalized` is what the tokenizer makes of it before it cuts pieces.

    `first_piece` counts the pieces of the text that come before it.
    """

    start: int
    end: int
    spelling: str
    normalized: str
    pieces: tuple[str, ...]
    first_piece: int

    @property
    def is_single_piece(self) -> bool:
        return len(self.pieces) == 1

    @property
    def keys(self) -> tuple[str, str, str]:
        """How a table of words may spell it, the most exact first."""
        return self.spelling, self.spelling.lower(), self.normalized


def may_replace(candidate: str, word: str) -> bool:
    """Not by another spelling of itself; and an English word not by its translation into another script."""
    return candidate.casefold() != word.casefold() and (candidate.isascii() or not word.isascii())


class WordFinder:
    """Finds the words of letters alone that are no stop words: punctuation, numbers and special tokens stay."""

    def __init__(self, tokenizer: WordPiece):
        settings = tokenizer.settings
        self._tokenizer = tokenizer
        self._splitter = WordSplitter(
            lowercase=settings.lowercase,
            strip_accents=settings.strips_accents,
            split_cjk=settings.split_cjk,
            clean_text=settings.clean_text,
        )
        self._special = settings.special_tokens
        self._divides = functools.cache(self._does_divide)
        self._normalized = functools.lru_cache(maxsize=65_536)(self._normalize)

    def find(self, text: str) -> tuple[Word, ...]:
        """The words of a text that may be replaced, in their order."""
        found: list[Word] = []
        read, pieces = 0, 0
        for start, end in self._runs(text):
            spelling = text[start:end]
            normalized = self._normalized(spelling)
            if normalized is None or self._in_special_token(text, start, end):
                continue
            pieces += len(self._tokenizer.tokenize(text[read:start]))
            own = tuple(self._tokenizer.tokenize(spelling))
            found.append(Word(start, end, spelling, normalized, own, pieces))
            read, pieces = end, pieces + len(own)
        return tuple(found)

    def is_plain_word(self, word: str) -> bool:
        """Whether a word of a table can stand in a text for another: letters alone, and the tokenizer keeps it one."""
        return _is_word(word) and len(self._splitter.words(word)) == 1

    def usable_pieces(self, rows: int) -> np.ndarray:
        """Which of an embedding table's rows are whole words that the tokenizer can cut: bool [rows]."""
        usable = np.zeros(rows, bool)
        for number, piece in enumerate(self._tokenizer.vocabulary):
            usable[number] = piece not in self._special and _is_word(piece) and self._splitter.words(piece) == [piece]
        return usable

    def _normalize(self, spelling: str) -> str | None:
        """None for what may not be replaced."""
        if not _is_word(spelling):
            return None
        words = self._splitter.words(spelling)
        # Several words are Chinese characters; none is left of characters that cleaning removes.
        if len(words) != 1 or words[0].lower() in STOP_WORDS:
            return None
        return words[0]

    def _runs(self, text: str) -> Iterable[tuple[int, int]]:
        """The stretches between characters that divide words."""
        start = 0
        for place, character in enumerate(text):
            if self._divides(character):
                if start < place:
                    yield start, place
                start = place + 1
        if start < len(text):
            yield start, len(text)

    def _does_divide(self, character: str) -> bool:
        if character.isalnum():
            return False
        return self._splitter.words(f"{_LETTER}{character}{_LETTER}")[-1] == _LETTER

    def _in_special_token(self, text: str, start: int, end: int) -> bool:
        """Whether it is the inside of a special token that is spelled out in the text, `[MASK]`."""
        return any(
            token[1:-1] == text[start:end] and text[max(start - 1, 0) : end + 1] == token for token in self._special
        )


def _is_word(text: str) -> bool:
    """Letters alone. A single Latin letter is a part of something: `p.m.`, `vitamin C`."""
    return text.isalpha() and (len(text) > 1 or not text.isascii())
