"""Each code point is treated as `tokenizers` treats it, in every combination of the switches."""

import itertools
import re
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data import characters_table
from edgebert.data.characters import WordSplitter
from edgebert.data.wordpiece import TokenizerSettings
from tests.data.wordpiece_reference import reference_words
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


@DRAWN
@given(
    st.lists(st.sampled_from("\u0301\u0327\u0323\u0345\u05b0\u3099\u302e\u302a\u0338\u0e31\ufe0f"), max_size=8).map(
        "".join
    )
)
def test_marks_are_sorted_as_unicode_says(marks: str) -> None:
    """Against the reference, without removing the marks' traces: U+302E stays and shows where it was sorted to."""
    settings = TokenizerSettings(lowercase=False, strip_accents=True)
    assert splitter(settings).words(f"a{marks}\u302e{marks}") == reference_words(f"a{marks}\u302e{marks}", settings)


def test_lone_surrogates_are_replacement_characters() -> None:
    cleaned, kept = TokenizerSettings(), TokenizerSettings(clean_text=False)
    assert splitter(cleaned).words("a\ud800b \udfff") == ["ab"]
    assert splitter(kept).words("a\ud800b \udfff") == ["a\ufffdb", "\ufffd"]
