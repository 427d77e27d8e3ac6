"""What is no text is refused as calibration, and what is used can be told from the file."""

import dataclasses
import itertools

import numpy as np
import pytest

from edgebert.benchmark.texts import read_texts
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError
from edgebert.export.quantization.calibration import calibration_set, check_calibration
from tests.data.house_form import assert_house_form
from tests.export.quantization.cases import VOCABULARY, calibration, sentences, tokenizer


def encoded(ids) -> Encoded:
    return Encoded(tuple(int(each) for each in ids), (1,) * len(ids), (0,) * len(ids))


def random_ids(count: int, vocabulary_size: int, seed: int) -> list[Encoded]:
    """As the quantisers' own examples make them."""
    random = np.random.default_rng(seed)
    return [encoded(random.integers(0, vocabulary_size, 12)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(20))
def test_random_ids_are_refused(seed: int) -> None:
    with pytest.raises(DataError, match=r"expected token ids made from text, got .* Do: calibrate with real texts"):
        check_calibration(random_ids(16, len(VOCABULARY), seed), tokenizer(), "ids")


@pytest.mark.parametrize("seed", range(20))
def test_random_ids_between_the_special_tokens_are_refused(seed: int, minilm_folder) -> None:
    """The better disguise: only what lies between [CLS] and [SEP] is random, of BERT's own vocabulary."""
    published = WordPiece.from_folder(minilm_folder)
    random = np.random.default_rng(seed)
    sets = [encoded([101, *random.integers(999, 30522, 14), 102]) for _ in range(16)]
    with pytest.raises(DataError, match=r"got .* that read as text give other ids"):
        check_calibration(sets, published, "ids")


@pytest.mark.parametrize("seed", range(5))
def test_an_unknown_word_hides_no_random_ids(seed: int, minilm_folder) -> None:
    random, unknown = np.random.default_rng(seed), 100
    sets = [encoded([101, *random.integers(999, 30522, 13), unknown, 102]) for _ in range(64)]
    with pytest.raises(DataError, match=r"got .* that read as text give other ids"):
        check_calibration(sets, WordPiece.from_folder(minilm_folder), "ids")


@pytest.mark.parametrize("seed", range(5))
def test_words_that_chance_chose_are_refused(seed: int, minilm_folder) -> None:
    """Each reads as itself; that hardly one comes back is what tells them from text."""
    published = WordPiece.from_folder(minilm_folder)
    words = [number for number, piece in enumerate(published.vocabulary) if number > 1995 and piece.isalpha()]
    random = np.random.default_rng(seed)
    sets = [encoded([101, *random.choice(words, 13), 102]) for _ in range(64)]
    with pytest.raises(DataError, match=r"got \d+ different ones among 832, as chance gives"):
        check_calibration(sets, published, "ids")


def test_ordinary_questions_come_back_to_their_words(minilm_folder) -> None:
    for count in (32, 256):
        texts = read_texts("snips", count, split="train").texts
        calibration_set(texts, WordPiece.from_folder(minilm_folder), 64, "snips", "", count)


def test_texts_that_are_all_alike_or_empty_are_too_few() -> None:
    for text in (sentences(1)[0], ""):
        with pytest.raises(DataError, match="expected at least 8 texts to calibrate with, got 64, of which 1 differ"):
            calibration_set([(text, None)] * 64, tokenizer(), 48, "alike.txt", "", 64)


def test_a_reserved_piece_is_no_word(minilm_folder) -> None:
    published = WordPiece.from_folder(minilm_folder)
    texts = [published.encode(text, length=64) for text, _ in read_texts("snips", 64, split="train").texts]
    odd = encoded([101, 2129, published.vocabulary.index("[unused5]"), 102])
    with pytest.raises(DataError, match=r"got '\[unused5\]' within text 65"):
        check_calibration([*texts, odd], published, "ids")


def test_ids_that_never_occur_in_text_are_named() -> None:
    ordinary = list(calibration().encoded)
    for piece in ("[MASK]", "[PAD]", "[CLS]"):
        odd = encoded([2, 7, VOCABULARY.index(piece), 8, 3])
        with pytest.raises(DataError, match=rf"'\{piece[:-1]}\]' within text 17"):
            check_calibration([*ordinary, odd], tokenizer(), "ids")
    with pytest.raises(DataError, match=r"the ids \[2, 999, 3\] ... in text 17"):
        check_calibration([*ordinary, encoded([2, 999, 3])], tokenizer(), "ids")


def test_padding_is_not_text() -> None:
    """Encodings that somebody padded: what the mask leaves out is not looked at."""
    padded = [
        Encoded((*one.input_ids, 0, 0), (*one.input_mask, 0, 0), (*one.segment_ids, 0, 0))
        for one in calibration().encoded
    ]
    check_calibration(padded, tokenizer(), "padded")


@pytest.mark.parametrize("count", [0, 7])
def test_too_few_texts_are_refused(count: int) -> None:
    with pytest.raises(DataError, match=rf"expected at least 8 texts to calibrate with, got {count}\."):
        calibration_set([(text, None) for text in sentences(count)], tokenizer(), 48, "few.txt", "", count)


def test_a_language_that_the_vocabulary_does_not_know_is_refused() -> None:
    words = ["зачем", "film", "и", "the", "музыка"]
    texts = [(" ".join(order), None) for order in list(itertools.permutations(words))[::13]]
    with pytest.raises(DataError, match=r"few.txt: expected texts that the vocabulary knows, got \[UNK\] for 60%"):
        calibration_set(texts, tokenizer(), 48, "few.txt", "", len(texts))


def test_dumped_ids_are_no_words(minilm_folder) -> None:
    random = np.random.default_rng(0)
    texts = [(" ".join(map(str, random.integers(0, 30522, 12))), None) for _ in range(200)]
    with pytest.raises(DataError, match=r"dumped: expected words, got 100% of the pieces without a letter") as caught:
        calibration_set(texts, WordPiece.from_folder(minilm_folder), 64, "dumped", "", 200)
    assert_house_form(str(caught.value))


def test_a_placeholder_written_out_is_named(minilm_folder) -> None:
    texts = [(f"{text} [unused{number}]", None) for number, text in enumerate(sentences(40))]
    with pytest.raises(DataError, match=r"got '\[unused0\]' within text 1"):
        calibration_set(texts, WordPiece.from_folder(minilm_folder), 64, "placeholders", "", 40)


def test_words_in_crumbs_are_refused(minilm_folder) -> None:
    random = np.random.default_rng(0)
    letters = list("bcdfghjklmnpqrstvwxz")
    texts = [(" ".join("".join(random.choice(letters, 9)) for _ in range(8)), None) for _ in range(12)]
    with pytest.raises(DataError, match=r"expected words, got \d\.\d pieces a word"):
        calibration_set(texts, WordPiece.from_folder(minilm_folder), 64, "letters", "", 12)


@pytest.mark.parametrize("length", [4, 7, 128])
def test_real_texts_pass_however_they_are_cut(length: int, minilm_folder) -> None:
    texts = [
        ("Unaffordable headphones, re-boxed: 3.5mm naïve café-style TENNIS-shoes!", None),
        ("Das Übergrößenträgergesetz", "is what a German clerk might read aloud; isn't it?"),
        ("It costs $5.00 (or 4€) at 10 o'clock...", None),
        ("Where is my order?", None),
    ]
    firsts = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "red", "blue"]
    texts = [(f"{first} {text}", second) for first, (text, second) in zip(firsts, texts * 3, strict=True)]
    calibration_set(texts, WordPiece.from_folder(minilm_folder), length, "texts", "", 12)


def test_provenance_tells_two_sets_apart() -> None:
    one = calibration()
    assert one.provenance()["texts"] == 16
    assert one.provenance() == dataclasses.replace(one).provenance()
    other = dataclasses.replace(one, encoded=(*one.encoded[:-1], encoded([2, 5, 3])))
    assert other.provenance()["token_ids_sha256"] != one.provenance()["token_ids_sha256"]
    # Where a text ends counts: the same ids in a row, cut elsewhere, are another set.
    halves = [dataclasses.replace(one, encoded=tuple(map(encoded, parts))) for parts in (([2, 5], [6]), ([2], [5, 6]))]
    assert halves[0].provenance()["token_ids_sha256"] != halves[1].provenance()["token_ids_sha256"]


def test_inputs_are_as_long_as_each_text_or_as_the_graph() -> None:
    lengths = {each["input_ids"].shape for each in calibration().inputs(None)}
    assert len(lengths) > 3
    for each, one in zip(calibration().inputs(48), calibration().encoded, strict=True):
        assert each["input_ids"].shape == (1, 48)
        assert each["input_mask"].sum() == len(one.input_ids)
