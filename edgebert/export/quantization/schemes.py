"""One function a scheme: float32 bytes, and texts where it calibrates, to quantised bytes."""

from collections.abc import Sequence

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import balance
from edgebert.export.quantization.channel_balance import balance_throughout
from edgebert.export.quantization.clipping import clipped_rows
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.integer_graph import (
    check_operators,
    make_integer_ready,
    quantize_integers,
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
    scope_of,
    static_rules,
    word_look_up,
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
    subgraph = read_model(graph).subgraphs[0]
    words = Rule(TABLES, 4, scope=scope_of(subgraph, word_look_up(subgraph)), granularity="BLOCKWISE_32")
    return quantize_by_rules(graph, [Rule(DENSE), Rule(TABLES), words])


def int4_embedding_rows(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    model = read_model(graph)
    subgraph = model.subgraphs[0]
    look_up = word_look_up(subgraph)
    table = look_up.inputs[1]
    editor = GraphEditor(graph)
    clipped = clipped_rows(model.values(subgraph.tensors[table]), 4)
    editor.replace_constant(table, clipped, [look_up.index])
    return quantize_by_rules(
        editor.content(), [Rule(DENSE), Rule(TABLES), Rule(TABLES, 4, scope=scope_of(subgraph, look_up))]
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
    balanced = balance_throughout(ready, observe(ready, texts))
    subgraph = read_model(balanced).subgraphs[0]
    ranges = with_masked_scores(subgraph, choose_ranges(subgraph, observe(balanced, texts)))
    content = quantize_integers(balanced, ranges)
    check_masks(content, "full-int8")
    return content


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
