"""NoNorm in the place of LayerNorm: least squares against numpy's, and what a student keeps that starts so."""

import dataclasses
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from edgebert.config import MASKED_WORDS, EncoderConfig
from edgebert.data.batches import EncodedDataset, batches
from edgebert.distill.initialisation.starting import Initialisation, initialise
from edgebert.errors import DataError, TrainingError
from edgebert.keras import tf
from edgebert.models.checkpoint import save_checkpoint
from edgebert.models.encoder import Trace
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel
from edgebert.truncation import norm_fitting
from edgebert.truncation.norm_fitting import fitted_norms
from edgebert.truncation.values import Source
from tests.distill import initialisation_test as cases
from tests.distill.initialisation_test import HEAD, answers, change, filled, model, texts
from tests.models.configs import MOBILE

EMBEDDINGS = "encoder.embeddings."
TEACHER, NARROW = (dataclasses.replace(one, layers=2, layer_blocks=()) for one in (cases.TEACHER, cases.NARROW))
SHARED = dataclasses.replace(cases.TEACHER, layer_blocks=(0,) * 4, embedding_width=6, projection="after_norm")


def without_norms(config: EncoderConfig) -> EncoderConfig:
    return dataclasses.replace(config, normalization="no_norm", activation="relu")


def started(teacher: TaskModel, student: EncoderConfig, data: EncodedDataset, **how) -> TaskModel:
    chosen = Initialisation(**{"method": "truncated", "importance": "magnitude", **how})
    return filled(student, HEAD, initialise(student, HEAD, chosen, teacher, data))


def hidden(of: TaskModel, data: EncodedDataset) -> list[np.ndarray]:
    """Of each layer the rows of real tokens, [N, W] in float64."""
    found: list[list[np.ndarray]] = []
    for _, inputs in batches(data, 16):
        trace: Trace = of.trace({name: tf.constant(values) for name, values in inputs.items()}, training=False).encoder
        found.append([rows.numpy()[inputs["input_mask"] > 0].astype(np.float64) for rows in trace.hidden])
    return [np.concatenate(layer) for layer in zip(*found, strict=True)]


def test_the_first_norm_is_numpys_line_of_least_squares() -> None:
    teacher, data = model(TEACHER), texts()
    tensors = model_tensors(teacher)
    words, positions, segments = (tensors[f"{EMBEDDINGS}{name}.weight"] for name in ("word", "position", "segment"))
    read = np.concatenate(
        [words[list(one.input_ids)] + positions[: len(one.input_ids)] + segments[0] for one in data.encoded]
    )
    centred = read - read.mean(axis=1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + TEACHER.norm_epsilon)
    wanted = scaled * tensors[f"{EMBEDDINGS}norm.gain"] + tensors[f"{EMBEDDINGS}norm.bias"]
    fitted = fitted_norms(Source(TEACHER, HEAD, tensors), without_norms(TEACHER), HEAD, data)
    for channel in range(TEACHER.width):
        gain, bias = np.polyfit(read[:, channel], wanted[:, channel], 1)
        assert fitted[f"{EMBEDDINGS}norm.gain"][channel] == pytest.approx(gain, rel=1e-3, abs=1e-4)
        assert fitted[f"{EMBEDDINGS}norm.bias"][channel] == pytest.approx(bias, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("config", [TEACHER, dataclasses.replace(TEACHER, own_head_width=3)])
def test_no_affine_map_of_a_channel_comes_closer_behind_those_before_it(config: EncoderConfig) -> None:
    """What is left over has mean 0 and nothing in common with what was fitted, in every layer's rows."""
    teacher, data = model(config), texts()
    fitted = hidden(started(teacher, without_norms(config), data), data)
    for rows, wanted in zip(fitted, hidden(teacher, data), strict=True):
        left = wanted - rows
        np.testing.assert_allclose(left.mean(axis=0), 0, atol=2e-5)
        np.testing.assert_allclose((left * rows).mean(axis=0), 0, atol=2e-4)


def test_padding_does_not_count(monkeypatch) -> None:
    teacher, data = model(TEACHER), texts(12)
    together = model_tensors(started(teacher, without_norms(TEACHER), data))
    monkeypatch.setattr(norm_fitting, "BATCH_SIZE", 1)
    alone = model_tensors(started(teacher, without_norms(TEACHER), data))
    for name, values in together.items():
        np.testing.assert_allclose(alone[name], values, rtol=0, atol=1e-3, err_msg=name)


def test_a_channel_that_never_changes_is_its_bias() -> None:
    teacher, data = model(TEACHER), texts()
    for name in ("word", "position", "segment"):
        change(teacher, f"{EMBEDDINGS}{name}.weight", lambda table: table[:, 0].fill(0.5))
    fitted = fitted_norms(Source(TEACHER, HEAD, model_tensors(teacher)), without_norms(TEACHER), HEAD, data)
    assert fitted[f"{EMBEDDINGS}norm.gain"][0] == 0
    wanted = hidden(teacher, data)[0][:, 0].mean()
    assert fitted[f"{EMBEDDINGS}norm.bias"][0] == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize(
    ("teacher_config", "student", "method"),
    [(TEACHER, TEACHER, "from_layers"), (TEACHER, NARROW, "truncated"), (SHARED, SHARED, "from_layers")],
)
def test_it_starts_closer_to_its_teacher_than_with_the_norms_gains(teacher_config, student, method: str) -> None:
    """Judged on other texts than it was fitted on."""
    teacher, data = model(teacher_config), texts(96)
    unseen = EncodedDataset(data.encoded[48:], None)
    data = EncodedDataset(data.encoded[:48], None)
    fitted = started(teacher, without_norms(student), data, method=method)
    normed = started(teacher, student, data, method=method)
    unfitted = filled(without_norms(student), HEAD, initialise(student, HEAD, Initialisation("random"), None))
    assign_tensors(unfitted, model_tensors(normed))
    wanted = answers(normed, unseen)[1]
    errors = [float(np.mean((answers(one, unseen)[1] - wanted) ** 2)) for one in (fitted, unfitted)]
    assert errors[0] < errors[1]
    # Also where four layers share a block, which is fitted while it is behind itself.
    assert errors[0] < 0.3 * np.var(wanted)


def test_all_else_is_as_it_would_be_with_norms(tmp_path: Path) -> None:
    """From a folder: the head that reads the same stays too, and a note says what was done."""
    student, data = model(TEACHER), texts()
    save_checkpoint(tmp_path / "student", model_tensors(student), TEACHER, HEAD)
    how = Initialisation("from_folder", folder=tmp_path / "student", examples=20)
    start = initialise(without_norms(TEACHER), HEAD, how, None, data)
    assert not start.fresh
    assert start.notes[-1] == "NoNorm: fitted to what LayerNorm does on 20 texts"
    for name, values in model_tensors(student).items():
        is_norm = "norm." in name
        assert np.array_equal(start.tensors[name], values) != is_norm, name


def test_a_head_that_predicts_words_is_not_asked() -> None:
    """It has an answer for every piece of the vocabulary at every token."""
    teacher, data = model(TEACHER, MASKED_WORDS), texts(8)
    source, asked = Source(TEACHER, MASKED_WORDS, model_tensors(teacher)), []
    with patch.object(TaskModel, "_decode", lambda self, rows, asked_for: asked.append(rows) or rows):
        asked.clear()
        fitted = fitted_norms(source, without_norms(TEACHER), MASKED_WORDS, data)
    # What is built answers one text of two tokens.
    assert fitted and all(rows.shape[:2] == (1, 2) for rows in asked)


def test_what_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    teacher, plain = model(TEACHER), model(dataclasses.replace(TEACHER, normalization="no_norm"))
    save_checkpoint(tmp_path / "student", model_tensors(teacher), TEACHER, HEAD)
    folder = Initialisation("from_folder", folder=tmp_path / "student")
    bottleneck = dataclasses.replace(MOBILE, normalization="layer_norm")
    for message, ask in {
        "start with NoNorm: expected texts to fit it on, got none": lambda: initialise(
            without_norms(TEACHER), HEAD, folder
        ),
        "student normalization: expected no_norm, got layer_norm": lambda: initialise(
            TEACHER, HEAD, Initialisation("from_layers"), plain
        ),
        "student normalization: expected layer_norm behind MobileBERT's bottleneck": lambda: initialise(
            MOBILE, HEAD, Initialisation("from_layers"), model(bottleneck), texts()
        ),
        "vocabulary_rows: expected none where NoNorm is fitted": lambda: initialise(
            without_norms(TEACHER), HEAD, Initialisation("from_layers"), teacher, texts(), range(60)
        ),
        "student width: expected 12, got 16": lambda: initialise(without_norms(NARROW), HEAD, folder, None, texts()),
    }.items():
        with pytest.raises(TrainingError, match=message) as raised:
            ask()
        assert ". Do: " in str(raised.value)
    with pytest.raises(DataError, match="norm data: expected texts"):
        fitted_norms(Source(TEACHER, HEAD, {}), without_norms(TEACHER), HEAD, EncodedDataset((), None))
