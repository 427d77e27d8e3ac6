"""The masked-word head against PyTorch transformers' scores, and the heads that are no heads."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.augment.masked_word_head import (
    BERT_DECODER_BIAS,
    BERT_TENSORS,
    DISTILBERT_TENSORS,
    masked_word_scores,
    read_masked_word_head,
)
from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.keras import tf
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from tests.data.house_form import assert_house_form
from tests.models.folders import REFERENCE, change_config, change_tensors, copy_of, tensors_of

TOLERANCE = 2e-4
CASE = "bert_masked_lm"
LENGTHS = ("length_001", "length_002", "length_007", "length_033", "length_128")
MEAN = HeadConfig(kind="embedding", pooling="mean")


def token_scores(folder: Path, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """[B, T, vocabulary] of the checkpoint's own head."""
    checkpoint = load_checkpoint(folder)
    encoder = load_model(checkpoint, MEAN).model.encoder
    rows = encoder({name: tf.constant(values) for name, values in inputs.items()}, training=False).rows
    scores = masked_word_scores(read_masked_word_head(checkpoint), tf.reshape(rows, [-1, rows.shape[-1]]))
    return scores.numpy().reshape(*rows.shape[:2], -1)


def golden() -> dict[str, np.ndarray]:
    return dict(np.load(REFERENCE / CASE / "expected.npz"))


@pytest.mark.parametrize("name", LENGTHS)
def test_scores_are_those_of_the_reference(name):
    expected = golden()
    key = f"{name}/token_logits"
    inputs = {field: expected[f"{name}/{field}"] for field in ("input_ids", "input_mask", "segment_ids")}
    scores = token_scores(REFERENCE / CASE, inputs)
    if key in expected:
        np.testing.assert_allclose(scores, expected[key], rtol=0, atol=TOLERANCE)
    else:
        assert scores.shape == tuple(expected[f"{key}.shape"])
        sample = scores.ravel()[expected[f"{key}.index"]]
        np.testing.assert_allclose(sample, expected[f"{key}.value"], rtol=0, atol=TOLERANCE)


def distilbert_with_head(folder: Path, change=lambda tensors: tensors) -> Path:
    """DistilBERT's encoder with the head of BERT's case, under DistilBERT's names."""
    copied = copy_of("distilbert", folder)
    head = {DISTILBERT_TENSORS[ours]: tensors_of(REFERENCE / CASE)[BERT_TENSORS[ours]] for ours in HEAD_NAMES}
    return change_tensors(copied, change(head))


HEAD_NAMES = [name for name in BERT_TENSORS if name != "table"]


def test_distilberts_names_mean_the_same(tmp_path):
    berts = read_masked_word_head(load_checkpoint(REFERENCE / CASE))
    checkpoint = load_checkpoint(distilbert_with_head(tmp_path))
    distilberts = read_masked_word_head(checkpoint)
    for name in HEAD_NAMES:
        np.testing.assert_array_equal(getattr(distilberts, name), getattr(berts, name))
    np.testing.assert_array_equal(distilberts.table, checkpoint.tensors["encoder.embeddings.word.weight"])


def test_a_decoder_of_its_own_wins_over_the_word_table(tmp_path):
    own = np.random.default_rng(0).normal(size=[120, 48]).astype(np.float32)
    bias = np.random.default_rng(1).normal(size=120).astype(np.float32)
    folder = change_tensors(copy_of(CASE, tmp_path), {BERT_TENSORS["table"]: own, BERT_DECODER_BIAS: bias})
    head = read_masked_word_head(load_checkpoint(folder))
    np.testing.assert_array_equal(head.table, own)
    np.testing.assert_array_equal(head.output_bias, bias)


def test_old_names_of_the_norm_are_known():
    head = read_masked_word_head(load_checkpoint(REFERENCE / "bert_legacy_names"))
    stored = tensors_of(REFERENCE / "bert_legacy_names")
    np.testing.assert_array_equal(head.norm_gain, stored["cls.predictions.transform.LayerNorm.gamma"])


@pytest.mark.parametrize("case", ["minilm", "bert", "distilbert", "mobilebert"])
def test_none_where_there_is_none(case):
    assert read_masked_word_head(load_checkpoint(REFERENCE / case)) is None


@pytest.mark.parametrize("name", HEAD_NAMES)
def test_a_part_of_a_head_is_refused(tmp_path, name):
    folder = change_tensors(copy_of(CASE, tmp_path), without=(BERT_TENSORS[name],))
    with pytest.raises(CheckpointError, match=f"got no {BERT_TENSORS[name]}") as caught:
        read_masked_word_head(load_checkpoint(folder))
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    "change",
    [
        {BERT_TENSORS["output_bias"]: np.zeros(119, np.float32)},
        {BERT_TENSORS["kernel"]: np.zeros([48, 47], np.float32)},
        {BERT_TENSORS["bias"]: np.full(48, np.nan, np.float32)},
        {BERT_TENSORS["norm_gain"]: np.ones(48, np.int32)},
    ],
)
def test_a_broken_tensor_is_named(tmp_path, change):
    folder = change_tensors(copy_of(CASE, tmp_path), change)
    with pytest.raises(CheckpointError, match=next(iter(change))) as caught:
        read_masked_word_head(load_checkpoint(folder))
    assert_house_form(str(caught.value))


def test_the_activation_is_the_configurations(tmp_path):
    inputs = {name: np.ones([1, 3], np.int32) for name in ("input_ids", "input_mask", "segment_ids")}
    plain = token_scores(REFERENCE / CASE, inputs)
    other = change_config(shutil.copytree(REFERENCE / CASE, tmp_path / "relu"), {"hidden_act": "relu"})
    assert np.abs(token_scores(other, inputs) - plain).max() > 100 * TOLERANCE
