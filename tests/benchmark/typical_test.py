"""The typical value against its definition, and its resamples against what is known of medians."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.typical import Typical
from tests.benchmark.records import make_case, make_samples

WALL = "wall_ns"
times = st.lists(st.integers(1, 10**9), min_size=1, max_size=60)


@given(times)
def test_with_one_length_it_is_the_median(values: list[int]) -> None:
    assert Typical(make_case(make_samples(values)), WALL, {32}).value() == pytest.approx(np.median(values))


@given(times, times)
def test_with_several_it_is_the_mean_of_their_medians(short: list[int], long: list[int]) -> None:
    """However often each of them was run: two of three inputs are short."""
    inputs = [position % 2 for position in range(len(short))] + [2] * len(long)
    case = make_case(make_samples([*short, *long], inputs), lengths=(8, 8, 64))
    wanted = (2 * np.median(short) + np.median(long)) / 3
    assert Typical(case, WALL, {8, 64}).value() == pytest.approx(wanted)


def test_lengths_that_are_not_asked_for_do_not_count() -> None:
    case = make_case(make_samples([10, 1000] * 20, [0, 1] * 20), lengths=(8, 64))
    assert Typical(case, WALL, {8}).value() == 10
    assert set(Typical(case, WALL, {64}).resampled()) == {1000}


def test_resamples_are_as_wide_as_rounds_vary() -> None:
    """The standard error of a normal sample's median is 1.2533 sigma / sqrt(n); within a round all runs are equal, so
    n is the number of rounds.
    """
    draw = np.random.default_rng(1)
    rounds = 60
    values = np.repeat(draw.normal(10_000, 500, rounds), 5)
    resampled = Typical(make_case(make_samples(values)), WALL, {32}).resampled()
    assert resampled.std() == pytest.approx(1.2533 * 500 / rounds**0.5, rel=0.35)
    assert len(resampled) == 500


def test_long_runs_are_resampled_in_slices_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).integers(1000, 2000, 100)
    typical = Typical(make_case(make_samples(values)), WALL, {32})
    at_once = typical.resampled()
    monkeypatch.setattr("edgebert.benchmark.typical._VALUES_AT_ONCE", 250)
    np.testing.assert_array_equal(typical.resampled(), at_once)


def test_a_mix_of_texts_is_no_noise() -> None:
    """Texts of four lengths, each of the same cost every time: rounds differ only in which they ran."""
    inputs = [position % 20 for position in range(100)]
    lengths = tuple(8 * (1 + number % 4) for number in range(20))
    values = [1000 * lengths[number] for number in inputs]
    resampled = Typical(make_case(make_samples(values, inputs), lengths=lengths), WALL, set(lengths)).resampled()
    assert np.ptp(resampled) == 0


@pytest.mark.parametrize(("rounds", "tells"), [(1, False), (2, False), (3, True), (20, True)])
def test_too_few_rounds_tell_nothing(rounds: int, tells: bool) -> None:
    resampled = Typical(make_case(make_samples(range(1, 5 * rounds + 1))), WALL, {32}).resampled()
    assert (resampled is not None) == tells


def test_a_round_that_was_cut_short_spoils_nothing() -> None:
    assert Typical(make_case(make_samples(range(1, 103))), WALL, {32}).resampled() is not None
