"""Robust statistics of latency samples, and the ratio of two interleaved cases with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CONFIDENCE = 0.95
# Two hundred resamples already place the ends of a 95 % interval; many runs narrow it more than many resamples do.
_FEWEST_RESAMPLES, _MOST_RESAMPLES = 200, 2000
_RESAMPLED_VALUES = 20_000_000
# Resampling is done in slices of about this many values, so that long runs do not take a gigabyte.
_RESAMPLED_VALUES_AT_ONCE = 1_000_000


@dataclass(frozen=True)
class Summary:
    """`mad` is the median absolute deviation from the median: a spread that one interrupted run cannot move."""

    count: int
    median: float
    p90: float
    p99: float
    minimum: float
    mad: float


@dataclass(frozen=True)
class Ratio:
    """A ratio of medians with the interval that holds it with 95 % confidence; no interval from a single round."""

    ratio: float
    low: float | None
    high: float | None

    @property
    def differs_from_one(self) -> bool:
        return self.low is not None and self.high is not None and not self.low <= 1 <= self.high


def summarize(values: Sequence[int]) -> Summary:
    samples = np.asarray(values, np.float64)
    median, p90, p99 = np.percentile(samples, [50, 90, 99])
    return Summary(
        count=len(samples),
        median=float(median),
        p90=float(p90),
        p99=float(p99),
        minimum=float(samples.min()),
        mad=float(np.median(np.abs(samples - median))),
    )


def ratio_of_medians(
    values: Sequence[int], rounds: Sequence[int], base_values: Sequence[int], base_rounds: Sequence[int], seed: int
) -> Ratio:
    """median(values) / median(base_values) over the rounds that both have.

    The interval resamples whole rounds, not runs: runs of one round share that moment's disturbance, and taking them
    as independent would promise more than was measured.
    """
    shared = sorted(set(rounds) & set(base_rounds))
    ours, base = _by_round(values, rounds, shared), _by_round(base_values, base_rounds, shared)
    if not shared:
        raise ValueError("ratio_of_medians: expected a round that both cases have")
    estimate = float(np.nanmedian(ours) / np.nanmedian(base))
    if len(shared) == 1:
        return Ratio(estimate, None, None)
    generator = np.random.default_rng(seed)
    resamples = min(max(_RESAMPLED_VALUES // ours.size, _FEWEST_RESAMPLES), _MOST_RESAMPLES)
    at_once = max(1, _RESAMPLED_VALUES_AT_ONCE // ours.size)
    slices = [min(at_once, resamples - start) for start in range(0, resamples, at_once)]
    ratios = np.concatenate([_resampled_ratios(ours, base, generator, size) for size in slices])
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    return Ratio(estimate, float(low), float(high))


def _resampled_ratios(ours: np.ndarray, base: np.ndarray, generator: np.random.Generator, resamples: int) -> np.ndarray:
    drawn = generator.integers(0, len(ours), (resamples, len(ours)))
    return _medians(ours[drawn].reshape(resamples, -1)) / _medians(base[drawn].reshape(resamples, -1))


def _medians(rows: np.ndarray) -> np.ndarray:
    """Of each row without its NaNs; numpy's own nanmedian goes row by row in Python, so only where it must."""
    return np.nanmedian(rows, axis=1) if np.isnan(rows).any() else np.median(rows, axis=1)


def _by_round(values: Sequence[int], rounds: Sequence[int], shared: Sequence[int]) -> np.ndarray:
    """One row a round; a round that was cut short is filled with NaN."""
    members: dict[int, list[int]] = {number: [] for number in shared}
    for value, number in zip(values, rounds, strict=True):
        if number in members:
            members[number].append(value)
    width = max((len(row) for row in members.values()), default=0)
    table = np.full((len(shared), width), np.nan)
    for position, number in enumerate(shared):
        table[position, : len(members[number])] = members[number]
    return table
