"""Hidden words: which, how many, by what; and that seed, epoch and position alone decide it."""

import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.batches import EncodedDataset
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.prediction_losses import NOT_MASKED
from edgebert.distill.word_masking import MaskedFeed, WordMasking
from edgebert.errors import TrainingError
from edgebert.training.feed import Feed
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form
from tests.training.cases import learnable

VOCABULARY = tuple((GOLDEN / "tiny_vocab.txt").read_text().split("\n")[:-1])
MASKING = WordMasking.of(WordPiece(VOCABULARY))
MASK = VOCABULARY.index("[MASK]")
DATA = learnable(37, seed=3)
texts = st.lists(st.integers(0, len(VOCABULARY) - 1), min_size=1, max_size=60).map(lambda ids: np.array(ids, np.int32))
keys = st.tuples(st.integers(0, 2**40), st.integers(0, 1000), st.integers(0, 10**9))


def test_a_tokenizers_special_tokens_are_known() -> None:
    names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    assert WordMasking(MASK, tuple(map(VOCABULARY.index, names)), len(VOCABULARY)) == MASKING
    assert (MASKING.share, MASKING.masked_share, MASKING.other_share) == (0.15, 0.8, 0.1)


@given(texts, keys)
def test_what_is_hidden_is_to_be_found_and_the_rest_is_as_it_was(text: np.ndarray, key: tuple) -> None:
    before = text.copy()
    hidden, targets = MASKING.hide(text, key)
    np.testing.assert_array_equal(text, before)
    asked = targets != NOT_MASKED
    np.testing.assert_array_equal(targets[asked], text[asked])
    np.testing.assert_array_equal(hidden[~asked], text[~asked])
    special = np.isin(text, MASKING.special_ids)
    assert not asked[special].any()
    words = int((~special).sum())
    assert asked.sum() == min(max(round(0.15 * words), 1), words)
    put = hidden[asked & (hidden != MASK)]
    assert not np.isin(put, MASKING.special_ids).any() and (put < len(VOCABULARY)).all()
    for one, again in zip((hidden, targets), MASKING.hide(text, key), strict=True):
        np.testing.assert_array_equal(one, again)


def test_of_a_hundred_hidden_words_eighty_are_masked_ten_are_others_and_ten_stay() -> None:
    text = np.random.default_rng(0).integers(5, len(VOCABULARY), 400_000).astype(np.int32)
    hidden, targets = MASKING.hide(text, (0, 1, 2))
    asked = targets != NOT_MASKED
    assert asked.sum() == 60_000
    # A word that another takes the place of is by chance itself once in as many pieces as there are.
    pieces = len(VOCABULARY) - 5
    shares = [np.mean(hidden[asked] == MASK), np.mean(hidden[asked] == text[asked])]
    np.testing.assert_allclose(shares, [0.8, 0.1 + 0.1 / pieces], rtol=0, atol=5 * np.sqrt(0.8 * 0.2 / 60_000))
    others = hidden[asked & (hidden != MASK) & (hidden != text)]
    counts = np.bincount(others, minlength=len(VOCABULARY))
    assert set(np.flatnonzero(counts)) == set(range(len(VOCABULARY))) - set(MASKING.special_ids)
    assert counts.max() < 2 * others.size / pieces


def test_every_place_is_hidden_as_often_as_every_other() -> None:
    text, times = np.full(40, 9, np.int32), 4000
    hidden = [MASKING.hide(text, (1, 1, position))[1] != NOT_MASKED for position in range(times)]
    np.testing.assert_allclose(np.mean(hidden, axis=0), 6 / 40, rtol=0, atol=5 * np.sqrt(0.15 * 0.85 / times))


def test_seed_epoch_and_position_each_change_it() -> None:
    text = np.arange(5, 65).astype(np.int32)
    drawn = {MASKING.hide(text, key)[0].tobytes() for key in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))}
    assert len(drawn) == 4


def hidden_by_position(feed: MaskedFeed, epoch: int | None, data: EncodedDataset = DATA) -> dict[int, tuple]:
    """What each text became; the batches' positions are those of the plain feed."""
    plain = Feed(EncodedDataset(data.encoded, np.arange(len(data))), feed._batch_size, feed._seed)
    found = {}
    for (inputs, targets), (whole, positions) in zip(feed.epoch(epoch), plain.epoch(epoch), strict=True):
        assert targets.shape == inputs["input_ids"].shape and targets.dtype == np.int32
        assert (targets[inputs["input_mask"] == 0] == NOT_MASKED).all()
        np.testing.assert_array_equal(np.where(targets == NOT_MASKED, inputs["input_ids"], targets), whole["input_ids"])
        for row, position in enumerate(positions):
            length = len(data.encoded[position].input_ids)
            found[int(position)] = tuple(inputs["input_ids"][row, :length]), tuple(targets[row, :length])
    return found


@pytest.mark.parametrize("epoch", [None, 0, 3])
def test_the_batch_around_a_text_changes_nothing_of_it(epoch: int | None) -> None:
    alone, together = (hidden_by_position(MaskedFeed(DATA, size, 4, MASKING), epoch) for size in (1, 8))
    assert alone == together and len(alone) == len(DATA)


def test_each_epoch_hides_other_words_and_dev_the_same_again() -> None:
    feed = MaskedFeed(DATA, 8, 4, MASKING)
    drawn = [hidden_by_position(feed, epoch) for epoch in (0, 1, None)]
    assert drawn[0] != drawn[1] and drawn[2] not in drawn[:2]
    assert hidden_by_position(MaskedFeed(DATA, 8, 4, MASKING), None) == drawn[2]
    assert hidden_by_position(MaskedFeed(DATA, 8, 5, MASKING), 0) != drawn[0]


def test_an_epoch_goes_on_in_its_midst() -> None:
    feed = MaskedFeed(DATA, 8, 4, MASKING)
    whole = list(feed.epoch(2))
    assert len(whole) == feed.steps == 5
    for (inputs, targets), (expected, found) in zip(feed.epoch(2, 3), whole[3:], strict=True):
        np.testing.assert_array_equal(inputs["input_ids"], expected["input_ids"])
        np.testing.assert_array_equal(targets, found)


@pytest.mark.parametrize(
    "arguments",
    [
        {"share": 0.0},
        {"share": 1.0},
        {"masked_share": 1.1},
        {"masked_share": 0.8, "other_share": 0.3},
        {"vocabulary_size": 5},
    ],
)
def test_impossible_settings_are_refused(arguments: dict) -> None:
    with pytest.raises(TrainingError, match="masking") as caught:
        WordMasking(**{"mask_id": 4, "special_ids": (0, 1, 2, 3, 4), "vocabulary_size": 30} | arguments)
    assert_house_form(str(caught.value))


def test_a_vocabulary_without_a_mask_is_refused() -> None:
    tokenizer = WordPiece([*VOCABULARY[:4], *string.ascii_lowercase], TokenizerSettings())
    with pytest.raises(TrainingError, match=r"the mask token \[MASK\]") as caught:
        WordMasking.of(tokenizer)
    assert_house_form(str(caught.value))
