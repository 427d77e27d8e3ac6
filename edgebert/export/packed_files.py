"""What tflite-support packs into a .tflite: a zip behind the model, and metadata that says what its files are for.

Only names, places and sizes are read: nothing is decompressed.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from edgebert.export.bounded import Malformed, Reader, Table

METADATA = "TFLITE_METADATA"
_METADATA_IDENTIFIER = b"M001"

_END = struct.Struct("<4s4H2LH")
_END_MARK = b"PK\x05\x06"
_LONGEST_COMMENT_BYTES = 0xFFFF
_ENTRY = struct.Struct("<4s6H3L5H2L")
_ENTRY_MARK = b"PK\x01\x02"

# AssociatedFileType in tflite-support's metadata schema.
_LABELS_TYPES = frozenset({2, 3})
_VOCABULARY_TYPE = 5
# Where the tokenizers of the schema's ProcessUnitOptions keep their files: field numbers by the option's type.
_TOKENIZER_FILES = {4: (0,), 5: (0, 1), 6: (1,)}


@dataclass(frozen=True)
class PackedFile:
    name: str
    size_bytes: int
    """As unpacked."""


@dataclass(frozen=True)
class Archive:
    start: int
    """Where in the .tflite it begins; it ends where the file ends."""
    files: tuple[PackedFile, ...]


@dataclass(frozen=True)
class NamedFiles:
    """What the metadata says of packed files: for the tokenizer, and the names of what an output stands for."""

    vocabulary: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


def find_archive(content: memoryview) -> Archive | None:
    """The zip at the end of a file; None when there is none."""
    end = _find_end(content)
    if end is None:
        return None
    _, _, _, _, count, directory_bytes, stated_start, _ = _END.unpack_from(content, end)
    directory_start = end - directory_bytes
    if directory_start < 0 or count * _ENTRY.size > directory_bytes:
        raise Malformed("packed files whose directory does not fit the file")
    # A tool that repacks the model moves the zip without correcting the offsets in it; readers allow for that.
    shift = directory_start - stated_start
    files, starts, position = [], [directory_start], directory_start
    for _ in range(count):
        if position + _ENTRY.size > end:
            raise Malformed("packed files whose directory is cut short")
        entry = _ENTRY.unpack_from(content, position)
        name_end = position + _ENTRY.size + entry[10]
        local_start = entry[16] + shift
        if entry[0] != _ENTRY_MARK or name_end > end or not 0 <= local_start < directory_start:
            raise Malformed("packed files whose directory does not fit the file")
        name = bytes(content[position + _ENTRY.size : name_end]).decode("utf-8", "backslashreplace")
        files.append(PackedFile(name if name.isprintable() else ascii(name), entry[9]))
        starts.append(local_start)
        position = name_end + entry[11] + entry[12]
    return Archive(min(starts), tuple(files))


def _find_end(content: memoryview) -> int | None:
    """The end-of-directory record: its comment must reach exactly to the end of the file."""
    window_start = max(0, len(content) - _END.size - _LONGEST_COMMENT_BYTES)
    window = bytes(content[window_start:])
    found = window.rfind(_END_MARK)
    while found >= 0:
        if found + _END.size <= len(window):
            comment_bytes = _END.unpack_from(window, found)[-1]
            if found + _END.size + comment_bytes == len(window):
                return window_start + found
        found = window.rfind(_END_MARK, 0, found)
    return None


def read_named_files(metadata: memoryview) -> NamedFiles:
    """What a model's TFLITE_METADATA says of its packed files."""
    if bytes(metadata[4:8]) != _METADATA_IDENTIFIER:
        raise Malformed(f"{METADATA} that begins with {bytes(metadata[4:8])!r}, not {_METADATA_IDENTIFIER!r}")
    vocabulary: dict[str, None] = {}
    labels: dict[str, None] = {}
    for file, is_for_tokenizer in _associated_files(Reader(metadata).root()):
        kind = file.scalar(2, "int8")
        if is_for_tokenizer or kind == _VOCABULARY_TYPE:
            vocabulary[file.text(0)] = None
        elif kind in _LABELS_TYPES:
            labels[file.text(0)] = None
    return NamedFiles(tuple(vocabulary), tuple(labels))


def _associated_files(root: Table) -> Iterator[tuple[Table, bool]]:
    """Every file the metadata mentions, and whether a tokenizer's settings mention it."""
    yield from ((file, False) for file in root.tables(6))
    for graph in root.tables(3):
        yield from ((file, False) for file in graph.tables(4))
        for unit in graph.tables(5):
            yield from _tokenizer_files(unit)
        for side in (2, 3):
            for tensor in graph.tables(side):
                yield from ((file, False) for file in tensor.tables(6))
                for unit in tensor.tables(4):
                    yield from _tokenizer_files(unit)


def _tokenizer_files(unit: Table) -> Iterator[tuple[Table, bool]]:
    fields = _TOKENIZER_FILES.get(unit.scalar(0, "uint8"), ())
    options = unit.table(1) if fields else None
    if options is not None:
        for field in fields:
            yield from ((file, True) for file in options.tables(field))
