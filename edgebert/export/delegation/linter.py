"""The delegation linter: which operators XNNPACK will take (as in LiteRT 2.3), why not the others, and what would help.

`lint` walks a graph as the delegate does: constants that are only unpacked (float16 weights) are taken with their
consumers, everything else by the rules of its kind. What it says is compared with the runtime, node for node, in
tests/export/delegation_test.py.
"""

import heapq
from dataclasses import dataclass
from enum import StrEnum

from edgebert.export.delegation.node import Breaks, Node, NotTaken, StaticValues, breaking_quantization
from edgebert.export.delegation.rules import CHEAP, NEVER_CHANGES, RULES, UNPREDICTED
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph

RUNTIME = "LiteRT 2.3"
"""The runtime whose delegate this models; older ones differ (FULLY_CONNECTED per channel only from 2.18, and an int8
BATCH_MATMUL with any zero point before 2.1.3)."""

# The delegate keeps these operators' later inputs as parameters, not as tensors of its own graph.
_PARAMETERS_AFTER_FIRST = frozenset({"MEAN", "PAD", "REDUCE_MAX", "REDUCE_MIN", "SUM", "RESHAPE", "STRIDED_SLICE",
                                     "SLICE", "TRANSPOSE"})  # fmt: skip
_READ_HALF_PRECISION = frozenset({"FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D"})


class Outcome(StrEnum):
    TAKEN = "taken"
    LEFT = "left"
    BREAKS = "breaks"
    """XNNPACK claims the operator and fails: with its default settings LiteRT cannot prepare the model."""
    UNPREDICTED = "unpredicted"


@dataclass(frozen=True)
class Verdict:
    subgraph: int
    node: int
    operator: str
    outcome: Outcome
    reason: str = ""
    change: str = ""
    is_cheap: bool = False


@dataclass(frozen=True)
class Delegation:
    """The verdicts on one graph, in file order."""

    subgraph: int
    verdicts: tuple[Verdict, ...]
    partitions: int
    """Pieces that XNNPACK runs as one; each change between a piece and LiteRT's own kernels costs time."""

    @property
    def taken(self) -> int:
        return sum(verdict.outcome is Outcome.TAKEN for verdict in self.verdicts)


def lint(model: Model) -> tuple[Delegation, ...]:
    """The verdicts on every graph of a model."""
    return tuple(_lint_graph(model, graph) for graph in model.subgraphs)


def _lint_graph(model: Model, graph: Subgraph) -> Delegation:
    static = StaticValues({}, set())
    verdicts: dict[int, Verdict] = {}
    blocked: dict[int, Operator] = {}
    for operator in graph.operators:
        node = Node(model, graph, operator, static)
        if _unpacks_a_constant(node):
            static.producers[operator.outputs[0]] = operator.index
            continue
        verdict = _judge(node)
        verdicts[operator.index] = verdict
        if verdict.outcome in (Outcome.LEFT, Outcome.UNPREDICTED):
            for tensor in operator.inputs:
                if tensor in static.producers:
                    blocked.setdefault(static.producers[tensor], operator)
    for unpacking in static.producers.values():
        verdicts[unpacking] = _judge_unpacking(graph, unpacking, blocked.get(unpacking))
    ordered = tuple(verdicts[index] for index in range(len(graph.operators)))
    return Delegation(graph.index, ordered, _partitions(graph, ordered))


def _judge(node: Node) -> Verdict:
    operator, subgraph = node.operator, node.graph.index

    def verdict(outcome: Outcome, reason: str = "", change: str = "", is_cheap: bool = False) -> Verdict:
        return Verdict(subgraph, operator.index, operator.name, outcome, reason, change, is_cheap)

    if operator.is_custom:
        return verdict(Outcome.LEFT, "it is a custom operator", "express it with builtin operators")
    if operator.name in UNPREDICTED:
        return verdict(Outcome.UNPREDICTED, "not modelled: no text encoder has it")
    rule = RULES.get(operator.name)
    if rule is None and operator.name in CHEAP:
        return verdict(Outcome.LEFT, CHEAP[operator.name], "nothing: it is cheap", is_cheap=True)
    if rule is None:
        return verdict(
            Outcome.LEFT,
            f"XNNPACK has no {operator.name}",
            NEVER_CHANGES.get(operator.name, "nothing, unless it is large: see --nodes"),
        )
    try:
        rule(node)
        _can_be_held(node)
    except Breaks as broken:
        return verdict(Outcome.BREAKS, broken.reason, broken.change)
    except NotTaken as refusal:
        return verdict(Outcome.LEFT, refusal.reason, refusal.change, _is_small(node))
    return verdict(Outcome.TAKEN)


def _can_be_held(node: Node) -> None:
    """Scales and zero points that the rules do not look at, but XNNPACK's own tensors do."""
    operator = node.operator
    inputs = operator.inputs[:1] if operator.name in _PARAMETERS_AFTER_FIRST else operator.inputs
    for tensor in (*inputs, *operator.outputs):
        if tensor != OPTIONAL and (problem := breaking_quantization(node.graph.tensors[tensor])):
            raise Breaks(problem, "calibrate again: a constant zero channel or tensor needs a scale such as 1")


def _is_small(node: Node) -> bool:
    """Arithmetic on ids, masks and shapes."""
    outputs = node.operator.outputs
    return any(
        node.graph.tensors[index].dtype in ("int32", "int64", "bool") for index in outputs[:1] if index != OPTIONAL
    )


def _unpacks_a_constant(node: Node) -> bool:
    """DEQUANTIZE or DENSIFY of a constant: done once at load if every consumer is taken."""
    operator, static = node.operator, node.static
    if operator.name not in ("DEQUANTIZE", "DENSIFY") or len(operator.inputs) != 1 or len(operator.outputs) != 1:
        return False
    if OPTIONAL in (*operator.inputs, *operator.outputs):
        return False
    source, target = node.input(0), node.output()
    if operator.name == "DENSIFY":
        return source.is_constant and source.is_sparse and source.dtype == target.dtype
    if source.is_sparse or not node.is_static(source) or target.dtype != "float32":
        return False
    if source.dtype == "int8":
        return source.quantization is not None
    if source.dtype != "float16":
        return False
    consumers = node.graph.readers.get(target.index, ())
    if all(consumer.name in _READ_HALF_PRECISION and consumer.inputs[0] != target.index for consumer in consumers):
        static.half_precision.add(target.index)
    return True


def _judge_unpacking(graph: Subgraph, index: int, blocker: Operator | None) -> Verdict:
    operator = graph.operators[index]
    if blocker is None:
        return Verdict(graph.index, index, operator.name, Outcome.TAKEN)
    return Verdict(
        graph.index,
        index,
        operator.name,
        Outcome.LEFT,
        f"it unpacks a constant for {blocker.name} (node {blocker.index}), which is not taken",
        "nothing in time (it runs once), but the unpacked copy stays in memory beside the constant",
        is_cheap=True,
    )


def _partitions(graph: Subgraph, verdicts: tuple[Verdict, ...]) -> int:
    """How many pieces LiteRT cuts out.

    A piece begins with the first operator that is ready and grows by every ready one of its kind, whatever their order
    in the file, until only the other kind is left.
    """
    claimed = [verdict.outcome in (Outcome.TAKEN, Outcome.BREAKS) for verdict in verdicts]
    computed = set(graph.producers)
    missing = [len(computed.intersection(operator.inputs)) for operator in graph.operators]
    ready: dict[bool, list[int]] = {True: [], False: []}
    for index, count in enumerate(missing):
        if not count:
            heapq.heappush(ready[claimed[index]], index)
    pieces = 0
    while ready[True] or ready[False]:
        kind = min((queue[0], of_kind) for of_kind, queue in ready.items() if queue)[1]
        pieces += kind
        while ready[kind]:
            for tensor in computed.intersection(graph.operators[heapq.heappop(ready[kind])].outputs):
                computed.discard(tensor)
                for reader in {operator.index for operator in graph.readers.get(tensor, ())}:
                    missing[reader] -= 1
                    if not missing[reader]:
                        heapq.heappush(ready[claimed[reader]], reader)
    return pieces
