"""Text to token ids, identical to the fast Hugging Face tokenizer for BERT.

`edgebert.data.characters` cuts text into words. Here each word is cut into the longest piece of the vocabulary that it
starts with, then the longest `##` piece that the rest starts with, and so on; a word with a rest that starts with no
piece, or of more than `max_word_characters`, is the unknown token. Pure Python, since boards that only measure have
numpy and LiteRT and nothing else; the cache makes it as fast as it needs to be (benchmarks/tokenizer).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from os import PathLike

import numpy as np

from edgebert.data.characters import WordSplitter
from edgebert.data.tokenizer_folder import read_tokenizer_folder
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.truncation import TRUNCATIONS, truncate
from edgebert.data.vocabulary import check_vocabulary

__all__ = ["TRUNCATIONS", "Encoded", "TokenizerSettings", "WordPiece"]

_DEFAULT_SETTINGS = TokenizerSettings()

# About 8 MB when full. English prose has some 20,000 distinct words in a million.
_CACHED_WORDS = 32_768
_CACHED_WORD_CHARACTERS = 64


@dataclass(frozen=True, slots=True)
class Encoded:
    """One text or pair as the model takes it, as long as it is: nothing is padded, so the mask is all ones."""

    input_ids: tuple[int, ...]
    input_mask: tuple[int, ...]
    segment_ids: tuple[int, ...]


class WordPiece:
    """A tokenizer for one vocabulary.

    Lone surrogates, which Python strings can hold and Hugging Face refuses, count as U+FFFD; `clean_text` removes that.
    """

    def __init__(self, vocabulary: Sequence[str], settings: TokenizerSettings = _DEFAULT_SETTINGS):
        check_vocabulary(vocabulary, settings, subject="vocabulary")
        self.vocabulary = tuple(vocabulary)
        self.settings = settings
        self._splitter = WordSplitter(
            lowercase=settings.lowercase,
            strip_accents=settings.strips_accents,
            split_cjk=settings.split_cjk,
            clean_text=settings.clean_text,
        )
        ids = {piece: number for number, piece in enumerate(self.vocabulary)}
        prefix = settings.continuation_prefix
        self._starting = ids
        self._continuing = {piece.removeprefix(prefix): ids[piece] for piece in ids if piece.startswith(prefix)}
        self._longest_piece = max(map(len, ids))
        self._unknown, self._classify, self._separate, self._pad = (ids[name] for name in settings.required_tokens)
        self._special = _special_token_pattern([token for token in settings.special_tokens if token in ids])
        self._ids_of_chunk = _ChunkCache(self._cut_chunk)

    @classmethod
    def from_folder(cls, folder: str | PathLike) -> "WordPiece":
        """The tokenizer of a Hugging Face folder; see `edgebert.data.tokenizer_folder`."""
        return cls(*read_tokenizer_folder(folder))

    def cuts_like(self, other: "WordPiece") -> bool:
        """Whether both make the same ids of every text."""
        return (self.vocabulary, self.settings) == (other.vocabulary, other.settings)

    def tokenize(self, text: str) -> list[str]:
        """The text's pieces, without the special tokens that an encoding adds."""
        return [self.vocabulary[number] for number in self._ids(text)]

    def encode(
        self, text: str, second_text: str | None = None, *, length: int, truncation: str = "longest_first"
    ) -> Encoded:
        """`[CLS] text [SEP]`, or `[CLS] text [SEP] second_text [SEP]`, in at most `length` tokens.

        An empty second text still makes a pair. How too long ones are cut is in `edgebert.data.truncation`.
        """
        added = 2 if second_text is None else 3
        if length < added:
            raise ValueError(
                f"length: expected at least {added} for the special tokens of {'a text' if added == 2 else 'a pair'}, "
                f"got {length}. Do: choose a greater length."
            )
        room = length - added
        if second_text is None:
            # A tail is only known at the end; a head is known when it is full, however long the text.
            limit = None if truncation == "head_tail" else room
            first, _ = truncate(list(islice(self._ids(text), limit)), (), room, truncation)
            ids = (self._classify, *first, self._separate)
            return Encoded(ids, (1,) * len(ids), (0,) * len(ids))
        first, second = truncate(list(self._ids(text)), list(self._ids(second_text)), room, truncation)
        ids = (self._classify, *first, self._separate, *second, self._separate)
        return Encoded(ids, (1,) * len(ids), (0,) * (len(first) + 2) + (1,) * (len(second) + 1))

    def encode_batch(
        self,
        pairs: Iterable[str | tuple[str, str | None]],
        *,
        length: int,
        truncation: str = "longest_first",
        pad_to: int | None = None,
    ) -> dict[str, np.ndarray]:
        """Texts or pairs as int32 arrays [texts, width], padded to `pad_to` or to the longest."""
        rows = [
            self.encode(*((pair,) if isinstance(pair, str) else pair), length=length, truncation=truncation)
            for pair in pairs
        ]
        longest = max((len(row.input_ids) for row in rows), default=0)
        width = longest if pad_to is None else pad_to
        if width < longest:
            raise ValueError(
                f"pad_to: expected at least {longest}, the longest encoding here, got {pad_to}. "
                "Do: pad to `length` or leave it out."
            )
        batch = {
            "input_ids": np.full((len(rows), width), self._pad, np.int32),
            "input_mask": np.zeros((len(rows), width), np.int32),
            "segment_ids": np.zeros((len(rows), width), np.int32),
        }
        for name, array in batch.items():
            for index, row in enumerate(rows):
                array[index, : len(row.input_ids)] = getattr(row, name)
        return batch

    def forget(self) -> None:
        """Empty the cache, to measure what a first text costs or to give its memory back."""
        self._ids_of_chunk.clear()

    def _ids(self, text: str) -> Iterator[int]:
        """The ids of a text's pieces, in order, cut when they are asked for."""
        if not self.settings.special_tokens_in_text or self._special.search(text) is None:
            return self._plain_ids(text)
        parts = self._special.split(text)  # the odd ones are special tokens
        return chain.from_iterable(
            (self._starting[part],) if index % 2 else self._plain_ids(part) for index, part in enumerate(parts)
        )

    def _plain_ids(self, text: str) -> Iterator[int]:
        return chain.from_iterable(map(self._ids_of_chunk.__getitem__, self._splitter.chunks(text)))

    def _cut_chunk(self, chunk: str) -> tuple[int, ...]:
        return tuple(chain.from_iterable(map(self._cut_word, self._splitter.words(chunk))))

    def _cut_word(self, word: str) -> list[int]:
        if len(word) > self.settings.max_word_characters:
            return [self._unknown]
        ids: list[int] = []
        pieces, start = self._starting, 0
        while start < len(word):
            for end in range(min(len(word), start + self._longest_piece), start, -1):
                number = pieces.get(word[start:end])
                if number is not None:
                    break
            else:
                return [self._unknown]
            ids.append(number)
            pieces, start = self._continuing, end
        return ids


class _ChunkCache(dict[str, tuple[int, ...]]):
    """Remembers the ids of short chunks; asking for one that is not there computes it."""

    def __init__(self, compute: Callable[[str], tuple[int, ...]]):
        super().__init__()
        self._compute = compute

    def __missing__(self, chunk: str) -> tuple[int, ...]:
        ids = self._compute(chunk)
        if len(chunk) <= _CACHED_WORD_CHARACTERS:
            if len(self) >= _CACHED_WORDS:
                self.clear()
            self[chunk] = ids
        return ids


def _special_token_pattern(tokens: Sequence[str]) -> re.Pattern[str]:
    """The leftmost special token, of two that start together the longer, as a group so that `split` keeps it."""
    return re.compile(f"({'|'.join(map(re.escape, sorted(tokens, key=len, reverse=True)))})")
