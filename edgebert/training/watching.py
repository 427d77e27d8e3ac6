"""Whether a run still learns: its loss is a number, and far from what no learning would bring."""

import math
from dataclasses import dataclass
from typing import Self

from edgebert.errors import TrainingError

# Steps whose mean counts as the loss that the run began with.
FIRST_STEPS = 20
# Weight of the newest step in the running mean: about the last twenty count.
NEWEST_SHARE = 0.05
# Where it is known what a guess costs, twenty steps at this many times as much are no phase of learning: a run that is
# too fast is there at once, while its loss may never be a hundred times its first.
GUESSING_FACTOR = 5.0
# Elsewhere a loss this many times its beginning is no fluctuation, and what lies below the floor hurts nobody.
DIVERGED_FACTOR = 100.0
HARMLESS_LOSS = 0.01
REMEDY = "Do: lower the learning rate."


@dataclass(frozen=True, slots=True)
class Watch:
    """Of a whole run; goes into its checkpoints."""

    first_sum: float = 0.0
    first_count: int = 0
    recent: float | None = None

    def seen(self, place: str, loss: float, guessing: float | None = None) -> Self:
        """The watch after one more step, or a TrainingError. guessing: the loss of answering every class alike."""
        if not math.isfinite(loss):
            raise TrainingError(f"{place}: expected a finite loss, got {loss}. {REMEDY}")
        recent = loss if self.recent is None else self.recent + NEWEST_SHARE * (loss - self.recent)
        if self.first_count < FIRST_STEPS:
            return Watch(self.first_sum + loss, self.first_count + 1, recent)
        began = self.first_sum / self.first_count
        if guessing is not None:
            if recent > GUESSING_FACTOR * guessing:
                expected = f"a loss near {guessing:.4g}, that of guessing, or below"
                raise TrainingError(f"{place}: expected {expected}, got {recent:.4g}. {REMEDY}")
        elif recent > max(DIVERGED_FACTOR * began, HARMLESS_LOSS):
            raise TrainingError(f"{place}: expected a loss near {began:.4g} or below, got {recent:.4g}. {REMEDY}")
        return Watch(self.first_sum, self.first_count, recent)
