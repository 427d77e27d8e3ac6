"""A scheme's float graph with what it does to each part, and the file in which some parts are treated otherwise.

With every part as the scheme has it, `build` makes the scheme's own file: a test holds that.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.masks import check_masks
from edgebert.export.model import Subgraph
from edgebert.export.precisions import PRECISIONS, check_precision
from edgebert.export.quantization.integer_graph import float_operators
from edgebert.export.quantization.observing import Inputs
from edgebert.export.quantization.operator_rules import quantize_operators
from edgebert.export.quantization.ranges import Range
from edgebert.export.quantization.recipes import ATTENTION_HEADS, Rule, word_look_up
from edgebert.export.quantization.schemes import calibrated_graph, with_clipped_words
from edgebert.export.sensitivity.parts import DENSE, MOVES, PRODUCT, TABLE, places
from edgebert.quiet import quiet_native_output

FLOAT, DYNAMIC = "float32", "dynamic"
_ACTIVATION_BITS = {"hybrid": (0, 8), "static": (8, 8), "int16x8": (16, 16), "full-int8": (8, 8)}
_BLOCK_OF_FOUR_BITS = {"int4-embedding": "BLOCKWISE_32", "int4-embedding-rows": "CHANNELWISE"}


@dataclass(frozen=True)
class Treatment:
    """`rules`: by operator; none for those that stay float32."""

    name: str
    rules: Mapping[int, Rule]


@dataclass(frozen=True)
class Part:
    name: str
    kind: str
    block: int | None
    # From the scheme's own to float32.
    treatments: tuple[Treatment, ...]

    @property
    def is_table(self) -> bool:
        return any(rule.operator == TABLE for rule in self.treatments[0].rules.values())


@dataclass(frozen=True)
class Prepared:
    """`graph` computes what the model computes, in float32, with its scale where the scheme needs it."""

    scheme: str
    graph: bytes
    ranges: Mapping[int, Range] | None
    parts: tuple[Part, ...]

    def build(self, plan: Mapping[str, int]) -> bytes:
        """The file in which each part named is at that treatment, and every other part in float32."""
        rules: dict[int, Rule] = {}
        for part in self.parts:
            if part.name in plan:
                rules |= part.treatments[plan[part.name]].rules
        has_activations = any(rule.activations for rule in rules.values())
        # In the order of the graph: what is asked alike is made alike.
        content = quantize_operators(self.graph, dict(sorted(rules.items())), self.ranges if has_activations else None)
        if has_activations:
            check_masks(content, self.scheme)
        return content

    def whole(self) -> dict[str, int]:
        return {part.name: 0 for part in self.parts}


def check_scheme(scheme: str, has_texts: bool) -> None:
    """Refuse before any work what cannot be looked into."""
    check_precision(scheme)
    if scheme == FLOAT:
        raise ArtefactError(
            f"{scheme}: expected a scheme that quantises something, got the one that it is compared with. "
            f"Do: choose among {', '.join(name for name in PRECISIONS if name != FLOAT)}."
        )
    if PRECISIONS[scheme].needs_calibration and not has_texts:
        raise ArtefactError(
            f"{scheme}: expected texts to calibrate its ranges with, got none. "
            "Do: give --calibration FILE, with texts like those that the model will see."
        )


def prepare(graph: bytes, scheme: str, texts: Sequence[Inputs] = ()) -> Prepared:
    check_scheme(scheme, bool(texts))
    with quiet_native_output():
        # The delegate announces itself with the first answer.
        graph, ranges = _graph_and_ranges(graph, scheme, texts)
    subgraph = read_model(graph).subgraphs[0]
    found = places(subgraph)
    grouped: dict[str, dict[int, Rule]] = defaultdict(dict)
    kinds = {}
    for number, rule in _rules(subgraph, scheme).items():
        place = found[number]
        grouped[place.name][number] = rule
        kinds[place.name] = place
    parts = tuple(
        Part(name, kinds[name].kind, kinds[name].block, _treatments(rules)) for name, rules in grouped.items()
    )
    return Prepared(scheme, graph, ranges, parts)


def _graph_and_ranges(graph: bytes, scheme: str, texts: Sequence[Inputs]) -> tuple[bytes, Mapping[int, Range] | None]:
    if scheme == "int4-embedding-rows":
        return with_clipped_words(graph), None
    if not PRECISIONS[scheme].needs_calibration:
        return graph, None
    return calibrated_graph(graph, scheme, texts)


def _rules(subgraph: Subgraph, scheme: str) -> dict[int, Rule]:
    """What the scheme does, operator by operator."""
    if scheme == "full-int8":
        return {operator.index: Rule(operator.name, activations=8) for operator in float_operators(subgraph)}
    weights = 16 if scheme == "float16" else 8
    dense_bits, product_bits = _ACTIVATION_BITS.get(scheme, (0, 0))
    rules = {}
    for operator in subgraph.operators:
        if operator.name == DENSE:
            rules[operator.index] = Rule(DENSE, weights, activations=dense_bits)
        elif operator.name == TABLE:
            rules[operator.index] = Rule(TABLE, weights)
        elif product_bits and (operator.name == PRODUCT or _is_in_heads(subgraph, operator)):
            rules[operator.index] = Rule(operator.name, activations=product_bits)
    if scheme in _BLOCK_OF_FOUR_BITS:
        rules[word_look_up(subgraph).index] = Rule(TABLE, 4, granularity=_BLOCK_OF_FOUR_BITS[scheme])
    return rules


def _is_in_heads(subgraph: Subgraph, operator) -> bool:
    return operator.name in MOVES and re.search(ATTENTION_HEADS, subgraph.tensors[operator.outputs[0]].name) is not None


def _treatments(rules: Mapping[int, Rule]) -> tuple[Treatment, ...]:
    """The scheme's own, gentler ones, and none."""
    first = next(iter(rules.values()))
    steps = [Treatment(_name(first), dict(rules))]
    is_dense = all(rule.operator == DENSE for rule in rules.values())
    if is_dense and first.activations:
        steps.append(Treatment(DYNAMIC, {number: Rule(DENSE) for number in rules}))
    elif first.weights == 4:
        steps.append(Treatment("int8", {number: Rule(TABLE) for number in rules}))
    return (*steps, Treatment(FLOAT, {}))


def _name(rule: Rule) -> str:
    if rule.operator == DENSE and not rule.activations:
        return DYNAMIC if rule.weights == 8 else "float16"
    if rule.operator == TABLE:
        return "float16" if rule.weights == 16 else f"int{rule.weights}"
    return f"int{rule.activations}"
