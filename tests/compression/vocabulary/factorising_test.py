"""Two factors for one table: as good as any of their rank, and the same model where nothing is lost."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.compression.vocabulary.factorising import Decomposition, RankChoice, factorise
from edgebert.compression.vocabulary.trimming import save_trimmed, trim
from edgebert.config import MASKED_WORDS
from edgebert.data.vocabulary import read_vocabulary
from edgebert.errors import CheckpointError
from edgebert.keras import tf
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.weights import WORD_TABLE
from tests.data.house_form import assert_house_form
from tests.models.configs import EVERY, PLAIN, values_for
from tests.models.folders import MEAN, copy_of

ROWS, WIDTH = 40, 12


def random_table(seed: int, rows: int = ROWS) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(rows, WIDTH)) * np.geomspace(3, 0.01, WIDTH) + random.normal(size=WIDTH)).astype(
        np.float32
    )


def lost(table: np.ndarray, decomposition: Decomposition, rank: int, weights: np.ndarray) -> float:
    factors = decomposition.factors(rank)
    return float(weights @ np.square(table - (factors.words @ factors.kernel + factors.bias)).sum(axis=1))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, WIDTH), st.booleans())
def test_the_error_is_the_best_that_the_rank_allows(seed: int, rank: int, weighted: bool) -> None:
    """The singular values that numpy's SVD of the (weighted) table about its mean leaves out."""
    table = random_table(seed)
    counts = np.random.default_rng(seed).integers(0, 50, ROWS) if weighted else None
    weights = np.ones(ROWS) if counts is None else counts + 1.0
    mean = weights @ table.astype(np.float64) / weights.sum()
    singular = np.linalg.svd(np.sqrt(weights)[:, None] * (table - mean), compute_uv=False)
    decomposition = Decomposition(table, counts)
    found = lost(table, decomposition, rank, weights)
    assert found == pytest.approx(np.square(singular[rank:]).sum(), rel=1e-8, abs=1e-8)
    share = np.square(singular[:rank]).sum() / np.square(singular).sum()
    assert decomposition.kept_energy(rank) == pytest.approx(share, rel=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, WIDTH - 1))
def test_no_other_factors_and_no_other_bias_are_better(seed: int, rank: int) -> None:
    table, random = random_table(seed), np.random.default_rng(seed + 1)
    weights = random.integers(0, 9, ROWS) + 1.0
    decomposition = Decomposition(table, weights - 1)
    factors = decomposition.factors(rank)
    best = lost(table, decomposition, rank, weights)
    for size in (1e-3, 1e-1):
        kernel = factors.kernel + size * random.normal(size=factors.kernel.shape)
        bias = factors.bias + size * random.normal(size=factors.bias.shape)
        # The best words for them, row by row.
        words = np.linalg.lstsq(kernel.T, (table - bias).T, rcond=None)[0].T
        other = float(weights @ np.square(table - (words @ kernel + bias)).sum(axis=1))
        assert other >= best * (1 - 1e-9)


def test_the_error_falls_with_the_rank_and_the_weights_decide_where() -> None:
    table = random_table(3)
    errors = [lost(table, Decomposition(table), rank, np.ones(ROWS)) for rank in range(1, WIDTH + 1)]
    assert all(later < earlier for earlier, later in itertools.pairwise(errors))
    counts = np.zeros(ROWS)
    counts[:5] = 1000
    frequent = [
        np.abs(table - (one.words @ one.kernel + one.bias))[:5].max()
        for one in (Decomposition(table).factors(4), Decomposition(table, counts).factors(4))
    ]
    assert frequent[1] < 0.1 * frequent[0]


def test_a_share_is_kept_with_the_smallest_multiple_of_32() -> None:
    random = np.random.default_rng(0)
    table = random.normal(size=(400, 96)) * np.repeat([1.0, 0.1, 0.01], 32)
    decomposition = Decomposition(table)
    assert [decomposition.rank(RankChoice(keep_energy=share)) for share in (0.3, 0.9, 0.995, 0.99999)] == [
        32,
        32,
        64,
        96,
    ]
    for share in (0.3, 0.9, 0.995):
        rank = decomposition.rank(RankChoice(keep_energy=share))
        assert decomposition.kept_energy(rank) >= share > decomposition.kept_energy(rank - 32)
    assert decomposition.rank(RankChoice(rank=7)) == 7


def test_a_table_of_equal_rows_is_its_bias() -> None:
    table = np.ones((5, 3), np.float32)
    decomposition = Decomposition(table)
    assert decomposition.kept_energy(1) == 1.0
    np.testing.assert_allclose(decomposition.factors(1).bias, 1.0)


def logits(checkpoint: Checkpoint) -> np.ndarray:
    ids = np.random.default_rng(0).integers(0, 60, (4, 9)).astype(np.int32)
    inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": np.zeros_like(ids)}
    model = load_model(checkpoint, None if checkpoint.head else MEAN).model
    return model({name: tf.constant(one) for name, one in inputs.items()}, training=False).numpy()


def saved(checkpoint: Checkpoint, choice: RankChoice, folder: Path) -> Checkpoint:
    made = factorise(checkpoint, choice)
    save_checkpoint(folder, made.tensors, made.encoder, checkpoint.head, checkpoint)
    return load_checkpoint(folder)


@pytest.mark.parametrize("case", ["bert", "distilbert", "minilm"])
def test_at_full_rank_the_answers_are_the_same_and_they_others_below(case: str, tmp_path: Path) -> None:
    before = load_checkpoint(copy_of(case, tmp_path))
    width = before.encoder.width
    expected = logits(before)
    drifts = []
    for rank in (width, width // 2, 4):
        after = saved(before, RankChoice(rank=rank), tmp_path / str(rank))
        assert (after.encoder.projection, after.encoder.embedding_width) == ("before_sum", rank)
        assert after.encoder.width == width and after.head == before.head
        drifts.append(float(np.abs(logits(after) - expected).max()))
    assert drifts[0] < 2e-5 and min(drifts[1:]) > 1e-3


def test_a_table_that_is_widened_already_is_factorised_again(tmp_path: Path) -> None:
    before = load_checkpoint(copy_of("bert", tmp_path))
    first = saved(before, RankChoice(rank=24), tmp_path / "first")
    again = saved(first, RankChoice(rank=24), tmp_path / "again")
    np.testing.assert_allclose(logits(again), logits(first), atol=2e-5)
    # In two steps what in one: the best ones of less rank lie inside those of more.
    twice = saved(first, RankChoice(rank=8), tmp_path / "twice")
    once = saved(before, RankChoice(rank=8), tmp_path / "once")
    np.testing.assert_allclose(logits(twice), logits(once), atol=2e-5)
    with pytest.raises(CheckpointError, match="expected 1 to 24, the width of the table that there is, got 25"):
        factorise(first, RankChoice(rank=25))


def test_trimmed_and_factorised_either_way(tmp_path: Path) -> None:
    before = load_checkpoint(copy_of("bert", tmp_path))
    vocabulary = read_vocabulary(before.source / "vocab.txt")
    ids = tuple(range(0, len(vocabulary), 2))
    factorised = saved(before, RankChoice(rank=16), tmp_path / "factorised")
    save_trimmed(tmp_path / "both", trim(factorised, vocabulary, ids), factorised, tmp_path / "work")
    both = load_checkpoint(tmp_path / "both")
    np.testing.assert_array_equal(both.tensors[WORD_TABLE], factorised.tensors[WORD_TABLE][list(ids)])
    save_trimmed(tmp_path / "trimmed", trim(before, vocabulary, ids), before, tmp_path / "work")
    other = saved(load_checkpoint(tmp_path / "trimmed"), RankChoice(rank=16), tmp_path / "other")
    assert other.encoder == both.encoder and read_vocabulary(other.source / "vocab.txt")[1] == vocabulary[2]


def test_counts_are_of_pieces_and_rows_beyond_them_count_as_unseen(tmp_path: Path) -> None:
    before = load_checkpoint(copy_of("bert", tmp_path))
    pieces = before.encoder.vocabulary_size - 3
    flat, weighted = (
        factorise(before, RankChoice(rank=8), counts) for counts in (np.zeros(pieces, np.int64), np.arange(pieces))
    )
    np.testing.assert_allclose(flat.kept_energy, factorise(before, RankChoice(rank=8)).kept_energy)
    assert weighted.kept_energy != flat.kept_energy
    table = before.encoder.vocabulary_size
    assert (flat.table_before, flat.table_after) == (table * 48, table * 8 + 8 * 48 + 48)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"rank": 0}, "--rank: expected 1 or more, got 0"),
        ({"rank": 13}, "--rank: expected 1 to 12, the width of the table that there is, got 13"),
        ({"keep_energy": 1.0}, "--keep-energy: expected a share above 0 and below 1, got 1.0"),
        ({"keep_energy": 0.0}, "--keep-energy: expected a share above 0"),
        ({}, "expected either --rank or --keep-energy, got neither or both"),
        ({"rank": 4, "keep_energy": 0.5}, "got neither or both"),
    ],
)
def test_ranks_that_there_are_not_are_refused(given, says: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, values_for(PLAIN, MEAN), PLAIN, MEAN)
    with pytest.raises(CheckpointError) as caught:
        factorise(load_checkpoint(tmp_path), RankChoice(**given))
    assert_house_form(str(caught.value))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("name", "head", "says"),
    [
        ("two groups", MEAN, "widened after the norm, as ALBERT's is, which is factorised already. Do: trim"),
        ("mobile", MEAN, "MobileBERT's, which is read in threes. Do: trim its vocabulary instead (edgebert trim)"),
        ("plain", MASKED_WORDS, "one for masked words, which decodes with the whole table"),
    ],
)
def test_models_without_a_table_that_two_factors_can_replace_are_refused(name, head, says, tmp_path: Path) -> None:
    config = EVERY[name]
    save_checkpoint(tmp_path, values_for(config, head), config, head)
    checkpoint = dataclasses.replace(load_checkpoint(tmp_path), head=head)
    with pytest.raises(CheckpointError) as caught:
        factorise(checkpoint, RankChoice(rank=2))
    assert_house_form(str(caught.value))
    assert says in str(caught.value)


def test_rounding_up_a_share_stops_at_the_tables_width(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, values_for(PLAIN, MEAN), PLAIN, MEAN)
    assert factorise(load_checkpoint(tmp_path), RankChoice(keep_energy=0.5)).encoder.embedding_width == 12
