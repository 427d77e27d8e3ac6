"""Which pieces stay, and what that guarantees for every text."""

import numpy as np
import pytest
from hypothesis import given

from edgebert.compression.vocabulary.choosing import Choice, choose, kept_pieces
from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from edgebert.errors import TokenizerError
from tests.compression.vocabulary.vocabularies import drawn_cases
from tests.data.house_form import assert_house_form
from tests.data.wordpiece_reference import encodable, reference_tokenizer
from tests.data.wordpiece_strategies import DRAWN

LETTERS = [form + letter for letter in "abcdef" for form in ("", "##")]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PIECES = [*SPECIAL, "[unused1]", *LETTERS, "dead", "fade", "bead", "##ed", "##ad", "cafe", "!"]
TOKENIZER = WordPiece(PIECES)


def counts_of(tokenizer: WordPiece, ids: list[int]) -> np.ndarray:
    return np.bincount(np.array(ids, np.int64), minlength=len(tokenizer.vocabulary))


def trimmed(tokenizer: WordPiece, ids: list[int], choice: Choice) -> tuple[WordPiece, list[str]]:
    kept = kept_pieces(tokenizer.vocabulary, choose(tokenizer, counts_of(tokenizer, ids), choice).ids)
    return WordPiece(kept, tokenizer.settings), list(kept)


def cut(tokenizer: WordPiece, text: str) -> list[str]:
    """By the reference, so that ours is not held to itself."""
    reference = reference_tokenizer(tokenizer.vocabulary, tokenizer.settings)
    return reference.encode(encodable(text), add_special_tokens=False).tokens


@DRAWN
@given(drawn_cases())
def test_no_text_has_more_or_fewer_unknown_words(case) -> None:
    before, texts, ids = case
    after, _ = trimmed(before, ids, Choice())
    for text in texts:
        assert cut(after, text).count("[UNK]") == cut(before, text).count("[UNK]")


@DRAWN
@given(drawn_cases())
def test_what_is_spelled_is_spelled_the_same(case) -> None:
    before, texts, ids = case
    after, _ = trimmed(before, ids, Choice())
    for text in texts:
        spelled = ["".join(piece.removeprefix("##") for piece in cut(one, text)) for one in (before, after)]
        assert spelled[0] == spelled[1]


@DRAWN
@given(drawn_cases())
def test_a_text_of_kept_pieces_is_cut_as_before_and_its_ids_map_one_to_one(case) -> None:
    before, texts, ids = case
    kept_ids = choose(before, counts_of(before, ids), Choice()).ids
    after = WordPiece(kept_pieces(before.vocabulary, kept_ids), before.settings)
    for text in texts:
        first, second = (one.encode(text, text, length=1000).input_ids for one in (before, after))
        if set(first) <= set(kept_ids):
            assert [kept_ids[number] for number in second] == list(first)


@DRAWN
@given(drawn_cases(complete=False))
def test_what_holds_a_character_of_its_own_stays_whatever_the_vocabulary(case) -> None:
    before, _, ids = case
    kept = choose(before, counts_of(before, ids), Choice())
    pieces = set(kept_pieces(before.vocabulary, kept.ids))
    written = {character for piece in pieces for character in piece.removeprefix("##")}
    for piece in before.vocabulary:
        assert set(piece.removeprefix("##")) <= written or piece.startswith("[")
    assert kept.ids == tuple(sorted(set(kept.ids)))
    assert len(kept.ids) == kept.special + kept.characters + kept.held + kept.corpus + kept.further


def test_marks_out_of_order_are_held() -> None:
    """A stripped mark (U+FE0F) stood between: without it the two would be put in order, and are not."""
    word = "x\u302e\u1b44"
    tokenizer = WordPiece([*SPECIAL, "[unused1]", word])
    assert tokenizer.tokenize("x\u302e\ufe0f\u1b44") == [word]
    kept = choose(tokenizer, counts_of(tokenizer, []), Choice())
    assert kept_pieces(tokenizer.vocabulary, kept.ids) == (*SPECIAL, word)


def test_what_stays_and_why() -> None:
    counts = counts_of(TOKENIZER, [PIECES.index("dead")] * 3 + [PIECES.index("##ed")])
    kept = choose(TOKENIZER, counts, Choice())
    assert kept_pieces(PIECES, kept.ids) == (*SPECIAL, *LETTERS, "dead", "##ed", "!")
    assert (kept.special, kept.characters, kept.held, kept.corpus, kept.further) == (5, 13, 0, 2, 0)
    assert kept.is_complete
    often = choose(TOKENIZER, counts, Choice(minimum_count=2))
    assert kept_pieces(PIECES, often.ids) == (*SPECIAL, *LETTERS, "dead", "!")


def test_of_too_many_the_most_frequent_and_of_too_few_the_vocabularys_first() -> None:
    counts = counts_of(TOKENIZER, [PIECES.index("cafe")] * 3 + [PIECES.index("fade")] * 2 + [PIECES.index("bead")])
    few = choose(TOKENIZER, counts, Choice(keep_pieces=20))
    assert kept_pieces(PIECES, few.ids) == (*SPECIAL, *LETTERS, "fade", "cafe", "!")
    # No text is ever cut into [unused1], though it comes first.
    more = choose(TOKENIZER, counts, Choice(keep_pieces=22))
    assert kept_pieces(PIECES, more.ids) == (*SPECIAL, *LETTERS, "dead", "fade", "bead", "cafe", "!")
    assert (more.corpus, more.further) == (3, 1)


def test_capital_pieces_of_an_uncased_vocabulary_are_not_taken_as_others() -> None:
    pieces = [*SPECIAL, "a", "##a", "A", "##A", "AA", "aa", "aaa"]
    kept = choose(WordPiece(pieces), np.zeros(len(pieces), np.int64), Choice(keep_pieces=10))
    assert kept_pieces(pieces, kept.ids) == (*SPECIAL, "a", "##a", "A", "##A", "aa")
    cased = WordPiece(pieces, TokenizerSettings(lowercase=False))
    kept = choose(cased, np.zeros(len(pieces), np.int64), Choice(keep_pieces=10))
    assert kept_pieces(pieces, kept.ids) == (*SPECIAL, "a", "##a", "A", "##A", "AA")


def test_a_vocabulary_that_is_not_complete_is_told() -> None:
    """`q` only stands in `##aq`. Without `dea` the cut before it is lost, and the word with it."""
    pieces = [*SPECIAL, *LETTERS, "dea", "##daq"]
    before = WordPiece(pieces)
    kept = choose(before, np.zeros(len(pieces), np.int64), Choice())
    assert "##daq" in kept_pieces(pieces, kept.ids) and kept.held == 1 and not kept.is_complete
    assert choose(TOKENIZER, counts_of(TOKENIZER, []), Choice()).is_complete


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (17, "expected at least 18 of 25, as special tokens and single characters must stay, got 17"),
        (25, "expected fewer than the vocabulary's 25, got 25"),
        (0, "expected 1 or more, got 0"),
    ],
)
def test_numbers_that_cannot_be_kept_are_refused(keep: int, says: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        choose(TOKENIZER, counts_of(TOKENIZER, []), Choice(keep_pieces=keep))
    assert_house_form(str(caught.value))
    assert says in str(caught.value)


def test_the_least_that_must_stay_can_be_kept() -> None:
    assert len(choose(TOKENIZER, counts_of(TOKENIZER, []), Choice(keep_pieces=18)).ids) == 18


def test_a_count_below_one_is_refused() -> None:
    with pytest.raises(TokenizerError, match="--minimum-count: expected 1 or more, got 0"):
        Choice(minimum_count=0)


def test_chinese_characters_and_accents_stay_reachable() -> None:
    pieces = [*SPECIAL, "中", "##中", "文", "##文", "e", "##e", "é", "##é", "éé", "ee"]
    for settings in (TokenizerSettings(), TokenizerSettings(lowercase=False), TokenizerSettings(split_cjk=False)):
        before = WordPiece(pieces, settings)
        after, _ = trimmed(before, [], Choice())
        assert len(after.vocabulary) == len(pieces) - 2
        for text in ("中文 é ee", "中e", "ÉE", "éé文"):
            assert cut(after, text).count("[UNK]") == cut(before, text).count("[UNK]")
