"""Balancing changes the graph, makes its channels even, and does not change what it answers."""

import dataclasses

import numpy as np
import pytest

from edgebert.config import BottleneckConfig
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import summarize
from edgebert.export.quantization.attention_balance import balance_attention
from edgebert.export.quantization.balancing import balance
from edgebert.export.quantization.observing import observe
from tests.export.quantization.cases import (
    BERT,
    EMBEDDER,
    answers,
    calibration,
    calibration_inputs,
    float_graph,
    sentences,
)

ALBERT = dataclasses.replace(
    BERT, layers=3, layer_blocks=(0, 0, 0), embedding_width=8, projection="after_norm", activation="gelu_tanh"
)
MOBILE = dataclasses.replace(
    BERT,
    feed_forward_width=24,
    embedding_width=8,
    activation="relu",
    normalization="no_norm",
    projection="before_sum",
    trigram=True,
    bottleneck=BottleneckConfig(16, True, False, 2),
)
SHAPES = {"bert": BERT, "albert": ALBERT, "mobilebert": MOBILE}


def both(graph: bytes, length: int | None) -> bytes:
    texts = calibration().inputs(length)
    attention = balance_attention(graph, observe(graph, texts))
    return balance(attention, observe(attention, texts))


@pytest.mark.parametrize("length", [None, 24])
@pytest.mark.parametrize(
    "shape", [pytest.param(name, marks=() if name == "bert" else pytest.mark.long) for name in SHAPES]
)
def test_the_answers_stay(shape: str, length: int | None) -> None:
    graph = float_graph(SHAPES[shape], EMBEDDER, length)
    balanced = both(graph, length)
    texts = calibration_inputs(sentences(8, seed=9), length)
    np.testing.assert_allclose(answers(balanced, texts), answers(graph, texts), atol=3e-6)
    counts = [sum(row.count for row in summarize(each).operators if row.name == "MUL") for each in (graph, balanced)]
    assert counts[1] > counts[0]


def residual_layers(graph: bytes) -> list[int]:
    subgraph = read_model(graph).subgraphs[0]
    return [
        operator.outputs[0]
        for operator in subgraph.operators
        if operator.name == "FULLY_CONNECTED"
        and {"attention_output", "down"} & set(subgraph.tensors[operator.outputs[0]].name.split("/"))
    ]


def unevenness(graph: bytes) -> list[float]:
    """Loudest channel over the median one, of each dense layer whose output goes into the residual."""
    observed = observe(graph, calibration().inputs(None))
    peaks = [observed[index].channel_peaks for index in residual_layers(graph)]
    return [float(peak.max() / np.median(peak)) for peak in peaks]


def test_outputs_into_the_residual_become_even() -> None:
    graph = float_graph(head=EMBEDDER)
    assert min(unevenness(graph)) > 5
    assert max(unevenness(both(graph, None))) < 1.001


def test_queries_and_keys_become_alike() -> None:
    graph = float_graph(head=EMBEDDER)
    texts = calibration().inputs(None)
    balanced = balance_attention(graph, observe(graph, texts))
    subgraph, observed = read_model(balanced).subgraphs[0], observe(balanced, texts)
    peaks = {
        name: [
            observed[operator.outputs[0]].channel_peaks
            for operator in subgraph.operators
            if operator.name == "FULLY_CONNECTED" and f"/{name}/" in subgraph.tensors[operator.outputs[0]].name
        ]
        for name in ("query", "key")
    }
    assert len(peaks["query"]) == len(peaks["key"]) == BERT.layers
    for query, key in zip(peaks["query"], peaks["key"], strict=True):
        np.testing.assert_allclose(query, key, rtol=1e-4)


def test_balancing_attention_adds_no_operator_and_no_byte_of_weights() -> None:
    graph = float_graph(head=EMBEDDER)
    balanced = balance_attention(graph, observe(graph, calibration().inputs(None)))
    operators = [[each.name for each in read_model(one).subgraphs[0].operators] for one in (graph, balanced)]
    assert operators[0] == operators[1]
    assert abs(len(balanced) - len(graph)) < 0.02 * len(graph)


def test_weights_that_layers_share_are_scaled_once() -> None:
    """ALBERT's layers are one: each matrix stays in the file once."""
    graph = float_graph(ALBERT, EMBEDDER)
    sizes = [summarize(each).sizes.encoder for each in (graph, both(graph, None))]
    assert sizes[1] <= sizes[0] * 1.02


def test_a_channel_that_calibration_never_saw_is_left_in_its_scale() -> None:
    graph = float_graph(head=EMBEDDER)
    observed = observe(graph, calibration().inputs(None))
    silent = {
        index: dataclasses.replace(seen, channel_peaks=np.zeros_like(seen.channel_peaks))
        for index, seen in observed.items()
    }
    texts = calibration_inputs(sentences(4, seed=2))
    np.testing.assert_allclose(answers(balance(graph, silent), texts), answers(graph, texts), atol=3e-6)


def test_what_is_observed_is_what_the_graph_computes() -> None:
    """XNNPACK runs the graph in one piece; its inner tensors are real all the same."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    graph, texts = float_graph(head=EMBEDDER), calibration().inputs(None)[:4]
    observed = observe(graph, texts)
    # Its reference kernels, without XNNPACK.
    plain = Interpreter(
        model_content=graph,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    run = plain.get_signature_runner()
    highest = dict.fromkeys(observed, -np.inf)
    for inputs in texts:
        run(**inputs)
        highest = {index: max(high, float(plain.get_tensor(index).max())) for index, high in highest.items()}
    for index, seen in observed.items():
        assert seen.maximum == pytest.approx(highest[index], rel=1e-4, abs=1e-5)
