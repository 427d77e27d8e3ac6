"""Which node of the graph each operator of a profile is, and what the delegation linter says of it.

LiteRT's own operators carry their node's number. XNNPACK's do not: it merges nodes and makes operators of its own, but
keeps their order. So within a piece, operators of one kind are named after the nodes of that kind where there are as
many of the one as of the other, and are left unnamed where not.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.profiling.events import Step
from edgebert.benchmark.profiling.profile import OperatorCosts
from edgebert.export.delegation import Outcome, Verdict, lint
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model, Operator, Tensor

# The graph's first operators: the runtime runs the first signature's, which converters put there.
_SUBGRAPH = 0
# How XNNPACK calls the kernel of each kind of node, up to the type in brackets.
_XNNPACK_NAMES = {
    "ADD": "Add",
    "BATCH_MATMUL": "Batch Matrix Multiply",
    "DIV": "Divide",
    "FULLY_CONNECTED": "Fully Connected",
    "GELU": "GELU",
    "LOGISTIC": "Sigmoid",
    "MEAN": "Mean",
    "MUL": "Multiply",
    "RESHAPE": "Static Reshape",
    "RSQRT": "Reciprocal Square Root",
    "SLICE": "Slice",
    "SOFTMAX": "Softmax",
    "SQUARED_DIFFERENCE": "Squared Difference",
    "STRIDED_SLICE": "Slice",
    "SUB": "Subtract",
    "TANH": "Tanh",
    "TRANSPOSE": "Transpose",
}
# What XNNPACK makes of a square and the mean of it.
_SQUARED_MEAN = "Mean Squared"


@dataclass(frozen=True)
class Origin:
    """Where an operator comes from; all None where that cannot be told."""

    node: int | None = None
    output: str | None = None
    reason: str | None = None
    change: str | None = None


def operator_costs(
    path: Path, steps: Sequence[Step], pieces: Sequence[Sequence[int]], costs: Iterable[Sequence[int]]
) -> tuple[OperatorCosts, ...]:
    """The steps of the model in `path` with their origins; `costs` has a column for each."""
    origins = attribute(read_model(path), steps, pieces)
    return tuple(
        OperatorCosts(step.name, step.piece, **dataclasses.asdict(origin), costs=tuple(column))
        for step, origin, column in zip(steps, origins, costs, strict=True)
    )


def attribute(model: Model, steps: Sequence[Step], pieces: Sequence[Sequence[int]]) -> tuple[Origin, ...]:
    """The origin of each step. `pieces` lists, for each part that the delegate runs, the nodes that it took."""
    operators = model.subgraphs[_SUBGRAPH].operators
    verdicts = lint(model)[_SUBGRAPH].verdicts
    nodes = _nodes_of_pieces(operators, steps, pieces)
    origins = []
    for position, step in enumerate(steps):
        node = step.number if step.piece is None else nodes.get(position)
        known = node is not None and node < len(operators)
        origins.append(_origin(model, operators[node], verdicts[node]) if known else Origin())
    return tuple(origins)


def _nodes_of_pieces(
    operators: Sequence[Operator], steps: Sequence[Step], pieces: Sequence[Sequence[int]]
) -> Mapping[int, int]:
    """For the positions of the steps that stand for one node, that node."""
    by_kind: dict[tuple[int, str], list[int]] = defaultdict(list)
    for position, step in enumerate(steps):
        if step.piece is not None:
            by_kind[step.piece, _kind(step.name)].append(position)
    found: dict[int, int] = {}
    if {step.piece for step in steps if step.piece is not None} != set(range(len(pieces))):
        return found
    for (piece, kind), positions in by_kind.items():
        taken = [operators[index] for index in pieces[piece] if _XNNPACK_NAMES.get(operators[index].name) == kind]
        squares = sum(steps[position].name.startswith(_SQUARED_MEAN) for position in _of_piece(by_kind, piece, "Mean"))
        if kind == "Multiply" and len(taken) == len(positions) + squares:
            taken = [operator for operator in taken if not _is_square(operator)]
        if len(taken) == len(positions):
            found.update(zip(positions, (operator.index for operator in taken), strict=True))
    return found


def _of_piece(by_kind: Mapping[tuple[int, str], list[int]], piece: int, kind: str) -> Sequence[int]:
    return by_kind.get((piece, kind), ())


def _kind(name: str) -> str:
    """`Fully Connected (NC, QD8, F32, QC8W) GEMM` is a Fully Connected."""
    plain = name.partition(" (")[0]
    return "Mean" if plain == _SQUARED_MEAN else plain


def _is_square(operator: Operator) -> bool:
    return len(operator.inputs) > 1 and operator.inputs[0] == operator.inputs[1]


def _origin(model: Model, operator: Operator, verdict: Verdict) -> Origin:
    output = _computed(model.subgraphs[_SUBGRAPH].tensors, operator) if operator.outputs else None
    if verdict.outcome is Outcome.TAKEN:
        return Origin(operator.index, output)
    return Origin(operator.index, output, verdict.reason, verdict.change or None)


def _computed(tensors: Sequence[Tensor], operator: Operator) -> str:
    """Converters join the names of all that they merged, now and then with what has an operator of its own besides."""
    output = tensors[operator.outputs[0]]
    parts = output.name.split(";")
    others = {tensor.name for tensor in tensors if tensor is not output}
    return next((part for part in parts if part and part not in others), parts[0])
