"""Draws: different, bounded by p, with the text around them as it was."""

import pytest

from edgebert.augment.drawing import Choice, cased_like, draw_examples
from edgebert.augment.words import Word
from edgebert.data.examples import Example

TEXT = "Play  the SONG, again!"


def choice(text: str, spelling: str, *candidates: str) -> Choice:
    start = text.index(spelling)
    return Choice(Word(start, start + len(spelling), spelling, spelling.lower(), (spelling,), 0), candidates)


def many(text: str) -> list[Choice]:
    """Every word of a text, each with fifteen candidates of its own."""
    return [choice(text, word, *(f"{word}{chr(97 + letter)}" for letter in range(15))) for word in text.split()]


def draw(example: Example, *choices, count=20, probability=0.4, seed=0) -> list[Example]:
    return draw_examples(example, choices, count=count, probability=probability, seed=seed)


def test_only_the_words_change_and_the_label_stays():
    choices = [choice(TEXT, "Play", "sing", "run"), choice(TEXT, "SONG", "film")]
    made = draw(Example(TEXT, None, "music"), choices)
    # Three times two readings, less the text itself: all of them are found.
    expected = {f"{first}  the {second}, again!" for first in ("Play", "Sing", "Run") for second in ("SONG", "FILM")}
    assert {example.text for example in made} == expected - {TEXT}
    assert len(made) == 5
    assert {(example.second_text, example.label) for example in made} == {(None, "music")}


def test_as_many_as_wanted_all_different_and_none_the_text():
    text = "one two three four five six"
    for probability in (0.05, 0.4, 1.0):
        made = draw(Example(text), many(text), count=30, probability=probability)
        assert len(made) == len(set(made)) <= 30
        assert Example(text) not in made
        assert probability < 0.4 or len(made) == 30


def test_words_are_replaced_with_the_given_probability():
    text = " ".join(f"w{chr(97 + number)}z" for number in range(26))
    made = draw(Example(text), many(text), count=400)
    replaced = sum(
        ours != theirs for example in made for ours, theirs in zip(text.split(), example.text.split(), strict=True)
    )
    # 10,400 draws: 0.4 within four standard deviations.
    assert replaced / (400 * 26) == pytest.approx(0.4, abs=0.02)


def test_candidates_are_equally_likely():
    text = "word"
    counts = dict.fromkeys("abcdefghijklmno", 0)
    for seed in range(1500):
        counts[draw(Example(text), many(text), count=1, probability=1.0, seed=seed)[0].text[-1]] += 1
    assert min(counts.values()) > 60 and max(counts.values()) < 140


def test_both_sides_of_a_pair_change_on_their_own():
    first, second = "one two", "three four"
    made = draw(Example(first, second, 1.5), many(first), many(second), count=200)
    assert len({(example.text, example.second_text) for example in made}) == 200
    changed = [(example.text != first, example.second_text != second) for example in made]
    assert {(True, True), (True, False), (False, True)} == set(changed)
    assert {example.label for example in made} == {1.5}


def test_the_seed_and_the_example_decide():
    text = "one two three"
    once = draw(Example(text), many(text))
    assert draw(Example(text), many(text)) == once
    assert draw(Example(text), many(text), seed=1) != once
    pair = draw(Example(text, "x"), many(text), [])
    assert [example.text for example in pair] != [example.text for example in once]


def test_nothing_to_replace():
    assert draw(Example("the"), []) == []
    assert draw(Example(TEXT), [choice(TEXT, "Play")]) == []


def test_case():
    assert [cased_like("film", like) for like in ("song", "Song", "SONG", "S")] == ["film", "Film", "FILM", "Film"]
    assert cased_like("McCartney", "John") == "McCartney" and cased_like("Paris", "town") == "Paris"
