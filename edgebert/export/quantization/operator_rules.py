"""A rule for each operator by its number, instead of for all of a kind in a scope: what mixed schemes are made of."""

import dataclasses
from collections.abc import Mapping

from edgebert.export.flatbuffer import read_model
from edgebert.export.quantization.ranges import Range
from edgebert.export.quantization.recipes import Rule, quantize_by_rules, scope_of


def quantize_operators(graph: bytes, rules: Mapping[int, Rule], ranges: Mapping[int, Range] | None = None) -> bytes:
    """`rules`: by the number of an operator in `graph`; a rule's own scope is not looked at. Without rules: the graph.

    `ranges`: by tensor number, of every activation that a rule gives bits to.
    """
    if not rules:
        return graph
    subgraph = read_model(graph).subgraphs[0]
    scoped = [
        dataclasses.replace(rule, scope=scope_of(subgraph, subgraph.operators[number]))
        for number, rule in rules.items()
    ]
    return quantize_by_rules(graph, scoped, ranges)
