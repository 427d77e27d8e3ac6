"""Even channels throughout an integer graph, at no cost: scale moved between constants that it has anyway.

A channel that is divided by s where it is made and multiplied by s where it is read leaves the function as it was. A
table's columns, a dense layer's rows and a norm's factors can make it; a dense layer's columns and the next norm's
factors can read it. What lies between (residual sums, a norm's bias, RELU, reshapes that keep the channels) has to
have the same scales, so tensors fall into groups; where one of a group can have none, as behind a softmax or in a layer
norm, none has.

Without it a few channels of the feed-forward output, tens of times larger than the rest, are all that the one int8
range of the residual sum fits.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from edgebert.export.flatbuffer import read_model
from edgebert.export.model import OPTIONAL, Operator, Subgraph
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import floored, is_scalable
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.observing import Observed

# How much of a channel's size goes into the constants that read it. From .5 to .7 two students' answers to training
# texts come equally close to float32's: three to seven times as close as without.
EXPONENT = 0.6

_KEEPING = frozenset({"RELU", "RESHAPE", "STRIDED_SLICE"})


def balance_throughout(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    """Attention's channels, which have a partner each, and all others. Tensors and operators keep their numbers."""
    return balance_channels(balance_attention(graph, observed), observed)


def balance_channels(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    subgraph = read_model(graph).subgraphs[0]
    scales = _scales(subgraph, observed)
    editor = GraphEditor(graph)
    for operator in subgraph.operators:
        made, read = scales.get(operator.outputs[0]), scales.get(_first_computed(subgraph, operator))
        if made is not None or read is not None:
            _absorb(editor, subgraph, operator, 1.0 if made is None else 1 / made, 1.0 if read is None else read)
    return editor.content()


def _absorb(editor: GraphEditor, subgraph: Subgraph, operator: Operator, made, read) -> None:
    """Into the operator's constants: what it makes times `made`, what it reads is `read` too small."""
    numbers = [operator.index]
    if operator.name == "FULLY_CONNECTED":
        weights, bias = operator.inputs[1], operator.inputs[2] if len(operator.inputs) > 2 else OPTIONAL
        editor.scale_constant(weights, np.multiply.outer(np.atleast_1d(made), np.atleast_1d(read)), numbers)
        if bias != OPTIONAL:
            editor.scale_constant(bias, np.atleast_1d(made), numbers)
    elif operator.name == "GATHER":
        editor.scale_constant(operator.inputs[0], made, numbers)
    elif operator.name in ("ADD", "MUL"):
        for index in operator.inputs:
            if _is_vector(subgraph, index):
                editor.scale_constant(index, made if operator.name == "ADD" else made * read, numbers)


def _scales(subgraph: Subgraph, observed: Mapping[int, Observed]) -> dict[int, np.ndarray]:
    """What each tensor's channels are divided by, of those that can be."""
    groups = _Groups()
    uses = [index for operator in subgraph.operators for index in operator.inputs]
    for operator in subgraph.operators:
        _join(groups, subgraph, operator, uses)
    groups.fix(subgraph.outputs)
    found = {}
    for members in groups.free():
        peaks = [observed[index].channel_peaks for index in members if index in observed]
        if peaks and len({one.shape for one in peaks}) == 1 and len(peaks[0]) > 1:
            sizes = floored(np.maximum.reduce(peaks).astype(np.float64)) ** EXPONENT
            # Their size is the range's business: what is told here is how they differ.
            found |= dict.fromkeys(members, sizes / np.exp(np.log(sizes).mean()))
    return found


def _join(groups: "_Groups", subgraph: Subgraph, operator: Operator, uses: list[int]) -> None:
    """Say which of the tensors around the operator have one scale, and which none."""
    computed = [index for index in operator.inputs if index != OPTIONAL and not subgraph.tensors[index].is_constant]
    floats = [index for index in (*computed, *operator.outputs) if subgraph.tensors[index].dtype == "float32"]
    if _absorbs(subgraph, operator, uses):
        groups.know(floats)
    elif _keeps(subgraph, operator, computed):
        groups.join(floats)
    else:
        groups.fix(floats)


def _absorbs(subgraph: Subgraph, operator: Operator, uses: list[int]) -> bool:
    """Whether it has constants, and matrices to itself, between what it reads and what it makes."""
    if operator.name == "FULLY_CONNECTED":
        return is_scalable(subgraph, operator) and uses.count(operator.inputs[1]) == 1
    if operator.name == "GATHER":
        return _is_table(subgraph, operator) and uses.count(operator.inputs[0]) == 1
    return operator.name == "MUL" and _has_vector(subgraph, operator)


def _keeps(subgraph: Subgraph, operator: Operator, computed: list[int]) -> bool:
    """Whether a channel of what it makes comes from the same channel of all that it reads."""
    if operator.name == "ADD":
        return len(computed) == 2 or _has_vector(subgraph, operator)
    before, after = (subgraph.tensors[index].shape[-1:] for index in (operator.inputs[0], operator.outputs[0]))
    return operator.name in _KEEPING and before == after


def _first_computed(subgraph: Subgraph, operator: Operator) -> int:
    return next((index for index in operator.inputs if not subgraph.tensors[index].is_constant), OPTIONAL)


def _is_vector(subgraph: Subgraph, index: int) -> bool:
    """Or rows of vectors, as the positions of a graph of one length."""
    tensor = subgraph.tensors[index]
    return tensor.is_constant and tensor.shape[-1:] > (1,)


def _has_vector(subgraph: Subgraph, operator: Operator) -> bool:
    return any(_is_vector(subgraph, index) for index in operator.inputs)


def _is_table(subgraph: Subgraph, operator: Operator) -> bool:
    table = subgraph.tensors[operator.inputs[0]]
    return table.is_constant and table.dtype == "float32" and len(table.shape) == 2


@dataclass
class _Groups:
    """Tensors that must have the same scales, and those that can have none."""

    _leaders: dict[int, int] = field(default_factory=dict)
    _fixed: set[int] = field(default_factory=set)

    def know(self, tensors) -> None:
        for index in tensors:
            self._leaders.setdefault(index, index)

    def join(self, tensors) -> None:
        self.know(tensors)
        for other in tensors[1:]:
            self._leaders[self._leader(other)] = self._leader(tensors[0])

    def fix(self, tensors) -> None:
        self.know(tensors)
        self._fixed.update(tensors)

    def free(self) -> list[list[int]]:
        groups = defaultdict(list)
        for index in self._leaders:
            groups[self._leader(index)].append(index)
        return [members for members in groups.values() if not self._fixed.intersection(members)]

    def _leader(self, index: int) -> int:
        while self._leaders[index] != index:
            index = self._leaders[index]
        return index
