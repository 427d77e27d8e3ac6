"""full-int8 is integer from end to end, or is refused with the names of what is not."""

import dataclasses

import numpy as np
import pytest

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import require, summarize
from edgebert.export.masks import check_masks
from edgebert.export.precisions import PRECISIONS, quantize
from edgebert.export.quantization.integer_graph import make_integer_ready
from edgebert.export.quantization.observing import observe
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

LAYER_NORM_AND_GELU = BERT
# Gentle weights: without LayerNorm nothing keeps random ones from growing.
NO_NORM_AND_RELU = dataclasses.replace(BERT, normalization="no_norm", activation="relu", initializer_range=0.1)
STUDENTS = {"no_norm": NO_NORM_AND_RELU, "layer_norm": LAYER_NORM_AND_GELU}


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((name, length), marks=() if name == "no_norm" else pytest.mark.long, id=f"{name}-{length}")
        for name in STUDENTS
        for length in (None, 24)
    ],
)
def made(request) -> tuple[bytes, bytes, int | None]:
    """The float graph, the integer one, and their length."""
    name, length = request.param
    graph = float_graph(STUDENTS[name], CLASSIFIER, length)
    return graph, quantize(graph, "full-int8", texts=calibration().inputs(length)), length


def test_no_operator_computes_with_floats(made) -> None:
    _, content, _ = made
    require(summarize(content), precision="full-int8")
    subgraph = read_model(content).subgraphs[0]
    floats = [
        (operator.name, index)
        for operator in subgraph.operators
        for index in (*operator.inputs, *operator.outputs)
        if index >= 0 and subgraph.tensors[index].dtype == "float32"
    ]
    assert floats == [("DEQUANTIZE", subgraph.outputs[0])]
    assert minimum_runtime(read_model(content)).runtime <= Runtime.parse(PRECISIONS["full-int8"].runtime)


def test_answers_are_near_float32(made) -> None:
    graph, content, length = made
    texts = calibration_inputs(sentences(30, seed=8), length)
    expected, found = answers(graph, texts), answers(content, texts)
    assert expected.std() > 0.003
    # Nearer than the answer to another text is: half as far in the mean.
    assert np.abs(found - expected).mean() < 0.5 * np.abs(expected - np.roll(expected, 1, axis=0)).mean()


def test_padding_changes_no_bit(made) -> None:
    _, content, length = made
    if length is not None:
        pytest.skip("a fixed length has one padding only")
    for text in sentences(4, seed=3):
        found = [answers(content, calibration_inputs([text], width)) for width in (None, 20, 48)]
        for other in found[1:]:
            np.testing.assert_array_equal(found[0], other)


def test_the_integer_form_of_the_float_graph_answers_the_same(made) -> None:
    """Tables gathered, the mask a table of two numbers: probabilities of e^-12 where float32 had 0."""
    graph, _, length = made
    texts = calibration().inputs(length)
    ready = make_integer_ready(graph, observe(graph, texts))
    operators = {operator.name for operator in read_model(ready).subgraphs[0].operators}
    assert not operators & {"EMBEDDING_LOOKUP", "CAST"}
    np.testing.assert_allclose(answers(ready, texts), answers(graph, texts), atol=2e-3)


def test_an_operator_without_an_integer_form_is_named() -> None:
    with pytest.raises(
        ArtefactError, match=r"full-int8: expected operators that have an integer form, got .*CAST.*DIV"
    ):
        quantize(float_graph(head=EMBEDDER), "full-int8", texts=calibration().inputs(None))


def test_a_float_operator_that_is_left_is_named_with_its_number() -> None:
    """Everything but the softmaxes, as a quantiser that does not know them would leave them."""
    graph, texts = float_graph(NO_NORM_AND_RELU, CLASSIFIER), calibration().inputs(None)
    static = quantize(graph, "static", texts=texts)
    with pytest.raises(ArtefactError, match=r"integer operators only in full-int8, got .*SOFTMAX x 3.* in float"):
        require(dataclasses.replace(summarize(static), weights=()), precision="full-int8")
    require(summarize(quantize(graph, "full-int8", texts=texts)), precision="full-int8")


def test_our_own_files_pass_the_mask_check(made) -> None:
    check_masks(made[1], "full-int8")
