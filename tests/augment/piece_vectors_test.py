"""Words as the mean of their pieces, and what of a corpus and of a vocabulary is a word."""

from collections import Counter

import numpy as np
import pytest

from edgebert.augment import piece_vectors
from edgebert.augment.candidates import Candidates
from edgebert.augment.piece_vectors import count_words, nearest_corpus_words, nearest_pieces
from edgebert.augment.words import WordFinder
from edgebert.data.wordpiece import WordPiece
from edgebert.models.checkpoint import load_checkpoint

TEXTS = ("Planted suns, slower trains and slowest boater", "sunny rainly redly reder boatest", "zebra planted")


@pytest.fixture
def parts(teacher):
    tokenizer = WordPiece.from_folder(teacher)
    return load_checkpoint(teacher), tokenizer, WordFinder(tokenizer)


def test_corpus_words_as_brute_force(parts):
    checkpoint, tokenizer, finder = parts
    table = checkpoint.tensors["encoder.embeddings.word.weight"].astype(np.float64)
    counts = count_words(finder, TEXTS)
    assert counts["planted"] == 2
    # No piece spells a z: as [UNK] it would be near every other such word.
    known = [word for word in counts if word != "zebra"]
    ids = {word: [tokenizer.vocabulary.index(piece) for piece in tokenizer.tokenize(word)] for word in known}
    means = {word: table[ids[word]].mean(axis=0) / np.linalg.norm(table[ids[word]].mean(axis=0)) for word in known}
    source = nearest_corpus_words(checkpoint, tokenizer, counts, 4)
    assert len(source) == len(known)
    for word in finder.find(" ".join(known)):
        near = sorted(
            (other for other in known if other != word.normalized), key=lambda o: -means[o] @ means[word.normalized]
        )
        assert source.candidates("", [word]) == [tuple(near[:4])]


def test_the_most_frequent_and_then_the_alphabet(parts, monkeypatch):
    checkpoint, tokenizer, finder = parts
    monkeypatch.setattr(piece_vectors, "MOST_CORPUS_WORDS", 3)
    for words in (["trains", "suns", "slower", "planted"], ["planted", "slower", "suns", "trains"]):
        source = nearest_corpus_words(checkpoint, tokenizer, Counter([*words, "trains"]), 9)
        held = [word.spelling for word in finder.find(" ".join(words)) if source.candidates("", [word]) != [()]]
        assert sorted(held) == ["planted", "slower", "trains"]


def test_pieces_that_are_words(parts):
    checkpoint, tokenizer, finder = parts
    source = nearest_pieces(checkpoint, tokenizer, finder, 1000)
    (found,) = source.candidates("", finder.find("boat"))
    assert set(found) == {piece for piece in tokenizer.vocabulary if piece.isalpha() and len(piece) > 1} - {"boat"}


def test_a_word_that_no_pieces_spell_is_left_to_word_vectors(teacher, tmp_path):
    vectors = tmp_path / "glove.txt"
    vectors.write_text("zebra 1 0\nhorse 1 0.1\n", encoding="utf-8")
    for given, expected in ((vectors, ("horse",)), (None, ())):
        candidates = Candidates(teacher, 15, "table", given)
        candidates.study(TEXTS)
        ((choice,),) = candidates.choices(["the zebra"])
        assert choice.candidates == expected
