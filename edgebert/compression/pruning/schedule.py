"""Over which steps of a training weights are cut: by TF-MOT's schedules, told in shares of the training."""

from dataclasses import dataclass

from edgebert.errors import TrainingError

POLYNOMIAL, CONSTANT = "polynomial", "constant"
KINDS = (POLYNOMIAL, CONSTANT)
# Zhu and Gupta 2017: fast while much is redundant, slow where little is.
POWER = 3
# Choosing anew takes a second for the 4.6 million weights of a student of TinyBERT4's shape, as long as six steps.
MOST_UPDATES = 25
USUAL_END = 0.5


@dataclass(frozen=True, slots=True)
class Steps:
    """Masks are chosen before the steps `begin`, `begin + frequency`, ... and for the last time before `end`."""

    begin: int
    end: int
    frequency: int

    def first_kept_epoch(self, steps_per_epoch: int) -> int:
        """Counted from 1: it ends with every weight cut that is to be."""
        return self.end // steps_per_epoch + 1


@dataclass(frozen=True, slots=True)
class Schedule:
    """`begin` and `end` are shares of all steps; what is left behind the end heals. Constant cuts once, at `begin`."""

    kind: str = POLYNOMIAL
    begin: float = 0.0
    end: float | None = USUAL_END

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TrainingError(
                f"pruning schedule: expected {' or '.join(KINDS)}, got {self.kind!r}. Do: write one of these."
            )
        _require(0 <= self.begin < 1, "begin", "a share of the training from 0 to below 1", self.begin)
        if self.kind == CONSTANT:
            _require(self.end is None, "end", "none for a constant schedule, which cuts once at its begin", self.end)
        else:
            expected = f"a share of the training above its begin {self.begin:g} and below 1"
            _require(self.end is not None and self.begin < self.end < 1, "end", expected, self.end)

    def steps(self, total: int) -> Steps:
        """Within `total` steps of training."""
        begin = round(self.begin * total)
        if self.kind == CONSTANT:
            if begin >= total:
                raise _no_room(f"a step behind the cut at {self.begin:g} of the training", total)
            return Steps(begin, begin, 1)
        ramp = min(round(self.end * total), total - 1) - begin
        if ramp < 1:
            raise _no_room(f"a ramp of one step or more from {self.begin:g} to {self.end:g} of the training", total)
        frequency = max(1, ramp // MOST_UPDATES)
        # TF-MOT reaches the final sparsity only where the frequency meets the end.
        return Steps(begin, begin + ramp // frequency * frequency, frequency)


def _require(holds: bool, field: str, expected: str, got: float | None) -> None:
    if not holds:
        shown = "none" if got is None else f"{got:g}"
        raise TrainingError(f"pruning {field}: expected {expected}, got {shown}. Do: correct it.")


def _no_room(expected: str, total: int) -> TrainingError:
    return TrainingError(
        f"pruning schedule: expected {expected}, got no room for it in {total:,} training steps. "
        "Do: train for more epochs, or use --schedule constant."
    )
