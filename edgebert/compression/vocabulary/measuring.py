"""What a smaller vocabulary does to texts that it was not chosen by."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edgebert.compression.vocabulary.counting import HeldOut, count_words
from edgebert.data.wordpiece import WordPiece


@dataclass(frozen=True)
class Effect:
    source: str
    texts: int
    # As they were cut before, a punctuation mark and an unknown word being words.
    words: int
    pieces_before: int
    pieces_after: int
    unknown_before: int
    unknown_after: int
    changed_texts: int

    @property
    def pieces_per_word(self) -> tuple[float, float]:
        """Before and after."""
        words = max(self.words, 1)
        return self.pieces_before / words, self.pieces_after / words

    @property
    def unknown_share(self) -> tuple[float, float]:
        """Of the words, before and after."""
        words = max(self.words, 1)
        return self.unknown_before / words, self.unknown_after / words

    @property
    def changed_share(self) -> float:
        """Texts that are cut otherwise than before."""
        return self.changed_texts / max(self.texts, 1)

    def to_json(self) -> dict[str, Any]:
        shares = ("pieces_per_word", "unknown_share", "changed_share")
        return dataclasses.asdict(self) | {name: getattr(self, name) for name in shares}


def measure_effect(held_out: HeldOut, before: WordPiece, after: WordPiece) -> Effect:
    # Text that was read back from ids spells an unknown word as its token, whatever the settings make of it in text.
    first, second = _with_special_tokens(before), _with_special_tokens(after)
    unknown = before.settings.unknown_token
    words, changed, pieces, unknowns = 0, 0, [0, 0], [0, 0]
    for text in held_out.texts:
        cut = first.tokenize(text), second.tokenize(text)
        words += count_words(cut[0], before)
        changed += cut[0] != cut[1]
        for side, found in enumerate(cut):
            pieces[side] += len(found)
            unknowns[side] += found.count(unknown)
    return Effect(held_out.name, len(held_out.texts), words, *pieces, *unknowns, changed)


def measure_effects(held_out: Iterable[HeldOut], before: WordPiece, after: WordPiece) -> tuple[Effect, ...]:
    return tuple(measure_effect(one, before, after) for one in held_out)


def with_pieces(tokenizer: WordPiece, vocabulary: Sequence[str]) -> WordPiece:
    """The same tokenizer with other pieces."""
    return WordPiece(vocabulary, tokenizer.settings)


def _with_special_tokens(tokenizer: WordPiece) -> WordPiece:
    settings = dataclasses.replace(tokenizer.settings, special_tokens_in_text=True)
    return WordPiece(tokenizer.vocabulary, settings)
