"""Ids and segments against `tokenizers`: golden file, published vocabulary, drawn texts, vocabularies and settings."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from edgebert.data import wordpiece as wordpiece_module
from edgebert.data.vocabulary import read_vocabulary
from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from edgebert.errors import TokenizerError
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form
from tests.data.wordpiece_reference import encodable, reference_tokenizer
from tests.data.wordpiece_strategies import DRAWN, SPECIAL, nasty_texts, small_vocabularies, switches
from tests.data.wordpiece_texts import WRITTEN


def golden_tokenizer(name: str) -> WordPiece:
    described = json.loads((GOLDEN / "wordpiece" / "tokenizers.json").read_bytes())[name]
    settings = TokenizerSettings.from_json(described["settings"])
    return WordPiece(read_vocabulary(GOLDEN / "wordpiece" / described["vocabulary"]), settings)


@pytest.fixture(scope="module")
def minilm(minilm_folder: Path) -> WordPiece:
    return WordPiece.from_folder(minilm_folder)


@pytest.fixture(scope="module")
def minilm_reference(minilm_folder: Path) -> Tokenizer:
    """The checkpoint's own file, read by the library itself."""
    reference = Tokenizer.from_file(str(minilm_folder / "tokenizer.json"))
    reference.no_padding()
    return reference


@pytest.mark.parametrize("name", list(json.loads((GOLDEN / "wordpiece" / "tokenizers.json").read_bytes())))
def test_golden_file(name: str) -> None:
    tokenizer = golden_tokenizer(name)
    lines = map(json.loads, (GOLDEN / "wordpiece.jsonl").read_text().splitlines())
    checked = 0
    for line in lines:
        if line["tokenizer"] == name:
            encoded = tokenizer.encode(
                line["text"], line["second_text"], length=line["length"], truncation=line["truncation"]
            )
            assert (list(encoded.input_ids), list(encoded.segment_ids)) == (line["input_ids"], line["segment_ids"]), (
                line
            )
            checked += 1
    assert checked >= 60


@DRAWN
@given(nasty_texts(), st.none() | nasty_texts(), st.integers(3, 60))
def test_published_vocabulary(minilm: WordPiece, minilm_reference: Tokenizer, text, second, length) -> None:
    minilm_reference.enable_truncation(length, strategy="longest_first")
    expected = minilm_reference.encode(encodable(text), None if second is None else encodable(second))
    encoded = minilm.encode(text, second, length=length)
    assert list(encoded.input_ids) == expected.ids
    assert list(encoded.segment_ids) == expected.type_ids
    assert list(encoded.input_mask) == expected.attention_mask


@DRAWN
@given(st.data(), nasty_texts(longest=10), switches())
def test_drawn_vocabularies(data: st.DataObject, text: str, settings: TokenizerSettings) -> None:
    vocabulary = data.draw(small_vocabularies(text, settings))
    settings = dataclasses.replace(settings, max_word_characters=data.draw(st.sampled_from([1, 3, 100])))
    expected = reference_tokenizer(vocabulary, settings).encode(encodable(text), add_special_tokens=False)
    assert WordPiece(vocabulary, settings).tokenize(text) == expected.tokens


def test_written_texts_with_the_published_vocabulary(minilm: WordPiece, minilm_reference: Tokenizer) -> None:
    minilm_reference.no_truncation()
    for text in WRITTEN:
        assert minilm.tokenize(text) == minilm_reference.encode(encodable(text), add_special_tokens=False).tokens, text


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "é" * 100_000, "\u0301" * 100_000, "中" * 50_000, "." * 100_000, "a " * 50_000]
)
def test_very_long_texts(minilm: WordPiece, minilm_reference: Tokenizer, text: str) -> None:
    minilm_reference.no_truncation()
    assert minilm.tokenize(text) == minilm_reference.encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize("text", ["x" * 100_000, "word " * 1000, "中" * 1000])
def test_truncating_early_and_late_agree(minilm: WordPiece, text: str) -> None:
    whole = minilm.encode(text, length=200_000).input_ids
    for length in (2, 3, 17):
        cut = minilm.encode(text, length=length).input_ids
        assert cut == (*whole[: length - 1], whole[-1]) if len(whole) > length else cut == whole


def test_spelled_out_special_tokens() -> None:
    """Hugging Face's tokenizers make them special; phones' clients cut them. Both can be had."""
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[", "]", "sep", "a"]
    as_reference = WordPiece(vocabulary)
    as_clients = WordPiece(vocabulary, TokenizerSettings(special_tokens_in_text=False))
    assert as_reference.tokenize("a[SEP]a") == ["a", "[SEP]", "a"]
    assert as_clients.tokenize("a[SEP]a") == ["a", "[", "sep", "]", "a"]


def test_a_mask_that_is_not_in_the_vocabulary_is_text() -> None:
    assert WordPiece([*SPECIAL, "[", "]", "mask"]).tokenize("[MASK]") == ["[", "mask", "]"]


def test_longer_of_two_special_tokens_wins() -> None:
    settings = TokenizerSettings(mask_token="[SEP]s")
    vocabulary = [*SPECIAL, "[SEP]s", "s"]
    expected = reference_tokenizer(vocabulary, settings).encode("[SEP]s [SEP] s", add_special_tokens=False).tokens
    assert WordPiece(vocabulary, settings).tokenize("[SEP]s [SEP] s") == expected == ["[SEP]s", "[SEP]", "s"]


def test_an_empty_second_text_is_a_pair(minilm: WordPiece, minilm_reference: Tokenizer) -> None:
    minilm_reference.no_truncation()
    encoded = minilm.encode("a", "", length=8)
    assert list(encoded.input_ids) == minilm_reference.encode("a", "").ids
    assert encoded.segment_ids == (0, 0, 0, 1)


@pytest.mark.parametrize("truncation", wordpiece_module.TRUNCATIONS)
def test_room_for_special_tokens_only(minilm: WordPiece, truncation: str) -> None:
    assert minilm.encode("some text", length=2, truncation=truncation).input_ids == (101, 102)
    assert minilm.encode("some", "text", length=3, truncation=truncation).input_ids == (101, 102, 102)


@pytest.mark.parametrize(("second", "least"), [(None, 2), ("text", 3)])
def test_too_little_room(minilm: WordPiece, second: str | None, least: int) -> None:
    for length in (least - 1, 0, -5):
        with pytest.raises(ValueError, match=f"length: expected at least {least} ") as caught:
            minilm.encode("some", second, length=length)
        assert_house_form(str(caught.value))


def test_unknown_truncation_is_refused_for_short_texts_too(minilm: WordPiece) -> None:
    with pytest.raises(ValueError, match="truncation: expected one of"):
        minilm.encode("short", length=16, truncation="only_first")


@DRAWN
@given(st.lists(st.one_of(nasty_texts(6), st.tuples(nasty_texts(6), st.none() | nasty_texts(6))), max_size=5))
def test_batch_is_its_rows_padded(minilm: WordPiece, pairs) -> None:
    rows = [minilm.encode(*((pair,) if isinstance(pair, str) else pair), length=12) for pair in pairs]
    for pad_to in (None, 12, 20):
        batch = minilm.encode_batch(pairs, length=12, pad_to=pad_to)
        width = pad_to or max((len(row.input_ids) for row in rows), default=0)
        assert list(batch) == ["input_ids", "input_mask", "segment_ids"]
        for name, array in batch.items():
            assert array.dtype == np.int32
            assert array.shape == (len(pairs), width)
            for row, cells in zip(rows, array, strict=True):
                values = getattr(row, name)
                assert cells.tolist() == [*values, *[0] * (width - len(values))]


def test_padding_is_the_vocabulary_s() -> None:
    tokenizer = WordPiece(["a", "[UNK]", "[CLS]", "[SEP]", "[PAD]"])
    batch = tokenizer.encode_batch(["a", "a a"], length=8, pad_to=5)
    assert batch["input_ids"].tolist() == [[2, 0, 3, 4, 4], [2, 0, 0, 3, 4]]
    assert batch["input_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 0]]


def test_padding_to_less_than_the_longest(minilm: WordPiece) -> None:
    with pytest.raises(ValueError, match="pad_to: expected at least 5, ") as caught:
        minilm.encode_batch(["one two three"], length=8, pad_to=4)
    assert_house_form(str(caught.value))


def test_the_cache_changes_nothing_and_stays_small(minilm: WordPiece, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordpiece_module, "_CACHED_WORDS", 3)
    tokenizer = WordPiece(minilm.vocabulary, minilm.settings)
    text = "one two three four five one two " + "x" * 65
    assert tokenizer.tokenize(text) == tokenizer.tokenize(text) == minilm.tokenize(text)
    assert len(tokenizer._ids_of_chunk) <= 3
    assert all(len(chunk) <= 64 for chunk in minilm._ids_of_chunk)


@pytest.mark.parametrize(
    ("vocabulary", "says"),
    [
        (["[PAD]", "[UNK]", "[CLS]"], "without [SEP]"),
        ([], "without [UNK] [CLS] [SEP] [PAD]"),
        ([*SPECIAL, "a", "", "b"], "line 6: expected a piece, got an empty line"),
        ([*SPECIAL, "a", "b", "a"], "line 7: expected a piece that is not there yet, got 'a' as on line 5"),
    ],
)
def test_unusable_vocabularies(vocabulary: list[str], says: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        WordPiece(vocabulary)
    assert says in str(caught.value)
    assert_house_form(str(caught.value))


@DRAWN
@given(switches())
def test_settings_survive_json(settings: TokenizerSettings) -> None:
    assert TokenizerSettings.from_json(json.loads(json.dumps(settings.to_json()))) == settings


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"lower_case": True}, "got 'lower_case'. Do: remove it or write 'lowercase'"),
        ({"lowercase": 1}, "lowercase: expected true or false, got 1"),
        ({"lowercase": None}, "lowercase: expected true or false, got None"),
        ({"strip_accents": "yes"}, "strip_accents: expected true, false or null, got 'yes'"),
        ({"pad_token": ""}, "pad_token: expected a non-empty text, got ''"),
        ({"max_word_characters": True}, "max_word_characters: expected a whole number above 0, got True"),
        ({"max_word_characters": 0}, "max_word_characters: expected a whole number above 0, got 0"),
    ],
)
def test_unusable_settings(values: dict[str, object], says: str) -> None:
    with pytest.raises(TokenizerError) as caught:
        TokenizerSettings.from_json(values)
    assert says in str(caught.value)
    assert_house_form(str(caught.value))
