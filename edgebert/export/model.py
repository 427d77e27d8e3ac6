"""A .tflite model as plain values, as `flatbuffer.read_model` makes them.

Weights are not copied: a Model keeps a view of the file and hands out a constant's content when asked.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgebert.export.operator_options import OptionValue
from edgebert.export.packed_files import Archive, NamedFiles

OPTIONAL = -1
"""The tensor index an operator stores for an input it does without."""

OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}
DTYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if isinstance(code, int)}

BITS = {
    "int2": 2, "int4": 4, "uint4": 4, "bool": 8, "int8": 8, "uint8": 8, "float8_e4m3fn": 8, "float8_e5m2": 8,
    "int16": 16, "uint16": 16, "float16": 16, "bfloat16": 16, "int32": 32, "uint32": 32, "float32": 32,
    "int64": 64, "uint64": 64, "float64": 64, "complex64": 64, "complex128": 128,
}  # fmt: skip
"""Bits of one element; strings, resources and variants have no fixed size."""

_SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)

_REAL_NUMPY_TYPES = {
    "bool": "?", "int8": "i1", "uint8": "u1", "int16": "<i2", "uint16": "<u2", "float16": "<f2", "int32": "<i4",
    "uint32": "<u4", "float32": "<f4", "int64": "<i8", "uint64": "<u8", "float64": "<f8",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Quantization:
    """How stored integers stand for real numbers. Arrays are read-only views of the file."""

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int
    block_size: int
    """Elements that share a scale in block-wise quantisation; 0 where there are no blocks."""
    block_scales: int = OPTIONAL
    """The tensor that holds the scales of the blocks."""

    @property
    def is_blockwise(self) -> bool:
        return self.block_size > 0

    @property
    def is_per_channel(self) -> bool:
        return len(self.scales) > 1

    # Looked at once for every operator that uses the tensor, and as long as the file says: so kept.
    @cached_property
    def largest_scale(self) -> float:
        return float(self.scales.max()) if len(self.scales) else 0.0

    @cached_property
    def smallest_scale(self) -> float:
        return float(self.scales.min()) if len(self.scales) else 0.0

    @cached_property
    def scales_are_normal(self) -> bool:
        """Positive, finite and not denormal, as integer kernels need them."""
        return bool(np.all(np.isfinite(self.scales)) and np.all(self.scales >= _SMALLEST_NORMAL))

    @cached_property
    def distinct_zero_points(self) -> frozenset[int]:
        return frozenset(np.unique(self.zero_points).tolist())


@dataclass(frozen=True, eq=False)
class Tensor:
    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    shape_signature: tuple[int, ...]
    """As `shape`, with -1 where the length is free; equal to `shape` when the file does not say."""
    quantization: Quantization | None
    buffer: int
    size_bytes: int
    """Bytes of the constant in the file; 0 for a tensor that is computed."""
    is_constant: bool
    is_sparse: bool
    is_variable: bool

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    @property
    def has_free_length(self) -> bool:
        return -1 in self.shape_signature


@dataclass(frozen=True, eq=False)
class Operator:
    index: int
    name: str
    """The builtin's name in the schema, or the code of a custom operator."""
    version: int
    code: int
    """Which entry of the file's operator table this operator uses."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, OptionValue]
    is_custom: bool


@dataclass(frozen=True, eq=False)
class Subgraph:
    index: int
    name: str
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @cached_property
    def producers(self) -> Mapping[int, Operator]:
        """By tensor the operator that computes it; none for inputs and constants."""
        return {index: operator for operator in self.operators for index in operator.outputs}

    @cached_property
    def readers(self) -> Mapping[int, list[Operator]]:
        """By tensor the operators that it is given to, once for each of their inputs; none for what nobody reads."""
        found: dict[int, list[Operator]] = {}
        for operator in self.operators:
            for index in operator.inputs:
                found.setdefault(index, []).append(operator)
        return found


@dataclass(frozen=True)
class Signature:
    """A named way to call the model: tensor numbers of one subgraph by the names a client uses."""

    key: str
    subgraph: int
    inputs: Mapping[str, int]
    outputs: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Model:
    subject: str
    """What to call this file in a message."""
    description: str
    subgraphs: tuple[Subgraph, ...]
    signatures: tuple[Signature, ...]
    metadata: Mapping[str, int]
    """Buffer number by metadata name."""
    buffers: tuple[tuple[int, int], ...]
    """Start and size in the file of each buffer; size 0 for an empty one."""
    outside_buffers: frozenset[int]
    """Buffers whose content is kept behind the FlatBuffer, not in it."""
    archive: Archive | None
    """The files packed behind the model."""
    named_files: NamedFiles
    """What the metadata says those files are for."""
    content: memoryview = field(repr=False)

    @property
    def size_bytes(self) -> int:
        return len(self.content)

    @property
    def packed_names(self) -> tuple[str, ...]:
        return tuple(file.name for file in self.archive.files) if self.archive else ()

    def buffer(self, index: int) -> memoryview:
        start, size_bytes = self.buffers[index]
        return self.content[start : start + size_bytes]

    def values(self, tensor: Tensor) -> np.ndarray:
        """A constant's numbers in its shape; four-bit integers are unpacked, everything else is a view of the file."""
        stored = self.buffer(tensor.buffer)
        if tensor.dtype == "int4":
            return _unpack_int4(np.frombuffer(stored, "u1"), tensor.elements).reshape(tensor.shape)
        if not tensor.is_constant or tensor.is_sparse or tensor.dtype not in _REAL_NUMPY_TYPES:
            raise ValueError(f"{tensor.name}: expected a dense constant of real numbers, got {tensor.dtype}")
        return np.frombuffer(stored, _REAL_NUMPY_TYPES[tensor.dtype]).reshape(tensor.shape)


def _unpack_int4(packed: np.ndarray, count: int) -> np.ndarray:
    """Two's-complement nibbles, the low one first."""
    nibbles = np.stack([packed & 15, packed >> 4], axis=-1).reshape(-1)[:count]
    return ((nibbles.astype(np.int8) ^ 8) - 8).astype(np.int8)
