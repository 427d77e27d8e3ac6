"""What magnitude pruning is asked for, as far as it can be checked beforehand, and what its result depends on."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from edgebert.compression.pruning.patterns import Groups
from edgebert.compression.pruning.policy import Matrix, Policy, choose_matrices
from edgebert.compression.pruning.schedule import CONSTANT, Schedule, Steps
from edgebert.errors import TrainingError
from edgebert.stations.file_comparison import check_comparable
from edgebert.stations.healing_request import HealingRequest


@dataclass(frozen=True, kw_only=True)
class PruneRequest(HealingRequest):
    """Made, it can be carried out as far as anybody knows beforehand."""

    station: ClassVar[str] = "prune"

    policy: Policy
    schedule: Schedule
    # Of the files made before and after, whose gzipped bytes tell what the zeros bring; none are made without.
    precision: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.precision is not None:
            check_comparable(self.student, self.precision)
        if self.training.averaging:
            raise TrainingError(
                f"training averaging: expected 0, since an average of weights that were cut is no zero, got "
                f"{self.training.averaging}. Do: leave --averaging out."
            )
        if isinstance(self.policy.pattern, Groups) and self.schedule.kind != CONSTANT:
            raise TrainingError(
                f"pruning schedule: expected {CONSTANT} for {self.policy.pattern}, which TF-MOT cuts at once, got "
                f"{self.schedule.kind}. Do: leave --schedule out."
            )
        # Refusals come now, not after texts were tokenised.
        _ = self.matrices, self.cuts

    @property
    def training_steps(self) -> int:
        return self.steps_per_epoch * self.training.epochs

    @cached_property
    def matrices(self) -> tuple[Matrix, ...]:
        return choose_matrices(self.policy, self.student.encoder, self.head)

    @property
    def cuts(self) -> Steps:
        return self.schedule.steps(self.training_steps)

    @property
    def first_kept_epoch(self) -> int:
        return self.cuts.first_kept_epoch(self.steps_per_epoch)

    @property
    def notes(self) -> tuple[str, ...]:
        """For a person: what is not as usual."""
        plan = self.distillation_of(self.student.encoder)
        return plan.notes if plan else ()

    def to_json(self) -> dict[str, Any]:
        """Everything that the weights depend on; files are made to tell of them."""
        pruning = {"policy": self.policy.to_json(), "schedule": dataclasses.asdict(self.schedule)}
        return self.made_from() | pruning
