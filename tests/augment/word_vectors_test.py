"""GloVe's format, read and refused."""

import gzip

import numpy as np
import pytest

from edgebert.augment import word_vectors
from edgebert.augment.word_vectors import nearest_by_vectors, read_word_vectors, vectors_sha256
from edgebert.augment.words import WordFinder
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

GOOD = "the 0.5 -1 2e-1\n. . . 1 2 3\nplay 4 5 6\n\ncafé 7 8 9\n"
FINDER = WordFinder(WordPiece(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "b"]))


def test_words_and_their_numbers(tmp_path):
    path = tmp_path / "glove.txt"
    path.write_text(GOOD, encoding="utf-8")
    words, vectors = read_word_vectors(path)
    assert words == ["the", ". . .", "play", "café"]
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, np.float32([[0.5, -1, 0.2], [1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    assert len(nearest_by_vectors(path, FINDER, 3)) == 3


def test_packed_and_with_the_counts_of_word2vec(tmp_path):
    path = tmp_path / "vectors.gz"
    path.write_bytes(gzip.compress(f"4 3\n{GOOD}".encode()))
    assert read_word_vectors(path)[0] == ["the", ". . .", "play", "café"]


def test_the_first_words_only(tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "MOST_WORDS", 2)
    path = tmp_path / "glove.txt"
    path.write_text("a 1 2\nb 3 4\nbroken\n")
    assert read_word_vectors(path)[0] == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "place", "got"),
    [
        (b"", "", "got no line"),
        (b"\n\n", "", "got no line"),
        (b"4 3\n", "", "got no line"),
        (b"the 1 2 3\nplay 1 2\n", ":2", "got 2 fields after 'play 1 2'"),
        (b"the 1 2 3\nplay 1 2 3 4\n", ":2", "got 4 fields after"),
        (b"the 1 2 3\n\nplay 1 two 3\n", ":3", "3 finite numbers"),
        (b"the 1 2 3\nplay 1 nan 3\n", ":2", "3 finite numbers"),
        (b"the 1 2 3\nplay 1 1e60 3\n", ":2", "3 finite numbers"),
        (b"the one two\n", ":1", "2 finite numbers"),
        (b"the\nplay\n", ":1", "two finite numbers or more"),
        (b"the,1,2,3\n", ":1", "two finite numbers or more"),
        (b"the 1 2\n\xff\xfe 1 2\n", ":2", "got the byte 0xff"),
        (b"3 1 2\n% 3 4\n", "", "got none among 2 lines"),
    ],
)
def test_refused_with_the_place(tmp_path, content, place, got):
    path = tmp_path / "glove.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        nearest_by_vectors(path, FINDER, 3)
    assert_house_form(str(caught.value))
    assert str(caught.value).startswith(f"{path}{place}: ") and got in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    broken = tmp_path / "vectors.gz"
    broken.write_bytes(gzip.compress(GOOD.encode())[:-12])
    for act in (read_word_vectors, vectors_sha256):
        with pytest.raises(DataError, match="expected a file that can be read, got 'No such file") as caught:
            act(tmp_path / "none")
        assert_house_form(str(caught.value))
    with pytest.raises(DataError, match="expected a file that can be read"):
        read_word_vectors(broken)
