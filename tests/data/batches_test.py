import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.batches import LENGTH_STEP, EncodedDataset, batches, pad
from edgebert.data.wordpiece import Encoded


def encoded(lengths: list[int]) -> EncodedDataset:
    items = tuple(
        Encoded((number + 1,) * length, (1,) * length, (0,) * length) for number, length in enumerate(lengths)
    )
    return EncodedDataset(items, np.arange(len(lengths)))


@given(st.lists(st.integers(1, 70), min_size=1, max_size=200), st.integers(1, 9), st.none() | st.integers(0, 9))
def test_each_example_comes_once_with_its_own_tokens(lengths: list[int], batch_size: int, seed: int | None) -> None:
    data = encoded(lengths)
    seen = []
    for positions, inputs in batches(data, batch_size, seed):
        assert 1 <= len(positions) <= batch_size
        assert inputs["input_ids"].shape[1] % LENGTH_STEP == 0
        for position, ids, mask in zip(positions, inputs["input_ids"], inputs["input_mask"], strict=True):
            assert (
                mask.sum() == lengths[position] and set(ids[mask == 1]) == {position + 1} and not ids[mask == 0].any()
            )
        seen += list(positions)
    assert sorted(seen) == list(range(len(lengths)))


def test_order_depends_on_the_seed_alone() -> None:
    data = encoded(list(np.random.default_rng(0).integers(1, 60, 500)))
    orders = [[tuple(positions) for positions, _ in batches(data, 16, seed)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_like_lengths_come_together() -> None:
    """Padding stays below a tenth where unsorted batches would pad by half."""
    lengths = list(np.random.default_rng(0).integers(3, 120, 4000))
    padded = sum(inputs["input_ids"].size for _, inputs in batches(encoded(lengths), 32, seed=0))
    assert padded < 1.1 * sum(lengths)


def test_padding_to_a_given_length() -> None:
    assert pad(encoded([3, 5]).encoded, length=64)["input_ids"].shape == (2, 64)
