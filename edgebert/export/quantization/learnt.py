"""Ranges that a student was trained with: where they start, from calibration, and the file that is made of them.

Both sides name what they mean by the model's own layers; the graph's operators are found by their weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.compression.quantizing.ranges import (
    PROBABILITY_RANGE,
    QuantizationRanges,
    Range,
    ReadSite,
    ScoresSite,
    WrittenSite,
)
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.masks import check_masks
from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import Factors, choose_factors, with_factors
from edgebert.export.quantization.layers_in_graph import KERNEL, LayerInGraph, find_layers, find_offsets
from edgebert.export.quantization.observing import Inputs, observe
from edgebert.export.quantization.ranges import choose_ranges
from edgebert.export.quantization.recipes import quantize_by_rules, static_rules
from edgebert.progress import Report, silent

MOVING = ("RESHAPE", "TRANSPOSE")
_RECTIFIED = 1  # RELU, fused into a dense operator
_QUERY = ".query"


@dataclass(frozen=True, eq=False)
class Start:
    """Where training for int8 starts: ranges and factors, and what of the model's values is scaled for free."""

    ranges: QuantizationRanges
    # What was scaled, by name: the same function with more even channels. In static it is kernels and biases around
    # attention, in full-int8 norms and tables too.
    balanced: Mapping[str, np.ndarray]


def calibrated_start(
    graph: bytes,
    values: Mapping[str, np.ndarray],
    texts: Sequence[Inputs],
    tables: Sequence[str],
    report: Report = silent,
) -> Start:
    """What `static` would choose by calibration, said of the model that the float32 graph was made of.

    values: the model's, by name; tables: those that the graph holds with one scale a row.
    """
    layers = find_layers(read_model(graph), values)
    even = balance_attention(graph, observe(graph, texts, report))
    factors = choose_factors(even, observe(even, texts, report))
    factored = with_factors(even, factors)
    subgraph = read_model(factored).subgraphs[0]
    ranges = choose_ranges(subgraph, observe(factored, texts, report))
    named = layers_in(subgraph, layers)
    found = QuantizationRanges(
        "static",
        _read_sites(named, layers, factors, ranges, find_offsets(read_model(graph), layers, values)),
        tuple(written_site(subgraph, name, each, layers[name], factors, ranges) for name, each in named.items()),
        score_sites(subgraph, named, ranges),
        tuple(tables),
    )
    return Start(found, balanced_values(read_model(graph), read_model(even), layers, values))


def static_with(
    graph: bytes, values: Mapping[str, np.ndarray], ranges: QuantizationRanges, per_tensor: bool = False
) -> bytes:
    """The float32 graph of the model with these values, in `static`, with the ranges that it was trained with."""
    layers = find_layers(read_model(graph), values)
    require_same("layers", {site.layer for site in ranges.written}, set(layers))
    readers = _readers({name: layer.operator for name, layer in layers.items()})
    require_same("layers that round", {layer for site in ranges.reads for layer in site.layers}, set(readers))
    offsets = {layer: site.offset for site in ranges.reads if site.offset for layer in site.layers}
    require_same("folded biases", set(offsets.items()), set(find_offsets(read_model(graph), layers, values).items()))
    numbers = {name: layer.operator.index for name, layer in layers.items()}
    inputs = {
        numbers[layer]: site.factors for site in ranges.reads if site.factors is not None for layer in site.layers
    }
    outputs = {numbers[site.layer]: site.factors for site in ranges.written if site.factors is not None}
    _require_one_site_a_tensor(read_model(graph).subgraphs[0], layers, ranges)
    factored = with_factors(graph, Factors(inputs, outputs))
    subgraph = read_model(factored).subgraphs[0]
    content = quantize_by_rules(factored, static_rules(per_tensor), _graph_ranges(subgraph, layers, ranges))
    check_masks(content, "static")
    return content


def _graph_ranges(
    subgraph: Subgraph, layers: Mapping[str, LayerInGraph], ranges: QuantizationRanges
) -> dict[int, Range]:
    """Of every tensor that becomes int8, by number."""
    named = layers_in(subgraph, layers)
    products = score_products(subgraph, named)
    require_same("blocks with scores", {site.block for site in ranges.scores}, set(products))
    given: dict[int, Range] = {}
    for site in ranges.written:
        give(given, subgraph, named[site.layer].outputs[0], times(site.range, layers[site.layer].factor))
    for site in ranges.reads:
        for layer in site.layers:
            give(given, subgraph, named[layer].inputs[0], site.range)
    for site in ranges.scores:
        give(given, subgraph, products[site.block].outputs[0], site.range)
    for operator in subgraph.operators:
        if operator.name == "SOFTMAX":
            given[operator.outputs[0]] = PROBABILITY_RANGE
    return given


def give(
    given: dict[int, Range], subgraph: Subgraph, index: int, values: Range, moving: Sequence[str] = MOVING
) -> None:
    """The range to the tensor and to all that only moves the same numbers, both ways."""
    open_ends = [index]
    while open_ends:
        index = open_ends.pop()
        given[index] = values
        for operator in subgraph.operators:
            if operator.name in moving:
                source, target = operator.inputs[0], operator.outputs[0]
                open_ends += [target] if source == index and target not in given else []
                open_ends += [source] if target == index and source not in given else []


def layers_in(subgraph: Subgraph, layers: Mapping[str, LayerInGraph]) -> dict[str, Operator]:
    """The same layers in the graph after multiplications were put in: dense operators keep their order."""
    order = sorted(layers, key=lambda name: layers[name].operator.index)
    dense = [operator for operator in subgraph.operators if operator.name == "FULLY_CONNECTED"]
    return dict(zip(order, dense, strict=True))


def _read_sites(
    named: Mapping[str, Operator],
    layers: Mapping[str, LayerInGraph],
    factors: Factors,
    ranges: Mapping[int, Range],
    offsets: Mapping[str, str],
) -> tuple[ReadSite, ...]:
    readers: dict[int, list[str]] = {}
    for name in _readers(named):
        readers.setdefault(named[name].inputs[0], []).append(name)
    return tuple(
        ReadSite(
            tuple(names),
            ranges[index],
            _float32(factors.inputs.get(layers[names[0]].operator.index)),
            offset=offsets.get(names[0]),
        )
        for index, names in readers.items()
    )


def _readers(named: Mapping[str, Operator]) -> list[str]:
    """Layers that round what they read: all but those that are given what another layer has just rounded."""
    written = {operator.outputs[0] for operator in named.values()}
    return [name for name, operator in named.items() if operator.inputs[0] not in written]


def written_site(
    subgraph: Subgraph,
    name: str,
    operator: Operator,
    layer: LayerInGraph,
    factors: Factors,
    ranges: Mapping[int, Range],
) -> WrittenSite:
    low, high = ranges[operator.outputs[0]]
    return WrittenSite(
        name,
        times((low, high), 1 / layer.factor),
        _float32(factors.outputs.get(layer.operator.index)),
        symmetric=operator.outputs[0] in _right_hand_sides(subgraph),
        rectified=operator.options["activation"] == _RECTIFIED,
    )


def score_sites(
    subgraph: Subgraph, named: Mapping[str, Operator], ranges: Mapping[int, Range]
) -> tuple[ScoresSite, ...]:
    products = score_products(subgraph, named)
    return tuple(ScoresSite(block, ranges[product.outputs[0]]) for block, product in products.items())


def _right_hand_sides(subgraph: Subgraph) -> set[int]:
    return {_source(subgraph, operator.inputs[1]) for operator in subgraph.operators if operator.name == "BATCH_MATMUL"}


def _source(subgraph: Subgraph, index: int) -> int:
    producers = subgraph.producers
    while index in producers and producers[index].name in MOVING:
        index = producers[index].inputs[0]
    return index


def score_products(subgraph: Subgraph, named: Mapping[str, Operator]) -> dict[str, Operator]:
    """By block, the product of its queries and keys."""
    queries = {operator.outputs[0]: name for name, operator in named.items() if name.endswith(_QUERY)}
    found = {}
    for operator in (each for each in subgraph.operators if each.name == "BATCH_MATMUL"):
        name = queries.get(_source(subgraph, operator.inputs[0]))
        if name is not None:
            found[name.removesuffix(_QUERY)] = operator
    return found


def balanced_values(
    before: Model, after: Model, layers: Mapping[str, LayerInGraph], values: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What was scaled of dense layers, as the model's own values."""
    found = {}
    for name, each in layers.items():
        weights = scaled_constant(before, after, each.operator, 1)
        if weights is not None:
            found[name + KERNEL] = np.ascontiguousarray((weights / each.factor).T.astype(np.float32))
        bias = scaled_constant(before, after, each.operator, 2)
        if bias is not None:
            found[f"{name}.bias"] = (bias / each.factor).astype(np.float32)
    return {name: array.reshape(values[name].shape) for name, array in found.items()}


def scaled_constant(before: Model, after: Model, operator: Operator, position: int) -> np.ndarray | None:
    """What the operator, which kept its number, reads there now, if it is other than it was."""
    if position >= len(operator.inputs) or operator.inputs[position] == OPTIONAL:
        return None
    if not before.subgraphs[0].tensors[operator.inputs[position]].is_constant:
        return None
    # A constant that others read too was not changed in place: the operator then reads another one.
    was, now = (
        model.values(model.subgraphs[0].tensors[model.subgraphs[0].operators[operator.index].inputs[position]])
        for model in (before, after)
    )
    return None if np.array_equal(was, now) else now


def _require_one_site_a_tensor(
    subgraph: Subgraph, layers: Mapping[str, LayerInGraph], ranges: QuantizationRanges
) -> None:
    sites: dict[int, set[str]] = {}
    for site in ranges.reads:
        for layer in site.layers:
            sites.setdefault(layers[layer].operator.inputs[0], set()).add(site.name)
    for index, names in sites.items():
        if len(names) != 1:
            raise ArtefactError(
                f"ranges: expected one for what several layers read, got {' and '.join(sorted(names))} for "
                f"'{subgraph.tensors[index].name[:80]}'. Do: use the ranges with the model that they were made for."
            )


def require_same(what: str, given: set, there: set) -> None:
    if given != there:
        missing, unknown = (", ".join(map(str, sorted(names))) or "none" for names in (there - given, given - there))
        raise ArtefactError(
            f"ranges: expected the graph's {what}, got none for {missing} and some for {unknown} that it lacks. "
            "Do: use the ranges with the model that they were made for."
        )


def times(values: Range, factor: float) -> Range:
    return values[0] * factor, values[1] * factor


def _float32(factors: np.ndarray | None) -> np.ndarray | None:
    return None if factors is None else factors.astype(np.float32)
