"""What structured pruning is asked for, checked as far as files and configurations go, and what it depends on."""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from edgebert.compression.shrinking.counts import Counts, require_prunable, shrunk_config, steps_to
from edgebert.compression.shrinking.cutting import DEFAULT_RANKING, Ranking
from edgebert.config import EncoderConfig
from edgebert.distill.planning import FLOAT_BYTES, Plan, count_parameters
from edgebert.models.families import OWN_FAMILY, expressible
from edgebert.stations.healing_request import HealingRequest

# Checkpoints of a step on disk at once, in float32: the cut, the healed, the run's state with two optimizer slots, its
# best epoch, and one of each kind of file under way.
CHECKPOINTS_A_STEP = 10


@dataclass(frozen=True)
class ShrinkStep:
    """How the student looks after one step; without teachers no distillation heals it, but the labels."""

    config: EncoderConfig
    distillation: Plan | None


@dataclass(frozen=True)
class ShrinkPlan:
    steps: tuple[ShrinkStep, ...]
    disk_bytes: int
    # For a person: what is not as usual.
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ShrinkRequest(HealingRequest):
    """`training` is of each step."""

    station: ClassVar[str] = "shrink"

    target: Counts
    steps: int = 2
    ranking: Ranking = DEFAULT_RANKING

    def __post_init__(self) -> None:
        super().__post_init__()
        require_prunable(self.student.encoder, str(self.student.source))
        # Refusals come now, not after texts were tokenised.
        _ = self.configs

    @cached_property
    def configs(self) -> tuple[EncoderConfig, ...]:
        """After each step."""
        start = self.student.encoder
        return tuple(shrunk_config(start, counts) for counts in steps_to(start, self.target, self.steps))

    @cached_property
    def plan(self) -> ShrinkPlan:
        """Everything that can be known to be impossible is an error here."""
        steps = tuple(ShrinkStep(config, self.distillation_of(config)) for config in self.configs)
        weights = sum(FLOAT_BYTES * count_parameters(config, self.head) for config in self.configs)
        # A step takes the teachers' answers over from the one before.
        answers = max((planned.cache_bytes for step in steps for planned in _cached(step)), default=0)
        return ShrinkPlan(steps, answers + CHECKPOINTS_A_STEP * weights, self._notes(steps))

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        steps = {
            str(number): {
                "encoder": step.config.to_json(),
                # Kept answers differ from fresh ones in their last bits.
                "cache": self.cache.precision if _cached(step) else None,
            }
            for number, step in enumerate(self.plan.steps, 1)
        }
        return self.made_from() | {"ranking": dataclasses.asdict(self.ranking), "steps": steps}

    def _notes(self, steps: tuple[ShrinkStep, ...]) -> tuple[str, ...]:
        notes = tuple(
            # A plan of one step calls it the first.
            note.replace("step 1:", f"step {number}:")
            for number, step in enumerate(steps, 1)
            for note in (step.distillation.notes if step.distillation else ())
        )
        family, last = self.student.family, steps[-1].config
        if family != OWN_FAMILY and not expressible(last, family):
            notes += (
                f"heads stay {last.head_width} wide: config.json of {family} cannot say so, the folder has edgebert's "
                "own layout",
            )
        return notes


def _cached(step: ShrinkStep) -> tuple:
    return tuple(planned for planned in step.distillation.steps if planned.is_cached) if step.distillation else ()
