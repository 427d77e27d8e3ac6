"""The constants of a model by what they are for: embedding tables, the matrices of the encoder, the rest."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph, Tensor

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
    """Operands of matrix products, biases included; the pooler's and the head's too: a file does not tell them apart."""
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
    overhead: int
    """The graph itself: operators, tensor names, shapes, quantisation parameters, metadata."""

    @property
    def total(self) -> int:
        return self.embedding + self.encoder + self.rest + self.packed + self.overhead


def measure(model: Model) -> Sizes:
    """Bytes by role. Content that several tensors share is counted once."""
    sizes = dict.fromkeys(Role, 0)
    counted: dict[tuple[int, int], Role] = {}
    for tensor, role in _constants(model).values():
        extent = model.buffers[tensor.buffer]
        if extent not in counted:
            counted[extent] = role
            sizes[role] += tensor.size_bytes
    packed = model.size_bytes - model.archive.start if model.archive else 0
    overhead = model.size_bytes - packed - sum(sizes.values())
    if overhead < 0:
        raise ArtefactError(
            f"{model.subject}: expected constants that fit into {model.size_bytes:,} bytes, got overlapping ones. "
            "Do: export it again or copy it again."
        )
    return Sizes(sizes[Role.EMBEDDING], sizes[Role.ENCODER], sizes[Role.REST], packed, overhead)


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


def root_constant(graph: Subgraph, index: int, producers: dict[int, Operator]) -> Tensor | None:
    """The constant that a tensor is, or is unpacked from; None for a computed one."""
    for _ in range(len(graph.operators) + 1):
        tensor = graph.tensors[index]
        if tensor.is_constant:
            return tensor
        producer = producers.get(index)
        if producer is None or producer.name not in _PASSING_ON or OPTIONAL in producer.inputs[:1]:
            return None
        index = producer.inputs[0]
    return None


def producers_of(graph: Subgraph) -> dict[int, Operator]:
    return {tensor: operator for operator in graph.operators for tensor in operator.outputs}


def _constants(model: Model) -> dict[int, tuple[Tensor, Role]]:
    """Every constant by its buffer, with the highest role that any of its uses gives it."""
    ranks = list(Role)
    found: dict[int, tuple[Tensor, Role]] = {}
    for graph in model.subgraphs:
        for tensor, role in [
            *((tensor, Role.REST) for tensor in graph.tensors if tensor.is_constant),
            *_used_constants(graph),
        ]:
            known = found.get(tensor.buffer)
            if known is None or ranks.index(role) < ranks.index(known[1]):
                found[tensor.buffer] = (tensor, role)
    return found


def _used_constants(graph: Subgraph) -> Iterator[tuple[Tensor, Role]]:
    producers = producers_of(graph)
    for operator in graph.operators:
        for position, index in enumerate(operator.inputs):
            role = _role(operator, position)
            root = root_constant(graph, index, producers) if role and index != OPTIONAL else None
            if root is not None:
                yield root, role


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
