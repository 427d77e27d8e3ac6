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
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import OPTIONAL, Operator, Subgraph
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import SCALABLE_ACTIVATIONS
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.observing import Observed

# How much of a channel's size goes into the constants that read it. With 256 calibration texts two students are three
# to five times as near to float32 as without, whatever it is from .4 to 1; headroom for the ranges brings one nothing
# and costs the other a fifth and more. With 16 texts .5, or headroom, would be nearer, for one of them by far: the
# figures are in benchmarks/choices.
EXPONENT = 0.6
# A channel that calibration saw quieter than this share of the middle one is scaled as if it were that loud: text that
# wakes it is not cut off. With 256 texts another share makes a ninth at most, with 16 more of it would be nearer.
QUIETEST_SHARE_OF_MEDIAN = 0.5

_KEEPING = frozenset({"RELU", "RESHAPE", "STRIDED_SLICE"})


def balance_throughout(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    """Attention's channels, which have a partner each, and all others. Tensors and operators keep their numbers.

    What was observed holds for both: queries, keys and values, which attention's scales change, have no others.
    """
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


def _absorb(
    editor: GraphEditor, subgraph: Subgraph, operator: Operator, made: np.ndarray | float, read: np.ndarray | float
) -> None:
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
    for operator in subgraph.operators:
        _group_around(groups, subgraph, operator)
    groups.exclude((*subgraph.inputs, *subgraph.outputs))
    found = {}
    for members in groups.scalable():
        peaks = [_channel_peaks(subgraph, observed, index) for index in members]
        found |= dict.fromkeys(members, _factors(np.maximum.reduce(peaks).astype(np.float64)))
    return found


def _channel_peaks(subgraph: Subgraph, observed: Mapping[int, Observed], index: int) -> np.ndarray:
    peaks = observed[index].channel_peaks
    if not len(peaks):
        raise ArtefactError(
            f"'{subgraph.tensors[index].name[:80]}': expected a tensor of a known width, got one of any. "
            "Do: give a graph that edgebert converted."
        )
    return peaks


def _factors(peaks: np.ndarray) -> np.ndarray:
    if not peaks.any():
        return np.ones_like(peaks)
    awake = np.median(peaks[peaks > 0])
    sizes = np.maximum(peaks, QUIETEST_SHARE_OF_MEDIAN * awake) ** EXPONENT
    # Their size is the range's business: what is told here is how they differ.
    return sizes / np.exp(np.log(sizes).mean())


def _group_around(groups: "_Groups", subgraph: Subgraph, operator: Operator) -> None:
    """Say which of the tensors around the operator have one scale, and which none."""
    computed = [index for index in operator.inputs if index != OPTIONAL and not subgraph.tensors[index].is_constant]
    floats = [index for index in (*computed, *operator.outputs) if subgraph.tensors[index].dtype == "float32"]
    if operator.options.get("activation", 0) not in SCALABLE_ACTIVATIONS:
        groups.exclude(floats)
    elif _absorbs(subgraph, operator):
        groups.add(floats)
    elif _keeps(subgraph, operator, computed):
        groups.unite(floats)
    else:
        groups.exclude(floats)


def _absorbs(subgraph: Subgraph, operator: Operator) -> bool:
    """Whether it has constants, and matrices to itself, between what it reads and what it makes."""
    if operator.name == "FULLY_CONNECTED":
        return _has_to_itself(subgraph, operator.inputs[1])
    if operator.name == "GATHER":
        table = subgraph.tensors[operator.inputs[0]]
        is_table = table.dtype == "float32" and len(table.shape) == 2 and operator.options["axis"] == 0
        return is_table and _has_to_itself(subgraph, operator.inputs[0])
    return operator.name == "MUL" and _has_vector(subgraph, operator)


def _keeps(subgraph: Subgraph, operator: Operator, computed: Sequence[int]) -> bool:
    """Whether a channel of what it makes comes from the same channel of all that it reads."""
    if operator.name == "ADD":
        return len(computed) == 2 or _has_vector(subgraph, operator)
    if operator.name not in _KEEPING or operator.inputs[0] not in computed:
        return False
    before, after = (subgraph.tensors[index].shape for index in (operator.inputs[0], operator.outputs[0]))
    # A slice that drops an axis could make another one the last.
    return before[-1:] == after[-1:] and (operator.name != "STRIDED_SLICE" or len(before) == len(after))


def _first_computed(subgraph: Subgraph, operator: Operator) -> int:
    return next((index for index in operator.inputs if not subgraph.tensors[index].is_constant), OPTIONAL)


def _has_to_itself(subgraph: Subgraph, constant: int) -> bool:
    """A matrix that others read too would be copied for each of its readers."""
    tensors = subgraph.tensors
    buffer = tensors[constant].buffer
    readers = [
        index
        for operator in subgraph.operators
        for index in operator.inputs
        if index != OPTIONAL and tensors[index].buffer == buffer
    ]
    return tensors[constant].is_constant and len(readers) == 1


def _has_vector(subgraph: Subgraph, operator: Operator) -> bool:
    return any(_is_vector(subgraph, index) for index in operator.inputs)


def _is_vector(subgraph: Subgraph, index: int) -> bool:
    """Or rows of vectors, as the positions of a graph of one length."""
    tensor = subgraph.tensors[index]
    return tensor.is_constant and tensor.shape[-1:] > (1,)


class _Groups:
    """Tensors that must have the same scales, and those that can have none."""

    def __init__(self):
        self._leaders: dict[int, int] = {}
        self._excluded: set[int] = set()

    def add(self, tensors: Iterable[int]) -> None:
        for index in tensors:
            self._leaders.setdefault(index, index)

    def unite(self, tensors: Sequence[int]) -> None:
        self.add(tensors)
        for other in tensors[1:]:
            self._leaders[self._leader(other)] = self._leader(tensors[0])

    def exclude(self, tensors: Iterable[int]) -> None:
        tensors = tuple(tensors)
        self.add(tensors)
        self._excluded.update(tensors)

    def scalable(self) -> list[list[int]]:
        groups = defaultdict(list)
        for index in self._leaders:
            groups[self._leader(index)].append(index)
        return [members for members in groups.values() if not self._excluded.intersection(members)]

    def _leader(self, index: int) -> int:
        while self._leaders[index] != index:
            index = self._leaders[index]
        return index
