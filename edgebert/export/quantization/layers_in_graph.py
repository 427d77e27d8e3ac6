"""Which dense layer of the model each dense operator of a graph is: found by its weights, which names may not tell."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.model import OPTIONAL, Model, Operator

KERNEL = ".kernel"
# Beyond this share of their length weights are others: the converter folds a factor into them in float32, no more.
_LARGEST_DIFFERENCE = 1e-5
_LARGEST_BIAS_DIFFERENCE = 1e-4
_BEHIND_NORM, _NORM_BIAS = ".feed_forward.up", ".attention_norm.bias"


@dataclass(frozen=True, eq=False)
class LayerInGraph:
    operator: Operator
    # What the converter has multiplied weights, bias and with them the output by, as a query's 1/sqrt(width).
    factor: float


def find_layers(graph: Model, kernels: Mapping[str, np.ndarray]) -> dict[str, LayerInGraph]:
    """By name, each dense layer that the graph has; every dense operator is one of them, and each is there once.

    kernels, [I, O] each: the model's values, of which only those called NAME.kernel are looked at.
    """
    subgraph = graph.subgraphs[0]
    matrices = {name.removesuffix(KERNEL): values for name, values in kernels.items() if name.endswith(KERNEL)}
    found: dict[str, LayerInGraph] = {}
    for operator in (each for each in subgraph.operators if each.name == "FULLY_CONNECTED"):
        tensor = subgraph.tensors[operator.inputs[1]]
        weights = graph.values(tensor) if tensor.is_constant else np.zeros((0, 0), np.float32)
        matching = [
            (name, factor)
            for name, kernel in matrices.items()
            if kernel.T.shape == weights.shape and (factor := _factor(weights, kernel.T)) is not None
        ]
        if len(matching) != 1:
            names = " and ".join(name for name, _ in matching) or "none"
            raise ArtefactError(
                f"graph: expected each dense operator to have the weights of one layer, got those of {names} for "
                f"'{subgraph.tensors[operator.outputs[0]].name[:80]}'. Do: give the model that the graph was made of."
            )
        ((name, factor),) = matching
        if name in found:
            raise ArtefactError(
                f"{name}: expected one place for each layer, got several (as of ALBERT, whose layers share a block). "
                "Do: use a model whose layers have weights of their own, or calibrate (edgebert convert --calibration)."
            )
        found[name] = LayerInGraph(operator, factor)
    return found


def find_offsets(graph: Model, layers: Mapping[str, LayerInGraph], values: Mapping[str, np.ndarray]) -> dict[str, str]:
    """By layer, the vector that the converter does not add to what the layer reads: times the weights, it is in the
    layer's bias. A norm's bias where the layer reads the norm directly, and the residual has an addition of its own."""
    found = {}
    for name, each in layers.items():
        offset = name.removesuffix(_BEHIND_NORM) + _NORM_BIAS
        if not name.endswith(_BEHIND_NORM) or offset not in values:
            continue
        inputs = each.operator.inputs
        bias = graph.values(graph.subgraphs[0].tensors[inputs[2]]) if len(inputs) > 2 and inputs[2] != OPTIONAL else 0.0
        own = values[f"{name}.bias"] * each.factor
        folded = own + values[offset] @ values[name + KERNEL] * each.factor
        # A norm whose bias is still zero counts as folded: trained, it will be.
        if _is_close(bias, folded):
            found[name] = offset
        elif not _is_close(bias, own):
            raise ArtefactError(
                f"{name}: expected the model's bias in the graph, or the norm's added to it, got neither. "
                "Do: give the model that the graph was made of."
            )
    return found


def _is_close(found: np.ndarray | float, expected: np.ndarray) -> bool:
    return bool(np.abs(found - expected).max() <= _LARGEST_BIAS_DIFFERENCE * max(1.0, float(np.abs(expected).max())))


def _factor(weights: np.ndarray, kernel: np.ndarray) -> float | None:
    """What the kernel was multiplied by to give the weights, if it was."""
    squared = float(np.vdot(kernel, kernel))
    if squared == 0:
        return None if weights.any() else 1.0
    factor = float(np.vdot(kernel, weights)) / squared
    # Multiplied by 1, it is the same numbers; else rounded once more.
    if np.array_equal(weights, kernel):
        return 1.0
    distance = np.linalg.norm(weights - np.float32(factor) * kernel)
    return factor if factor > 0 and distance <= _LARGEST_DIFFERENCE * abs(factor) * np.sqrt(squared) else None
