"""Reading a .tflite: `read_model` takes any bytes and either returns a Model or raises an ArtefactError."""

import math
import mmap
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgebert.errors import ArtefactError
from edgebert.export.bounded import Malformed, Reader, Table
from edgebert.export.model import (
    BITS,
    DTYPE_NAMES,
    OPERATOR_NAMES,
    OPTIONAL,
    Model,
    Operator,
    Quantization,
    Signature,
    Subgraph,
    Tensor,
)
from edgebert.export.operator_options import read_options
from edgebert.export.packed_files import METADATA, NamedFiles, find_archive, read_named_files

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
MAXIMUM_DIMENSIONS = 32
"""No kernel takes more than 8; a damaged shape of thousands would make the number of elements a number of megabytes."""
LONGEST_PROBLEM = 200


def read_model(source: str | os.PathLike | bytes) -> Model:
    """Read a .tflite from a path or from bytes. Anything that is not a whole, consistent one is an ArtefactError."""
    if isinstance(source, bytes | bytearray | memoryview):
        subject, content = "model", memoryview(source).toreadonly()
    else:
        subject, content = str(source), _map_file(Path(source))
    try:
        return _read(Reader(content), subject)
    except Malformed as problem:
        raise ArtefactError(
            f"{subject}: expected a whole .tflite file, got {_shortened(str(problem))}. "
            "Do: export it again or copy it again."
        ) from problem


def _shortened(text: str) -> str:
    """A damaged name or shape can be as long as the file."""
    return text if len(text) <= LONGEST_PROBLEM else f"{text[:LONGEST_PROBLEM]} ..."


def _map_file(path: Path) -> memoryview:
    """The file as memory that is read when it is looked at: models of many gigabytes cost what is looked at."""
    try:
        # Before opening: to open a pipe is to wait for whoever writes into it.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ArtefactError(f"{path}: expected a .tflite file, got something else. Do: name a regular file.")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise ArtefactError(
            f"{path}: expected a .tflite file that can be read, got '{error.strerror}'. Do: check the path."
        ) from error


def _read(reader: Reader, subject: str) -> Model:
    identifier = bytes(reader.content[4:8])
    if identifier != IDENTIFIER:
        raise Malformed(f"bytes 4 to 8 {identifier!r} where a .tflite has {IDENTIFIER!r}")
    root = reader.root()
    version = root.scalar(0, "uint32")
    if version != SCHEMA_VERSION:
        raise Malformed(f"schema version {version} where a .tflite has {SCHEMA_VERSION}")
    codes = tuple(_operator_code(table) for table in root.tables(1))
    extents = tuple(_buffer_extent(reader, table) for table in root.tables(4))
    buffers = tuple((start, size_bytes) for start, size_bytes, _ in extents)
    subgraphs = tuple(_subgraph(index, table, codes, buffers) for index, table in enumerate(root.tables(2)))
    if not subgraphs:
        raise Malformed("a model without a graph")
    metadata = {
        table.text(0): _within(table.scalar(1, "uint32"), len(buffers), "a metadata buffer") for table in root.tables(6)
    }
    return Model(
        subject=subject,
        description=root.text(3),
        subgraphs=subgraphs,
        signatures=tuple(_signature(table, subgraphs) for table in root.tables(7)),
        metadata=metadata,
        buffers=buffers,
        outside_buffers=frozenset(index for index, (_, _, is_outside) in enumerate(extents) if is_outside),
        archive=find_archive(reader.content),
        named_files=_named_files(reader, metadata, buffers),
        content=reader.content,
    )


def _named_files(reader: Reader, metadata: Mapping[str, int], buffers: tuple) -> NamedFiles:
    start, size_bytes = buffers[metadata[METADATA]] if METADATA in metadata else (0, 0)
    return read_named_files(reader.content[start : start + size_bytes]) if size_bytes else NamedFiles()


def _operator_code(table: Table) -> tuple[str, int, bool]:
    """Name, version and whether it is a custom operator."""
    # The builtin code outgrew its first field of eight bits; old files fill only that one, new files both.
    code = max(table.scalar(0, "int8"), table.scalar(3, "int32"))
    version = table.scalar(2, "int32", default=1)
    if code == schema.BuiltinOperator.CUSTOM:
        return table.text(1), version, True
    return OPERATOR_NAMES.get(code, f"BUILTIN_{code}"), version, False


def _buffer_extent(reader: Reader, table: Table) -> tuple[int, int, bool]:
    """Start, size and whether the content is kept behind the FlatBuffer."""
    inline = table.extent(0)
    if inline is not None:
        return *inline, False
    # Files near or above 2 GB, and those of ai-edge-quantizer, keep content behind the FlatBuffer. Offsets 0 and 1
    # mean that there is none.
    start, size_bytes = table.scalar(1, "uint64"), table.scalar(2, "uint64")
    if start <= 1 or size_bytes == 0:
        return 0, 0, False
    reader.check(start, size_bytes)
    return start, size_bytes, True


def _subgraph(index: int, table: Table, codes: tuple, buffers: tuple) -> Subgraph:
    tensors = tuple(_tensor(number, entry, buffers) for number, entry in enumerate(table.tables(0)))
    for tensor in tensors:
        quantization = tensor.quantization
        if quantization is not None and quantization.is_blockwise:
            _within(quantization.block_scales, len(tensors), f"the scales of '{tensor.name}'")
    operators = tuple(_operator(number, entry, codes, len(tensors)) for number, entry in enumerate(table.tables(3)))
    return Subgraph(
        index=index,
        name=table.text(4),
        tensors=tensors,
        operators=operators,
        inputs=_indices(table, 1, len(tensors), "a graph input"),
        outputs=_indices(table, 2, len(tensors), "a graph output"),
    )


def _tensor(index: int, table: Table, buffers: tuple) -> Tensor:
    code = table.scalar(1, "int8")
    if code not in DTYPE_NAMES:
        raise Malformed(f"tensor type {code} that this version does not know")
    name, dtype, shape = table.text(3), DTYPE_NAMES[code], _shape(table, 0)
    if table.scalar(10, "uint32"):
        raise Malformed(f"tensor '{name}' whose content is kept in another file")
    buffer = _within(table.scalar(2, "uint32"), len(buffers), "a tensor's buffer")
    is_sparse = table.table(6) is not None
    stored_bytes = buffers[buffer][1] if buffer else 0
    expected_bytes = _packed_bytes(dtype, shape)
    if stored_bytes and not is_sparse and expected_bytes not in (None, stored_bytes):
        raise Malformed(f"{stored_bytes:,} bytes for tensor '{name}', {dtype} {list(shape)}")
    return Tensor(
        index=index,
        name=name,
        dtype=dtype,
        shape=shape,
        shape_signature=_shape(table, 7) or shape,
        quantization=_quantization(table.table(4), name, shape),
        buffer=buffer,
        size_bytes=stored_bytes,
        is_constant=stored_bytes > 0,
        is_sparse=is_sparse,
        is_variable=bool(table.scalar(5, "bool")),
    )


def _quantization(table: Table | None, name: str, shape: tuple[int, ...]) -> Quantization | None:
    if table is None:
        return None
    scales, zero_points = table.numbers(2, "<f4"), table.numbers(3, "<i8")
    block_size, block_scales = 0, OPTIONAL
    if table.scalar(4, "uint8") == schema.QuantizationDetails.BlockwiseQuantization:
        details = table.table(5)
        if details is not None:
            block_size, block_scales = details.scalar(2, "int32"), details.scalar(0, "int32")
    axis = table.scalar(6, "int32")
    if block_size > 0:
        return Quantization(_or_empty(scales, "<f4"), _or_empty(zero_points, "<i8"), axis, block_size, block_scales)
    if scales is None or len(scales) == 0:
        return None
    zero_points = _or_empty(zero_points, "<i8")
    # LiteRT refuses such files too.
    if len(zero_points) != len(scales):
        raise Malformed(f"{len(scales):,} scales and {len(zero_points):,} zero points for tensor '{name}'")
    if shape and not (0 <= axis < len(shape) and len(scales) in (1, shape[axis])):
        raise Malformed(f"{len(scales):,} scales along axis {axis} of tensor '{name}', {list(shape)}")
    return Quantization(scales, zero_points, axis, block_size=0)


def _or_empty(vector: np.ndarray | None, dtype: str) -> np.ndarray:
    return np.empty(0, dtype) if vector is None else vector


def _operator(index: int, table: Table, codes: tuple, tensor_count: int) -> Operator:
    code = _within(table.scalar(0, "uint32"), len(codes), "an operator's code")
    name, version, is_custom = codes[code]
    return Operator(
        index=index,
        name=name,
        version=version,
        code=code,
        inputs=_indices(table, 1, tensor_count, f"an input of {name}", lowest=OPTIONAL),
        outputs=_indices(table, 2, tensor_count, f"an output of {name}", lowest=OPTIONAL),
        options=read_options(name, table.scalar(3, "uint8"), table.table(4)),
        is_custom=is_custom,
    )


def _signature(table: Table, subgraphs: tuple[Subgraph, ...]) -> Signature:
    subgraph = _within(table.scalar(4, "uint32"), len(subgraphs), "a signature's graph")
    tensor_count = len(subgraphs[subgraph].tensors)

    def tensors_by_name(field: int) -> dict[str, int]:
        return {
            entry.text(0): _within(entry.scalar(1, "uint32"), tensor_count, "a signature's tensor")
            for entry in table.tables(field)
        }

    return Signature(table.text(2), subgraph, tensors_by_name(0), tensors_by_name(1))


def _shape(table: Table, field: int) -> tuple[int, ...]:
    vector = table.numbers(field, "<i4")
    if vector is not None and len(vector) > MAXIMUM_DIMENSIONS:
        raise Malformed(f"a tensor of {len(vector):,} dimensions")
    return () if vector is None else tuple(vector.tolist())


def _indices(table: Table, field: int, count: int, what: str, lowest: int = 0) -> tuple[int, ...]:
    vector = table.numbers(field, "<i4")
    if vector is None:
        return ()
    if len(vector) and (vector.min() < lowest or vector.max() >= count):
        raise Malformed(f"{what} outside the {count:,} tensors of its graph")
    return tuple(vector.tolist())


def _within(index: int, count: int, what: str) -> int:
    if not 0 <= index < count:
        raise Malformed(f"{what} number {index:,} of {count:,}")
    return index


def _packed_bytes(dtype: str, shape: tuple[int, ...]) -> int | None:
    """Bytes that a dense constant takes, four- and two-bit integers packed; None where that is not fixed."""
    return (math.prod(shape) * BITS[dtype] + 7) // 8 if dtype in BITS else None
