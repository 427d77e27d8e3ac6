"""Reading FlatBuffer tables from bytes that nobody vouches for.

The `flatbuffers` package trusts every offset and length it meets. LiteRT verifies a file (it refused 400 damaged ones
without a crash), but only to run it: it needs every operator of the file, does not say what is wrong, and answers on
stderr. Here each access is checked against the file before it is made, and the work of one file is rationed, so that
tables that point at each other can cost neither time nor memory: the worst file ends in `Malformed`.
"""

import struct
from collections.abc import Iterator

import numpy as np

# Two orders of magnitude above the largest real model looked at (a 12-layer BERT visits 4,000 tables).
MAXIMUM_TABLES = 400_000
# A table in an honest file has a header of four bytes and a slot of four in some vector, and no two slots share one.
SMALLEST_TABLE_BYTES = 4
# Writers share equal strings and vectors, so a byte may be read several times in an honest file.
READS_PER_BYTE = 8
_SPARE_BYTES = 1 << 20

_UINT16 = struct.Struct("<H")
_UINT32 = struct.Struct("<I")
_INT32 = struct.Struct("<i")
_SCALARS = {
    name: struct.Struct(f"<{code}")
    for name, code in {
        "int8": "b",
        "uint8": "B",
        "bool": "?",
        "int32": "i",
        "uint32": "I",
        "uint64": "Q",
        "float32": "f",
    }.items()
}


class Malformed(Exception):  # noqa: N818 - never leaves this package: the door turns it into an ArtefactError
    """What is wrong with the bytes, as the `got ...` half of an error message."""


class Reader:
    """The bytes of one file, its ration of work, and checked access to both."""

    def __init__(self, content: memoryview):
        self.content = content
        self.size_bytes = len(content)
        self.tables_left = min(MAXIMUM_TABLES, self.size_bytes // SMALLEST_TABLE_BYTES)
        self.bytes_left = READS_PER_BYTE * self.size_bytes + _SPARE_BYTES

    def root(self) -> "Table":
        return Table(self, self.follow(0))

    def unpack(self, scalar: struct.Struct, position: int) -> int | float | bool:
        self.check(position, scalar.size)
        return scalar.unpack_from(self.content, position)[0]

    def check(self, start: int, size_bytes: int) -> None:
        if start < 0 or start + size_bytes > self.size_bytes:
            raise Malformed(f"an offset to bytes {start:,} to {start + size_bytes:,} of {self.size_bytes:,}")

    def follow(self, position: int) -> int:
        """The position that the offset stored at `position` leads to."""
        return position + self.unpack(_UINT32, position)

    def vector(self, position: int, element_bytes: int) -> tuple[int, int]:
        """Where the elements of the vector at `position` start and how many they are; all lie inside the file."""
        count = self.unpack(_UINT32, position)
        start = position + _UINT32.size
        self.check(start, count * element_bytes)
        return start, count

    def spend_table(self) -> None:
        self.tables_left -= 1
        if self.tables_left < 0:
            raise Malformed(f"more tables than {self.size_bytes:,} bytes can hold")

    def spend_bytes(self, count: int) -> None:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise Malformed("vectors that share the same bytes over and over")


class Table:
    """One FlatBuffer table: fields by their number in the schema, each with the default the schema gives it."""

    __slots__ = ("_position", "_reader", "_vtable", "_vtable_bytes")

    def __init__(self, reader: Reader, position: int):
        reader.spend_table()
        self._reader = reader
        self._position = position
        self._vtable = position - reader.unpack(_INT32, position)
        self._vtable_bytes = reader.unpack(_UINT16, self._vtable)
        reader.check(self._vtable, self._vtable_bytes)

    def scalar(self, field: int, kind: str, default: int | float | bool = 0) -> int | float | bool:
        position = self._field(field)
        return default if position is None else self._reader.unpack(_SCALARS[kind], position)

    def table(self, field: int) -> "Table | None":
        position = self._field(field)
        return None if position is None else Table(self._reader, self._reader.follow(position))

    def tables(self, field: int) -> Iterator["Table"]:
        """The elements of a vector of tables."""
        extent = self._vector(field, _UINT32.size)
        if extent is None:
            return
        start, count = extent
        if count > self._reader.tables_left:
            raise Malformed(f"a vector of {count:,} tables in a file of {self._reader.size_bytes:,} bytes")
        for position in range(start, start + count * _UINT32.size, _UINT32.size):
            yield Table(self._reader, self._reader.follow(position))

    def numbers(self, field: int, dtype: str) -> np.ndarray | None:
        """A vector of numbers as a read-only view of the file (no copy); None when the field is absent."""
        element_bytes = np.dtype(dtype).itemsize
        extent = self._vector(field, element_bytes)
        if extent is None:
            return None
        start, count = extent
        self._reader.spend_bytes(count * element_bytes)
        return np.frombuffer(self._reader.content, dtype, count, start)

    def extent(self, field: int) -> tuple[int, int] | None:
        """Start and length of a byte vector whose content is not looked at; None when the field is absent."""
        return self._vector(field, 1)

    def text(self, field: int) -> str:
        """A string, with whatever a terminal could not print shown as an escape; empty when absent."""
        extent = self._vector(field, 1)
        if extent is None:
            return ""
        start, count = extent
        self._reader.spend_bytes(count)
        text = bytes(self._reader.content[start : start + count]).decode("utf-8", "backslashreplace")
        return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")

    def _vector(self, field: int, element_bytes: int) -> tuple[int, int] | None:
        position = self._field(field)
        return None if position is None else self._reader.vector(self._reader.follow(position), element_bytes)

    def _field(self, field: int) -> int | None:
        entry = 2 * _UINT16.size + field * _UINT16.size
        if entry + _UINT16.size > self._vtable_bytes:
            return None
        offset = self._reader.unpack(_UINT16, self._vtable + entry)
        return self._position + offset if offset else None
