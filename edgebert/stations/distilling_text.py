"""Teachers and plain text to a student that knows no task yet: `edgebert distill-text`."""

import os
from dataclasses import dataclass
from typing import Any, Self

from edgebert.distill.general import distil_general
from edgebert.distill.projections import read_projections, save_projections
from edgebert.progress import Report, silent
from edgebert.stations.making_student import Beginning, StepOutcome, make_student
from edgebert.stations.result_folder import StationResult
from edgebert.stations.text_request import TextRequest
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings


@dataclass(frozen=True)
class TextDistilled(StationResult):
    # What `dev_score` is: on held-out text there is only a loss to choose epochs by.
    metric: str
    dev_score: float
    steps: tuple[StepOutcome, ...]
    # How the student started, a line a fact.
    started: tuple[str, ...]
    # It was there before; nothing was trained now.
    found: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        steps = tuple(map(StepOutcome.from_json, fields["steps"]))
        return cls(fields["metric"], fields["dev_score"], steps, tuple(fields["started"]), found=True)


def distil_text(
    request: TextRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> TextDistilled:
    """Make the student's checkpoint in `folder`, from which a student of a task starts (from_folder); see
    `make_student` for kills and repetitions."""

    def learn(beginning: Beginning) -> TextDistilled:
        done = distil_general(
            beginning.student,
            beginning.teachers,
            *request.encoded,
            [planned.step for planned in request.plan.steps],
            beginning.work,
            report,
            request.cache,
            checkpoints,
            request.teachers[0],
            request.masking,
            request.projections,
        )
        save_projections(beginning.result, read_projections(done.checkpoint))
        return TextDistilled(done.metric, done.dev_score, StepOutcome.of(done.steps), beginning.started)

    return make_student(request, folder, TextDistilled, learn, report, replace)
