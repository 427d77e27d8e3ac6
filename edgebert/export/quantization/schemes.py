"""One function a scheme: float32 bytes, and texts where it calibrates, to quantised bytes."""

from collections.abc import Sequence

from edgebert.compression.quantizing.ranges import FULL_INT8
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.masks import check_masks
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
from edgebert.export.quantization.observing import Inputs, observe
from edgebert.export.quantization.ranges import Range, choose_ranges
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
    subgraph = read_model(graph).subgraphs[0]
    words = Rule(TABLES, 4, scope=scope_of(subgraph, word_look_up(subgraph)))
    return quantize_by_rules(with_clipped_words(graph), [Rule(DENSE), Rule(TABLES), words])


def hybrid(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    return _calibrated(graph, "hybrid", [Rule(DENSE), Rule(TABLES), *attention_rules(8)], texts)


def static(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    return _calibrated(graph, "static", static_rules(per_tensor), texts)


def int16x8(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    rules = [Rule(DENSE, activations=16), Rule(TABLES), *attention_rules(16)]
    return _calibrated(graph, "int16x8", rules, texts)


def full_int8(graph: bytes, per_tensor: bool, texts: Texts) -> bytes:
    content = quantize_integers(*calibrated_graph(graph, FULL_INT8, texts))
    check_masks(content, FULL_INT8)
    return content


def with_clipped_words(graph: bytes) -> bytes:
    """The float graph whose word table loses little in four bits and one scale a row."""
    model = read_model(graph)
    subgraph = model.subgraphs[0]
    look_up = word_look_up(subgraph)
    table = look_up.inputs[1]
    editor = GraphEditor(graph)
    editor.replace_constant(table, clipped_rows(model.values(subgraph.tensors[table]), 4), [look_up.index])
    return editor.content()


def calibrated_graph(graph: bytes, scheme: str, texts: Texts) -> tuple[bytes, dict[int, Range]]:
    """The same function in float32 with its scale where the scheme needs it, and the range of each activation."""
    _check(texts)
    if scheme == FULL_INT8:
        seen = observe(graph, texts)
        graph = make_integer_ready(graph, seen)
        check_operators(graph)
        graph = balance_throughout(graph, seen)
    elif scheme != "int16x8":
        graph = balance_attention(graph, observe(graph, texts))
    if scheme == "static":
        graph = balance(graph, observe(graph, texts))
    subgraph = read_model(graph).subgraphs[0]
    ranges = choose_ranges(subgraph, observe(graph, texts))
    return graph, with_masked_scores(subgraph, ranges) if scheme == FULL_INT8 else ranges


def _granularity(per_tensor: bool) -> str:
    return "TENSORWISE" if per_tensor else "CHANNELWISE"


def _calibrated(graph: bytes, scheme: str, rules: Sequence[Rule], texts: Texts) -> bytes:
    calibrated, ranges = calibrated_graph(graph, scheme, texts)
    content = quantize_by_rules(calibrated, rules, ranges)
    check_masks(content, scheme)
    return content


def _check(texts: Texts) -> None:
    if not texts:
        raise ArtefactError(
            "calibration: expected texts for the ranges of activations, got none. Do: give --calibration FILE."
        )
