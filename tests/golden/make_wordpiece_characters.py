"""Write edgebert/data/characters_table.py: what `tokenizers` does with every single Unicode code point.

    python -m tests.golden.make_wordpiece_characters

The Rust library mixes three Unicode versions (one crate for categories, one for decompositions, Rust's own tables for
letter case), and Python and each Android release bring others still. So nobody's tables are trusted: every code point
is put through the library once and the answer is written down. Python and the phone read the same table.
"""

import textwrap
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import tokenizers
from tokenizers import normalizers, pre_tokenizers

from edgebert.files import write_atomically

TABLE = Path(__file__).resolve().parents[2] / "edgebert" / "data" / "characters_table.py"
CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
HANGUL_SYLLABLES = range(0xAC00, 0xD7A4)

HEADER = '''"""What the fast Hugging Face tokenizer does with each Unicode code point. Generated: do not edit.

By tests/golden/make_wordpiece_characters.py from tokenizers {version}. All code points are hexadecimal. `A-B` is a
closed range, `A-B:N` a range with a decimal number, `A=B.C` a code point that becomes others. What is not listed stays
as it is. `edgebert.data.characters` says how the tables are applied.
"""
'''


def bert_normalizer(**switches: bool) -> Callable[[str], str]:
    off = {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}
    return normalizers.BertNormalizer(**{**off, **switches}).normalize_str


def split_words(text: str) -> list[str]:
    return [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(text)]


def nfd(text: str) -> str:
    return normalizers.NFD().normalize_str(text)


def decompositions() -> dict[int, str]:
    found = {code: nfd(chr(code)) for code in CODE_POINTS if code not in HANGUL_SYLLABLES}
    return {code: parts for code, parts in found.items() if parts != chr(code)}


def swaps(left: str, right: str) -> bool:
    """Whether NFD puts two different marks in the other order: the left one's class is greater and neither is 0."""
    return left != right and nfd(f"a{left}{right}") == f"a{right}{left}"


def marks_of_each_class(decomposed: Mapping[int, str]) -> dict[int, str]:
    """One mark for each combining class, out of those that the library knows too: Python's table is younger."""
    lowest, highest = "\u0334", "\u0345"  # classes 1 and 240, since Unicode 1.1
    found = {unicodedata.combining(mark): mark for mark in (lowest, highest)}
    for code in CODE_POINTS:
        mark = chr(code)
        known = code not in decomposed and swaps(highest, mark) and swaps(mark, lowest)
        if known and unicodedata.combining(mark):
            found.setdefault(unicodedata.combining(mark), mark)
    return dict(sorted(found.items()))


def combining_classes(decomposed: Mapping[int, str]) -> dict[int, int]:
    """Each code point's canonical combining class, from the order in which NFD leaves it beside known marks."""
    marks = marks_of_each_class(decomposed)
    classes = list(marks)
    lowest, highest = marks[classes[0]], marks[classes[-1]]
    found = {ord(lowest): classes[0], ord(highest): classes[-1]}
    for code in CODE_POINTS:
        mark = chr(code)
        if code in decomposed or code in HANGUL_SYLLABLES or code in found:
            continue
        if swaps(mark, lowest) or swaps(highest, mark):
            found[code] = classes[sum(swaps(mark, known) for known in marks.values())]
    return dict(sorted(found.items()))


def runs(codes: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending code points as closed ranges."""
    found: list[tuple[int, int]] = []
    for code in codes:
        if found and found[-1][1] == code - 1:
            found[-1] = (found[-1][0], code)
        else:
            found.append((code, code))
    return found


def range_entry(first: int, last: int) -> str:
    return f"{first:X}" if first == last else f"{first:X}-{last:X}"


def set_entries(holds: Callable[[str], bool]) -> list[str]:
    return [range_entry(*run) for run in runs(code for code in CODE_POINTS if holds(chr(code)))]


def number_entries(mapping: Mapping[int, int]) -> list[str]:
    entries = []
    for number in set(mapping.values()):
        entries += [(run, number) for run in runs(code for code, found in mapping.items() if found == number)]
    return [f"{range_entry(*run)}:{number}" for run, number in sorted(entries)]


def sequence_entries(mapping: Mapping[int, str]) -> list[str]:
    return [f"{code:X}={'.'.join(f'{ord(part):X}' for part in parts)}" for code, parts in mapping.items()]


def lowercase_entries() -> list[str]:
    lower = bert_normalizer(lowercase=True)
    changed = {code: lower(chr(code)) for code in CODE_POINTS if lower(chr(code)) != chr(code)}
    distances = {code: ord(small) - code for code, small in changed.items() if len(small) == 1}
    return number_entries(distances) + sequence_entries({c: small for c, small in changed.items() if len(small) > 1})


def tables() -> dict[str, tuple[str, list[str]]]:
    """Name → (what it says, its entries)."""
    clean, strip = bert_normalizer(clean_text=True), bert_normalizer(strip_accents=True)
    separate = bert_normalizer(handle_chinese_chars=True)
    decomposed = decompositions()
    return {
        "WHITESPACE": ("Divides words.", set_entries(lambda c: split_words(f"a{c}b") == ["a", "b"])),
        "DROPPED": ("What cleaning removes.", set_entries(lambda c: clean(f"a{c}b") == "ab")),
        "CJK": ("A word by itself where ideographs are split.", set_entries(lambda c: separate(c) == f" {c} ")),
        "PUNCTUATION": ("Always a word by itself.", set_entries(lambda c: split_words(f"a{c}b") == ["a", c, "b"])),
        "ACCENTS": (
            "What stripping accents removes, after decomposition.",
            set_entries(lambda c: strip(c) == "" and ord(c) not in decomposed),
        ),
        "COMBINING_CLASSES": (
            "The class by which decomposition sorts marks; what is not listed has class 0 and stays where it is.",
            number_entries(combining_classes(decomposed)),
        ),
        "LOWERCASE": ("Lower case, as the distance to it or as code points.", lowercase_entries()),
        "DECOMPOSITIONS": (
            "Full canonical decompositions, except Hangul syllables: those follow Unicode's arithmetic.",
            sequence_entries(decomposed),
        ),
    }


def main() -> None:
    parts = [HEADER.format(version=tokenizers.__version__)]
    for name, (meaning, entries) in tables().items():
        text = textwrap.fill(" ".join(entries), width=118, break_long_words=False, break_on_hyphens=False)
        parts.append(f'# {meaning}\n{name} = """\n{text}\n"""\n')
        print(f"{name}: {len(entries):,} entries")
    write_atomically(TABLE, "\n".join(parts).encode())
    print(f"{TABLE.name}: {TABLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
