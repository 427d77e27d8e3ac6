"""The words nearest to a word in a table of vectors, by cosine."""

from collections.abc import Iterable, Sequence

import numpy as np

from edgebert.augment.words import Word, may_replace

# A block of scores for a table of 100,000 words is 50 MB.
_WORDS_AT_ONCE = 128
# About 30 MB of candidates; English prose has some 20,000 distinct words in a million.
_CACHED_WORDS = 100_000
# Some of the nearest may not replace it: other spellings of the word itself (`The`, `THE`), other scripts.
_SPARE = 8
# Of a cosine computed in float32; measured below 1e-6 for 1,024 numbers.
_ROUNDING = 1e-5


class NearestWords:
    """A source of candidates. `prepare` computes those of many words at once; each word is computed once."""

    def __init__(self, words: Sequence[str], vectors: np.ndarray, count: int):
        """vectors: float32 [words, width]; a word without a direction (all zeros) is nobody's neighbour."""
        lengths = np.linalg.norm(vectors, axis=1)
        kept = np.flatnonzero(lengths > 0)
        self._words = [words[row] for row in kept]
        self._table = np.ascontiguousarray(vectors[kept], np.float32)
        self._table /= lengths[kept, None]
        self._row_of: dict[str, int] = {}
        for row, word in enumerate(self._words):
            self._row_of.setdefault(word, row)
        self._count = count
        self._nearest: dict[int, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._words)

    def prepare(self, words: Iterable[Word]) -> None:
        rows = {row for word in words if (row := self._row(word)) is not None}
        if len(self._nearest) + len(rows) > _CACHED_WORDS:
            self._nearest.clear()
        new = sorted(rows - self._nearest.keys())
        for start in range(0, len(new), _WORDS_AT_ONCE):
            self._compute(np.array(new[start : start + _WORDS_AT_ONCE]))

    def candidates(self, text: str, words: Sequence[Word]) -> list[tuple[str, ...]]:
        """For each of the words its nearest ones, the nearest first; none for a word that the table does not hold."""
        self.prepare(words)
        rows = [self._row(word) for word in words]
        return [() if row is None else self._nearest[row] for row in rows]

    def _row(self, word: Word) -> int | None:
        return next((self._row_of[key] for key in word.keys if key in self._row_of), None)

    def _compute(self, rows: np.ndarray) -> None:
        # A product of matrices rounds as its size has it: words asked for together would get other neighbours than
        # alone. It only finds which words are near enough; their order is found for each word by itself.
        scores = self._table[rows] @ self._table.T
        wanted = min(len(self._words), self._count + _SPARE)
        bounds = np.partition(scores, len(self._words) - wanted, axis=1)[:, len(self._words) - wanted]
        for row, of_row, bound in zip(rows, scores, bounds, strict=True):
            near = np.flatnonzero(of_row >= bound - _ROUNDING)
            exact = (self._table[near].astype(np.float64) * self._table[row]).sum(axis=1)
            order = near[np.lexsort((near, -exact))]
            others = (self._words[other] for other in order)
            distinct = dict.fromkeys(word for word in others if may_replace(word, self._words[row]))
            self._nearest[int(row)] = tuple(distinct)[: self._count]
