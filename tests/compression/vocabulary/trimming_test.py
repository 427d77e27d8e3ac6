"""Rows taken out: what is left computes the very same, in every family."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.vocabulary.trimming import save_trimmed, trim
from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.data.vocabulary import read_vocabulary
from edgebert.keras import tf
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.weights import WORD_TABLE
from tests.models.configs import EVERY, values_for
from tests.models.folders import CASES, MEAN, REFERENCE, change_tensors, config_of, copy_of, tensors_of

WITH_VOCABULARY = [case for case in CASES if (REFERENCE / case / "vocab.txt").exists()]


def halved(folder: Path, tmp_path: Path) -> tuple[Checkpoint, tuple[int, ...], Checkpoint, tuple[str, ...]]:
    """The checkpoint, the kept ids, the trimmed checkpoint as it was saved, and what was left out."""
    checkpoint = load_checkpoint(folder)
    vocabulary = read_vocabulary(folder / "vocab.txt")
    ids = tuple(sorted({*range(8), *range(8, len(vocabulary), 2)}))
    saved = save_trimmed(tmp_path / "new", trim(checkpoint, vocabulary, ids), checkpoint, tmp_path / "work")
    assert read_vocabulary(tmp_path / "new" / "vocab.txt") == tuple(vocabulary[number] for number in ids)
    return checkpoint, ids, load_checkpoint(tmp_path / "new"), saved.left_out


def outputs(checkpoint: Checkpoint, ids: np.ndarray, head: HeadConfig | None) -> np.ndarray:
    mask = np.ones_like(ids)
    mask[0, -2:] = 0
    segments = np.zeros_like(ids)
    segments[:, 5:] = min(1, max(checkpoint.encoder.segments - 1, 0))
    inputs = {"input_ids": ids, "input_mask": mask, "segment_ids": segments}
    model = load_model(checkpoint, head).model
    return model({name: tf.constant(one) for name, one in inputs.items()}, training=False).numpy()


@pytest.mark.parametrize("case", WITH_VOCABULARY)
def test_answers_are_the_same_to_the_last_bit(case: str, tmp_path: Path) -> None:
    before, kept, after, _ = halved(copy_of(case, tmp_path), tmp_path)
    assert after.encoder == dataclasses.replace(before.encoder, vocabulary_size=len(kept))
    assert (after.head, after.family) == (before.head, before.family)
    new_ids = np.random.default_rng(0).integers(0, len(kept), (3, 8)).astype(np.int32)
    head = None if before.head else MEAN
    expected = outputs(before, np.array(kept, np.int32)[new_ids], head)
    np.testing.assert_array_equal(outputs(after, new_ids, head), expected)


@pytest.mark.parametrize("case", ["bert_masked_lm", "distilbert_masked_lm"])
def test_masked_words_are_scored_as_before(case: str, tmp_path: Path) -> None:
    before, kept, after, left_out = halved(copy_of(case, tmp_path), tmp_path)
    new_ids = np.random.default_rng(1).integers(0, len(kept), (2, 8)).astype(np.int32)
    expected = outputs(before, np.array(kept, np.int32)[new_ids], MASKED_WORDS)[..., list(kept)]
    # Products of other shapes are summed in another order.
    np.testing.assert_allclose(outputs(after, new_ids, MASKED_WORDS), expected, atol=1e-5)
    assert not any("predictions.transform" in name or "vocab_" in name for name in left_out)


def test_a_head_with_a_decoder_of_its_own_is_left_out_and_named(tmp_path: Path) -> None:
    folder = copy_of("bert_masked_lm", tmp_path)
    table = next(values for name, values in tensors_of(folder).items() if name.endswith("word_embeddings.weight"))
    change_tensors(folder, {"cls.predictions.decoder.weight": table + 1})
    *_, after, left_out = halved(folder, tmp_path)
    assert "cls.predictions.decoder.weight" in left_out and not after.left_aside


def test_padding_rows_go_and_config_follows(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    pieces = read_vocabulary(folder / "vocab.txt")
    (folder / "vocab.txt").write_text("\n".join(pieces[:-3]) + "\n")
    before, kept, after, _ = halved(folder, tmp_path)
    assert before.notes and before.encoder.vocabulary_size == len(pieces)
    assert config_of(tmp_path / "new")["vocab_size"] == len(kept) == len(after.tensors[WORD_TABLE])
    assert not after.notes


def test_what_makes_it_a_sentence_embedder_stays(tmp_path: Path, minilm_folder: Path) -> None:
    before, kept, after, _ = halved(minilm_folder, tmp_path)
    assert after.head == before.head and after.head.kind == "embedding"
    new_ids = np.random.default_rng(0).integers(0, len(kept), (1, 6)).astype(np.int32)
    np.testing.assert_array_equal(
        outputs(after, new_ids, None), outputs(before, np.array(kept, np.int32)[new_ids], None)
    )


@pytest.mark.parametrize("name", ["ReLU, NoNorm, factorised", "mobile", "two groups", "heads removed"])
def test_encoders_of_any_shape_are_trimmed(name: str, tmp_path: Path) -> None:
    config = EVERY[name]
    save_checkpoint(tmp_path / "old", values_for(config, MEAN), config, MEAN)
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *(f"p{number}" for number in range(config.vocabulary_size - 4))]
    (tmp_path / "old" / "vocab.txt").write_text("\n".join(pieces) + "\n")
    before, kept, after, _ = halved(tmp_path / "old", tmp_path)
    np.testing.assert_array_equal(after.tensors[WORD_TABLE], before.tensors[WORD_TABLE][list(kept)])
    others = {name for name in before.tensors if name != WORD_TABLE}
    assert all(np.array_equal(after.tensors[name], before.tensors[name]) for name in others)
    assert len(after.tensors) == len(before.tensors)
