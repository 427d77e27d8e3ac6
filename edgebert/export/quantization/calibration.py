"""The texts that activation ranges are taken from: real ones, as the token ids that the model will be given.

A set that is empty, or that no tokenizer made from text, would give ranges that fit nothing; both are refused.
"""

import hashlib
import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.data.batches import INPUT_NAMES, pad
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError

# Fewer miss channels that are loud on some words only: with 16 texts MiniLM's static answers are a third farther from
# float32's than with 256, and a student's full-int8 ones five times as far (benchmarks/choices). What lies between is
# made, and remarked on.
FEWEST_TEXTS, ENOUGH_TEXTS = 8, 64
# Texts of a language that the vocabulary knows have next to none; those of one that it does not, mostly these.
LARGEST_UNKNOWN_SHARE = 0.1
# English has 1.2 pieces a word under BERT's vocabulary, German under the English one 2.3, random letters above 4.
MOST_PIECES_PER_WORD = 3.0
# Of that many pieces drawn at random, how many differ: 0.99 of what chance gives; of ordinary texts of all kinds 0.3 to
# 0.7, since words come back. Too few pieces, or a small vocabulary, tell nothing.
FEWEST_PIECES_TO_COME_BACK, LARGEST_DISTINCT_SHARE = 250, 0.9
# Dumped ids are numbers; of questions, reviews and commands one piece of nine or fewer has no letter.
LARGEST_LETTERLESS_SHARE = 0.5
# A vocabulary's placeholders, which a text of them is cut through: each is no piece but five.
_PLACEHOLDER = re.compile(r"\[unused\d+\]")
# Truncation in the middle of a word keeps its first pieces, so real text always comes back; some slack for pairs.
LARGEST_CHANGED_SHARE = 0.02


@dataclass(frozen=True)
class CalibrationSet:
    """Encoded texts with where they are from: `sha256` is of the whole source, `texts` of `available` were taken."""

    encoded: tuple[Encoded, ...]
    source: str
    sha256: str
    available: int

    def inputs(self, length: int | None) -> list[dict[str, np.ndarray]]:
        """One batch of one a text: as long as it is, or padded as a graph of a fixed length is fed."""
        return [
            pad([each], length) if length else {name: np.array([getattr(each, name)], np.int32) for name in INPUT_NAMES}
            for each in self.encoded
        ]

    def provenance(self) -> dict[str, Any]:
        """What goes into the file. The ids have a hash of their own: they depend on the vocabulary and the length."""
        ids = hashlib.sha256()
        for each in self.encoded:
            ids.update(np.array([*each.input_ids, -1], "<i4").tobytes())
        return {
            # Its last part alone: where it lay is nobody's business but who made the file.
            "source": Path(self.source).name,
            "sha256": self.sha256,
            "available": self.available,
            "texts": len(self.encoded),
            "token_ids_sha256": ids.hexdigest(),
        }


def calibration_set(
    texts: Sequence[tuple[str, str | None]], tokenizer: WordPiece, length: int, source: str, sha256: str, available: int
) -> CalibrationSet:
    """Texts or pairs, each cut to `length` tokens."""
    for number, text in enumerate(texts, 1):
        if odd := _PLACEHOLDER.search(" ".join(filter(None, text))):
            raise _random_looking(source, f"'{odd[0]}' within text {number}")
    encoded = tuple(tokenizer.encode(*text, length=length) for text in texts)
    check_calibration(encoded, tokenizer, source)
    return CalibrationSet(encoded, source, sha256, available)


def check_calibration(encoded: Sequence[Encoded], tokenizer: WordPiece, source: str) -> None:
    """Refuse ids that do not come from text."""
    distinct = len({tuple(one.input_ids) for one in encoded})
    if distinct < FEWEST_TEXTS:
        got = f"{distinct}" if distinct == len(encoded) else f"{len(encoded)}, of which {distinct} differ"
        raise DataError(
            f"{source}: expected at least {FEWEST_TEXTS} texts to calibrate with, got {got}. "
            "Do: give some hundred texts like those that the model will see."
        )
    pieces = tokenizer.vocabulary
    unknown, classify, separate, _ = tokenizer.settings.required_tokens
    never = {*tokenizer.settings.special_tokens, classify} - {unknown, separate}
    words, strange, changed = 0, 0, 0
    read: list[str] = []
    for number, one in enumerate(encoded, 1):
        found = _pieces_of(one, pieces, source, number)
        if not (found[0] == classify and found[-1] == separate):
            raise _random_looking(source, f"text {number} that begins with {found[0]!r} and ends with {found[-1]!r}")
        inner = [piece for piece in found[1:-1] if piece != separate]
        if odd := next((piece for piece in inner if piece in never or _is_reserved(piece, unknown)), None):
            raise _random_looking(source, f"{odd!r} within text {number}")
        strange += inner.count(unknown)
        read += inner
        words += sum(not piece.startswith(tokenizer.settings.continuation_prefix) for piece in inner)
        changed += not _comes_back(inner, tokenizer, unknown)
    if changed > LARGEST_CHANGED_SHARE * len(encoded):
        raise _random_looking(source, f"{changed} of {len(encoded)} that read as text give other ids")
    if strange > LARGEST_UNKNOWN_SHARE * len(read):
        raise DataError(
            f"{source}: expected texts that the vocabulary knows, got {unknown} for {strange / len(read):.0%} of their "
            "pieces. Do: calibrate with the model's own language."
        )
    letterless = sum(not any(map(str.isalpha, piece)) for piece in read)
    if letterless > LARGEST_LETTERLESS_SHARE * len(read):
        raise DataError(
            f"{source}: expected words, got {letterless / len(read):.0%} of the pieces without a letter. "
            "Do: calibrate with texts like those that the model will see, not with numbers."
        )
    if len(read) > MOST_PIECES_PER_WORD * words:
        raise DataError(
            f"{source}: expected words, got {len(read) / max(words, 1):.1f} pieces a word. "
            "Do: calibrate with ordinary text in the model's own language."
        )
    # Of longer sets a part, since chance repeats itself too.
    drawn = read[: len(pieces) // 4]
    if len(drawn) >= FEWEST_PIECES_TO_COME_BACK:
        by_chance = len(pieces) * (1 - math.exp(-len(drawn) / len(pieces)))
        if len(set(drawn)) > LARGEST_DISTINCT_SHARE * by_chance:
            raise _random_looking(source, f"{len(set(drawn)):,} different ones among {len(drawn):,}, as chance gives")


def _pieces_of(one: Encoded, pieces: Sequence[str], source: str, number: int) -> list[str]:
    ids = [token for token, is_text in zip(one.input_ids, one.input_mask, strict=True) if is_text]
    if len(ids) < 2 or not 0 <= min(ids) <= max(ids) < len(pieces):
        raise _random_looking(source, f"the ids {ids[:4]} ... in text {number}")
    return [pieces[token] for token in ids]


def _is_reserved(piece: str, unknown: str) -> bool:
    """Whether its brackets keep it from ever being cut out of a text, as [unused5]: they are words of their own."""
    return len(piece) > 2 and piece[0] == "[" and piece[-1] == "]" and piece != unknown


def _comes_back(inner: Sequence[str], tokenizer: WordPiece, unknown: str) -> bool:
    """Whether these pieces, read as text, are cut into themselves. What an unknown word was is lost: what stands around
    it is judged."""
    prefix = tokenizer.settings.continuation_prefix
    known = [list(run) for is_known, run in itertools.groupby(inner, lambda piece: piece != unknown) if is_known]
    texts = (
        "".join(piece.removeprefix(prefix) if piece.startswith(prefix) else f" {piece}" for piece in run)
        for run in known
    )
    return all(tokenizer.tokenize(text) == run for text, run in zip(texts, known, strict=True))


def _random_looking(source: str, got: str) -> DataError:
    return DataError(
        f"{source}: expected token ids made from text, got {got}. "
        "Do: calibrate with real texts, tokenised by the model's own vocabulary."
    )
