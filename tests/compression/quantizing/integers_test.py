"""Rounding for full-int8: between all layers, in place, and gone without a trace."""

import dataclasses

import numpy as np
import pytest

from edgebert.compression.quantizing.companion import RangesCompanion
from edgebert.compression.quantizing.ranges import PlaceSite
from edgebert.compression.quantizing.wrapping import QuantizedModel, hold_first_row, wrap
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.loading import model_tensors
from edgebert.models.places import layer_at, place_names
from edgebert.models.task import TaskModel, named_variables
from tests.export.quantization.cases import calibration_inputs, sentences
from tests.export.quantization.integer_cases import STUDENTS, balanced, started, student

# No tensors: nothing may be computed before tests/distill has said how many devices there are.
TEXTS = calibration_inputs(sentences(6, seed=2))


def rounding(name: str = "relu") -> QuantizedModel:
    return wrap(balanced(*STUDENTS[name]), started(*STUDENTS[name]).ranges)


def answers(model: TaskModel) -> np.ndarray:
    return np.concatenate([model(text, training=False) for text in TEXTS])


def test_wrapped_and_stripped_the_model_is_the_same_to_the_bit() -> None:
    model = balanced()
    before, names, expected = model_tensors(model), set(named_variables(model)), answers(model)
    np.testing.assert_allclose(expected, answers(student()), atol=1e-4)
    ours = wrap(model, started().ranges)
    assert {name.replace(".layer.", ".") for name in named_variables(model)} == names
    assert not np.allclose(answers(model), expected, atol=1e-3)
    np.testing.assert_array_equal(answers(ours.strip()), expected)
    for name, values in model_tensors(model).items():
        np.testing.assert_array_equal(values, before[name], err_msg=name)


@pytest.mark.parametrize("name", STUDENTS)
def test_every_place_rounds_to_at_most_256_numbers(name: str) -> None:
    """What is handed on there, not what is stored: the constants of a norm as well."""
    ours, told = rounding(name), {}
    model = ours.model

    def watched(place: str, site):
        return lambda x, training=None: told.setdefault(place, site(x, training=training))

    for place in (*place_names(model), "encoder.blocks.0.attention_norm.gain", "encoder.blocks.0.attention_norm.bias"):
        owner, _, attribute = place.rpartition(".")
        layer = layer_at(model, owner)
        site = getattr(layer, f"{attribute}_site", None)
        if site is not None:
            setattr(layer, f"{attribute}_site", watched(place, site))
    model(TEXTS[0], training=False)
    derived = ("scores", "masked", "probabilities", "attention_norm.gain", "attention_norm.bias")
    expected = {f"encoder.blocks.0.{place}" for place in derived} | {site.place for site in ours.ranges.places}
    expected |= {"encoder.pooled"} if name != "gelu" else {"head.transformed"}
    assert expected <= told.keys()
    for place, values in told.items():
        # A scale's worth apart, all of them.
        steps = np.diff(np.unique(np.array(values)))
        steps = steps[steps > 1e-6]
        assert len(steps) < 256, place
        if len(steps):
            np.testing.assert_allclose(steps / steps.min(), np.rint(steps / steps.min()), atol=0.05, err_msg=place)


def test_gradients_reach_every_weight_that_the_answer_depends_on() -> None:
    model = rounding().model
    variables = named_variables(model)
    with tf.GradientTape() as tape:
        loss = sum(tf.reduce_sum(model(text, training=True) ** 2) for text in TEXTS)
    gradients = tape.gradient(loss, list(variables.values()))
    silent = {name for name, one in zip(variables, gradients, strict=True) if one is None}
    assert not silent
    still = {
        name for name, one in zip(variables, gradients, strict=True) if not np.abs(tf.convert_to_tensor(one)).max() > 0
    }
    # A key's bias moves all scores of a query alike, which softmax does not see.
    assert still <= {f"encoder.blocks.{block}.key.layer.bias" for block in (0, 1)}


def test_ranges_move_while_they_may_and_the_masked_scores_with_them() -> None:
    ours = rounding()
    companion = RangesCompanion(ours, 0.5)
    companion.plan(10, 1)
    for step, moves in ((0, True), (5, False)):
        companion.begin_step(tf.constant(step))
        before = {name: float(one) for name, one in ours.variables.items()}
        ours.model(TEXTS[step], training=True)
        after = {name: float(one) for name, one in ours.variables.items()}
        moved = {name for name in before if before[name] != after[name]}
        assert bool(moved) is moves
        if moves:
            assert "encoder.blocks.0.attended.max" in moved and "encoder.embeddings.norm.shifted.min" in moved
    assert {site.name for site in ours.learnt().places} == {site.name for site in started().ranges.places}


def test_what_the_file_computes_of_the_first_token_alone_is_held() -> None:
    held = hold_first_row(balanced(), started().ranges)
    still = {site.place for site in held.places if not site.learns}
    assert still == {site.place for site in held.places if site.place.startswith("encoder.blocks.1.")}
    assert "encoder.blocks.1.key.output" not in {site.name for site in held.written if not site.learns}


def test_places_of_another_model_are_refused() -> None:
    ranges = started().ranges
    other = (*ranges.places, PlaceSite("encoder.blocks.7.attended", (-1.0, 1.0)))
    with pytest.raises(TrainingError, match=r"encoder\.blocks\.7\.attended: expected a place of the model, got none"):
        wrap(balanced(), dataclasses.replace(ranges, places=other))
