"""Wrappers on the layers inside a model: they change what is computed, never what is stored, and come off again."""

import dataclasses

import numpy as np
import pytest

from edgebert.compression.quantizing.ranges import ReadSite, ScoresSite
from edgebert.compression.quantizing.wrapping import QuantizedDense, hold_first_row, wrap
from edgebert.config import HeadConfig
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel, named_variables
from tests.compression.quantizing.cases import (
    DEV,
    FIRST,
    answer,
    even_model,
    inputs_of,
    int8_channels,
    int8_round_trip,
    quantized,
    start,
)
from tests.training.cases import fresh_model

TEXTS = inputs_of(DEV)[:8]


def answers(model: TaskModel) -> np.ndarray:
    return np.concatenate([answer(model, text) for text in TEXTS])


def test_wrapped_and_stripped_the_values_are_the_same_to_the_bit() -> None:
    before, model = model_tensors(even_model()), even_model()
    expected = answers(model)
    ours = wrap(model, start().ranges)
    assert not np.array_equal(answers(model), expected)
    stripped = ours.strip()
    after = model_tensors(stripped)
    assert set(after) == set(before)
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)
    np.testing.assert_array_equal(answers(stripped), expected)
    assert not any(isinstance(layer, QuantizedDense) for layer in stripped.submodules)


def test_the_balanced_start_is_the_same_function() -> None:
    np.testing.assert_allclose(answers(even_model()), answers(fresh_model()), atol=2e-5)
    # A bias of zero has nothing to scale.
    assert {name.rpartition("0.")[2] for name in start().balanced} == {
        "query.kernel",
        "key.kernel",
        "value.kernel",
        "attention_output.kernel",
    }


def test_every_variable_keeps_its_name_below_a_wrapper_and_none_is_added() -> None:
    model = quantized().model
    wrapped = named_variables(model)
    assert {name.replace(".layer.", ".") for name in wrapped} == set(named_variables(even_model()))
    # Nothing reads this head's pooler, so nothing trains it.
    trained = {id(variable) for name, variable in wrapped.items() if "pooler" not in name}
    assert {id(variable) for variable in model.trainable_variables} == trained


def test_the_model_still_holds_its_variables_after_it_was_compiled() -> None:
    """Where TF-MOT leaves the rounded tensor in the kernel's place."""
    ours = quantized()
    ours.model.infer({name: tf.constant(tokens) for name, tokens in TEXTS[0].items()})
    assert all(isinstance(value, tf.Variable) for value in named_variables(ours.model).values())
    assert len(model_tensors(ours.model)) == len(model_tensors(even_model()))


def test_a_dense_layer_computes_what_its_int8_operator_does() -> None:
    ours, name = quantized(), "encoder.blocks.0.feed_forward.down"
    read = next(site for site in ours.ranges.reads if name in site.layers)
    written = next(site for site in ours.ranges.written if site.layer == name)
    assert read.factors is not None and written.factors is not None
    layer = ours.model.encoder.blocks[0].feed_forward.down
    rows = np.random.default_rng(3).normal(0, 0.2, (50, 32)).astype(np.float32)
    kernel, bias = (variable.numpy() for variable in layer.layer.weights)
    inputs = int8_round_trip(rows / read.factors, *read.range)
    product = inputs @ int8_channels(kernel * read.factors[:, None] / written.factors) + bias / written.factors
    expected = int8_round_trip(product, *written.range) * written.factors
    step = (written.range[1] - written.range[0]) / 255
    apart = np.abs(layer(tf.constant(rows), training=False).numpy() - expected) / written.factors
    assert (apart > 1e-4 * step).mean() < 0.02 and apart.max() < 1.01 * step


def test_layers_that_read_the_same_round_it_once() -> None:
    block = quantized().model.encoder.blocks[0]
    assert block.query._read is block.key._read is block.value._read
    assert block.query._read is not block.attention_output._read


def test_ranges_are_found_by_their_site_and_read_back() -> None:
    ours = quantized()
    assert len(ours.variables) == 2 * len(ours.ranges.sites)
    for site in ours.ranges.sites:
        for end, value in zip(("min", "max"), site.range, strict=True):
            assert float(ours.variables[f"{site.name}.{end}"]) == np.float32(value)
    ours.variables["encoder.blocks.0.scores.max"].assign(77.0)
    (scores,) = ours.learnt().scores
    assert scores.range == (np.float32(ours.ranges.scores[0].range[0]), 77.0)


def test_a_model_that_has_answered_is_refused() -> None:
    model = even_model()
    model.infer({name: tf.constant(tokens) for name, tokens in TEXTS[0].items()})
    with pytest.raises(ValueError, match="has not answered yet"):
        wrap(model, start().ranges)


def test_where_the_head_reads_the_first_token_its_ranges_are_held() -> None:
    held = {site.name for site in hold_first_row(even_model(FIRST), start(FIRST).ranges).sites if not site.learns}
    block = "encoder.blocks.0"
    assert held == {f"{block}.scores"} | {
        f"{block}.{layer}.{end}"
        for layer in ("query", "attention_output", "feed_forward.up", "feed_forward.down")
        for end in ("input", "output")
    }
    assert all(site.learns for site in hold_first_row(even_model(), start().ranges).sites)


@pytest.mark.parametrize(
    "change, told",
    [
        ({"tables": ("encoder.embeddings.other",)}, "expected a table of the model, got none of that name"),
        ({"scores": (ScoresSite("encoder.blocks.7", (-1.0, 1.0)),)}, "expected a block of the model"),
        ({"reads": (ReadSite(("head.other",), (-1.0, 1.0)),)}, "head.other: expected a range of what it returns"),
        (
            {"reads": (ReadSite(("head.classifier",), (-1.0, 1.0), np.ones(3, np.float32)),)},
            "expected 16 factors of what goes in, got 3",
        ),
    ],
)
def test_ranges_of_another_model_are_refused(change: dict, told: str) -> None:
    with pytest.raises(TrainingError, match=told):
        wrap(even_model(), dataclasses.replace(start().ranges, **change))


def test_ranges_of_a_deeper_model_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"encoder\.blocks\.1\..*: expected a dense layer of the model"):
        wrap(even_model(), start(layers=2, layer_blocks=(0, 1)).ranges)


@pytest.mark.parametrize(
    "head, changes",
    [
        (HeadConfig("classification", "pooler", labels=("low", "high")), {}),
        (FIRST, {"embedding_width": 8, "projection": "before_sum"}),
        (HeadConfig("regression", "mean"), {"activation": "relu", "normalization": "no_norm"}),
    ],
)
def test_other_encoders_and_heads_are_rounded_too(head: HeadConfig, changes: dict) -> None:
    ours = quantized(head, **changes)
    assert np.isfinite(answers(ours.model)).all()
    gradients = gradients_of(ours.model)
    missing = {name for name, gradient in gradients.items() if gradient is None}
    assert not {name for name in missing if "layer.kernel" in name}


def gradients_of(model: TaskModel) -> dict[str, tf.Tensor | None]:
    inputs = {name: tf.constant(tokens) for name, tokens in TEXTS[0].items()}
    variables = named_variables(model)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(inputs, training=True) ** 2)
    return dict(zip(variables, tape.gradient(loss, list(variables.values())), strict=True))
