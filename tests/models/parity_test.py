"""Our encoder against PyTorch transformers: hidden states, attention, pooled rows and logits of every architecture."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.config import HeadConfig
from edgebert.keras import tf
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from tests.conftest import GOLDEN

TOLERANCE = 2e-4
REFERENCE = GOLDEN / "reference"
RANDOM_CASES = sorted(folder.name for folder in REFERENCE.iterdir() if (folder / "model.safetensors").exists())
MEAN = HeadConfig(kind="embedding", pooling="mean")


def close(expected: dict[str, np.ndarray], key: str, computed: np.ndarray) -> None:
    """Compare with a whole tensor or with the sample of one that the golden file holds."""
    if f"{key}.index" in expected:
        assert tuple(expected[f"{key}.shape"]) == computed.shape
        computed = computed.ravel()[expected[f"{key}.index"]]
        key = f"{key}.value"
    np.testing.assert_allclose(computed, expected[key], rtol=0, atol=TOLERANCE, err_msg=key)


def compare(checkpoint, expected: dict[str, np.ndarray]) -> int:
    model = load_model(checkpoint, None if checkpoint.head else MEAN).model
    config = checkpoint.encoder
    compared = 0
    for name in sorted({key.split("/")[0] for key in expected if key.endswith("/input_ids")}):
        inputs = {
            field: tf.constant(expected[f"{name}/{field}"]) for field in ("input_ids", "input_mask", "segment_ids")
        }
        trace = model.trace(inputs, training=False)
        step = config.layers // _layers(expected, name)
        for layer, hidden in enumerate(trace.encoder.hidden[::step]):
            close(expected, f"{name}/hidden_{layer:02}", hidden.numpy())
            compared += 1
        for layer, attention in enumerate(trace.encoder.attention):
            close(expected, f"{name}/attention_{layer:02}", attention.probabilities.numpy())
            compared += 1
        if f"{name}/logits" in expected:
            close(expected, f"{name}/logits", trace.output.numpy())
            close(expected, f"{name}/logits", model(inputs, training=False).numpy())
        if config.pooler and f"{name}/pooled" in expected:
            close(expected, f"{name}/pooled", model.encoder.pooled(trace.encoder.rows).numpy())
        if f"{name}/mean_pooled" in expected:
            close(expected, f"{name}/mean_pooled", trace.output.numpy())
    return compared


def _layers(expected: dict[str, np.ndarray], name: str) -> int:
    return len({key.split(".")[0] for key in expected if key.startswith(f"{name}/hidden_")}) - 1


@pytest.mark.parametrize("case", RANDOM_CASES)
def test_random_weights_compute_what_the_reference_computes(case: str) -> None:
    expected = dict(np.load(REFERENCE / case / "expected.npz"))
    checkpoint = load_checkpoint(REFERENCE / case)
    lengths, tensors = 5, 2 * _layers(expected, "length_001") + 1
    assert compare(checkpoint, expected) >= lengths * tensors


def test_real_weights_compute_what_the_reference_computes(minilm_folder: Path) -> None:
    expected = dict(np.load(REFERENCE / "minilm_l6" / "expected.npz"))
    checkpoint = load_checkpoint(minilm_folder)
    assert checkpoint.sha256 == str(expected["weights_sha256"])
    assert compare(dataclasses.replace(checkpoint, head=None), expected) == 18 * 13


@pytest.mark.parametrize("case", RANDOM_CASES)
def test_padding_does_not_change_a_real_token(case: str) -> None:
    """Also not MobileBERT's, whose trigrams read the neighbours: the padding row of its table is 0."""
    checkpoint = load_checkpoint(REFERENCE / case)
    model = load_model(checkpoint, None if checkpoint.head else MEAN).model
    ids = np.random.default_rng(7).integers(5, checkpoint.encoder.vocabulary_size, [2, 9])
    real = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": (np.arange(9) > 4) * np.ones_like(ids)}
    padded = {name: np.pad(values, [[0, 0], [0, 23]]) for name, values in real.items()}
    alone, among = (
        model.trace({name: tf.constant(values, tf.int32) for name, values in inputs.items()}, training=False)
        for inputs in (real, padded)
    )
    for short, long in zip(alone.encoder.hidden, among.encoder.hidden, strict=True):
        np.testing.assert_allclose(long[:, :9].numpy(), short.numpy(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(among.output.numpy(), alone.output.numpy(), rtol=0, atol=1e-5)
