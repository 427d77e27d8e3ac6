"""Scales moved between constants throughout an integer graph: the same function, and finer steps."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from edgebert.config import EncoderConfig
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import convert_graph
from edgebert.export.model import Operator, Subgraph
from edgebert.export.quantization import channel_balance
from edgebert.export.quantization.channel_balance import balance_channels, balance_throughout
from edgebert.export.quantization.integer_graph import make_integer_ready, quantize_integers, with_masked_scores
from edgebert.export.quantization.integer_output import with_logits
from edgebert.export.quantization.observing import Observed, observe
from edgebert.export.quantization.ranges import choose_ranges
from edgebert.models.loading import assign_tensors
from edgebert.models.task import TaskModel, build_model
from tests.data.house_form import assert_house_form
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
    return balance_throughout(graph, observe(graph, calibration().inputs(length)))


def with_values(config: EncoderConfig, values: Mapping[str, np.ndarray] | None = None) -> TaskModel:
    model = build_model(config, CLASSIFIER)
    assign_tensors(model, values or values_of(config, CLASSIFIER))
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
    return with_values(RELU, values)


def integer_logits(graph: bytes) -> np.ndarray:
    subgraph = read_model(graph).subgraphs[0]
    ranges = with_masked_scores(subgraph, choose_ranges(subgraph, observe(graph, calibration().inputs(None))))
    content = with_logits(quantize_integers(graph, ranges))
    return answers(content, calibration_inputs(TEXTS)).astype(np.float32) * scale_of_answer(content)


def scale_of_answer(content: bytes) -> float:
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
    assert len(changed) == len(graph)


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
    expected = float_logits(graph)
    errors = [np.abs(centred(integer_logits(one)) - expected).mean() for one in (graph, evened(graph))]
    assert errors[1] < 0.5 * errors[0]


def float_logits(graph: bytes) -> np.ndarray:
    return centred(np.log(answers(graph, calibration_inputs(TEXTS))))


def centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


def test_layer_norm_and_gelu_leave_nothing_to_scale() -> None:
    graph = ready_graph(random_model())
    balanced = balance_channels(graph, observe(graph, calibration().inputs(None)))
    before, after = ({name: each.tobytes() for name, each in constants(one).items()} for one in (graph, balanced))
    assert before == after


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


def test_a_unit_that_no_calibration_text_wakes_keeps_room() -> None:
    """Scaled by how little was seen of it, it would be cut off in the first text that wakes it."""
    values = dict(values_of(*STUDENTS["relu"]))
    name = "encoder.blocks.0.feed_forward.up.bias"
    values[name] = np.where(np.arange(RELU.feed_forward_width) == LOUD, -1e3, values[name]).astype(np.float32)
    graph = ready_graph(with_values(RELU, values))
    (bias,) = (index for index, one in constants(graph).items() if one.shape == (64,) and one.min() < -999)
    # Its bias tells what it was scaled by.
    assert -3e3 < constants(evened(graph))[bias][LOUD] < -5e2


@pytest.mark.parametrize(
    ("operator", "changed"),
    [("MUL", {"activation": 3}), ("ADD", {"activation": 3}), ("GATHER", {"axis": 1})],
    ids=["a factor cut at 6", "a sum cut at 6", "columns looked up"],
)
def test_what_a_scale_does_not_pass_is_left_alone(operator: str, changed: dict[str, int]) -> None:
    """As no converter writes it today: options that make an operator another function."""
    graph = ready_graph(student())
    subgraph, seen = read_model(graph).subgraphs[0], observe(graph, calibration().inputs(None))
    of_floats = [
        each
        for each in subgraph.operators
        if each.name == operator and subgraph.tensors[each.outputs[0]].dtype == "float32"
    ]
    outputs = {each.outputs[0] for each in of_floats}
    assert outputs & set(channel_balance._scales(subgraph, seen))
    assert not outputs & set(channel_balance._scales(with_options(subgraph, of_floats, changed), seen))


def with_options(subgraph: Subgraph, operators: list[Operator], options: dict[str, int]) -> Subgraph:
    others = {each.index: dataclasses.replace(each, options={**each.options, **options}) for each in operators}
    return dataclasses.replace(subgraph, operators=tuple(others.get(each.index, each) for each in subgraph.operators))


def test_a_float_input_is_nobodys_to_divide() -> None:
    graph = ready_graph(student())
    subgraph, seen = read_model(graph).subgraphs[0], observe(graph, calibration().inputs(None))
    one = next(iter(channel_balance._scales(subgraph, seen)))
    assert one not in channel_balance._scales(dataclasses.replace(subgraph, inputs=(*subgraph.inputs, one)), seen)


@pytest.mark.parametrize("name", sorted(STUDENTS))
def test_a_student_starts_its_training_with_them_in_its_own_values(name: str) -> None:
    changed, values = started(*STUDENTS[name]).balanced, values_of(*STUDENTS[name])
    for place in ("embeddings.word.weight", "blocks.0.attention_norm.gain", "blocks.1.feed_forward.norm.bias"):
        assert not np.allclose(changed[f"encoder.{place}"], values[f"encoder.{place}"])
    texts = calibration_inputs(TEXTS)
    found, expected = (convert_graph(one, None) for one in (balanced(*STUDENTS[name]), student(*STUDENTS[name])))
    np.testing.assert_allclose(answers(found, texts), answers(expected, texts), atol=2e-6)


def test_a_tensor_of_no_known_width_is_refused_and_not_left_loud() -> None:
    graph = ready_graph(with_values(RELU))
    seen = observe(graph, calibration().inputs(None))
    unknown = {index: dataclasses.replace(one, channel_peaks=np.empty(0)) for index, one in seen.items()}
    with pytest.raises(ArtefactError, match="expected a tensor of a known width") as refused:
        balance_channels(graph, unknown)
    assert_house_form(str(refused.value))
