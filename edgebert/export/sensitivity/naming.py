"""How an operator or tensor of a float graph is found again in a file that ai-edge-quantizer made of it."""

import re

from edgebert.export.model import Operator, Subgraph

# It keeps every tensor's name, and appends these to what it adds.
_ADDED = re.compile(r"(?:_quantized|_dequant)(?:_\d+)?$")
_CONVERTING = ("QUANTIZE", "DEQUANTIZE")


def base_name(name: str) -> str:
    return _ADDED.sub("", name)


def operators_by_output(subgraph: Subgraph) -> dict[str, Operator]:
    """Operators by the name of what they return, without those that only convert."""
    found: dict[str, Operator] = {}
    for operator in subgraph.operators:
        if operator.outputs and operator.name not in _CONVERTING:
            found.setdefault(base_name(subgraph.tensors[operator.outputs[0]].name), operator)
    return found
