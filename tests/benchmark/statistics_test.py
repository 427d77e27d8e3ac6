"""The interval is a promise: it must hold the true ratio as often as it says, in the noise that machines have."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.benchmark.statistics import ratio_of_medians, summarize

times = st.lists(st.integers(1, 10**10), min_size=1, max_size=60)


@settings(deadline=None)
@given(times)
def test_a_summary_is_what_numpy_says(values: list[int]) -> None:
    summary = summarize(values)
    assert summary.count == len(values)
    assert summary.median == pytest.approx(np.median(values))
    assert summary.minimum == min(values)
    assert summary.minimum <= summary.median <= summary.p90 <= summary.p99 <= max(values)
    assert summary.mad == pytest.approx(np.median(np.abs(np.asarray(values) - np.median(values))))


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(10**3, 10**9), min_size=10, max_size=60), st.integers(2, 9))
def test_a_case_that_takes_k_times_as_long_has_the_ratio_k(values: list[int], factor: int) -> None:
    rounds = [position // 5 for position in range(len(values))]
    slower = [value * factor for value in values]
    ratio = ratio_of_medians(slower, rounds, values, rounds, seed=0)
    assert ratio.ratio == pytest.approx(factor)
    back = ratio_of_medians(values, rounds, slower, rounds, seed=0)
    assert back.ratio == pytest.approx(1 / factor)


def noisy_pair(draw: np.random.Generator, truth: float, rounds: int = 30, runs: int = 5) -> tuple[list, list, list]:
    """Two cases under one disturbance that lasts a round, as another process's does, and noise of each run's own."""
    disturbance = draw.lognormal(0, 0.1, rounds).repeat(runs)
    ours = 1e6 * truth * disturbance * draw.lognormal(0, 0.02, rounds * runs)
    base = 1e6 * disturbance * draw.lognormal(0, 0.02, rounds * runs)
    return ours.round().tolist(), base.round().tolist(), np.arange(rounds).repeat(runs).tolist()


@pytest.mark.parametrize("truth", [1.0, 1.1])
def test_the_interval_holds_the_truth_as_often_as_it_says(truth: float) -> None:
    draw = np.random.default_rng(0)
    held = 0
    for trial in range(60):
        ours, base, rounds = noisy_pair(draw, truth)
        ratio = ratio_of_medians(ours, rounds, base, rounds, seed=trial)
        held += ratio.low <= truth <= ratio.high
    assert held >= 54


def test_taking_turns_narrows_the_interval() -> None:
    """The same runs with their rounds taken apart, as if the cases had been measured one after the other."""
    ours, base, rounds = noisy_pair(np.random.default_rng(0), 1.1)
    shuffled = np.random.default_rng(1).permutation(30)
    apart = [int(shuffled[number]) for number in rounds]
    together = ratio_of_medians(ours, rounds, base, rounds, seed=0)
    separately = ratio_of_medians(ours, rounds, base, apart, seed=0)
    assert together.differs_from_one
    assert (together.high - together.low) * 2 < separately.high - separately.low


def test_only_rounds_that_both_have_count() -> None:
    ratio = ratio_of_medians([20, 20, 20, 9999], [0, 1, 2, 3], [10, 10, 10], [0, 1, 2], seed=0)
    assert (ratio.ratio, ratio.low, ratio.high) == (2, 2, 2)


def test_a_round_that_was_cut_short_counts_as_far_as_it_went() -> None:
    ratio = ratio_of_medians([20, 20, 20], [0, 0, 1], [10, 10, 10, 10], [0, 0, 1, 1], seed=0)
    assert (ratio.ratio, ratio.low, ratio.high) == (2, 2, 2)


def test_one_round_has_no_interval() -> None:
    ratio = ratio_of_medians([20, 21], [0, 0], [10, 10], [0, 0], seed=0)
    assert (ratio.ratio, ratio.low, ratio.high, ratio.differs_from_one) == (2.05, None, None, False)


def test_no_common_round_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected a round that both cases have"):
        ratio_of_medians([1], [0], [1], [1], seed=0)


def test_the_interval_repeats_with_the_seed() -> None:
    ours, base, rounds = noisy_pair(np.random.default_rng(0), 1.0)
    assert ratio_of_medians(ours, rounds, base, rounds, 3) == ratio_of_medians(ours, rounds, base, rounds, 3)
    assert ratio_of_medians(ours, rounds, base, rounds, 3) != ratio_of_medians(ours, rounds, base, rounds, 4)
