"""What a .tflite is: `summarize` reads it, `require` refuses one that is not what was asked for."""

import os
from collections import Counter
from dataclasses import dataclass

from edgebert.export.delegation import Delegation, Outcome, lint
from edgebert.export.flatbuffer import read_model
from edgebert.export.generations import ClientVerdict, judge_clients
from edgebert.export.masks import WideMask, wide_masks
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph, Tensor
from edgebert.export.requirements import require
from edgebert.export.versions import Understatement, minimum_runtime, understatements
from edgebert.export.weights import Sizes, Weight, constant_roots, is_learnt, measure, weights

__all__ = ["Summary", "require", "summarize"]

UNKNOWN_RUNTIME = "unknown"
FLEX_PREFIX = "Flex"


@dataclass(frozen=True)
class Port:
    """An input or output, under the name that a client binds it by."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    """-1 for a free length."""
    quantization: tuple[float, int] | None = None
    """Scale and zero point, where its integers stand for other numbers: (integer - zero point) * scale."""


@dataclass(frozen=True)
class Call:
    """One way to call the model: a signature, or the bare graph where a file has none (its key is then empty)."""

    key: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


@dataclass(frozen=True)
class OperatorRow:
    """All operators of one kind that compute with the same types."""

    name: str
    version: int
    weights: tuple[str, ...]
    """Types of the constants it computes with."""
    activations: tuple[str, ...]
    """Types of what it is given and returns while it runs."""
    count: int
    taken: int
    """How many of them XNNPACK takes."""


@dataclass(frozen=True)
class Summary:
    subject: str
    size_bytes: int
    description: str
    calls: tuple[Call, ...]
    operators: tuple[OperatorRow, ...]
    sizes: Sizes
    parameters: int
    weights: tuple[Weight, ...]
    minimum_runtime: str
    """The oldest runtime that computes it rightly, e.g. `2.17` (TensorFlow Lite) or `LiteRT 2.1`."""
    runtime_reason: str
    """The operator that needs that runtime."""
    understatements: tuple[Understatement, ...]
    wide_masks: tuple[WideMask, ...]
    """Masks of thousands in integers: of them and the scores beside them one is lost."""
    clients: tuple[ClientVerdict, ...]
    flex_operators: tuple[str, ...]
    custom_operators: tuple[str, ...]
    metadata: tuple[str, ...]
    packed_files: tuple[str, ...]
    vocabulary: tuple[str, ...]
    """Files that the metadata names as a tokenizer's; `packed_files` has those that are there."""
    labels: tuple[str, ...]
    delegations: tuple[Delegation, ...]

    @property
    def taken_share(self) -> float:
        """Share of all operators that XNNPACK takes."""
        count = sum(len(delegation.verdicts) for delegation in self.delegations)
        return sum(delegation.taken for delegation in self.delegations) / count if count else 0.0


def summarize(source: str | os.PathLike | bytes) -> Summary:
    """Read a .tflite from a path or from bytes and say what it is."""
    model = read_model(source)
    delegations = lint(model)
    requirement = minimum_runtime(model)
    custom = _custom_operators(model)
    # First: it refuses constants that overlap, whose numbers could be read over and over.
    sizes = measure(model)
    all_weights = weights(model)
    return Summary(
        subject=model.subject,
        size_bytes=model.size_bytes,
        description=model.description,
        calls=_calls(model),
        operators=_operator_rows(model, delegations),
        sizes=sizes,
        parameters=sum(weight.elements for weight in all_weights),
        weights=all_weights,
        minimum_runtime=UNKNOWN_RUNTIME if requirement.runtime is None else str(requirement.runtime),
        runtime_reason=f"{requirement.operator} version {requirement.version}" if requirement.operator else "",
        understatements=understatements(model),
        wide_masks=wide_masks(model),
        clients=judge_clients(model),
        flex_operators=tuple(name for name in custom if name.startswith(FLEX_PREFIX)),
        custom_operators=tuple(name for name in custom if not name.startswith(FLEX_PREFIX)),
        metadata=tuple(model.metadata),
        packed_files=model.packed_names,
        vocabulary=model.named_files.vocabulary,
        labels=model.named_files.labels,
        delegations=delegations,
    )


def _custom_operators(model: Model) -> list[str]:
    return sorted({operator.name for graph in model.subgraphs for operator in graph.operators if operator.is_custom})


def _calls(model: Model) -> tuple[Call, ...]:
    if not model.signatures:
        graph = model.subgraphs[0]
        return (Call("", _bare_ports(graph, graph.inputs), _bare_ports(graph, graph.outputs)),)
    calls = []
    for signature in model.signatures:
        tensors = model.subgraphs[signature.subgraph].tensors
        inputs, outputs = (
            tuple(_port(name, tensors[index]) for name, index in sorted(side.items()))
            for side in (signature.inputs, signature.outputs)
        )
        calls.append(Call(signature.key, inputs, outputs))
    return tuple(calls)


def _bare_ports(graph: Subgraph, indices: tuple[int, ...]) -> tuple[Port, ...]:
    return tuple(_port(graph.tensors[index].name, graph.tensors[index]) for index in indices)


def _port(name: str, tensor: Tensor) -> Port:
    return Port(name, tensor.dtype, tensor.shape_signature, _scale_and_zero_point(tensor))


def _scale_and_zero_point(tensor: Tensor) -> tuple[float, int] | None:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1:
        return None
    zero_points = tensor.quantization.zero_points
    return float(tensor.quantization.scales[0]), int(zero_points[0]) if len(zero_points) else 0


def _operator_rows(model: Model, delegations: tuple[Delegation, ...]) -> tuple[OperatorRow, ...]:
    counts: Counter[tuple] = Counter()
    taken: Counter[tuple] = Counter()
    for graph, delegation in zip(model.subgraphs, delegations, strict=True):
        roots = constant_roots(graph)
        for operator, verdict in zip(graph.operators, delegation.verdicts, strict=True):
            key = (operator.name, operator.version, *_types(graph, operator, roots))
            counts[key] += 1
            taken[key] += verdict.outcome is Outcome.TAKEN
    rows = [OperatorRow(*key, count, taken[key]) for key, count in counts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.count, row.name, row.version, row.weights)))


def _types(graph: Subgraph, operator: Operator, roots: dict[int, Tensor]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Types of the constants and of the activations of one operator."""
    constants, activations = set(), {graph.tensors[index].dtype for index in operator.outputs if index != OPTIONAL}
    for index in operator.inputs:
        if index == OPTIONAL:
            continue
        if index not in roots:
            activations.add(graph.tensors[index].dtype)
        elif is_learnt(roots[index]):
            constants.add(roots[index].dtype)
    return tuple(sorted(constants)), tuple(sorted(activations))
