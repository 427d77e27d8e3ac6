"""What is said of a file's tensors, against numpy on the same files and on files made for it."""

import numpy as np
import pytest
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.sensitivity.dequantizing import dequantized_constant
from edgebert.export.sensitivity.parts import DENSE
from edgebert.export.sensitivity.preparation import prepare
from edgebert.export.sensitivity.result import ACTIVATION, WEIGHT
from edgebert.export.sensitivity.tensors import compare_tensors
from tests.export.quantization.cases import calibration, calibration_inputs, float_graph, sentences
from tests.export.sensitivity.subjects import watching


@pytest.fixture(scope="module")
def texts() -> list[dict[str, np.ndarray]]:
    return calibration_inputs(sentences(5, seed=8))


@pytest.fixture(scope="module")
def static():
    one = prepare(float_graph(), "static", calibration().inputs(None))
    return one.graph, one.build(one.whole())


@pytest.fixture(scope="module")
def dynamic():
    one = prepare(float_graph(), "dynamic")
    return one.graph, one.build(one.whole())


def every_tensor(content: bytes, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """By name, as the interpreter dequantises it: an own way of reading, through LiteRT's own details."""
    interpreter = watching(content)
    interpreter.get_signature_runner()(**inputs)
    found = {}
    for index in {output for each in read_model(content).subgraphs[0].operators for output in each.outputs}:
        detail = read_model(content).subgraphs[0].tensors[index]
        values = interpreter.get_tensor(index).astype(np.float64)
        if detail.dtype == "int8":
            scale, zero_point = interpreter._get_tensor_details(index, 0)["quantization"]
            values = scale * (values - zero_point)
        found[detail.name.removesuffix("_quantized")] = values
    return found


def test_activations_have_the_error_that_numpy_finds(static, texts) -> None:
    graph, content = static
    compared = compare_tensors(graph, content, texts[:1])
    exact, found = every_tensor(graph, texts[0]), every_tensor(content, texts[0])
    activations = [each for each in compared.tensors if each.role == ACTIVATION and each.dtype == "int8"]
    # Per block: inputs of q, k, v together, of up and down; probabilities; six dense outputs and two products.
    assert len(activations) >= 2 * 11
    for each in activations:
        one, other = exact[each.tensor], found[each.tensor]
        expected = 10 * np.log10(np.sum(one**2) / np.sum((one - other) ** 2))
        assert each.sqnr_db == pytest.approx(expected, abs=2e-3), each.name
        assert each.elements == one.size
        # What arrives there has been rounded before; its own rounding is a part of that.
        assert each.own_sqnr_db > each.sqnr_db - 6


def test_weights_have_the_error_that_numpy_finds(dynamic, texts) -> None:
    graph, content = dynamic
    weights = {each.name: each for each in compare_tensors(graph, content, texts[:1]).tensors if each.role == WEIGHT}
    floats = flatbuffer_utils.read_model_from_bytearray(bytearray(graph))
    integers = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    exact, scaled = (
        next(each for each in model.subgraphs[0].operators if b"block_1/query" in _made(model, each))
        for model in (floats, integers)
    )
    tensor = integers.subgraphs[0].tensors[scaled.inputs[1]]
    stored = np.frombuffer(bytes(integers.buffers[tensor.buffer].data), np.int8).reshape(tensor.shape)
    rounded = stored * np.array(tensor.quantization.scale)[:, None]
    values = np.frombuffer(
        bytes(floats.buffers[floats.subgraphs[0].tensors[exact.inputs[1]].buffer].data), np.float32
    ).reshape(tensor.shape)
    expected = 10 * np.log10(np.sum(values.astype(np.float64) ** 2) / np.sum((values - rounded) ** 2))
    assert weights["blocks.1.query.kernel"].sqnr_db == pytest.approx(expected, abs=2e-3)
    assert {"embeddings.word.weight", "pooler.kernel", "head.classifier.kernel"} <= set(weights)


def _made(model, operator) -> bytes:
    graph = model.subgraphs[0]
    is_dense = model.operatorCodes[operator.opcodeIndex].builtinCode == 9
    return graph.tensors[operator.outputs[0]].name if is_dense else b""


def test_weights_that_integers_hold_exactly_have_no_error(dynamic, texts) -> None:
    """The float graph with the file's own numbers in it: float32 against float32, as far as weights go."""
    graph, content = dynamic
    made, model = read_model(content), read_model(graph)
    editor = GraphEditor(graph)
    for operator, other in zip(model.subgraphs[0].operators, made.subgraphs[0].operators, strict=True):
        if operator.name in (DENSE, "EMBEDDING_LOOKUP"):
            constant = made.subgraphs[0].tensors[other.inputs[1]]
            values = dequantized_constant(made, made.subgraphs[0], constant).astype(np.float32)
            editor.replace_constant(operator.inputs[1], values, [operator.index])
    compared = compare_tensors(editor.content(), content, texts)
    weights = [each for each in compared.tensors if each.role == WEIGHT]
    # Numbers of float32 that scales of float32 were multiplied into.
    assert len(weights) == 16 and all(each.sqnr_db is None or each.sqnr_db > 130 for each in weights)
    assert all(each.cosine == 1.0 for each in weights)


def test_float32_against_itself_has_nothing_quantised(texts) -> None:
    compared = compare_tensors(float_graph(), float_graph(), texts)
    assert compared.tensors == () and compared.unmapped == ()


def test_what_has_no_partner_is_said(static, texts) -> None:
    """Against the graph before its scale was moved, scaled tensors and their weights exist on one side alone."""
    _, content = static
    compared = compare_tensors(float_graph(), content, texts[:1])
    reasons = {each.reason for each in compared.unmapped}
    assert any("computes no tensor of this name" in reason for reason in reasons)
    named = {each.tensor for each in compared.tensors} | {
        each.name.split("_quantized")[0] for each in compared.unmapped
    }
    integers = [
        tensor.name.split("_quantized")[0]
        for operator in read_model(content).subgraphs[0].operators
        if operator.name not in ("RESHAPE", "TRANSPOSE")
        for tensor in [read_model(content).subgraphs[0].tensors[operator.outputs[0]]]
        if tensor.dtype == "int8"
    ]
    assert set(integers) <= named


def test_without_texts_nothing_is_compared(static) -> None:
    with pytest.raises(ArtefactError, match="expected at least one to compare tensors on"):
        compare_tensors(*static, [])
