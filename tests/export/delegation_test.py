"""The linter's answer is the runtime's, node for node, and says what would change it."""

from collections import Counter

import numpy as np
import pytest

from edgebert.export.delegation import Outcome, lint
from edgebert.export.delegation.rules import CHEAP, NEVER_CHANGES, RULES, UNPREDICTED
from edgebert.export.flatbuffer import read_model
from tests.export.delegation_truth import CRASHED, delegated_nodes, delegated_pieces, truths_of_random_operators
from tests.export.golden_models import NAMES, golden
from tests.export.model_builder import Graph, options
from tests.export.random_operators import random_model

CLAIMED = (Outcome.TAKEN, Outcome.BREAKS)
DELEGATE = "TfLiteXNNPackDelegate"


def verdict_of(content: bytes):
    (delegation,) = lint(read_model(content))
    return delegation.verdicts[-1]


def assert_agrees(content: bytes) -> None:
    (delegation,) = lint(read_model(content))
    truth = delegated_nodes(content)
    predicted = [verdict.outcome in CLAIMED for verdict in delegation.verdicts]
    wrong = [
        f"{verdict.operator} (node {verdict.node}): {verdict.outcome} {verdict.reason}"
        for verdict, ours, theirs in zip(delegation.verdicts, predicted, truth.taken, strict=True)
        if ours != theirs
    ]
    assert not wrong
    breaks = any(verdict.outcome is Outcome.BREAKS for verdict in delegation.verdicts)
    assert breaks == (DELEGATE in truth.error), truth.error


@pytest.mark.parametrize("name", NAMES)
def test_whole_models_node_for_node_and_piece_for_piece(name):
    content = golden(name)
    assert_agrees(content)
    (delegation,) = lint(read_model(content))
    assert delegation.partitions == delegated_pieces(content)


@pytest.mark.long
@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic", "int8"])
def test_the_plain_bert_of_two_layers(plain_bert, precision):
    from benchmarks.plain_reference import convert

    content = convert(plain_bert, precision)
    assert_agrees(content)
    (delegation,) = lint(read_model(content))
    assert delegation.partitions == delegated_pieces(content)


@pytest.fixture(scope="module")
def plain_bert():
    from benchmarks.plain_reference import build

    return build(layers=2, width=128, heads=2, feed_forward=512, vocabulary=30522, length=32)


@pytest.fixture(scope="module")
def exported_graphs() -> dict:
    """Our own float32 graphs, of a fixed and of a dynamic length."""
    from edgebert.config import EncoderConfig, HeadConfig
    from edgebert.export.graph import convert_graph
    from edgebert.models.task import build_model

    head = HeadConfig(kind="classification", pooling="pooler", labels=("a", "b", "c"))
    model = build_model(EncoderConfig(90, 64, 2, 2, 128, 64, maximum_length=48), head)
    return {length: convert_graph(model, length) for length in (16, None)}


@pytest.mark.long
@pytest.mark.parametrize("length", [16, None])
@pytest.mark.parametrize("precision", ["float32", "float16", "dynamic"])
def test_our_own_exports(exported_graphs, length, precision):
    from edgebert.export.precisions import quantize

    content = quantize(exported_graphs[length], precision)
    assert_agrees(content)
    (delegation,) = lint(read_model(content))
    assert delegation.partitions == delegated_pieces(content)


def test_what_is_left_of_a_full_int8_bert():
    """The known costs of naive quantisation, each with its own advice."""
    (delegation,) = lint(read_model(golden("plain_int8")))
    left = {verdict.operator: verdict for verdict in delegation.verdicts if verdict.outcome is Outcome.LEFT}
    assert {"BATCH_MATMUL", "SOFTMAX", "GELU", "RSQRT", "SQUARED_DIFFERENCE"} <= set(left)
    assert "zero point" in left["BATCH_MATMUL"].reason
    assert "symmetric" in left["BATCH_MATMUL"].change
    assert "table" in left["GELU"].change
    assert left["GATHER"].is_cheap
    assert not left["SOFTMAX"].is_cheap
    assert all(verdict.reason and verdict.change for verdict in left.values())


def test_float16_weights_are_taken_with_their_layers_but_not_with_a_look_up():
    (delegation,) = lint(read_model(golden("plain_float16")))
    unpacking = Counter(verdict.outcome for verdict in delegation.verdicts if verdict.operator == "DEQUANTIZE")
    assert unpacking[Outcome.TAKEN] > unpacking[Outcome.LEFT] > 0
    left = [entry for entry in delegation.verdicts if (entry.operator, entry.outcome) == ("DEQUANTIZE", Outcome.LEFT)]
    assert all("for GATHER" in verdict.reason for verdict in left)


def unary(name: str, dtype: str, table=None, target_scale: float = 1 / 256) -> bytes:
    graph = Graph()
    scaled = {"scales": [0.1], "zero_points": [3]} if dtype == "int8" else {}
    source = graph.add(dtype, [1, 4], **scaled)
    target = graph.add(dtype, [1, 4], **({"scales": [target_scale], "zero_points": [-128]} if scaled else {}))
    graph.op(name, [source], [target], table)
    return graph.build([source], [target])


def product(left: str, right: dict | None, right_type: str = "int8", constant: bool = False) -> bytes:
    graph = Graph()
    scaled = {"scales": [0.1]} if left == "int8" else {}
    first = graph.add(left, [1, 2, 3, 4], **scaled)
    values = np.ones((1, 2, 4, 5), np.int8) if constant else None
    second = graph.add(right_type, [1, 2, 4, 5], values, **(right or {}))
    target = graph.add(left, [1, 2, 3, 5], **scaled)
    graph.op("BATCH_MATMUL", [first, second], [target], options("BatchMatMul"))
    return graph.build([first] if constant else [first, second], [target])


def multiplication(first: float, second: float, target: float) -> bytes:
    graph = Graph()
    tensors = [graph.add("int8", [1, 4], scales=[scale]) for scale in (first, second, target)]
    graph.op("MUL", tensors[:2], tensors[2:], options("Mul"))
    return graph.build(tensors[:2], tensors[2:])


def dense(
    weights_type: str,
    source: str = "float32",
    width: int = 8,
    version: int = 12,
    activation: int = 0,
    target_scale: float = 0.1,
    **scales,
) -> bytes:
    graph = Graph()
    scaled = {"scales": [0.1]} if source == "int8" else {}
    values = np.resize(np.arange(-7, 8), (4, width)).astype("float32" if weights_type == "float32" else "int8")
    first, weights = graph.add(source, [1, width], **scaled), graph.add(weights_type, (4, width), values, **scales)
    target = graph.add(source, [1, 4], **({"scales": [target_scale]} if scaled else {}))
    table = options("FullyConnected", fusedActivationFunction=activation)
    graph.op("FULLY_CONNECTED", [first, weights], [target], table, version)
    return graph.build([first], [target])


def shaped(name: str, shape: list[int], parameters: list, target: list[int], table=None) -> bytes:
    graph = Graph()
    source, output = graph.add("float32", shape), graph.add("float32", target)
    constants = [graph.constant(np.asarray(values, np.int32)) for values in parameters]
    graph.op(name, [source, *constants], [output], table)
    return graph.build([source], [output])


def addition(first: float, second: float, target: float) -> bytes:
    graph = Graph()
    tensors = [graph.add("int8", [1, 4], scales=[scale]) for scale in (first, second, target)]
    graph.op("ADD", tensors[:2], tensors[2:], options("Add"))
    return graph.build(tensors[:2], tensors[2:])


def computed_shape() -> bytes:
    graph = Graph()
    source, shape, target = graph.add("float32", [2, 4]), graph.add("int32", [2]), graph.add("float32", [4, 2])
    graph.op("RESHAPE", [source, shape], [target], options("Reshape"))
    return graph.build([source, shape], [target])


def in_blocks(size: int, scales: tuple[int, int], scale: float = 0.5, source: str = "float32") -> bytes:
    graph = Graph()
    scaled = {"scales": [0.1]} if source == "int8" else {}
    held = graph.constant(np.full(scales, scale, np.float16))
    first = graph.add(source, [1, 64], **scaled)
    weights = graph.add("int4", (4, 64), np.ones((4, 64), np.int8), block_size=size, block_scales=held)
    target = graph.add(source, [1, 4], **scaled)
    graph.op("FULLY_CONNECTED", [first, weights], [target], options("FullyConnected"), version=14)
    return graph.build([first], [target])


def two_bit(scales: int, width: int = 64) -> bytes:
    graph = Graph()
    first, target = graph.add("float32", [1, width]), graph.add("float32", [1, 4])
    weights = graph.add("int2", (4, width), bytes(width), scales=[0.1] * scales)
    graph.op("FULLY_CONNECTED", [first, weights], [target], options("FullyConnected"), version=14)
    return graph.build([first], [target])


def joined(*scales: float) -> bytes:
    graph = Graph()
    tensors = [graph.add("int8", [1, 4], scales=[scale]) for scale in scales]
    target = graph.add("int8", [1, 4 * len(scales)], scales=[0.1])
    graph.op("CONCATENATION", tensors, [target], options("Concatenation", axis=1))
    return graph.build(tensors, [target])


def slicing(**masks) -> bytes:
    target = [1, 8] if masks.get("shrinkAxisMask") else [1, 1, 8]
    return shaped(
        "STRIDED_SLICE", [1, 4, 8], [[0, 0, 0], [1, 1, 8], [1, 1, 1]], target, options("StridedSlice", **masks)
    )


BETA = {"beta": 1.0}
REDUCER = options("Reducer", keepDims=True)

TAKEN_OPERATORS = {
    "float softmax": unary("SOFTMAX", "float32", options("Softmax", **BETA)),
    "float GELU": unary("GELU", "float32", options("Gelu")),
    "int8 tanh": unary("TANH", "int8"),
    "int8 sigmoid": unary("LOGISTIC", "int8"),
    "int8 product, zero point 0": product("int8", {"scales": [0.1]}),
    "float product": product("float32", None, "float32"),
    "hybrid product": product("float32", {"scales": [0.1]}, constant=True),
    "float dense": dense("float32"),
    "hybrid dense per channel": dense("int8", scales=[0.1] * 4),
    "hybrid dense per tensor": dense("int8", scales=[0.1]),
    "int4 dense in blocks": in_blocks(32, (4, 2)),
    "int2 dense": two_bit(scales=4),
    "int4 dense": dense("int4", scales=[0.1] * 4),
    "static dense": dense("int8", "int8", scales=[0.1] * 4),
    "fused relu": dense("float32", activation=1),
    "mean over the last axis": shaped("MEAN", [1, 4], [[-1]], [1, 1], REDUCER),
    "reshape with one free size": shaped("RESHAPE", [1, 4], [[2, -1]], [2, 2], options("Reshape")),
    "transpose": shaped("TRANSPOSE", [2, 3, 4], [[0, 2, 1]], [2, 4, 3], options("Transpose")),
    "slice by ranges": slicing(beginMask=5, endMask=5),
    "slice with sizes": shaped("SLICE", [1, 4, 8], [[0, 0, 0], [1, 1, 8]], [1, 1, 8], options("Slice")),
    "addition within 2^8": addition(2.559, 0.01, 0.01),
    "addition within 2^-10": addition(0.01 / 1024, 0.01, 0.01),
    "joining equal scales": joined(0.1, 0.1),
    "joining five": joined(*[0.1] * 5),
    "product of scales just above 2^-16": multiplication(0.01, 0.001, 0.65),
    "product of scales just below 2^8": multiplication(0.1, 0.1, 0.0000391),
    "a static product within 2^8": dense("int8", "int8", target_scale=0.01 / 255, scales=[0.1] * 4),
}

LEFT_OPERATORS = {
    "int8 softmax": (unary("SOFTMAX", "int8", options("Softmax", **BETA)), "float only", "scores float"),
    "softmax with beta": (unary("SOFTMAX", "float32", options("Softmax", beta=2.0)), "beta is 2", "multiply"),
    "int8 GELU": (unary("GELU", "int8", options("Gelu")), "float only", "table"),
    "int8 relu alone": (unary("RELU", "int8"), "float only", "fuse it"),
    "int8 rsqrt": (unary("RSQRT", "int8"), "float only", "LayerNorm float"),
    "int8 product, zero point 7": (
        product("int8", {"scales": [0.1], "zero_points": [7]}),
        "zero point 7, XNNPACK needs 0",
        "make K and V symmetric",
    ),
    "static dense, zero point 3": (dense("int8", "int8", scales=[0.1], zero_points=[3]), "zero point 3", "per channel"),
    "dense with scales per input": (dense("int8", scales=[0.1] * 8, axis=1), "axis 1", "axis 0"),
    "int4 dense, odd width": (dense("int4", width=7, scales=[0.1] * 4), "multiple of 2, got 7", "int8 weights"),
    "int4 dense in small blocks": (in_blocks(16, (4, 4)), "blocks of 16", "use 32"),
    "int2 dense, one scale": (two_bit(scales=1), "one scale", "per output channel"),
    "int2 dense, uneven width": (two_bit(scales=4, width=62), "multiple of 4, got 62", "int8 weights"),
    "sparse version": (dense("float32", version=8), "sparse", "dense"),
    "fused tanh": (dense("float32", activation=4), "fused TANH", "as an operator"),
    "reshape to one dimension": (shaped("RESHAPE", [1, 4], [[-1]], [4], options("Reshape")), "[-1]", "2 dimensions"),
    "reshape to a computed shape": (computed_shape(), "computed at run time", "constant"),
    "slice that drops a dimension": (slicing(shrinkAxisMask=2), "x[:, 0]", "range"),
    "slice to the end": (
        shaped("SLICE", [1, 4, 8], [[0, 0, 0], [1, 1, -1]], [1, 1, 8], options("Slice")),
        "to the end",
        "STRIDED_SLICE",
    ),
    "slice with a stride": (
        shaped("STRIDED_SLICE", [1, 4, 8], [[0, 0, 0], [1, 4, 8], [1, 2, 1]], [1, 2, 8], options("StridedSlice")),
        "strides are [1, 2, 1]",
        "elsewhere",
    ),
    "addition beyond 2^8": (addition(2.56, 0.01, 0.01), "outside 2^-10 to 2^8", "calibrate"),
    "addition beyond 2^-10": (addition(0.01 / 1025, 0.01, 0.01), "outside 2^-10 to 2^8", "calibrate"),
    "joining six": (joined(*[0.1] * 6), "6 inputs, XNNPACK takes 2 to 5", "several"),
    "product of scales below 2^-16": (multiplication(0.01, 0.001, 0.66), "outside 2^-16 to 2^8", "calibrate"),
    "product of scales above 2^8": (multiplication(0.1, 0.1, 0.000039), "outside 2^-16 to 2^8", "calibrate"),
    "expanding": (shaped("EXPAND_DIMS", [1, 4], [[0]], [1, 1, 4], options("ExpandDims")), "switched off", "cheap"),
    "running sum": (shaped("CUMSUM", [1, 4], [1], [1, 4], options("Cumsum")), "no CUMSUM", "cheap"),
}

BREAKING_OPERATORS = {
    "hybrid dense per tensor, zero point 3": (
        dense("int8", scales=[0.1], zero_points=[3]),
        "zero point 3",
    ),
    "hybrid dense per channel, zero point 3": (
        dense("int8", scales=[0.1] * 4, zero_points=[0, 3, 0, 0]),
        "zero point 3, not 0",
    ),
    "a block without a scale": (in_blocks(32, (4, 2), scale=0.0), "not a positive number"),
    "a scale too many for the blocks": (in_blocks(32, (4, 3)), "for each block of 32"),
    "blocks beside int8 activations": (in_blocks(32, (4, 2), source="int8"), "float activations only"),
    "a channel without a scale": (dense("int8", scales=[0.1, 0.0, 0.1, 0.1]), "scale 0"),
    "a channel with a denormal scale": (dense("int8", scales=[0.1, 1e-42, 0.1, 0.1]), "not a positive normal number"),
    "hybrid product, zero point 7": (
        product("float32", {"scales": [0.1], "zero_points": [7]}, constant=True),
        "zero point 7",
    ),
    "joining different scales": (joined(0.1, 0.3), "quantised differently"),
    "a static product beyond 2^8": (
        dense("int8", "int8", target_scale=0.01 / 257, scales=[0.1, 0.1, 0.01, 0.1]),
        "XNNPACK stops at 256",
    ),
}


@pytest.mark.parametrize("content", TAKEN_OPERATORS.values(), ids=TAKEN_OPERATORS.keys())
def test_taken(content):
    assert_agrees(content)
    assert verdict_of(content).outcome is Outcome.TAKEN


@pytest.mark.parametrize(("content", "reason", "change"), LEFT_OPERATORS.values(), ids=LEFT_OPERATORS.keys())
def test_left_and_why(content, reason, change):
    assert_agrees(content)
    verdict = verdict_of(content)
    assert verdict.outcome is Outcome.LEFT
    assert reason in verdict.reason
    assert change in verdict.change


@pytest.mark.parametrize(("content", "reason"), BREAKING_OPERATORS.values(), ids=BREAKING_OPERATORS.keys())
def test_what_keeps_a_model_from_loading(content, reason):
    """XNNPACK claims the operator and fails: with default settings LiteRT then refuses the whole model."""
    assert_agrees(content)
    verdict = verdict_of(content)
    assert verdict.outcome is Outcome.BREAKS
    assert reason in verdict.reason


def half_precision(half_weights: bool, half_bias: bool, other_reader: str = "", of: str = "bias") -> bytes:
    """A dense layer whose float16 constants are unpacked by DEQUANTIZE, and perhaps read by another operator too."""
    graph = Graph()
    source, target = graph.add("float32", [1, 8]), graph.add("float32", [1, 4])

    def constant(values: np.ndarray, half: bool) -> int:
        if not half:
            return graph.constant(values)
        unpacked = graph.add("float32", values.shape)
        graph.op("DEQUANTIZE", [graph.constant(values.astype(np.float16))], [unpacked], options("Dequantize"))
        return unpacked

    weights, bias = constant(np.ones((4, 8), np.float32), half_weights), constant(np.ones(4, np.float32), half_bias)
    graph.op("FULLY_CONNECTED", [source, weights, bias], [target], options("FullyConnected"))
    outputs = [target]
    shared = {"bias": bias, "weights": weights}[of]
    if other_reader:
        outputs.append(graph.add("float32", graph.tensors[shared].shape))
    if other_reader == "ADD":
        graph.op("ADD", [shared, shared], outputs[1:], options("Add"))
    if other_reader == "CUMSUM":
        graph.op("CUMSUM", [shared, graph.constant(np.array(0, np.int32))], outputs[1:], options("Cumsum"))
    return graph.build([source], outputs)


@pytest.mark.parametrize("half_weights", [False, True])
@pytest.mark.parametrize("half_bias", [False, True])
@pytest.mark.parametrize("other_reader", ["", "ADD", "CUMSUM"])
@pytest.mark.parametrize("of", ["bias", "weights"])
def test_float16_constants_with_every_kind_of_reader(half_weights, half_bias, other_reader, of):
    """The delegate keeps them as float16 only where matrix products alone read them."""
    assert_agrees(half_precision(half_weights, half_bias, other_reader, of))


def test_a_float16_constant_that_a_layer_is_given_as_its_input_and_its_weights():
    """As an input it must be float32, and so it is as weights: a float16 bias beside it is then left."""
    graph = Graph()
    unpacked, bias, target = (graph.add("float32", shape) for shape in ([8, 8], [8], [8, 8]))
    for tensor, values in ((unpacked, np.ones((8, 8), np.float16)), (bias, np.ones(8, np.float16))):
        graph.op("DEQUANTIZE", [graph.constant(values)], [tensor], options("Dequantize"))
    graph.op("FULLY_CONNECTED", [unpacked, unpacked, bias], [target], options("FullyConnected"))
    other, negated = graph.add("float32", [1]), graph.add("float32", [1])
    graph.op("NEG", [other], [negated], options("Neg"))
    content = graph.build([other], [target, negated])
    assert_agrees(content)
    assert lint(read_model(content))[0].verdicts[2].outcome is Outcome.LEFT


def agreement_on_random_operators(first_seed: int, end_seed: int) -> Counter:
    counted: Counter = Counter()
    wrong = []
    for seed, truth in truths_of_random_operators(first_seed, end_seed).items():
        verdict = verdict_of(random_model(seed))
        if truth.error == CRASHED:
            # LiteRT's own kernel ended the process: the operator was not taken, but nobody can ask.
            counted[CRASHED] += 1
            continue
        counted[verdict.outcome] += 1
        claimed, breaks = verdict.outcome in CLAIMED, verdict.outcome is Outcome.BREAKS
        if truth.taken != (claimed,) or breaks != (DELEGATE in truth.error):
            wrong.append(f"{seed}: {verdict.operator} {verdict.outcome} {verdict.reason}; {truth}")
    assert not wrong
    return counted


def test_random_operators():
    counted = agreement_on_random_operators(0, 400)
    assert min(counted[outcome] for outcome in (Outcome.TAKEN, Outcome.LEFT, Outcome.BREAKS)) > 10
    assert counted[CRASHED] < 20


@pytest.mark.long
def test_thousands_of_random_operators():
    counted = agreement_on_random_operators(100_000, 108_000)
    assert counted[CRASHED] < 200


def test_no_operator_is_in_two_tables():
    tables = (set(RULES), set(CHEAP), set(NEVER_CHANGES), set(UNPREDICTED))
    assert sum(map(len, tables)) == len(set.union(*tables))


def test_an_operator_without_its_inputs_is_left():
    graph = Graph()
    target = graph.add("float32", [1])
    graph.op("SOFTMAX", [], [target], options("Softmax", **BETA))
    assert verdict_of(graph.build([], [target])).outcome is Outcome.LEFT
