"""Teachers and plain text to a student that knows no task yet: `edgebert distill-text`."""

import dataclasses
import os
from dataclasses import dataclass
from typing import Any, Self

from edgebert.distill.general import distil_general
from edgebert.models.checkpoint import save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Report, silent
from edgebert.stations.distilling import START_FOLDER, StepOutcome, first_student, require_room
from edgebert.stations.result_folder import ResultFolder
from edgebert.stations.text_request import TextRequest
from edgebert.training.loop import begin
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings


@dataclass(frozen=True)
class TextDistilled:
    # What `dev_score` is: on held-out text there is only a loss to choose epochs by.
    metric: str
    dev_score: float
    steps: tuple[StepOutcome, ...]
    # How the student started, a line a fact.
    started: tuple[str, ...]
    # It was there before; nothing was trained now.
    found: bool = False

    def to_json(self) -> dict[str, Any]:
        fields = dataclasses.asdict(self)
        del fields["found"]
        return fields

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
    """Make the student's checkpoint in `folder`, from which a student of a task starts (from_folder). Killed, the same
    call goes on where it was; a finished one is only reported. `replace` gives up what the folder holds of other
    inputs; without it that is an error."""
    with ResultFolder(folder, request.station, request.to_json(), replace) as place:
        if place.finished:
            return TextDistilled.from_json(place.result)
        require_room(request.plan, folder)
        place.begin()
        begin(request.training.common.seed)
        teachers = [load_model(teacher, request.head).model for teacher in request.teachers]
        student, started = first_student(request, teachers[0], place.work / START_FOLDER, report)
        done = distil_general(
            student,
            teachers,
            *request.encoded,
            [planned.step for planned in request.plan.steps],
            place.work,
            report,
            request.cache,
            checkpoints,
            request.teachers[0],
            request.masking,
        )
        outcome = TextDistilled(done.metric, done.dev_score, StepOutcome.of(done.steps), started)
        save_checkpoint(place.path, model_tensors(student), student.config, request.head, request.teachers[0])
        place.finish(outcome.to_json())
    return outcome
