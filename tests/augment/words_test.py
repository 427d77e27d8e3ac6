"""What may be replaced, and where it stands."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.augment.stop_words import STOP_WORDS
from edgebert.augment.words import WordFinder, may_replace
from edgebert.data.wordpiece import TokenizerSettings, WordPiece

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["play", "song", "the", "don", "t", "can", "mask", "caf", "cafe", "3", "d", "Play", "x"]
PIECES = [*SPECIAL, *WORDS, "##ing", "##ful", "##e", "'", ".", "-", "[", "]"]
UNCASED, CASED = (WordPiece(PIECES, TokenizerSettings(lowercase=lowercase)) for lowercase in (True, False))


def spellings(text: str, tokenizer: WordPiece = UNCASED) -> list[str]:
    return [word.spelling for word in WordFinder(tokenizer).find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Play the songs", ["Play", "songs"]),
        ("THE Of don't can't, isn't it", []),
        ("3d 4 x9 p.m. 2nd", []),
        ("[MASK] mask [SEP]play", ["mask", "play"]),
        ("well-known (play)…song", ["well", "known", "play", "song"]),
        ("“song” — ¿play?", ["song", "play"]),
        ("café cafe\u0301", ["café"]),
        ("音楽 song", ["song"]),
        ("what a song\u200bs", ["what"]),
        ("", []),
    ],
)
def test_words_of_letters_that_are_no_stop_words(text, expected):
    assert spellings(text) == expected


def test_normalized_as_the_tokenizer_does():
    word = WordFinder(UNCASED).find("Café")[0]
    assert (word.normalized, word.pieces, word.is_single_piece) == ("cafe", ("cafe",), True)
    assert WordFinder(CASED).find("Play")[0].pieces == ("Play",)
    assert spellings("The THE the play", CASED) == ["play"]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=st.sampled_from("playingthe dont'.-[]MASKé\u0301音3…\t\u200b"), max_size=40))
def test_pieces_stand_where_the_word_says(text):
    for tokenizer in (UNCASED, CASED):
        pieces = tokenizer.tokenize(text)
        end, end_piece = 0, 0
        for word in WordFinder(tokenizer).find(text):
            assert text[word.start : word.end] == word.spelling
            assert tuple(pieces[word.first_piece : word.first_piece + len(word.pieces)]) == word.pieces
            assert word.start >= end and word.first_piece >= end_piece
            assert word.normalized.lower() not in STOP_WORDS
            end, end_piece = word.end, word.first_piece + len(word.pieces)


def test_usable_pieces_are_whole_words_that_are_cut_so():
    usable = WordFinder(UNCASED).usable_pieces(len(PIECES) + 5)
    expected = {"play", "song", "the", "don", "can", "mask", "caf", "cafe"}
    assert {PIECES[row] for row in np.flatnonzero(usable)} == expected
    assert usable.shape == (len(PIECES) + 5,)


def test_what_may_replace_what():
    assert may_replace("song", "play") and may_replace("четыре", "пять") and may_replace("five", "пять")
    assert not may_replace("Play", "play") and not may_replace("四", "four")
