"""Each scheme's file: near float32, int8 where it says so, and nowhere else."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from edgebert.errors import ArtefactError
from edgebert.export.delegation import lint
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import require, summarize
from edgebert.export.precisions import PRECISIONS, quantize
from edgebert.export.versions import Runtime, minimum_runtime
from tests.export.quantization.cases import (
    BERT,
    CLASSIFIER,
    EMBEDDER,
    answers,
    calibration,
    calibration_inputs,
    float_graph,
    sentences,
)

# An embedder's mean over tokens divides, which has no integer form: full-int8 has tests of its own.
MADE = tuple(name for name in PRECISIONS if name != "full-int8")
CALIBRATED = tuple(name for name, each in PRECISIONS.items() if each.needs_calibration and name in MADE)
# Lowest cosine of an embedding of 32 numbers with float32's; random weights suffer more than trained ones.
LEAST_COSINE = {
    "float32": 1.0, "float16": 0.99999, "dynamic": 0.998, "hybrid": 0.997, "static": 0.993, "int4-embedding": 0.97,
    "int4-embedding-rows": 0.97, "int16x8": 0.998,
}  # fmt: skip


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    texts = calibration().inputs(None)
    return {name: quantize(float_graph(head=EMBEDDER), name, texts=texts) for name in MADE}


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


@pytest.mark.parametrize("name", MADE)
def test_answers_are_near_float32_on_texts_that_calibration_did_not_see(files, name: str) -> None:
    texts = calibration_inputs(sentences(40, seed=77))
    found = cosines(answers(files[name], texts), answers(files["float32"], texts))
    assert np.mean(found) >= LEAST_COSINE[name] - 1e-6
    if name != "float32":
        assert np.mean(found) < 1 - 1e-9


@pytest.mark.parametrize("name", MADE)
def test_each_file_is_what_was_asked_for_and_nothing_else(files, name: str) -> None:
    require(summarize(files[name]), precision=name)
    for other in PRECISIONS:
        if PRECISIONS[other].demand != PRECISIONS[name].demand:
            with pytest.raises(ArtefactError, match=f"in {other}, got"):
                require(summarize(files[name]), precision=other)


@pytest.mark.parametrize("name", MADE)
def test_the_table_states_the_oldest_runtime_of_the_file(files, name: str) -> None:
    one = PRECISIONS[name]
    assert minimum_runtime(read_model(files[name])).runtime == Runtime.parse(one.runtime)
    if one.runtime_per_tensor:
        old = quantize(float_graph(head=EMBEDDER), name, per_tensor=True, texts=calibration().inputs(None))
        assert minimum_runtime(read_model(old)).runtime == Runtime.parse(one.runtime_per_tensor)


@pytest.mark.parametrize("name", ["hybrid", "static"])
@pytest.mark.parametrize("length", [None, 24])
def test_xnnpack_takes_all_that_costs_in_one_piece(name: str, length: int | None) -> None:
    content = quantize(float_graph(head=EMBEDDER, length=length), name, texts=calibration().inputs(length))
    (delegation,) = lint(read_model(content))
    left = [verdict.operator for verdict in delegation.verdicts if verdict.outcome.name != "TAKEN"]
    assert delegation.partitions == 1
    assert set(left) <= {
        "EMBEDDING_LOOKUP", "GATHER", "CAST", "RESHAPE", "STRIDED_SLICE", "CUMSUM", "ADD", "MUL"
    }  # fmt: skip
    assert left == [verdict.operator for verdict in delegation.verdicts if verdict.is_cheap]


def tensors_of(content: bytes, operator_name: str, side: str = "inputs"):
    subgraph = read_model(content).subgraphs[0]
    return [
        [subgraph.tensors[index] for index in getattr(operator, side) if index >= 0]
        for operator in subgraph.operators
        if operator.name == operator_name
    ]


@pytest.mark.parametrize("name", ["hybrid", "static"])
def test_keys_and_values_are_symmetric(files, name: str) -> None:
    """Without, XNNPACK leaves every product of attention to the slow kernels."""
    products = tensors_of(files[name], "BATCH_MATMUL")
    assert len(products) == 2 * BERT.layers
    assert all(right.quantization.distinct_zero_points == {0} for _, right in products)
    # The ranges of the left-hand sides are used whole: a probability is never below 0.
    assert all(left.quantization.distinct_zero_points == {-128} for left, _ in products[1::2])


@pytest.mark.parametrize("name", CALIBRATED)
def test_softmax_and_what_the_mask_is_added_to_are_float(files, name: str) -> None:
    for side in ("inputs", "outputs"):
        assert {tensor.dtype for row in tensors_of(files[name], "SOFTMAX", side) for tensor in row} == {"float32"}


@pytest.mark.parametrize("name", CALIBRATED)
def test_padding_changes_no_bit(files, name: str) -> None:
    """Nothing of the mask was quantised: -10000 in a tensor of 256 steps would leave none for the scores."""
    for text in sentences(4, seed=3):
        one, padded = calibration_inputs([text]), calibration_inputs([text], 48)
        np.testing.assert_array_equal(answers(files[name], one), answers(files[name], padded))


@pytest.mark.parametrize("name", ["dynamic", "hybrid", "static"])
def test_weights_have_a_scale_a_channel_and_no_scale_is_zero(files, name: str) -> None:
    subgraph = read_model(files[name]).subgraphs[0]
    for _, weights, *_ in tensors_of(files[name], "FULLY_CONNECTED"):
        assert len(weights.quantization.scales) == weights.shape[0]
    scaled = [
        tensor for tensor in subgraph.tensors if tensor.quantization is not None and len(tensor.quantization.scales)
    ]
    assert len(scaled) > 10
    assert all(tensor.quantization.scales_are_normal for tensor in scaled)


def test_static_has_integer_layers_from_end_to_end(files) -> None:
    kinds = Counter(
        (inputs[0].dtype, inputs[1].dtype, outputs[0].dtype)
        for inputs, outputs in zip(
            tensors_of(files["static"], "FULLY_CONNECTED"),
            tensors_of(files["static"], "FULLY_CONNECTED", "outputs"),
            strict=True,
        )
    )
    assert kinds == {("int8", "int8", "int8"): 6 * BERT.layers}


def test_activations_that_are_always_zero_get_no_zero_scale() -> None:
    """Empty tables, gains and biases: every range is empty, and an empty range must not become a scale of 0."""
    from edgebert.export.graph import convert_graph
    from edgebert.models.task import build_model

    model = build_model(BERT, CLASSIFIER)
    for variable in model.variables:
        if "kernel" not in variable.name:
            variable.assign(np.zeros(variable.shape))
    texts = calibration().inputs(None)
    content = quantize(convert_graph(model, None), "static", texts=texts)
    require(summarize(content), precision="static")
    np.testing.assert_allclose(answers(content, texts[:2]), 1 / 3, atol=1e-3)


@pytest.mark.parametrize("name", CALIBRATED)
def test_without_texts_nothing_is_made(name: str) -> None:
    with pytest.raises(ArtefactError, match="expected texts for the ranges of activations, got none"):
        quantize(float_graph(head=EMBEDDER), name)


def test_the_large_table_alone_has_four_bits(files) -> None:
    for name in ("int4-embedding", "int4-embedding-rows"):
        tables = sorted(
            (weight.elements, weight.dtype) for weight in summarize(files[name]).weights if weight.role == "embedding"
        )
        assert tables[-1][1] == "int4"
        assert {dtype for _, dtype in tables[:-1]} <= {"int8", "float32"}


def test_sixteen_bits_are_nearer_than_eight(files) -> None:
    texts = calibration_inputs(sentences(40, seed=77))
    reference = answers(files["float32"], texts)
    distance = {name: 1 - cosines(answers(files[name], texts), reference).mean() for name in ("static", "int16x8")}
    assert distance["int16x8"] < distance["static"]


@pytest.mark.long
def test_other_architectures_are_made_too() -> None:
    from tests.export.quantization.balancing_test import ALBERT, MOBILE

    texts, unseen = calibration().inputs(None), calibration_inputs(sentences(20, seed=5))
    for config in (ALBERT, MOBILE, dataclasses.replace(BERT, segments=0, pooler=False)):
        graph = float_graph(config, EMBEDDER)
        for name in ("hybrid", "static"):
            content = quantize(graph, name, texts=texts)
            require(summarize(content), precision=name)
            assert cosines(answers(content, unseen), answers(graph, unseen)).mean() > 0.97
