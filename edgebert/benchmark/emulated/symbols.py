"""Names for addresses of code: LiteRT's wheel keeps the symbol table of its library, so every kernel has a name.

Only what is needed of ELF (System V ABI, chapters 4 and 5) is read, and only of files that we installed.
"""

import bisect
import re
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOADED_SEGMENT = 1
# The whole table, or where a file was stripped, what it exports.
_SYMBOL_TABLE, _EXPORTED_SYMBOLS = 2, 11
_FUNCTION_TYPES = (2, 10)
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) \S+ \d+ +(/.*)")
_NESTED_NAME = re.compile(r"_Z+N[VKRO]*(?:St)?((?:\d+\w+)+)")
UNKNOWN = "(unknown code)"


@dataclass(frozen=True, slots=True)
class Mapping:
    """Code of `path` from file offset `offset` on, at the guest's addresses from `start` to `end`."""

    start: int
    end: int
    offset: int
    path: Path


class Library:
    """The functions of one ELF file, found by an offset into the file."""

    def __init__(self, path: Path) -> None:
        self.name = path.name
        content = path.read_bytes()
        header = _HEADER.unpack_from(content)
        segment_offset, section_offset, segment_count, section_count = header[5], header[6], header[10], header[12]
        segments = (_SEGMENT.unpack_from(content, segment_offset + i * _SEGMENT.size) for i in range(segment_count))
        self._loaded = [(s[2], s[5], s[3]) for s in segments if s[0] == _LOADED_SEGMENT]
        sections = [_SECTION.unpack_from(content, section_offset + i * _SECTION.size) for i in range(section_count)]
        self._functions = _functions(content, sections)
        self._starts = [start for start, _, _ in self._functions]

    def function_at(self, offset: int) -> str:
        """The function's name; the file's where no function covers the place."""
        for file_offset, size, address in self._loaded:
            if file_offset <= offset < file_offset + size:
                wanted = address + offset - file_offset
                position = bisect.bisect_right(self._starts, wanted) - 1
                if position >= 0:
                    start, length, name = self._functions[position]
                    if wanted < start + length:
                        return readable(name)
        return f"({self.name})"


def count_by_function(blocks: Iterable[tuple[int, int]], maps: str) -> dict[str, int]:
    """Instructions by function, most first, from blocks and the guest's /proc/self/maps."""
    mappings = sorted(_mappings(maps), key=lambda mapping: mapping.start)
    starts = [mapping.start for mapping in mappings]
    libraries: dict[Path, Library] = {}
    counted: Counter[str] = Counter()
    for address, instructions in blocks:
        position = bisect.bisect_right(starts, address) - 1
        mapping = mappings[position] if position >= 0 and address < mappings[position].end else None
        if mapping is None:
            counted[UNKNOWN] += instructions
            continue
        if mapping.path not in libraries:
            libraries[mapping.path] = Library(mapping.path)
        counted[libraries[mapping.path].function_at(address - mapping.start + mapping.offset)] += instructions
    return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def readable(symbol: str) -> str:
    """`a::b::c` for a mangled nested name, without its arguments; anything else as it is."""
    found = _NESTED_NAME.match(symbol)
    if found is None:
        return symbol
    rest, parts = found.group(1), []
    while (number := re.match(r"\d+", rest)) is not None:
        start, length = number.end(), int(number.group())
        parts.append(rest[start : start + length])
        rest = rest[start + length :]
    return "::".join("(anonymous)" if part.startswith("_GLOBAL__N") else part for part in parts)


def _mappings(maps: str) -> Iterable[Mapping]:
    for line in maps.splitlines():
        if found := _MAPPING.fullmatch(line):
            start, end, offset = (int(found.group(number), 16) for number in (1, 2, 3))
            yield Mapping(start, end, offset, Path(found.group(4)))


def _functions(content: bytes, sections: list[tuple]) -> list[tuple[int, int, str]]:
    """Sorted (address, size, name)."""
    tables = {section[1]: section for section in sections if section[1] in (_SYMBOL_TABLE, _EXPORTED_SYMBOLS)}
    table = tables.get(_SYMBOL_TABLE, tables.get(_EXPORTED_SYMBOLS))
    if table is None:
        return []
    names_offset = sections[table[6]][4]
    functions = []
    for name, info, _, _, address, size in _SYMBOL.iter_unpack(content[table[4] : table[4] + table[5]]):
        if info & 15 in _FUNCTION_TYPES and size:
            start = names_offset + name
            functions.append((address, size, content[start : content.index(b"\0", start)].decode("ascii", "replace")))
    return sorted(functions)
