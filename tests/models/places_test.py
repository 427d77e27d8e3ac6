"""Places between layers: nothing stands there by itself, and what does is given what is computed."""

import dataclasses

import numpy as np
import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.keras import keras
from edgebert.models.places import layer_at, place_names, put
from edgebert.models.task import TaskModel, build_model, named_variables
from tests.models.configs import PLAIN

HEAD = HeadConfig("classification", "pooler", transform="tanh", labels=("no", "yes"))
NO_NORM = dataclasses.replace(PLAIN, normalization="no_norm")
# No tensors: nothing may be computed before tests/distill has said how many devices there are.
INPUTS = {
    "input_ids": np.array([[3, 4, 5]], np.int32),
    "input_mask": np.array([[1, 1, 0]], np.int32),
    "segment_ids": np.array([[0, 1, 1]], np.int32),
}


class Watch(keras.layers.Layer):
    def __init__(self, seen: list):
        super().__init__(trainable=False)
        self._tell = seen.append

    def call(self, x, training=None):
        self._tell((np.array(x), training))
        return x


def seen(model: TaskModel, training: bool = False) -> dict[str, list]:
    found = {name: [] for name in place_names(model)}
    for name, told in found.items():
        put(model, name, Watch(told))
    model(INPUTS, training=training)
    for name in found:
        put(model, name, None)
    return found


@pytest.mark.parametrize("training", [False, True])
def test_every_place_is_passed_once_and_told_whether_it_is_training(training: bool) -> None:
    found = seen(build_model(NO_NORM, HEAD), training)
    assert {len(told) for told in found.values()} == {1}
    # Tanh behind the pooler learns nothing, and is asked by a function that does not know.
    assert {name for name, ((_, told),) in found.items() if told is not training} <= {"encoder.pooled"}


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        (PLAIN, set()),
        (dataclasses.replace(NO_NORM, segments=0), {"encoder.embeddings.placed"}),
    ],
)
def test_what_an_architecture_lacks_is_not_passed(config: EncoderConfig, missing: set[str]) -> None:
    found = seen(build_model(config, HEAD))
    assert {name for name, told in found.items() if not told} == missing
    norms = {name for name in found if name.endswith((".scaled", ".shifted"))}
    assert len(norms) == (0 if config.normalization == "layer_norm" else 2 * (2 * config.layers + 1))


def test_a_place_holds_what_its_name_says() -> None:
    model = build_model(NO_NORM, HEAD)
    norm = layer_at(model, "encoder.blocks.0.attention_norm")
    norm.gain.assign(np.linspace(0.5, 2, 12))
    norm.bias.assign(np.linspace(-1, 1, 12))
    told = {name: values for name, ((values, _),) in seen(model).items()}
    block = "encoder.blocks.0"
    np.testing.assert_allclose(
        told[f"{block}.attention_norm.shifted"], told[f"{block}.attended"] * norm.gain + norm.bias, rtol=1e-6
    )
    masked = told[f"{block}.masked"] - told[f"{block}.scores"]
    np.testing.assert_allclose(masked, np.broadcast_to([0, 0, -10000], masked.shape), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(told[f"{block}.probabilities"].sum(-1), 1, rtol=1e-5)


def test_what_stands_there_changes_no_name_and_no_bit_once_it_is_gone() -> None:
    model = build_model(NO_NORM, HEAD)
    names, before, layers = set(named_variables(model)), model(INPUTS).numpy(), len(model.submodules)
    put(model, "encoder.blocks.1.attended", keras.layers.Lambda(lambda x: x + 1))
    assert not np.array_equal(model(INPUTS).numpy(), before)
    assert set(named_variables(model)) == names
    put(model, "encoder.blocks.1.attended", None)
    np.testing.assert_array_equal(model(INPUTS).numpy(), before)
    assert len(model.submodules) == layers
