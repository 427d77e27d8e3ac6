"""Folder to model to folder: the values on both sides are the same bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.keras import tf
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel, build_model
from tests.data.house_form import assert_house_form
from tests.models.configs import UNPUBLISHED
from tests.models.folders import CASES, MEAN, REFERENCE, WEIGHTS, config_of

LABELS = HeadConfig(kind="classification", pooling="pooler", labels=("b", "a"))


def outputs(model: TaskModel) -> np.ndarray:
    random = np.random.default_rng(5)
    ids = random.integers(5, model.config.vocabulary_size, [3, 8])
    inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    return model({name: tf.constant(values, tf.int32) for name, values in inputs.items()}, training=False).numpy()


def round_trip(folder: Path, out: Path) -> None:
    checkpoint = load_checkpoint(folder)
    head = checkpoint.head or MEAN
    model = load_model(checkpoint, head).model
    saved = save_checkpoint(out, model_tensors(model), model.config, model.head_config, checkpoint)
    assert saved.left_out == ()
    assert (out / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
    assert config_of(folder).items() <= config_of(out).items()
    assert config_of(out).keys() - config_of(folder).keys() <= {"edgebert_head"}


@pytest.mark.parametrize("case", CASES)
def test_a_model_is_saved_as_it_was_loaded(case: str, tmp_path: Path) -> None:
    round_trip(REFERENCE / case, tmp_path / "out")


def test_the_default_teacher_is_saved_as_it_was_loaded(minilm_folder: Path, tmp_path: Path) -> None:
    round_trip(minilm_folder, tmp_path)
    for path in minilm_folder.glob("*token*"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()
    # pytest keeps the folders of the last runs.
    (tmp_path / WEIGHTS).unlink()


@pytest.mark.parametrize(
    "name", ["ReLU, NoNorm, factorised", "one block in the middle", "trigrams without a bottleneck"]
)
def test_a_model_of_our_own_layout_computes_the_same_after_a_round_trip(name: str, tmp_path: Path) -> None:
    model = build_model(UNPUBLISHED[name], LABELS)
    save_checkpoint(tmp_path, model_tensors(model), model.config, model.head_config)
    loaded = load_model(load_checkpoint(tmp_path))
    assert loaded.fresh == ()
    np.testing.assert_array_equal(outputs(loaded.model), outputs(model))


def test_a_new_head_is_reported_as_fresh() -> None:
    checkpoint = load_checkpoint(REFERENCE / "bert")
    assert load_model(checkpoint).fresh == ()
    loaded = load_model(checkpoint, LABELS)
    assert loaded.fresh == ("head.classifier.bias", "head.classifier.kernel")
    assert outputs(loaded.model).shape == (3, 2)
    np.testing.assert_array_equal(
        model_tensors(loaded.model)["encoder.pooler.kernel"], checkpoint.tensors["encoder.pooler.kernel"]
    )


def refusal(checkpoint, head: HeadConfig | None) -> str:
    with pytest.raises(CheckpointError) as caught:
        load_model(checkpoint, head)
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_a_bare_encoder_needs_a_head() -> None:
    assert "pooling" in refusal(load_checkpoint(REFERENCE / "minilm"), None)


def test_pooling_by_a_pooler_needs_one() -> None:
    assert "pooler" in refusal(load_checkpoint(REFERENCE / "distilbert"), LABELS)


def test_a_variable_without_a_value_is_named() -> None:
    checkpoint = load_checkpoint(REFERENCE / "bert")
    tensors = {name: values for name, values in checkpoint.tensors.items() if name != "encoder.blocks.2.key.bias"}
    assert "encoder.blocks.2.key.bias" in refusal(dataclasses.replace(checkpoint, tensors=tensors), None)
