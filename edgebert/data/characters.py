"""Text to words, as the fast Hugging Face BERT tokenizer cuts it before it looks into a vocabulary.

This is the specification that the phone's tokenizer follows too. In this order, over the whole text:

1. clean: remove the DROPPED characters; a lone surrogate counts as U+FFFD, which is one of them;
2. put a space on both sides of each CJK character;
3. strip accents: full canonical decomposition (DECOMPOSITIONS and Hangul's arithmetic), then each run of marks that
   have a combining class sorted by it, equal classes in their old order, then the ACCENTS removed;
4. lower each character by itself (LOWERCASE): no locale, no final sigma;
5. divide at WHITESPACE; a PUNCTUATION character is a word by itself.

The tables in capitals are in `characters_table`. Python's own Unicode functions are not used: the reference mixes three
Unicode versions and Python has a fourth, so they disagree about hundreds of code points.
"""

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgebert.data import characters_table

# What `str.split` and the reference treat differently: it divides at U+001C..1F, which the reference removes or keeps,
# and at U+000B, U+000C and U+0085, which cleaning removes.
_SPLIT_DIFFERS = re.compile("[\x0b\x0c\x1c-\x1f\x85]")
_LONE_SURROGATES = [(0xD800, 0xDFFF)]
_REPLACEMENT_CHARACTER = "\ufffd"

# Hangul syllables are numbered leading consonant × vowel × trailing consonant (The Unicode Standard, section 3.12).
_HANGUL_SYLLABLE = re.compile("[\uac00-\ud7a3]")
_FIRST_SYLLABLE, _FIRST_LEADING, _FIRST_VOWEL, _BEFORE_FIRST_TRAILING = 0xAC00, 0x1100, 0x1161, 0x11A7
_VOWELS, _TRAILINGS = 21, 28


class WordSplitter:
    """Cuts text into words. `words(text)` is the definition; `chunks` only finds places where it may be cut before."""

    def __init__(self, *, lowercase: bool, strip_accents: bool, split_cjk: bool, clean_text: bool):
        whitespace, dropped = _ranges(characters_table.WHITESPACE), _ranges(characters_table.DROPPED)
        self._lowercase = lowercase
        self._strip_accents = strip_accents
        self._split_cjk = split_cjk
        self._removed = re.compile(f"[{_class(dropped + _LONE_SURROGATES if clean_text else _LONE_SURROGATES)}]")
        self._replacement = "" if clean_text else _REPLACEMENT_CHARACTER
        removed_first = [range(first, last + 1) for first, last in dropped] if clean_text else []
        gaps = [code for code in _code_points(whitespace) if not any(code in removed for removed in removed_first)]
        self._chunk = re.compile(f"[^{_class([(code, code) for code in gaps])}]+")
        self._tables = _tables()

    def chunks(self, text: str) -> list[str]:
        """The text divided at whitespace and otherwise untouched: its words are the words of its chunks."""
        if _SPLIT_DIFFERS.search(text) is None:
            return text.split()
        return self._chunk.findall(text)

    def words(self, text: str) -> list[str]:
        text = self._removed.sub(self._replacement, text)
        if text.isascii():  # nothing to set apart or to decompose
            return self._tables.word.findall(text.lower() if self._lowercase else text)
        if self._split_cjk:
            text = self._tables.cjk.sub(r" \g<0> ", text)
        if self._strip_accents:
            text = self._tables.accent.sub("", decompose(text))
        if self._lowercase:
            text = text.translate(self._tables.lowercase)
        return self._tables.word.findall(text)


def decompose(text: str) -> str:
    """Unicode's normalization form D, of the version that the reference has."""
    tables = _tables()
    text = _HANGUL_SYLLABLE.sub(_letters_of_syllable, text).translate(tables.decomposition)
    return tables.sortable_marks.sub(
        lambda marks: "".join(sorted(marks[0], key=tables.combining_class.__getitem__)), text
    )


@dataclass(frozen=True, slots=True)
class _Tables:
    word: re.Pattern[str]
    cjk: re.Pattern[str]
    accent: re.Pattern[str]
    sortable_marks: re.Pattern[str]
    combining_class: dict[str, int]
    lowercase: dict[int, str]
    decomposition: dict[int, str]


@functools.cache
def _tables() -> _Tables:
    """The tables ready for use; some milliseconds, so not before a tokenizer is made."""
    punctuation = _class(_ranges(characters_table.PUNCTUATION))
    whitespace = _class(_ranges(characters_table.WHITESPACE))
    classes = {chr(code): number for code, number in _numbers(characters_table.COMBINING_CLASSES)}
    distances, sequences = _split_entries(characters_table.LOWERCASE)
    return _Tables(
        word=re.compile(f"[{punctuation}]|[^{punctuation}{whitespace}]+"),
        cjk=re.compile(f"[{_class(_ranges(characters_table.CJK))}]"),
        accent=re.compile(f"[{_class(_ranges(characters_table.ACCENTS))}]+"),
        sortable_marks=re.compile(f"[{_class([(ord(mark), ord(mark)) for mark in sorted(classes)])}]{{2,}}"),
        combining_class=classes,
        lowercase={code: chr(code + distance) for code, distance in _numbers(distances)} | _sequences(sequences),
        decomposition=_sequences(characters_table.DECOMPOSITIONS),
    )


def _letters_of_syllable(syllable: re.Match[str]) -> str:
    rest, trailing = divmod(ord(syllable[0]) - _FIRST_SYLLABLE, _TRAILINGS)
    leading, vowel = divmod(rest, _VOWELS)
    letters = chr(_FIRST_LEADING + leading) + chr(_FIRST_VOWEL + vowel)
    return letters + chr(_BEFORE_FIRST_TRAILING + trailing) if trailing else letters


def _ranges(entries: str) -> list[tuple[int, int]]:
    """`A B-C` as closed ranges."""
    bounds = [entry.split("-") for entry in entries.split()]
    return [(int(bound[0], 16), int(bound[-1], 16)) for bound in bounds]


def _code_points(ranges: list[tuple[int, int]]) -> Iterator[int]:
    return (code for first, last in ranges for code in range(first, last + 1))


def _numbers(entries: str) -> Iterator[tuple[int, int]]:
    """`A-B:N` as one pair for each code point."""
    for entry in entries.split():
        codes, number = entry.split(":")
        yield from ((code, int(number)) for code in _code_points(_ranges(codes)))


def _sequences(entries: str) -> dict[int, str]:
    """`A=B.C` as a table for `str.translate`."""
    pairs = [entry.split("=") for entry in entries.split()]
    return {int(code, 16): "".join(chr(int(part, 16)) for part in parts.split(".")) for code, parts in pairs}


def _split_entries(entries: str) -> tuple[str, str]:
    """The entries with a number and those with a sequence."""
    words = entries.split()
    return " ".join(word for word in words if ":" in word), " ".join(word for word in words if "=" in word)


def _class(ranges: list[tuple[int, int]]) -> str:
    """The inside of a regular expression's `[...]`."""
    return "".join(f"\\U{first:08X}-\\U{last:08X}" for first, last in ranges)
