"""One function a scheme: float32 bytes, and texts where it calibrates, to quantised bytes."""

import re
from collections.abc import Sequence

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model, Operator
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import balance
from edgebert.export.quantization.clipping import clipped_rows
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.integer_graph import (
    check_operators,
    float_operators,
    make_integer_ready,
    with_masked_scores,
)
from edgebert.export.quantization.masks import check_masks
from edgebert.export.quantization.observing import Inputs, observe
from edgebert.export.quantization.ranges import choose_ranges
from edgebert.export.quantization.recipes import (
    DENSE,
    TABLES,
    Rule,
    attention_rules,
    quantize_by_rules,
    static_rules,
)

Texts = Sequence[Inputs]


def float32(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    return graph


def float16(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    return quantize_by_rules(graph, [Rule(DENSE, weights=16), Rule(TABLES, weights=16)])


def dynamic(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    granularity = _granularity(per_tensor)
    return quantize_by_rules(graph, [Rule(DENSE, granularity=granularity), Rule(TABLES, granularity=granularity)])


def int4_embedding(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    words = Rule(TABLES, 4, scope=_scope(graph, _word_look_up(read_model(graph))), granularity="BLOCKWISE_32")
    return quantize_by_rules(graph, [Rule(DENSE), Rule(TABLES), words])


def int4_embedding_rows(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    model = read_model(graph)
    look_up = _word_look_up(model)
    table = look_up.inputs[1]
    editor = GraphEditor(graph)
    clipped = clipped_rows(model.values(model.subgraphs[0].tensors[table]), 4)
    editor.replace_constant(table, clipped, [look_up.index])
    return quantize_by_rules(
        editor.content(), [Rule(DENSE), Rule(TABLES), Rule(TABLES, 4, scope=_scope(graph, look_up))]
    )


def hybrid(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    _check(texts)
    balanced = balance_attention(graph, observe(graph, texts))
    return _calibrated(balanced, [Rule(DENSE), Rule(TABLES), *attention_rules(8)], texts, "hybrid")


def static(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    _check(texts)
    balanced = balance_attention(graph, observe(graph, texts))
    return _calibrated(balance(balanced, observe(balanced, texts)), static_rules(per_tensor), texts, "static")


def int16x8(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    _check(texts)
    return _calibrated(graph, [Rule(DENSE, activations=16), Rule(TABLES), *attention_rules(16)], texts, "int16x8")


def full_int8(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    _check(texts)
    ready = make_integer_ready(graph, observe(graph, texts))
    check_operators(ready)
    balanced = balance_attention(ready, observe(ready, texts))
    subgraph = read_model(balanced).subgraphs[0]
    ranges = with_masked_scores(subgraph, choose_ranges(subgraph, observe(balanced, texts)))
    # By name, one rule each: operators of the same kind that work on ids must be left alone.
    rules = [
        Rule(operator.name, activations=8, scope=_scope(balanced, operator)) for operator in float_operators(subgraph)
    ]
    content = quantize_by_rules(balanced, rules, ranges)
    check_masks(content, "full-int8")
    return content


def _word_look_up(model: Model) -> Operator:
    """Of the largest table. Four bits for the positions' too would save 1 % of a file and cost half the accuracy."""
    subgraph = model.subgraphs[0]
    look_ups = [operator for operator in subgraph.operators if operator.name == TABLES]
    return max(look_ups, key=lambda operator: subgraph.tensors[operator.inputs[1]].elements)


def _scope(graph: bytes, operator: Operator) -> str:
    """The pattern that finds this operator alone."""
    return rf"{re.escape(read_model(graph).subgraphs[0].tensors[operator.outputs[0]].name)};?$"


def _granularity(per_tensor: bool) -> str:
    return "TENSORWISE" if per_tensor else "CHANNELWISE"


def _calibrated(graph: bytes, rules: Sequence[Rule], texts: Texts, scheme: str) -> bytes:
    ranges = choose_ranges(read_model(graph).subgraphs[0], observe(graph, texts))
    content = quantize_by_rules(graph, rules, ranges)
    check_masks(content, scheme)
    return content


def _check(texts: Texts) -> None:
    if not texts:
        raise ArtefactError(
            "calibration: expected texts for the ranges of activations, got none. Do: give --calibration FILE."
        )
