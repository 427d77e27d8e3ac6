"""Two questions to the runtime's own list of nodes: what did the delegate take, and how many rows has the table.

A node is a mapping with `index`, `op_name`, `inputs` and `outputs` (tensor numbers), as LiteRT's interpreter lists
them. Delegation appends DELEGATE nodes to the list and keeps the nodes they replaced, without marking those.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]

DELEGATE_NODE = "DELEGATE"
_RESHAPING_OPERATORS = frozenset(("RESHAPE", "CAST", "EXPAND_DIMS", "SQUEEZE", "STRIDED_SLICE", "MAXIMUM", "MINIMUM"))
# Which operand is the table and which the row numbers.
_LOOKUP_OPERANDS = {"GATHER": (0, 1), "EMBEDDING_LOOKUP": (1, 0)}


def delegated_nodes(nodes: Sequence[Node]) -> frozenset[int]:
    """The nodes that a delegate replaced."""
    return frozenset().union(*delegated_pieces(nodes))


def delegated_pieces(nodes: Sequence[Node]) -> tuple[frozenset[int], ...]:
    """For each DELEGATE node what it replaced: everything between its outputs and its inputs."""
    originals = [node for node in nodes if node["op_name"] != DELEGATE_NODE]
    producer = {int(tensor): node for node in originals for tensor in node["outputs"]}
    pieces = []
    for delegate in nodes:
        if delegate["op_name"] != DELEGATE_NODE:
            continue
        taken: set[int] = set()
        border = {int(tensor) for tensor in delegate["inputs"]}
        ahead = [int(tensor) for tensor in delegate["outputs"]]
        while ahead:
            node = producer.get(ahead.pop())
            if node is not None and node["index"] not in taken:
                taken.add(node["index"])
                ahead.extend(int(tensor) for tensor in node["inputs"] if int(tensor) not in border)
        pieces.append(frozenset(taken))
    return tuple(pieces)


def describe_delegation(nodes: Sequence[Node]) -> dict[str, object]:
    """The fields of `edgebert.measurement.Delegation`."""
    taken = delegated_nodes(nodes)
    originals = [node for node in nodes if node["op_name"] != DELEGATE_NODE]
    outside = Counter(node["op_name"] for node in originals if node["index"] not in taken)
    return {
        "nodes": len(originals),
        "delegated_nodes": len(taken),
        "partitions": len(nodes) - len(originals),
        "operators_outside": dict(sorted(outside.items(), key=lambda item: (-item[1], item[0]))),
    }


def embedding_table(nodes: Sequence[Node], ids_tensor: int) -> int | None:
    """The tensor that the token ids index, followed through nodes that only reshape them; None: no lookup."""
    reached = {ids_tensor}
    for node in nodes:
        operands = [int(tensor) for tensor in node["inputs"]]
        table_and_rows = _LOOKUP_OPERANDS.get(node["op_name"])
        if table_and_rows is not None and operands[table_and_rows[1]] in reached:
            return operands[table_and_rows[0]]
        if node["op_name"] in _RESHAPING_OPERATORS and operands and operands[0] in reached:
            reached.update(int(tensor) for tensor in node["outputs"])
    return None
