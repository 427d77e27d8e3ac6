"""Masks of -10000 in integers: of the mask and the scores beside it one is lost. Found in any file, refused in ours.

What edgebert converts keeps the mask apart; TensorFlow's own converter, asked for integers throughout, does not.
"""

from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model, Operator, Subgraph, Tensor

# Scores of attention span some tens. Of -10000 and them, 256 steps are 40 wide each.
WIDEST_STEP = 4.0
_INTEGERS = frozenset({"int8", "uint8", "int16"})
# Between the factor of a mask and the softmax that reads the sum of it and the scores.
_PASSING = frozenset({"ADD", "BROADCAST_TO", "EXPAND_DIMS", "MUL", "QUANTIZE", "RESHAPE", "SUB", "TRANSPOSE"})


@dataclass(frozen=True)
class WideMask:
    """What an operator reads of a mask, or of scores with one, in integers whose steps are too wide for scores."""

    operator: str
    tensor: str
    step: float

    def __str__(self) -> str:
        return f"steps of {self.step:,.1f} in '{self.tensor}' ({self.operator})"


def wide_masks(model: Model) -> tuple[WideMask, ...]:
    found = []
    for subgraph in model.subgraphs:
        for operator in subgraph.operators:
            read = [subgraph.tensors[index] for index in operator.inputs if index >= 0]
            if operator.name != "SOFTMAX":
                read = [tensor for tensor in read if tensor.is_constant and tensor.elements == 1]
            wide = [tensor for tensor in read if _step(tensor) >= WIDEST_STEP]
            if wide and _reaches_softmax(subgraph, operator):
                found += [WideMask(operator.name, tensor.name, _step(tensor)) for tensor in wide]
    return tuple(found)


def check_masks(content: bytes, scheme: str) -> None:
    """Refuse a quantised file that has one."""
    if masks := wide_masks(read_model(content)):
        raise ArtefactError(
            f"{scheme}: expected masks that 256 steps can hold beside the scores, got {masks[0]}. Do: convert the "
            "checkpoint with edgebert, whose graphs keep the mask apart, or mask with -30 instead of -10000."
        )


def _reaches_softmax(subgraph: Subgraph, operator: Operator) -> bool:
    """Or is one. Every operator is looked at once: a damaged file may have circles."""
    waiting, seen = [operator], set()
    while waiting:
        one = waiting.pop()
        if one.name == "SOFTMAX":
            return True
        if one.name in _PASSING and one.index not in seen:
            seen.add(one.index)
            waiting += [each for index in one.outputs for each in subgraph.readers.get(index, ())]
    return False


def _step(tensor: Tensor) -> float:
    if tensor.dtype not in _INTEGERS or tensor.quantization is None or len(tensor.quantization.scales) != 1:
        return 0.0
    return float(tensor.quantization.scales[0])
