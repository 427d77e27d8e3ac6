"""Which words may take the place of which: the teacher's masked-word head or its table, and word vectors."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from edgebert.augment.drawing import Choice
from edgebert.augment.piece_vectors import count_words, nearest_corpus_words, nearest_pieces
from edgebert.augment.word_vectors import nearest_by_vectors, vectors_sha256
from edgebert.augment.words import Word, WordFinder
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import CheckpointError, DataError
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.masked_word_head import read_masked_word_head

CANDIDATE_SOURCES = ("auto", "masked-words", "table")


class Source(Protocol):
    def prepare(self, words: Iterable[Word]) -> None:
        """Words that will be asked for; a source may compute them together."""

    def candidates(self, text: str, words: Sequence[Word]) -> list[tuple[str, ...]]:
        """The candidates of each of these words of the text."""


class Candidates:
    """Candidates for the words of texts. Nothing heavy is loaded before `study`, which reads the whole corpus."""

    def __init__(self, teacher: Path, count: int, candidates_from: str = "auto", word_vectors: Path | None = None):
        self._checkpoint, self._tokenizer = load_checkpoint(teacher), WordPiece.from_folder(teacher)
        self._finder = WordFinder(self._tokenizer)
        self._count, self._word_vectors = count, word_vectors
        self._head = None if candidates_from == "table" else read_masked_word_head(self._checkpoint)
        if candidates_from == "masked-words" and self._head is None:
            raise CheckpointError(
                f"{teacher}: expected the masked-word head of a BERT or DistilBERT, got a checkpoint without one. "
                "Do: give the pre-trained checkpoint, or take candidates from the table (--candidates-from table)."
            )
        self._single: Source | None = None
        self._multiple: Source | None = None

    @property
    def identity(self) -> dict[str, object]:
        """Everything that the candidates depend on, the corpus aside."""
        cutting = json.dumps([self._tokenizer.vocabulary, self._tokenizer.settings.to_json()])
        return {
            "teacher": self._checkpoint.sha256,
            "configuration": self._checkpoint.encoder.to_json(),
            "tokenizer": hashlib.sha256(cutting.encode("ascii")).hexdigest(),
            "masked_words": self._head is not None,
            "word_vectors": self._word_vectors and vectors_sha256(self._word_vectors),
        }

    @property
    def description(self) -> str:
        """Where candidates come from, for the person who runs it."""
        single = "the teacher's masked-word head" if self._head else "the nearest pieces in the teacher's table"
        multiple = f"{self._word_vectors}" if self._word_vectors else "the nearest words of the data"
        return f"words of one piece from {single}, the others from {multiple}"

    def study(self, texts: Iterable[str]) -> None:
        """Make ready for texts out of this corpus."""
        counts = count_words(self._finder, texts)
        if not counts:
            raise DataError(
                "data: expected words that can be replaced, got only stop words, numbers and punctuation. "
                "Do: augment texts in a language that is written with blanks between words."
            )
        self._single = self._open_single()
        if self._word_vectors:
            self._multiple = nearest_by_vectors(self._word_vectors, self._finder, self._count)
        else:
            self._multiple = nearest_corpus_words(self._checkpoint, self._tokenizer, counts, self._count)

    def choices(self, texts: Sequence[str]) -> list[list[Choice]]:
        """The places of each text where a word may be replaced."""
        words = [self._finder.find(text) for text in texts]
        for source, wanted in ((self._single, True), (self._multiple, False)):
            source.prepare(word for found in words for word in found if self._is_known_piece(word) is wanted)
        return [self._choices_of(text, found) for text, found in zip(texts, words, strict=True)]

    def _choices_of(self, text: str, words: Sequence[Word]) -> list[Choice]:
        found: dict[Word, tuple[str, ...]] = {}
        for source, wanted in ((self._single, True), (self._multiple, False)):
            asked = [word for word in words if self._is_known_piece(word) is wanted]
            if asked:
                found |= zip(asked, source.candidates(text, asked), strict=True)
        return [Choice(word, found[word]) for word in words]

    def _is_known_piece(self, word: Word) -> bool:
        return word.is_single_piece and word.pieces[0] != self._tokenizer.settings.unknown_token

    def _open_single(self) -> Source:
        if self._head is None:
            return nearest_pieces(self._checkpoint, self._tokenizer, self._finder, self._count)
        # Only here: with candidates from tables TensorFlow is not needed.
        from edgebert.augment.masked_words import MaskedWords

        return MaskedWords(self._checkpoint, self._head, self._tokenizer, self._finder, self._count)
