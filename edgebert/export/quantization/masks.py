"""Refusing integers that would have to hold a mask of -10000 and the scores that it is added to."""

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Tensor

# Scores of attention span some tens; a step of a span beyond this is wider than what softmax tells apart.
WIDEST_SPAN = 1000.0
_STEPS = {"int8": 256, "int16": 65536}


def check_masks(content: bytes, scheme: str) -> None:
    """For a quantised file: no masked scores, and no factor of a mask, in integers whose steps are too wide."""
    for subgraph in read_model(content).subgraphs:
        for operator in subgraph.operators:
            suspects = [subgraph.tensors[index] for index in operator.inputs if index >= 0]
            if operator.name != "SOFTMAX":
                suspects = [tensor for tensor in suspects if tensor.is_constant and tensor.elements == 1]
            for tensor in suspects:
                if _span(tensor) >= WIDEST_SPAN:
                    raise ArtefactError(
                        f"{scheme}: expected masks that 256 steps can hold beside the scores, got a span of "
                        f"{_span(tensor):,.0f} in '{tensor.name}' ({operator.name}). Do: convert the checkpoint with "
                        "edgebert, whose graphs keep the mask apart, or mask with -30 instead of -10000."
                    )


def _span(tensor: Tensor) -> float:
    if tensor.quantization is None or len(tensor.quantization.scales) != 1:
        return 0.0
    return float(tensor.quantization.scales[0]) * _STEPS.get(tensor.dtype, 0)
