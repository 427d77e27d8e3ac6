"""Teachers and data of their task to a student's checkpoint: `edgebert distill`."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgebert.distill.projections import save_projections
from edgebert.distill.stages import distil_task
from edgebert.files import write_atomically
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.stations.distil_request import DistilRequest
from edgebert.stations.making_student import Beginning, StepOutcome, make_student
from edgebert.stations.result_folder import StationResult
from edgebert.training.scoring import predict, score
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings

TEACHER_SCORES = "teacher_scores.json"


@dataclass(frozen=True)
class Distilled(StationResult):
    metric: str
    dev_score: float
    # Of each teacher on the same dev data.
    teacher_scores: tuple[float, ...]
    steps: tuple[StepOutcome, ...]
    # How the student started, a line a fact.
    started: tuple[str, ...]
    # It was there before; nothing was trained now.
    found: bool = False

    @property
    def retention(self) -> float | None:
        """The student's score as a share of the best teacher's; none where that is not above 0."""
        best = max(self.teacher_scores)
        return self.dev_score / best if best > 0 else None

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"retention": self.retention}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        steps = tuple(map(StepOutcome.from_json, fields["steps"]))
        scores, started = tuple(fields["teacher_scores"]), tuple(fields["started"])
        return cls(fields["metric"], fields["dev_score"], scores, steps, started, found=True)


def distil_checkpoint(
    request: DistilRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> Distilled:
    """Make the student's checkpoint in `folder`; see `make_student` for kills and repetitions."""

    def learn(beginning: Beginning) -> Distilled:
        scores = _teacher_scores(beginning.teachers, request, beginning.work)
        done = distil_task(
            beginning.student,
            beginning.teachers,
            *request.encoded,
            [planned.step for planned in request.plan.steps],
            beginning.work,
            report,
            request.cache,
            checkpoints,
            projections=request.projections,
            teacher_train=None if request.same_tokens else request.for_teachers[0],
        )
        save_projections(beginning.result, done.projections)
        return Distilled(done.metric, done.dev_score, scores, StepOutcome.of(done.steps), beginning.started)

    return make_student(request, folder, Distilled, learn, report, replace)


def _teacher_scores(teachers: Sequence[TaskModel], request: DistilRequest, work: Path) -> tuple[float, ...]:
    path = work / TEACHER_SCORES
    if not path.exists():
        dev = request.for_teachers[1]
        scores = [score(teacher.head_config, predict(teacher, dev), dev.targets) for teacher in teachers]
        write_atomically(path, json.dumps(scores).encode())
    return tuple(json.loads(path.read_bytes()))
