"""Documents to sequences of bounded length: short lines together, long ones in parts."""

import sys
from collections.abc import Iterable, Iterator, Sequence

from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError

# [CLS] and [SEP] around every window, and something between them.
LEAST_LENGTH = 3
# What corpora write for a word that was too rare for them.
RARE_WORD = "<unk>"

# Each a document's lines.
Documents = Iterable[Iterable[str]]


class Windows:
    """Documents to sequences: lines are packed while they fit, a line that never would is cut."""

    def __init__(self, tokenizer: WordPiece, length: int):
        if length < LEAST_LENGTH:
            raise DataError(f"length: expected {LEAST_LENGTH} tokens or more, got {length}. Do: raise it.")
        self._tokenizer, self._room = tokenizer, length - 2
        settings = tokenizer.settings
        names = (settings.classify_token, settings.separate_token, settings.unknown_token)
        self._classify, self._separate, self._unknown = map(tokenizer.vocabulary.index, names)
        # Shared by all sequences of one length: two thirds of the memory.
        self._same: dict[tuple[int, int], tuple[int, ...]] = {}

    def of_documents(self, documents: Documents) -> Iterator[Encoded]:
        for lines in documents:
            window: list[int] = []
            for line in lines:
                ids = self._ids(line)
                if len(window) + len(ids) > self._room:
                    if window:
                        yield self._encoded(window)
                    whole = len(ids) // self._room * self._room
                    for start in range(0, whole, self._room):
                        yield self._encoded(ids[start : start + self._room])
                    window = ids[whole:]
                else:
                    window = window + ids
            if window:
                yield self._encoded(window)

    def _ids(self, line: str) -> list[int]:
        ids: list[int] = []
        for number, part in enumerate(line.split(RARE_WORD)):
            if number:
                ids.append(self._unknown)
            ids += self._tokenizer.encode(part, length=sys.maxsize).input_ids[1:-1]
        return ids

    def _encoded(self, window: Sequence[int]) -> Encoded:
        tokens = len(window) + 2
        return Encoded((self._classify, *window, self._separate), self._repeated(1, tokens), self._repeated(0, tokens))

    def _repeated(self, value: int, tokens: int) -> tuple[int, ...]:
        return self._same.setdefault((value, tokens), (value,) * tokens)
