"""The safetensors format, read and written with numpy alone: a JSON header of types, shapes and places, then the bytes.

A reader of our own because the library's says neither which tensor is wrong nor that a name stands there twice, and
needs ml_dtypes for bfloat16. The tests hold it to the library: the same bytes written, nothing accepted that it
refuses.
"""

import hashlib
import json
import math
import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from edgebert.errors import CheckpointError

# Bits of a value, in the library's order, which is also the order (backwards) in which tensors are laid out.
TYPE_BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64,
    "U64": 64,
}  # fmt: skip
FLOAT_TYPES = {"F16": np.float16, "BF16": np.uint16, "F32": np.float32, "F64": np.float64}
INTEGER_TYPES = {"U8": np.uint8, "I8": np.int8, "I32": np.int32, "I64": np.int64}
LENGTH_BYTES = 8
# BERT-large's header has 50 kB; what claims more than this is no encoder and would only cost memory to refuse.
LARGEST_HEADER_BYTES = 16 * 2**20
# numpy's limit, and far above any weight's.
LARGEST_RANK = 32


class StoredTensor(NamedTuple):
    """A tensor as it stands in a file."""

    type_name: str
    shape: tuple[int, ...]
    data: memoryview | bytes

    def integers(self) -> np.ndarray | None:
        kind = INTEGER_TYPES.get(self.type_name)
        return None if kind is None else np.frombuffer(self.data, kind).reshape(self.shape)

    def float32(self) -> np.ndarray | None:
        """The values in float32, without a copy where they are stored so; none if they are not floating-point."""
        kind = FLOAT_TYPES.get(self.type_name)
        if kind is None:
            return None
        values = np.frombuffer(self.data, kind).reshape(self.shape)
        if self.type_name == "BF16":
            # bfloat16 is the upper half of a float32.
            return (values.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes infinite and is reported as that
            return values.astype(np.float32, copy=False)


@dataclass(frozen=True)
class TensorFile:
    path: Path
    tensors: dict[str, StoredTensor]
    metadata: dict[str, str]
    content: mmap.mmap

    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def float32_tensor(values: np.ndarray) -> StoredTensor:
    return StoredTensor("F32", values.shape, np.ascontiguousarray(values, np.float32).tobytes())


def read_tensor_file(path: Path) -> TensorFile:
    """Map a file into memory and check its header; the tensors are views, read when they are used."""
    try:
        if path.stat().st_size < LENGTH_BYTES:
            raise _broken(path, f"at least {LENGTH_BYTES} bytes", f"{path.stat().st_size}")
        with path.open("rb") as file:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise _broken(path, "a file that can be read", f"'{error.strerror}'") from error
    (header_bytes,) = struct.unpack_from("<Q", content)
    most = min(len(content) - LENGTH_BYTES, LARGEST_HEADER_BYTES)
    if header_bytes > most:
        raise _broken(path, f"a header of at most {most:,} bytes", f"a length of {header_bytes:,}")
    start = LENGTH_BYTES + header_bytes
    header = _parse(path, content[LENGTH_BYTES:start])
    metadata = header.pop("__metadata__", None) or {}
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _broken(path, "texts as __metadata__", shown(metadata))
    data = memoryview(content)[start:]
    places = {name: _place(path, name, entry) for name, entry in header.items()}
    _check_cover(path, places, len(data))
    tensors = {
        name: StoredTensor(type_name, shape, data[begin:end]) for name, (type_name, shape, begin, end) in places.items()
    }
    return TensorFile(path, tensors, metadata, content)


def tensor_file_bytes(tensors: dict[str, StoredTensor], metadata: dict[str, str]) -> bytes:
    """A file's content, byte for byte as the safetensors library lays the same tensors out."""
    order = list(TYPE_BITS)
    names = sorted(tensors, key=lambda name: (-order.index(tensors[name].type_name), name))
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    end = 0
    for name in names:
        begin, end = end, end + len(tensors[name].data)
        header[name] = {
            "dtype": tensors[name].type_name,
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, end],
        }
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return b"".join([struct.pack("<Q", len(text)), text, *(tensors[name].data for name in names)])


def shown(value: object) -> str:
    """Something from a file for one line of an error: printable and short."""
    text = value if isinstance(value, str) and value.isprintable() else ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def some(names: Iterable[str]) -> str:
    """A few of the names, and how many more there are."""
    names = list(names)
    listed = ", ".join(shown(name) for name in names[:4])
    return f"{listed} and {len(names) - 4:,} more" if len(names) > 4 else listed


def _broken(path: Path, expected: str, got: str) -> CheckpointError:
    return CheckpointError(f"{path}: expected {expected}, got {got}. Do: download or copy the file again.")


def _parse(path: Path, text: bytes) -> dict[str, Any]:
    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(name for name, _ in pairs if name in seen or seen.add(name))
            raise _broken(path, "each name of the header once", f"{shown(twice)} twice")
        return found

    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=without_repeats)
    except (ValueError, RecursionError) as error:
        raise _broken(path, "a header in JSON", f"'{shown(str(error))}'") from error
    if not isinstance(header, dict):
        raise _broken(path, "a JSON object as header", type(header).__name__)
    return header


def _place(path: Path, name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    """Type, shape, begin and end of a tensor, from its entry in the header."""
    type_name = entry.get("dtype") if isinstance(entry, dict) else None
    if not isinstance(type_name, str) or type_name not in TYPE_BITS:
        raise _broken(path, f"one of safetensors' types for {shown(name)}", shown(type_name))
    shape, offsets = entry.get("shape"), entry.get("data_offsets")
    if not _are_sizes(shape) or len(shape) > LARGEST_RANK:
        raise _broken(path, f"a shape for {shown(name)}", shown(shape))
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise _broken(path, f"data_offsets with begin and end for {shown(name)}", shown(offsets))
    begin, end = offsets
    if math.prod(shape) * TYPE_BITS[type_name] != 8 * (end - begin):
        raise _broken(
            path, f"as many bytes for {shown(name)} as {type_name} {shown(shape)} takes", f"{shown(end - begin)}"
        )
    return type_name, tuple(shape), begin, end


def _are_sizes(values: Any) -> bool:
    # A boolean is an int in Python, but no size; and a size that no file can have would only make slow arithmetic.
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**63 for value in values)


def _check_cover(path: Path, places: dict[str, tuple[str, tuple[int, ...], int, int]], size: int) -> None:
    """Every byte belongs to one tensor: nothing overlaps, is left over or lies beyond the end."""
    reached = 0
    for name, (_, _, begin, end) in sorted(places.items(), key=lambda item: item[1][2:]):
        if begin != reached:
            raise _broken(path, f"{shown(name)} to begin at byte {reached:,} of the data", f"{begin:,}")
        reached = end
    if reached != size:
        raise _broken(path, f"{reached:,} bytes of data, as the header says", f"{size:,}")
