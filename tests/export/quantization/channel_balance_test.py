"""Scales moved between constants throughout an integer graph: the same function, and finer steps."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from edgebert.config import EncoderConfig
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.channel_balance import balance_channels
from edgebert.export.quantization.integer_graph import make_integer_ready, quantize_integers, with_masked_scores
from edgebert.export.quantization.integer_output import with_logits
from edgebert.export.quantization.observing import Observed, observe
from edgebert.export.quantization.ranges import choose_ranges
from edgebert.models.loading import assign_tensors
from edgebert.models.task import TaskModel, build_model
from tests.export.quantization.cases import (
    CLASSIFIER,
    answers,
    calibration,
    calibration_inputs,
    random_model,
    sentences,
)
from tests.export.quantization.integer_cases import RELU, STUDENTS, balanced, started, student, values_of

TEXTS = sentences(30, seed=12)
LOUD = 7  # a channel of the residual


def ready_graph(model: TaskModel, length: int | None = None) -> bytes:
    graph = convert_graph(model, length)
    return make_integer_ready(graph, observe(graph, calibration().inputs(length)))


def evened(graph: bytes, length: int | None = None) -> bytes:
    return balance_channels(graph, observe(graph, calibration().inputs(length)))


def with_values(config: EncoderConfig) -> TaskModel:
    model = build_model(config, CLASSIFIER)
    assign_tensors(model, values_of(config, CLASSIFIER))
    return model


def with_a_loud_channel() -> TaskModel:
    """The feed-forward output of one channel is sixty times what it was, and the norm behind it makes up for it."""
    values, loud = dict(values_of(RELU, CLASSIFIER)), np.where(np.arange(RELU.width) == LOUD, 60, 1)
    for block in RELU.layer_blocks:
        for place in ("attention_norm", "feed_forward.norm"):
            name = f"encoder.blocks.{block}.{place}"
            before, after = (1, loud) if place == "attention_norm" else (loud, 1)
            values[f"{name}.gain"] = (values[f"{name}.gain"] * after / before).astype(np.float32)
            values[f"{name}.bias"] = (values[f"{name}.bias"] * after).astype(np.float32)
        up, down = (f"encoder.blocks.{block}.feed_forward.{one}" for one in ("up", "down"))
        values[f"{up}.kernel"] = (values[f"{up}.kernel"] / loud[:, None]).astype(np.float32)
        for part in ("kernel", "bias"):
            values[f"{down}.{part}"] = (values[f"{down}.{part}"] * loud).astype(np.float32)
    model = build_model(RELU, CLASSIFIER)
    assign_tensors(model, values)
    return model


def integer_logits(graph: bytes) -> np.ndarray:
    subgraph = read_model(graph).subgraphs[0]
    ranges = with_masked_scores(subgraph, choose_ranges(subgraph, observe(graph, calibration().inputs(None))))
    content = with_logits(quantize_integers(graph, ranges))
    return answers(content, calibration_inputs(TEXTS)).astype(np.float32) * read_scale(content)


def read_scale(content: bytes) -> float:
    subgraph = read_model(content).subgraphs[0]
    return float(subgraph.tensors[subgraph.outputs[0]].quantization.scales[0])


def constants(graph: bytes) -> Mapping[str, np.ndarray]:
    model = read_model(graph)
    return {one.name: model.values(one) for one in model.subgraphs[0].tensors if one.is_constant}


@pytest.mark.parametrize("length", [None, 24])
@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_it_is_the_same_function_with_other_constants(name: str, length: int | None) -> None:
    graph = ready_graph(student(*STUDENTS[name]), length)
    changed = evened(graph, length)
    texts = calibration_inputs(TEXTS, length)
    np.testing.assert_allclose(answers(changed, texts), answers(graph, texts), atol=2e-6)
    before, after = constants(graph), constants(changed)
    moved = sum(not np.array_equal(before[name], after[name]) for name in before if name in after)
    assert moved >= 20
    assert len(changed) < 1.02 * len(graph)


def test_a_loud_channel_no_longer_takes_the_range_of_all() -> None:
    graph = ready_graph(with_a_loud_channel())
    changed = evened(graph)
    sums = [operator.outputs[0] for operator in read_model(graph).subgraphs[0].operators if operator.name == "ADD"]
    before, after = (observe(one, calibration().inputs(None)) for one in (graph, changed))
    widths = {index: len(before[index].channel_peaks) for index in sums if index in before}
    louder = [index for index, width in widths.items() if width == RELU.width and unevenness(before[index]) > 10]
    assert len(louder) >= 2
    for index in louder:
        assert unevenness(after[index]) < 0.4 * unevenness(before[index])


def unevenness(seen: Observed) -> float:
    return seen.channel_peaks.max() / np.median(seen.channel_peaks)


def test_int8_answers_come_closer_to_float32s() -> None:
    graph = ready_graph(with_a_loud_channel())
    # Of two int8 files the same zero point is no matter: differences between classes are compared.
    expected = integer_free_logits(graph)
    errors = [np.abs(centred(integer_logits(one)) - expected).mean() for one in (graph, evened(graph))]
    assert errors[1] < 0.5 * errors[0]


def integer_free_logits(graph: bytes) -> np.ndarray:
    return centred(np.log(answers(graph, calibration_inputs(TEXTS))))


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def test_layer_norm_and_gelu_leave_nothing_to_scale() -> None:
    graph = ready_graph(random_model())
    assert {name: one.tobytes() for name, one in constants(evened(graph)).items()} == {
        name: one.tobytes() for name, one in constants(graph).items()
    }


def test_weights_that_several_layers_share_stay_one() -> None:
    """What is even in one layer is not in the next: a copy for each would be as large as all of them."""
    graph = ready_graph(with_values(dataclasses.replace(RELU, layer_blocks=(0, 0))))
    changed = evened(graph)
    texts = calibration_inputs(TEXTS)
    np.testing.assert_allclose(answers(changed, texts), answers(graph, texts), atol=2e-6)
    matrices = [
        sorted(one.tobytes() for one in constants(each).values() if one.ndim == 2 and one.shape[1] in (32, 64))
        for each in (graph, changed)
    ]
    assert len(matrices[0]) == len(matrices[1])
    # The block's six, and the classifier behind a tanh; tables and the pooler are scaled.
    assert len(set(matrices[0]) & set(matrices[1])) == 6 + 1


def test_a_student_starts_its_training_with_them_in_its_own_values() -> None:
    changed, values = started().balanced, values_of(*STUDENTS["relu"])
    for name in ("embeddings.word.weight", "blocks.0.attention_norm.gain", "blocks.1.feed_forward.norm.bias"):
        assert not np.allclose(changed[f"encoder.{name}"], values[f"encoder.{name}"])
    texts = calibration_inputs(TEXTS)
    found, expected = (convert_graph(one, None) for one in (balanced(), student()))
    np.testing.assert_allclose(answers(found, texts), answers(expected, texts), atol=2e-6)
