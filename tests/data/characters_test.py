"""Each code point is treated as `tokenizers` treats it, in every combination of the switches."""

import itertools
import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from tokenizers import normalizers

from edgebert.data import characters_table
from edgebert.data.characters import WordSplitter, decompose
from edgebert.data.wordpiece import TokenizerSettings
from tests.data.wordpiece_reference import encodable, reference_words
from tests.data.wordpiece_strategies import DRAWN, nasty_texts, switches

SWITCHES = [
    TokenizerSettings(lowercase=lower, strip_accents=strip, split_cjk=split, clean_text=clean)
    for lower, strip, split, clean in itertools.product([False, True], repeat=4)
]
# Alone between letters; and after a letter with a mark, before two more: sorted, removed or in the way.
SURROUNDINGS = ["a{}b", "A\u0301{}\u0327\u0302"]


def switched_on(settings: TokenizerSettings) -> str:
    switch_names = ("lowercase", "strip_accents", "split_cjk", "clean_text")
    return "+".join(name for name in switch_names if getattr(settings, name)) or "nothing"


def splitter(settings: TokenizerSettings) -> WordSplitter:
    return WordSplitter(
        lowercase=settings.lowercase,
        strip_accents=settings.strips_accents,
        split_cjk=settings.split_cjk,
        clean_text=settings.clean_text,
    )


def listed_code_points() -> list[int]:
    """Where the tables change their mind: each listed code point of a short range, both ends of a long one."""
    tables = [text for name, text in vars(characters_table).items() if name.isupper()]
    found = set(range(0x250))
    for first, _, last in re.findall(r"(?<![0-9A-F.=])([0-9A-F]+)(-([0-9A-F]+))?(?=[\s:=])", " ".join(tables)):
        low, high = int(first, 16), int(last or first, 16)
        found |= {low - 1, high + 1, *(range(low, high + 1) if high - low < 300 else (low, high))}
    return sorted(code for code in found if 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF)


def combining_classes() -> dict[int, int]:
    entries = re.findall(r"([0-9A-F]+)(?:-([0-9A-F]+))?:([0-9]+)", characters_table.COMBINING_CLASSES)
    return {
        code: int(number)
        for first, last, number in entries
        for code in range(int(first, 16), int(last or first, 16) + 1)
    }


def in_batches(codes: Iterable[int], surrounding: str) -> Iterator[str]:
    codes = list(codes)
    for start in range(0, len(codes), 1024):
        yield " ".join(surrounding.format(chr(code)) for code in codes[start : start + 1024])


def assert_same_words(text: str, settings: TokenizerSettings) -> None:
    ours, expected = splitter(settings).words(text), reference_words(text, settings)
    differing = [pair for pair in zip(ours, expected, strict=False) if pair[0] != pair[1]]
    assert not differing, ascii(differing[:3])
    assert len(ours) == len(expected)


@pytest.mark.parametrize("settings", SWITCHES, ids=switched_on)
def test_listed_code_points(settings: TokenizerSettings) -> None:
    codes = listed_code_points()
    assert len(codes) > 7_000
    for surrounding in SURROUNDINGS:
        for text in in_batches(codes, surrounding):
            assert_same_words(text, settings)


@pytest.mark.long
@pytest.mark.parametrize("settings", SWITCHES, ids=switched_on)
def test_all_code_points(settings: TokenizerSettings) -> None:
    for surrounding in SURROUNDINGS:
        for text in in_batches((code for code in range(0x110000) if not 0xD800 <= code <= 0xDFFF), surrounding):
            assert_same_words(text, settings)


@DRAWN
@given(nasty_texts(), switches())
def test_texts(text: str, settings: TokenizerSettings) -> None:
    assert splitter(settings).words(text) == reference_words(text, settings)


@DRAWN
@given(nasty_texts(), switches())
def test_a_text_may_be_cut_at_its_chunks(text: str, settings: TokenizerSettings) -> None:
    split = splitter(settings)
    assert [word for chunk in split.chunks(text) for word in split.words(chunk)] == split.words(text)


@pytest.mark.parametrize("clean_text", [False, True])
def test_chunks_at_every_code_point(clean_text: bool) -> None:
    """`str.split` divides where the reference does, or the text is recognised as one where it does not."""
    split = splitter(TokenizerSettings(lowercase=False, split_cjk=False, clean_text=clean_text))
    for code in range(0x3100):
        text = f"a{chr(code)}b"
        words = [word for chunk in split.chunks(text) for word in split.words(chunk)]
        assert words == split.words(text), ascii(text)


def test_every_mark_is_sorted_beside_every_class() -> None:
    marks = {chr(code): number for code, number in combining_classes().items()}
    one_of_each = {number: mark for mark, number in marks.items()}
    assert len(marks) > 800
    assert len(one_of_each) > 50
    text = "".join(f"a{mark}{other}b{other}{mark}" for mark in marks for other in one_of_each.values())
    assert decompose(text) == normalizers.NFD().normalize_str(text)


def test_marks_that_stay_are_sorted_before_others_are_removed() -> None:
    """U+FE0F has class 0: it goes, but what stands on its two sides keeps its order."""
    stripped = TokenizerSettings(lowercase=False, strip_accents=True)
    staying = [mark for mark in map(chr, combining_classes()) if splitter(stripped).words(f"a{mark}") != ["a"]]
    assert len(staying) > 50
    pairs = [left + right for left in staying for right in staying]
    text = " ".join(f"a{pair} a{pair[0]}\u0301{pair[1]} a{pair[0]}\ufe0f{pair[1]}" for pair in pairs)
    assert_same_words(text, stripped)


@DRAWN
@given(nasty_texts())
def test_decomposition(text: str) -> None:
    assert decompose(encodable(text)) == normalizers.NFD().normalize_str(encodable(text))


def test_lone_surrogates_are_replacement_characters() -> None:
    cleaned, kept = TokenizerSettings(), TokenizerSettings(clean_text=False)
    assert splitter(cleaned).words("a\ud800\ud800b \udfff") == ["ab"]
    assert splitter(kept).words("a\ud800\ud800b \udfff") == ["a\ufffd\ufffdb", "\ufffd"]
