"""Epochs for the time that there is: what a run would take, and what to give up of it. Nothing here reads a clock."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from edgebert.errors import TrainingError

# Training on less than a twentieth of the examples is another experiment: then the run is refused.
LEAST_SHARE = 0.05
# Of the time that is left for training: speeds are measured for seconds and kept up for minutes.
RESERVE_SHARE = 0.1


@dataclass(frozen=True)
class Training:
    """One training as a budget sees it; the seconds of an epoch and of what comes once grow with the examples."""

    name: str
    # Asked for.
    epochs: int
    seconds_an_epoch: float
    # Scoring dev after each epoch.
    seconds_an_evaluation: float = 0.0
    # The teacher's answers.
    seconds_once: float = 0.0


@dataclass(frozen=True)
class Decision:
    epochs: dict[str, int]
    # Of the training examples.
    example_share: float
    expected_seconds: float
    given_up: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        # As a list: the order of the steps counts, and JSON's tables have none.
        return dataclasses.asdict(self) | {"epochs": list(self.epochs.items())}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "epochs": dict(fields["epochs"]), "given_up": tuple(fields["given_up"])})


def decide(budget_seconds: float, fixed_seconds: float, trainings: Sequence[Training]) -> Decision:
    """As many epochs as fit, none fewer than one; then fewer examples; a budget that is smaller still is refused."""
    available = (budget_seconds - fixed_seconds) * (1 - RESERVE_SHARE)
    wanted = {one.name: one.epochs for one in trainings}
    least = dict.fromkeys(wanted, 1)
    if _cost(trainings, wanted) <= available:
        return Decision(wanted, 1.0, fixed_seconds + _cost(trainings, wanted), ())
    if _cost(trainings, least) <= available:
        epochs = _fill(available, trainings, least)
        return Decision(epochs, 1.0, fixed_seconds + _cost(trainings, epochs), _fewer_epochs(trainings, epochs))
    share = _share_that_fits(available, trainings)
    if share < LEAST_SHARE:
        needed = fixed_seconds + _cost(trainings, least, LEAST_SHARE) / (1 - RESERVE_SHARE)
        raise TrainingError(
            f"budget: expected {math.ceil(needed / 6) / 10:g} minutes or more on this machine (all but training takes "
            f"{fixed_seconds:.0f} s), got {budget_seconds / 60:g}. Do: raise --budget-minutes, or take a smaller "
            "teacher, fewer dev examples or fewer precisions."
        )
    return Decision(
        least,
        share,
        fixed_seconds + _cost(trainings, least, share),
        (*_fewer_epochs(trainings, least), f"{share:.0%} of the training examples"),
    )


def _cost(trainings: Sequence[Training], epochs: dict[str, int], share: float = 1.0) -> float:
    """Seconds of all trainings."""
    return sum(
        share * (one.seconds_once + epochs[one.name] * one.seconds_an_epoch)
        + epochs[one.name] * one.seconds_an_evaluation
        for one in trainings
    )


def _fill(available: float, trainings: Sequence[Training], least: dict[str, int]) -> dict[str, int]:
    """An epoch more again and again, each time to the training that is furthest from what was asked of it."""
    epochs = dict(least)
    while True:
        poorest_first = sorted(trainings, key=lambda one: epochs[one.name] / one.epochs)
        for one in poorest_first:
            more = epochs | {one.name: epochs[one.name] + 1}
            if more[one.name] <= one.epochs and _cost(trainings, more) <= available:
                epochs = more
                break
        else:
            return epochs


def _share_that_fits(available: float, trainings: Sequence[Training]) -> float:
    """Of the examples, with one epoch each; rounded down to a whole per cent."""
    evaluations = sum(one.seconds_an_evaluation for one in trainings)
    growing = sum(one.seconds_once + one.seconds_an_epoch for one in trainings)
    return math.floor(100 * max(available - evaluations, 0.0) / growing) / 100


def _fewer_epochs(trainings: Sequence[Training], epochs: dict[str, int]) -> tuple[str, ...]:
    return tuple(
        f"{one.name}: {epochs[one.name]} of {one.epochs} epochs" for one in trainings if epochs[one.name] < one.epochs
    )
