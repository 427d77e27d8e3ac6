"""Even channels in attention, at no cost: scale moved between layers that multiply each other.

A query's channel times t and the key's channel over t leave the scores as they are; a value's channel over s and the
output layer's column times s leave the output as it is. All four are weights, so nothing is added to the graph.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgebert.export.flatbuffer import read_model
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph
from edgebert.export.quantization.balancing import floored, is_scalable
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.observing import Observed

# How much of a value channel's size goes into the output layer's weights.
VALUE_EXPONENT = 0.8

_MOVING = ("RESHAPE", "TRANSPOSE")


@dataclass(frozen=True)
class _Attention:
    query: Operator
    key: Operator
    value: Operator
    output: Operator


def balance_attention(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    model = read_model(graph)
    editor = GraphEditor(graph)
    for one in _attentions(model.subgraphs[0]):
        queries, keys = (floored(observed[each.outputs[0]].channel_peaks) for each in (one.query, one.key))
        towards_query = np.sqrt(keys / queries)
        _scale_rows(editor, one.query, towards_query)
        _scale_rows(editor, one.key, 1 / towards_query)
        values = floored(observed[one.value.outputs[0]].channel_peaks)
        columns = floored(np.abs(_weights(model, one.output)).max(axis=0))
        towards_output = values**VALUE_EXPONENT / columns ** (1 - VALUE_EXPONENT)
        _scale_rows(editor, one.value, 1 / towards_output)
        editor.scale_constant(one.output.inputs[1], towards_output, [one.output.index])
    return editor.content()


def _scale_rows(editor: GraphEditor, layer: Operator, factors: np.ndarray) -> None:
    editor.scale_constant(layer.inputs[1], factors[:, None], [layer.index])
    if len(layer.inputs) > 2 and layer.inputs[2] != OPTIONAL:
        editor.scale_constant(layer.inputs[2], factors, [layer.index])


def _weights(model: Model, layer: Operator) -> np.ndarray:
    return model.values(model.subgraphs[0].tensors[layer.inputs[1]])


def _attentions(subgraph: Subgraph) -> Iterator[_Attention]:
    """Every attention whose four layers are its own: where layers share weights (ALBERT), scaling one scales all."""
    readers = {index: operator for operator in subgraph.operators for index in operator.inputs}
    uses = [index for operator in subgraph.operators for index in operator.inputs]
    products = [operator for operator in subgraph.operators if operator.name == "BATCH_MATMUL"]
    for scores, context in zip(products[::2], products[1::2], strict=True):
        layers = (
            *(_layer_behind(subgraph.producers, index) for index in (*scores.inputs[:2], context.inputs[1])),
            _layer_before(readers, context.outputs[0]),
        )
        if all(
            layer is not None and is_scalable(subgraph, layer) and uses.count(layer.inputs[1]) == 1 for layer in layers
        ):
            yield _Attention(*layers)


def _layer_behind(producers: Mapping[int, Operator], index: int) -> Operator | None:
    while index in producers and producers[index].name in _MOVING:
        index = producers[index].inputs[0]
    found = producers.get(index)
    return found if found is not None and found.name == "FULLY_CONNECTED" else None


def _layer_before(readers: Mapping[int, Operator], index: int) -> Operator | None:
    while index in readers and readers[index].name in _MOVING:
        index = readers[index].outputs[0]
    found = readers.get(index)
    return found if found is not None and found.name == "FULLY_CONNECTED" else None
