"""What one case typically takes: the median at each length, averaged over the inputs, and how far that may be off.

With one length this is the median. With several, a median over all runs would depend on which texts were run most.
"""

from collections import Counter, defaultdict
from collections.abc import Collection

import numpy as np

from edgebert.measurement import Case

_RESAMPLES = 500
# The same for every case: a record compared with itself differs by nothing.
_SEED = 0
# Resampling is done in slices of about this many values, so that long runs do not take a gigabyte.
_VALUES_AT_ONCE = 1_000_000
# Fewer rounds of one kind vary too little when they are resampled; more runs than this in such rounds, no interval.
_FEWEST_ROUNDS = 3
_RUNS_IN_FEW_ROUNDS = 0.1


class Typical:
    """One metric of a case's samples, at `lengths`."""

    def __init__(self, case: Case, metric: str, lengths: Collection[int]) -> None:
        samples = case.samples
        by_round: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for number, index, value in zip(samples.rounds, samples.inputs, samples.values[metric], strict=True):
            if case.inputs.lengths[index] in lengths:
                by_round[number].append((case.inputs.lengths[index], value))
        # Rounds that ran the same lengths in the same order are alike: length by position, and a row a round.
        alike: dict[tuple[int, ...], list[list[int]]] = defaultdict(list)
        for runs in by_round.values():
            alike[tuple(length for length, _ in runs)].append([value for _, value in runs])
        self._kinds = [(np.asarray(kind), np.asarray(rows, np.float64)) for kind, rows in alike.items()]
        counted = Counter(length for length in case.inputs.lengths if length in lengths)
        self._weights = {length: count / counted.total() for length, count in counted.items()}

    def value(self) -> float:
        return float(self._averaged([np.arange(len(rows))[None] for _, rows in self._kinds])[0])

    def resampled(self) -> np.ndarray | None:
        """The same of rounds drawn anew with replacement among those alike; None where they are too few to tell.

        Whole rounds: runs of one round share that moment's disturbance, and are no independent witnesses.
        """
        few = sum(rows.size for _, rows in self._kinds if len(rows) < _FEWEST_ROUNDS)
        size = sum(rows.size for _, rows in self._kinds)
        if few > _RUNS_IN_FEW_ROUNDS * size:
            return None
        generator = np.random.default_rng(_SEED)
        at_once = max(1, _VALUES_AT_ONCE // size)
        slices = [min(at_once, _RESAMPLES - start) for start in range(0, _RESAMPLES, at_once)]
        return np.concatenate([self._averaged(self._drawn(generator, count)) for count in slices])

    def _drawn(self, generator: np.random.Generator, count: int) -> list[np.ndarray]:
        return [generator.integers(0, len(rows), (count, len(rows))) for _, rows in self._kinds]

    def _averaged(self, drawn: list[np.ndarray]) -> np.ndarray:
        """A value for each row of the drawn round numbers."""
        total = np.zeros(len(drawn[0]))
        for length, weight in self._weights.items():
            columns = [
                rows[:, kind == length][numbers].reshape(len(numbers), -1)
                for (kind, rows), numbers in zip(self._kinds, drawn, strict=True)
            ]
            total += weight * np.median(np.concatenate(columns, axis=1), axis=1)
        return total
