"""Scale moved between activations and weights, so that one int8 range a tensor fits all of its channels.

Two exact rewritings of the float graph, each chosen per channel from what calibration saw:

- smoothing (SmoothQuant, arXiv 2211.10438): a dense layer's input is divided by s and its weights' columns multiplied;
- equalisation: a dense layer's weights and bias are divided by s and its output, back in float, multiplied.

Both cost one float multiplication of the tensor. In BERT a few channels of the feed-forward output are some hundred
times larger than the rest.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.export.flatbuffer import read_model
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.observing import Observed

# How much of a channel's size goes into the weights, behind a norm and behind an activation function.
NORM_EXPONENT = 0.7
ACTIVATION_EXPONENT = 0.8
# A channel that calibration saw (almost) silent is scaled as if it were this share of the loudest one.
QUIETEST_SHARE = 1e-4

_ACTIVATIONS = frozenset({"GELU", "RELU"})
# What computes in integers itself, or is bounded alike in every channel: nothing to smooth.
_NOT_SMOOTHED = frozenset({"FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE", "TANH", "SOFTMAX"})
# What reads a dense layer's output in float, where it can be multiplied first: residual, norms, activation functions.
_FLOAT_CONSUMERS = frozenset({"ADD", "SUB", "MEAN", "MUL"}) | _ACTIVATIONS
# Fused into a dense layer, these let a positive scale through.
SCALABLE_ACTIVATIONS = (0, 1)  # none, RELU


@dataclass(frozen=True)
class _Group:
    """Dense layers that must be scaled alike: they share an input, or weights (as ALBERT's layers do)."""

    operators: tuple[Operator, ...]

    @property
    def inputs(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(operator.inputs[0] for operator in self.operators))

    @property
    def weights(self) -> tuple[int, ...]:
        return tuple(dict.fromkeys(operator.inputs[1] for operator in self.operators))

    @property
    def biases(self) -> tuple[int, ...]:
        found = (operator.inputs[2] for operator in self.operators if len(operator.inputs) > 2)
        return tuple(dict.fromkeys(index for index in found if index != OPTIONAL))

    @property
    def outputs(self) -> tuple[int, ...]:
        return tuple(operator.outputs[0] for operator in self.operators)

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(operator.index for operator in self.operators)


@dataclass(frozen=True, eq=False)
class Factors:
    """By the number of a dense layer: what its input is divided by, and what its output is, one factor a channel."""

    inputs: Mapping[int, np.ndarray]
    outputs: Mapping[int, np.ndarray]


def balance(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    """The same function as a graph with more even channels; calibration has to look at it anew."""
    return with_factors(graph, choose_factors(graph, observed))


def choose_factors(graph: bytes, observed: Mapping[int, Observed]) -> Factors:
    """Layers of a group have the same."""
    model = read_model(graph)
    subgraph = model.subgraphs[0]
    inputs: dict[int, np.ndarray] = {}
    outputs: dict[int, np.ndarray] = {}
    for group in _sharing_inputs(subgraph):
        roots = {_root(subgraph, index) for index in group.inputs}
        if not roots & _NOT_SMOOTHED:
            exponent = ACTIVATION_EXPONENT if roots <= _ACTIVATIONS else NORM_EXPONENT
            inputs |= dict.fromkeys(group.numbers, _smoothing(model, group, observed, exponent))
    for group in _sharing_weights(subgraph):
        if all(_is_read_in_float(subgraph, operator) for operator in group.operators):
            peaks = _loudest([observed[index].channel_peaks for index in group.outputs])
            outputs |= dict.fromkeys(group.numbers, floored(peaks))
    return Factors(inputs, outputs)


def with_factors(graph: bytes, factors: Factors) -> bytes:
    """The same function as a graph whose weights absorb the factors, with multiplications that undo them."""
    subgraph = read_model(graph).subgraphs[0]
    editor = GraphEditor(graph)
    for group in _sharing_inputs(subgraph):
        if group.numbers[0] in factors.inputs:
            _smooth(editor, group, factors.inputs[group.numbers[0]])
    for group in _sharing_weights(subgraph):
        if group.numbers[0] in factors.outputs:
            _equalise(editor, group, factors.outputs[group.numbers[0]])
    return editor.content()


def _sharing_inputs(subgraph: Subgraph) -> Iterator[_Group]:
    return _grouped(subgraph, lambda operator: (operator.inputs[0], operator.inputs[1]))


def _sharing_weights(subgraph: Subgraph) -> Iterator[_Group]:
    return _grouped(subgraph, lambda operator: (operator.inputs[1],))


def _smoothing(model: Model, group: _Group, observed: Mapping[int, Observed], exponent: float) -> np.ndarray:
    tensors = model.subgraphs[0].tensors
    inputs = _loudest([observed[index].channel_peaks for index in group.inputs])
    weights = _loudest([np.abs(model.values(tensors[index])).max(axis=0) for index in group.weights])
    return floored(inputs) ** exponent / floored(weights) ** (1 - exponent)


def _smooth(editor: GraphEditor, group: _Group, factors: np.ndarray) -> None:
    for index in group.weights:
        editor.scale_constant(index, factors, group.numbers)
    for index in group.inputs:
        editor.multiply_input(index, 1 / factors, group.numbers)


def _equalise(editor: GraphEditor, group: _Group, factors: np.ndarray) -> None:
    for index in group.weights:
        editor.scale_constant(index, 1 / factors[:, None], group.numbers)
    for index in group.biases:
        editor.scale_constant(index, 1 / factors, group.numbers)
    for index in group.outputs:
        editor.multiply_output(index, factors)


def _loudest(peaks: Sequence[np.ndarray]) -> np.ndarray:
    return np.maximum.reduce(list(peaks)).astype(np.float64)


def floored(peaks: np.ndarray) -> np.ndarray:
    highest = peaks.max()
    return np.maximum(peaks, highest * QUIETEST_SHARE) if highest > 0 else np.ones_like(peaks)


def _grouped(subgraph: Subgraph, keys) -> Iterator[_Group]:
    """Dense layers with constant weights, those that share a key together, in the order of the graph."""
    leaders: dict[int, int] = {}

    def leader(key: int) -> int:
        while leaders.setdefault(key, key) != key:
            key = leaders[key]
        return key

    layers = [each for each in subgraph.operators if each.name == "FULLY_CONNECTED" and is_scalable(subgraph, each)]
    for operator in layers:
        first, *others = keys(operator)
        for other in others:
            leaders[leader(other)] = leader(first)
    found: dict[int, list[Operator]] = defaultdict(list)
    for operator in layers:
        found[leader(keys(operator)[0])].append(operator)
    return (_Group(tuple(operators)) for operators in found.values())


def is_scalable(subgraph: Subgraph, operator: Operator) -> bool:
    return subgraph.tensors[operator.inputs[1]].is_constant and operator.options["activation"] in SCALABLE_ACTIVATIONS


def _root(subgraph: Subgraph, index: int) -> str:
    """What made the tensor, seen through reshapes."""
    for operator in subgraph.operators:
        if index in operator.outputs:
            return _root(subgraph, operator.inputs[0]) if operator.name == "RESHAPE" else operator.name
    return "INPUT"


def _is_read_in_float(subgraph: Subgraph, operator: Operator) -> bool:
    readers = {each.name for each in subgraph.operators if operator.outputs[0] in each.inputs}
    return bool(readers) and readers <= _FLOAT_CONSUMERS
