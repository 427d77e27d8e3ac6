"""The constants of a model by what they are for: embedding tables, the matrices of the encoder, the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.model import Model, Operator, Subgraph, Tensor

# Operators that only unpack or rearrange a constant for the operator that uses it.
_PASSING_ON = frozenset({"DEQUANTIZE", "DENSIFY", "RESHAPE", "TRANSPOSE", "EXPAND_DIMS", "CAST", "QUANTIZE"})
_PRODUCTS = frozenset({"FULLY_CONNECTED", "BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D"})
# Which input of a look-up is the table.
_TABLE_INPUTS = {"GATHER": 0, "EMBEDDING_LOOKUP": 1}
_NUMBERS = frozenset({"float32", "float16", "bfloat16", "int8", "uint8", "int4", "int2"})
_CHUNK_ROWS = 4096


class Role(StrEnum):
    """In order of precedence for content that serves several purposes."""

    EMBEDDING = "embedding"
    """Tables that rows are looked up in."""
    ENCODER = "encoder"
    """Operands of matrix products and their biases, the head's too: a file does not tell them apart."""
    REST = "rest"
    """Everything else: LayerNorm's scales and offsets, added positions, shapes and axes."""


@dataclass(frozen=True)
class Weight:
    """A constant that holds learnt numbers, with the subgraph's name for it."""

    name: str
    role: Role
    dtype: str
    shape: tuple[int, ...]
    size_bytes: int
    scales: int
    """Scales it is quantised with: 0 for floats, 1 per tensor, more per channel; block-wise ones count their blocks."""
    zero_share: float
    """Share of elements that stand for exactly 0."""

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def is_matrix(self) -> bool:
        return len(self.shape) > 1


@dataclass(frozen=True)
class Sizes:
    """Bytes of a file by what they hold; they add up to the file."""

    embedding: int
    encoder: int
    rest: int
    packed: int
    """Vocabulary, labels and what else lies behind the model."""
    scales: int
    """Scales and zero points, which lie beside the constants: 12 bytes for each row of a table quantised per row."""
    overhead: int
    """The graph itself: operators, names, shapes, metadata."""

    @property
    def total(self) -> int:
        return self.embedding + self.encoder + self.rest + self.packed + self.scales + self.overhead


def measure(model: Model) -> Sizes:
    """Bytes by role. Content that several tensors share is counted once."""
    sizes = dict.fromkeys(Role, 0)
    for tensor, role in _constants(model).values():
        sizes[role] += tensor.size_bytes
    packed = model.size_bytes - model.archive.start if model.archive else 0
    scales = _quantization_bytes(model)
    overhead = model.size_bytes - packed - scales - sum(sizes.values())
    if overhead < 0:
        raise ArtefactError(
            f"{model.subject}: expected constants that fit into {model.size_bytes:,} bytes, got overlapping ones. "
            "Do: export it again or copy it again."
        )
    return Sizes(sizes[Role.EMBEDDING], sizes[Role.ENCODER], sizes[Role.REST], packed, scales, overhead)


def _quantization_bytes(model: Model) -> int:
    """Bytes of all scales and zero points; vectors that tensors share are counted once."""
    vectors: dict[tuple[int, int], int] = {}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if tensor.quantization is not None:
                for vector in (tensor.quantization.scales, tensor.quantization.zero_points):
                    vectors[vector.__array_interface__["data"][0], vector.nbytes] = vector.nbytes
    return sum(vectors.values())


def weights(model: Model) -> tuple[Weight, ...]:
    """Every constant of learnt numbers, largest first."""
    found = [
        Weight(
            name=tensor.name,
            role=role,
            dtype=tensor.dtype,
            shape=tensor.shape,
            size_bytes=tensor.size_bytes,
            scales=_scale_count(tensor),
            zero_share=_zero_share(model, tensor),
        )
        for tensor, role in _constants(model).values()
        if is_learnt(tensor)
    ]
    return tuple(sorted(found, key=lambda weight: (-weight.size_bytes, weight.name)))


def is_learnt(tensor: Tensor) -> bool:
    """Numbers that training sets, as opposed to shapes, axes and ids; a bias of int32 has a scale, a shape has none."""
    return tensor.is_constant and (
        tensor.dtype in _NUMBERS or (tensor.dtype == "int32" and tensor.quantization is not None)
    )


def constant_roots(graph: Subgraph) -> dict[int, Tensor]:
    """For each tensor that is a constant or is only unpacked from one: that constant."""
    roots = {tensor.index: tensor for tensor in graph.tensors if tensor.is_constant}
    for operator in graph.operators:
        if operator.name in _PASSING_ON and operator.inputs and operator.inputs[0] in roots:
            roots.update((output, roots[operator.inputs[0]]) for output in operator.outputs if output not in roots)
    return roots


def _constants(model: Model) -> dict[tuple[int, int], tuple[Tensor, Role]]:
    """Every constant by its place in the file, with the highest role that any of its uses gives it."""
    ranks = list(Role)
    found: dict[tuple[int, int], tuple[Tensor, Role]] = {}
    for graph in model.subgraphs:
        for tensor, role in [
            *((tensor, Role.REST) for tensor in graph.tensors if tensor.is_constant),
            *_used_constants(graph),
        ]:
            place = model.buffers[tensor.buffer]
            if place not in found or ranks.index(role) < ranks.index(found[place][1]):
                found[place] = (tensor, role)
    return found


def _used_constants(graph: Subgraph) -> Iterator[tuple[Tensor, Role]]:
    roots = constant_roots(graph)
    for operator in graph.operators:
        for position, index in enumerate(operator.inputs):
            role = _role(operator, position)
            if role is not None and index in roots:
                yield roots[index], role


def _role(operator: Operator, position: int) -> Role | None:
    if operator.name in _PRODUCTS:
        return Role.ENCODER
    return Role.EMBEDDING if _TABLE_INPUTS.get(operator.name) == position else None


def _scale_count(tensor: Tensor) -> int:
    quantization = tensor.quantization
    if quantization is None:
        return 0
    return tensor.elements // quantization.block_size if quantization.is_blockwise else len(quantization.scales)


def _zero_share(model: Model, tensor: Tensor) -> float:
    if tensor.is_sparse or tensor.elements == 0 or tensor.dtype in ("bfloat16", "int2"):
        return 0.0
    values = model.values(tensor)
    rows = values.reshape(values.shape[0], -1) if values.ndim else values.reshape(1, 1)
    zero_points = _zero_points(tensor, values.ndim)
    # Slice by slice: a comparison of a whole table would need as much memory again.
    zeros = sum(
        int(np.count_nonzero(rows[start : start + _CHUNK_ROWS] == _rows_of(zero_points, start)))
        for start in range(0, len(rows), _CHUNK_ROWS)
    )
    return zeros / tensor.elements


def _zero_points(tensor: Tensor, rank: int) -> np.ndarray:
    """What stands for 0, one number or one per row."""
    quantization = tensor.quantization
    if quantization is None or not len(quantization.zero_points):
        return np.zeros(1)
    is_per_row = len(quantization.zero_points) == tensor.shape[0] and quantization.axis == 0 if rank else False
    return quantization.zero_points.reshape(-1, 1) if is_per_row else quantization.zero_points[:1]


def _rows_of(zero_points: np.ndarray, start: int) -> np.ndarray:
    return zero_points[start : start + _CHUNK_ROWS] if zero_points.ndim == 2 else zero_points
