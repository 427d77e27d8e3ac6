"""A corpus as counts of its pieces, and what it holds out: text that no choice has seen."""

import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edgebert.data.examples import Dataset
from edgebert.data.plain_text import PlainText
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError

# More unknown words than known ones: another language, or no text at all.
LARGEST_UNKNOWN_SHARE = 0.5


@dataclass(frozen=True)
class HeldOut:
    name: str
    texts: tuple[str, ...] = field(repr=False)


@dataclass(frozen=True)
class Corpus:
    """`counts` [V]: how often each piece occurs, the special tokens around texts left out."""

    names: tuple[str, ...]
    counts: np.ndarray = field(repr=False)
    held_out: tuple[HeldOut, ...]

    @property
    def pieces(self) -> int:
        return int(self.counts.sum())

    @property
    def sha256(self) -> str:
        """Of the counts and of what is held out: all that a result can depend on."""
        digest = hashlib.sha256(self.counts.astype("<i8").tobytes())
        for text in (text for one in self.held_out for text in one.texts):
            digest.update(text.encode("utf-8", "surrogatepass") + b"\0")
        return digest.hexdigest()

    def __add__(self, other: "Corpus") -> "Corpus":
        """Both together."""
        return Corpus(self.names + other.names, self.counts + other.counts, self.held_out + other.held_out)


def corpus_of_examples(train: Dataset, dev: Dataset | None, tokenizer: WordPiece) -> Corpus:
    held_out = () if dev is None else (HeldOut(f"{dev.source}, dev", tuple(texts_of(dev))),)
    # Texts are counted whole: a length is a matter of the model.
    encoded = (tokenizer.encode(text, length=sys.maxsize) for text in texts_of(train))
    return Corpus((train.source,), _counts(encoded, tokenizer), held_out)


def corpus_of_text(text: PlainText, tokenizer: WordPiece) -> Corpus:
    """Held out are the sequences that `read_plain_text` holds out, as text again, unknown words as their token."""
    held_out = tuple(_read_back(one.input_ids[1:-1], tokenizer) for one in text.dev.encoded)
    name = text.files[0] if len(text.files) == 1 else f"{len(text.files):,} files"
    return Corpus((name,), _counts(text.train.encoded, tokenizer), (HeldOut(f"{name}, held out", held_out),))


def texts_of(data: Dataset) -> Iterator[str]:
    for example in data.examples:
        yield example.text
        if example.second_text is not None:
            yield example.second_text


def require_known(corpus: Corpus, tokenizer: WordPiece) -> None:
    """Refuse a corpus that says nothing about the vocabulary."""
    named = ", ".join(corpus.names)
    if not corpus.pieces:
        raise DataError(f"{named}: expected a corpus with words in it, got none. Do: give files with text in them.")
    words = sum(int(corpus.counts[number]) for number in _starting(tokenizer))
    unknown = int(corpus.counts[tokenizer.vocabulary.index(tokenizer.settings.unknown_token)])
    if unknown > LARGEST_UNKNOWN_SHARE * words:
        raise DataError(
            f"{named}: expected text that the vocabulary knows, got {tokenizer.settings.unknown_token} for "
            f"{unknown / words:.0%} of {words:,} words. Do: give text in the model's own language."
        )


def count_words(pieces: Iterable[str], tokenizer: WordPiece) -> int:
    """An unknown word is one piece and one word."""
    prefix = tokenizer.settings.continuation_prefix
    return sum(not piece.startswith(prefix) for piece in pieces)


def _counts(encoded: Iterable[Encoded], tokenizer: WordPiece) -> np.ndarray:
    counted: Counter[int] = Counter()
    for one in encoded:
        counted.update(one.input_ids[1:-1])
    counts = np.zeros(len(tokenizer.vocabulary), np.int64)
    for number, count in counted.items():
        counts[number] = count
    return counts


def _starting(tokenizer: WordPiece) -> Iterator[int]:
    prefix = tokenizer.settings.continuation_prefix
    return (number for number, piece in enumerate(tokenizer.vocabulary) if not piece.startswith(prefix))


def _read_back(ids: Sequence[int], tokenizer: WordPiece) -> str:
    prefix = tokenizer.settings.continuation_prefix
    pieces = (tokenizer.vocabulary[number] for number in ids)
    return "".join(piece.removeprefix(prefix) if piece.startswith(prefix) else f" {piece}" for piece in pieces).strip()
