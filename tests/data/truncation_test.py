"""Truncation against `tokenizers` for every combination of short lengths, and the rules of the two it does not have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.truncation import TRUNCATIONS, truncate
from edgebert.data.wordpiece import TokenizerSettings
from tests.data.wordpiece_reference import reference_tokenizer
from tests.data.wordpiece_strategies import DRAWN

LETTERS = "abcdefghijklm"
COUNTS = st.integers(0, 60)


def test_longest_first_is_the_reference_s() -> None:
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *LETTERS, *LETTERS.upper()]
    reference = reference_tokenizer(vocabulary, TokenizerSettings(lowercase=False))
    ids = {piece: number for number, piece in enumerate(vocabulary)}
    for room in range(12):
        reference.enable_truncation(room + 3, strategy="longest_first")
        for first in range(len(LETTERS)):
            for second in range(len(LETTERS)):
                texts = list(LETTERS[:first]), list(LETTERS.upper()[:second])
                expected = reference.encode(" ".join(texts[0]), " ".join(texts[1])).ids
                kept = truncate(*texts, room, "longest_first")
                ours = ["[CLS]", *kept[0], "[SEP]", *kept[1], "[SEP]"]
                assert [ids[piece] for piece in ours] == expected, (room, first, second)


@DRAWN
@given(COUNTS, COUNTS, COUNTS, st.sampled_from(TRUNCATIONS))
def test_no_room_is_wasted_and_order_is_kept(first: int, second: int, room: int, truncation: str) -> None:
    texts = list(range(first)), list(range(100, 100 + second))
    kept = truncate(*texts, room, truncation)
    assert len(kept[0]) + len(kept[1]) == min(room, first + second)
    for text, part in zip(texts, kept, strict=True):
        assert list(part) == sorted(set(part) & set(text))


@DRAWN
@given(COUNTS, COUNTS, COUNTS)
def test_head_keeps_the_first_tokens_of_both_in_a_row(first: int, second: int, room: int) -> None:
    texts = list(range(first)), list(range(100, 100 + second))
    kept = truncate(*texts, room, "head")
    assert [*kept[0], *kept[1]] == [*texts[0], *texts[1]][:room]


@DRAWN
@given(COUNTS, COUNTS, COUNTS)
def test_head_tail_shares_as_longest_first_does(first: int, second: int, room: int) -> None:
    texts = list(range(first)), list(range(100, 100 + second))
    shared, cut = truncate(*texts, room, "longest_first"), truncate(*texts, room, "head_tail")
    assert [len(part) for part in shared] == [len(part) for part in cut]


def test_head_tail_is_128_and_382_of_510() -> None:
    kept, none = truncate(range(2000), (), 510, "head_tail")
    assert list(kept) == [*range(128), *range(2000 - 382, 2000)]
    assert list(none) == []


@pytest.mark.parametrize(("room", "kept"), [(0, []), (1, [0]), (2, [0, 9]), (4, [0, 1, 8, 9]), (5, [0, 1, 7, 8, 9])])
def test_head_tail_in_little_room(room: int, kept: list[int]) -> None:
    assert list(truncate(range(10), (), room, "head_tail")[0]) == kept


def test_unknown_truncation() -> None:
    with pytest.raises(ValueError, match=r"truncation: expected one of .*, got 'longest'\. Do: "):
        truncate([1], [2], 1, "longest")
