"""Neighbours against brute force, whatever is asked for together."""

import numpy as np
import pytest

from edgebert.augment import nearest_words
from edgebert.augment.nearest_words import NearestWords
from edgebert.augment.words import Word

NAMES = [f"{chr(97 + number // 26)}{chr(97 + number % 26)}q" for number in range(300)]


def word(spelling: str) -> Word:
    return Word(0, len(spelling), spelling, spelling.lower(), (spelling,), 0)


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(3).normal(0.3, 1, [300, 24]).astype(np.float32)


def test_as_brute_force_in_float64(vectors, monkeypatch):
    monkeypatch.setattr(nearest_words, "_WORDS_AT_ONCE", 7)
    table = NearestWords(NAMES, vectors, 15)
    wide = vectors.astype(np.float64)
    for row, found in enumerate(table.candidates("", [word(name) for name in NAMES])):
        cosines = [wide[row] @ other / np.linalg.norm(wide[row]) / np.linalg.norm(other) for other in wide]
        order = sorted((-cosine, other) for other, cosine in enumerate(cosines) if other != row)
        assert list(found) == [NAMES[other] for _, other in order[:15]]


def test_the_same_alone_and_together(vectors):
    # Near copies make ties that rounding would decide.
    vectors[100:200] = vectors[0] * np.linspace(0.5, 2, 100, dtype=np.float32)[:, None]
    together = NearestWords(NAMES, vectors, 15).candidates("", [word(name) for name in NAMES])
    alone = NearestWords(NAMES, vectors, 15)
    for name, expected in list(zip(NAMES, together, strict=True))[::-7]:
        assert alone.candidates("", [word(name)]) == [expected]


def test_the_cache_gives_way(vectors, monkeypatch):
    monkeypatch.setattr(nearest_words, "_CACHED_WORDS", 10)
    bounded, free = NearestWords(NAMES, vectors, 5), NearestWords(NAMES, vectors, 5)
    expected = free.candidates("", [word(name) for name in NAMES[:30]])
    assert [bounded.candidates("", [word(name)])[0] for name in NAMES[:30]] == expected
    assert len(bounded._nearest) <= 10


def test_itself_in_other_cases_zeros_and_other_scripts_are_left_out():
    names = ["play", "Play", "PLAY", "games", "nothing", "играть", "song"]
    vectors = np.array([[1, 0], [1, 0], [1, 0.01], [1, 0.1], [0, 0], [1, 0.04], [0, 1]], np.float32)
    table = NearestWords(names, vectors, 15)
    assert len(table) == 6
    assert table.candidates("", [word("Play"), word("nothing"), word("unheard")]) == [("games", "song"), (), ()]
    assert table.candidates("", [word("играть")]) == [("PLAY", "play", "Play", "games", "song")]
