"""Which tensor of a float graph is which place of the model: marked while it is converted, unmarked behind that.

The converter moves a norm's factors into the weights behind it and its bias into theirs, and names tell no more what a
tensor is. A comparison with a number that no value reaches changes nothing, is left where it is, and its number says
which place it marks; nothing is folded across it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import convert_graph
from edgebert.export.model import Model, Operator
from edgebert.export.quantization.editing import GraphEditor
from edgebert.keras import keras, tf
from edgebert.models.places import place_names, put
from edgebert.models.task import TaskModel

# The number of a mark, from 1 on, times this is what it compares with: exact in float32, and no activation.
_UNIT = -(2.0**100)


@dataclass(frozen=True, eq=False)
class PlacedGraph:
    """A float32 graph, and of each of the model's places that it has the number of its tensor."""

    content: bytes
    places: Mapping[str, int]


class _Mark(keras.layers.Layer):
    def __init__(self, number: int):
        super().__init__(name=f"mark_{number}", trainable=False)
        self._unreached = number * _UNIT

    def call(self, x, training=None):
        return tf.maximum(x, self._unreached)


def placed_graph(model: TaskModel, length: int | None) -> PlacedGraph:
    """The model converted, with every place a tensor of its own."""
    names = tuple(place_names(model))
    for number, name in enumerate(names, 1):
        put(model, name, _Mark(number))
    try:
        marked = convert_graph(model, length)
    finally:
        for name in names:
            put(model, name, None)
    return _unmarked(marked, names)


def _unmarked(marked: bytes, names: tuple[str, ...]) -> PlacedGraph:
    model = read_model(marked)
    editor = GraphEditor(marked)
    places: dict[str, int] = {}
    instead: dict[int, int] = {}
    for operator in model.subgraphs[0].operators:
        found = _mark(model, operator)
        if found is not None:
            number, source = found[0], instead.get(found[1], found[1])
            instead[operator.outputs[0]] = source
            if source in places.values():
                other = next(name for name, index in places.items() if index == source)
                raise ArtefactError(
                    f"{names[number - 1]}: expected values of its own, got those of {other} (as where a norm's gain is "
                    "1 in every channel or its bias 0). Do: train the model first."
                )
            places[names[number - 1]] = source
            editor.remove(operator.index, read_instead=source)
    return PlacedGraph(editor.content(), places)


def _mark(model: Model, operator: Operator) -> tuple[int, int] | None:
    """The number of a mark and the tensor that it marks."""
    if operator.name != "MAXIMUM":
        return None
    tensors = model.subgraphs[0].tensors
    (constant,), (source,) = (
        [index for index in operator.inputs if tensors[index].is_constant is constant] for constant in (True, False)
    )
    values = model.values(tensors[constant])
    number = float(values.reshape(-1)[0]) / _UNIT
    return (round(number), source) if values.size == 1 and number >= 1 else None
