"""Integers that would have to hold a mask of -10000 and the scores that it is added to: found, and refused.

Graphs of edgebert keep the mask apart and cannot have the fault; TensorFlow's own converter makes it of most others.
"""

from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model, Tensor

# Scores of attention span some tens; a step of a span beyond this is wider than what softmax tells apart.
WIDEST_SPAN = 1000.0
_STEPS = {"int8": 256, "int16": 65536}


@dataclass(frozen=True)
class WideMask:
    """Of one operator: its masked scores, or its factor of a mask, in integers whose steps are too wide."""

    operator: str
    tensor: str
    span: float

    def __str__(self) -> str:
        return f"a span of {self.span:,.0f} in '{self.tensor}' ({self.operator})"


def wide_masks(model: Model) -> tuple[WideMask, ...]:
    found = []
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            suspects = [subgraph.tensors[index] for index in operator.inputs if index >= 0]
            if operator.name != "SOFTMAX":
                suspects = [tensor for tensor in suspects if tensor.is_constant and tensor.elements == 1]
            spans = [(tensor.name, _span(tensor)) for tensor in suspects]
            found += [WideMask(operator.name, name, span) for name, span in spans if span >= WIDEST_SPAN]
    return tuple(found)


def check_masks(content: bytes, scheme: str) -> None:
    """For a quantised file."""
    for mask in wide_masks(read_model(content)):
        raise ArtefactError(
            f"{scheme}: expected masks that 256 steps can hold beside the scores, got {mask}. Do: convert the "
            "checkpoint with edgebert, whose graphs keep the mask apart, or mask with -30 instead of -10000."
        )


def _span(tensor: Tensor) -> float:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1:
        return 0.0
    return float(tensor.quantization.scales[0]) * _STEPS.get(tensor.dtype, 0)
