"""Ranges that a student was trained with for full-int8: where they start, and the file that is made of them.

Beside what dense layers return (`learnt`), everything between them has a range here. Which tensor is which place of the
model is known from marks.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from edgebert.compression.quantizing.ranges import (
    FULL_INT8,
    PROBABILITY_RANGE,
    TANH_RANGE,
    PlaceSite,
    QuantizationRanges,
    Range,
)
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.masks import check_masks
from edgebert.export.model import Model, Operator, Subgraph
from edgebert.export.quantization.balancing import Factors
from edgebert.export.quantization.channel_balance import balance_throughout
from edgebert.export.quantization.integer_graph import (
    check_operators,
    float_operators,
    integer_ready,
    make_integer_ready,
    masked_scores,
    quantize_integers,
)
from edgebert.export.quantization.layers_in_graph import LayerInGraph, find_layers
from edgebert.export.quantization.learnt import (
    Start,
    balanced_values,
    give,
    layers_in,
    require_same,
    scaled_constant,
    score_products,
    score_sites,
    times,
    written_site,
)
from edgebert.export.quantization.marking import PlacedGraph
from edgebert.export.quantization.observing import Inputs, observe
from edgebert.export.quantization.ranges import choose_ranges
from edgebert.progress import Report, silent

# What int8 kernels give these functions' results whatever they are.
FIXED_RANGES = {"SOFTMAX": PROBABILITY_RANGE, "TANH": TANH_RANGE}
_MOVING = ("CONCATENATION", "PAD", "RESHAPE", "STRIDED_SLICE", "TRANSPOSE")
# What a place of a norm is made with, and by which operator.
_NORM_CONSTANTS = {"scaled": ("gain", "MUL"), "shifted": ("bias", "ADD")}
_POSITIONS = "encoder.embeddings.position.weight"


def integer_start(
    graph: PlacedGraph,
    values: Mapping[str, np.ndarray],
    texts: Sequence[Inputs],
    tables: Sequence[str],
    report: Report = silent,
) -> Start:
    """What `full-int8` would choose by calibration, said of the model that the float32 graph was made of.

    values: the model's, by name; tables: all that it looks rows up in.
    """
    # For its refusals, before anything is observed; in the graph below operators have other numbers.
    find_layers(read_model(graph.content), values)
    seen = observe(graph.content, texts, report)
    ready = make_integer_ready(graph.content, seen)
    check_operators(ready)
    even = balance_throughout(ready, seen)
    before, after = read_model(ready), read_model(even)
    layers, subgraph = find_layers(before, values), after.subgraphs[0]
    ranges = {index: _with_zero(each) for index, each in choose_ranges(subgraph, observe(even, texts, report)).items()}
    named, nothing = layers_in(subgraph, layers), Factors({}, {})
    found = QuantizationRanges(
        FULL_INT8,
        (),
        tuple(written_site(subgraph, name, each, layers[name], nothing, ranges) for name, each in named.items()),
        score_sites(subgraph, named, ranges),
        tuple(tables),
        tuple(PlaceSite(place, ranges[index]) for place, index in _learnt_places(subgraph, graph, named).items()),
    )
    balanced = balanced_values(before, after, layers, values)
    balanced |= _balanced_norms(before, after, graph.places) | _balanced_tables(before, after, tables, values)
    _require_all_told(before, after, balanced)
    return Start(found, balanced)


def _require_all_told(before: Model, after: Model, balanced: Mapping[str, np.ndarray]) -> None:
    """A constant that is no value of the model would leave it another function than the graph whose ranges it gets."""
    scaled = [
        operator.name
        for operator in before.subgraphs[0].operators
        for position in range(len(operator.inputs))
        if scaled_constant(before, after, operator, position) is not None
    ]
    if len(scaled) > len(balanced):
        raise ArtefactError(
            f"graph: expected the {len(scaled)} constants that were scaled to be the model's, got {len(balanced)} that "
            f"are, of {', '.join(sorted(set(scaled)))}. Do: give the model that the graph was made of."
        )


def _balanced_norms(before: Model, after: Model, places: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Gains and biases: what stands beside the place's operand where it is multiplied, or added to."""
    producers = before.subgraphs[0].producers
    found = {}
    for place, index in places.items():
        norm, _, what = place.rpartition(".")
        if what in _NORM_CONSTANTS:
            name, operation = _NORM_CONSTANTS[what]
            operator = producers[index]
            constants = [
                position
                for position, each in enumerate(operator.inputs)
                if before.subgraphs[0].tensors[each].is_constant
            ]
            if operator.name == operation and len(constants) == 1:
                scaled = scaled_constant(before, after, operator, constants[0])
                if scaled is not None:
                    found[f"{norm}.{name}"] = scaled
    return found


def _balanced_tables(
    before: Model, after: Model, tables: Sequence[str], values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Found by their numbers; tables that are equal are scaled alike, as they are added to each other."""
    found = {}
    for operator in (each for each in before.subgraphs[0].operators if each.name == "GATHER"):
        scaled = scaled_constant(before, after, operator, 0)
        if scaled is not None:
            was = before.values(before.subgraphs[0].tensors[operator.inputs[0]])
            found |= {f"{each}.weight": scaled for each in tables if np.array_equal(values[f"{each}.weight"], was)}
    return found


def full_int8_with(graph: PlacedGraph, values: Mapping[str, np.ndarray], ranges: QuantizationRanges) -> bytes:
    """The float32 graph of the model with these values, in `full-int8`, with the ranges that it was trained with."""
    layers = find_layers(read_model(graph.content), values)
    require_same("layers", {site.layer for site in ranges.written}, set(layers))
    depth = max(site.range[1] - site.range[0] + ranges.masked_below for site in ranges.scores)
    ready = integer_ready(graph.content, depth)
    check_operators(ready)
    content = quantize_integers(ready, _graph_ranges(read_model(ready), graph, layers, values, ranges))
    check_masks(content, FULL_INT8)
    return content


def _graph_ranges(
    model: Model,
    graph: PlacedGraph,
    layers: Mapping[str, LayerInGraph],
    values: Mapping[str, np.ndarray],
    ranges: QuantizationRanges,
) -> dict[int, Range]:
    """Of every tensor that becomes int8 by number, but for constants, which span their own."""
    subgraph = model.subgraphs[0]
    named = layers_in(subgraph, layers)
    places, products = _learnt_places(subgraph, graph, named), score_products(subgraph, named)
    require_same("places", {site.place for site in ranges.places}, set(places))
    require_same("blocks with scores", {site.block for site in ranges.scores}, set(products))
    learnt = {named[site.layer].outputs[0]: times(site.range, layers[site.layer].factor) for site in ranges.written}
    learnt |= {places[site.place]: site.range for site in ranges.places}
    learnt |= {products[site.block].outputs[0]: site.range for site in ranges.scores}
    learnt |= {
        masked: (learnt[scores][0] - ranges.masked_below, learnt[scores][1])
        for scores, masked in masked_scores(subgraph)
    }
    for operator in subgraph.operators:
        if operator.name in FIXED_RANGES:
            learnt[operator.outputs[0]] = FIXED_RANGES[operator.name]
        elif operator.name == "GATHER":
            learnt[operator.outputs[0]] = _span(model.values(subgraph.tensors[operator.inputs[0]]))
    given: dict[int, Range] = {}
    for index, one in learnt.items():
        give(given, subgraph, index, one, _MOVING)
    _require_all(subgraph, given)
    return given | _positions_of_a_fixed_length(model, values)


def _learnt_places(subgraph: Subgraph, graph: PlacedGraph, named: Mapping[str, Operator]) -> dict[str, int]:
    """Places whose range training moves: what no dense layer, product of scores or fixed function makes."""
    others = {operator.outputs[0] for operator in (*named.values(), *score_products(subgraph, named).values())}
    others |= {masked for _, masked in masked_scores(subgraph)}
    return {
        place: index
        for place, index in graph.places.items()
        if index not in others and subgraph.producers[index].name not in FIXED_RANGES
    }


def _positions_of_a_fixed_length(model: Model, values: Mapping[str, np.ndarray]) -> dict[int, Range]:
    """The rows that a graph of one length has as a constant, in the range of the whole table that training knew."""
    table = values[_POSITIONS]
    subgraph = model.subgraphs[0]
    constants = {
        index: model.values(subgraph.tensors[index])
        for operator in subgraph.operators
        for index in operator.inputs
        if operator.name == "ADD" and subgraph.tensors[index].is_constant
    }
    return {
        index: _span(table)
        for index, rows in constants.items()
        if rows.ndim > 1 and np.array_equal(rows.reshape(-1, rows.shape[-1]), table[: rows.shape[-2]])
    }


def _require_all(subgraph: Subgraph, given: Mapping[int, Range]) -> None:
    for operator in float_operators(subgraph):
        for index in operator.outputs:
            if index not in given:
                raise ArtefactError(
                    f"ranges: expected one for everything that the graph computes, got none for {operator.name} "
                    f"'{subgraph.tensors[index].name[:80]}'. Do: use the ranges with the model that they were made for."
                )


def _span(values: np.ndarray) -> Range:
    return _with_zero((float(values.min()), float(values.max())))


def _with_zero(values: Range) -> Range:
    return min(values[0], 0.0), max(values[1], 0.0)
