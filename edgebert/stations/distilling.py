"""Teachers and data of their task to a student's checkpoint: `edgebert distill`."""

import dataclasses
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgebert.config import MASKED_WORDS
from edgebert.distill.initialisation.starting import initialise
from edgebert.distill.planning import Plan
from edgebert.distill.running import StepResult
from edgebert.distill.stages import distil_task
from edgebert.errors import OutputError
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.masked_word_head import masked_word_tensors
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.progress import Report, silent
from edgebert.stations.distil_request import DistilRequest
from edgebert.stations.result_folder import ResultFolder, work_folder
from edgebert.stations.student_request import StudentRequest
from edgebert.training.loop import begin
from edgebert.training.scoring import predict, score
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings, EpochResult

START_FOLDER, TEACHER_SCORES = "start", "teacher_scores.json"


@dataclass(frozen=True)
class StepOutcome:
    recipe: str
    # The name of what the epochs' `dev_score` is.
    chosen_by: str
    epochs: tuple[EpochResult, ...]
    best_epoch: int
    cache_bytes: int | None

    @classmethod
    def of(cls, results: Iterable[StepResult]) -> tuple[Self, ...]:
        return tuple(cls(one.recipe, one.chosen_by, one.epochs, one.best.epoch, one.cache_bytes) for one in results)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "epochs": tuple(EpochResult(**epoch) for epoch in fields["epochs"])})


@dataclass(frozen=True)
class Distilled:
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
        fields = dataclasses.asdict(self)
        del fields["found"]
        return fields | {"retention": self.retention}

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
    """Make the student's checkpoint in `folder`. Killed, the same call goes on where it was; a finished one is only
    reported. `replace` gives up what the folder holds of other inputs; without it that is an error."""
    inputs = request.to_json()
    with ResultFolder(folder, request.station, inputs, replace) as place:
        if place.finished:
            return Distilled.from_json(place.result)
        require_room(request.plan, folder)
        place.begin()
        begin(request.training.common.seed)
        teachers = [load_model(teacher).model for teacher in request.teachers]
        scores = _teacher_scores(teachers, request, place.work)
        student, started = first_student(request, teachers[0], place.work / START_FOLDER, report)
        done = distil_task(
            student,
            teachers,
            *request.encoded,
            [planned.step for planned in request.plan.steps],
            place.work,
            report,
            request.cache,
            checkpoints,
        )
        outcome = Distilled(done.metric, done.dev_score, scores, StepOutcome.of(done.steps), started)
        save_checkpoint(place.path, model_tensors(student), student.config, request.head, request.teachers[0])
        place.finish(outcome.to_json())
    return outcome


def check_request(request: StudentRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that its station would refuse before it trains; nothing is written."""
    ResultFolder(folder, request.station, request.to_json(), replace).check()
    require_room(request.plan, folder)


def require_room(plan: Plan, folder: str | os.PathLike) -> None:
    """The disk is asked before an hour is spent; what an earlier start left there is used again."""
    place = Path(folder).absolute()
    left = sum(path.stat().st_size for path in work_folder(place).rglob("*") if path.is_file())
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if plan.disk_bytes > free + left:
        raise OutputError(
            f"{folder}: expected room for {plan.disk_bytes:,} bytes while it trains, got {free + left:,}. "
            "Do: make room, choose another folder, or lower the cache's budget (--cache-budget)."
        )


def _teacher_scores(teachers: Sequence[TaskModel], request: DistilRequest, work: Path) -> tuple[float, ...]:
    path = work / TEACHER_SCORES
    if not path.exists():
        dev = request.encoded[1]
        scores = [score(teacher.head_config, predict(teacher, dev), dev.targets) for teacher in teachers]
        write_atomically(path, json.dumps(scores).encode())
    return tuple(json.loads(path.read_bytes()))


def first_student(
    request: StudentRequest, teacher: TaskModel, folder: Path, report: Report
) -> tuple[TaskModel, tuple[str, ...]]:
    """The student with its first values, which are made once: measuring them again would take as long again."""
    notes = folder / "notes.json"
    if not notes.exists():
        how, train = request.plan.start, request.encoded[0]
        values = initialise(request.student, request.head, how, teacher, train, report=report)
        tensors = {name: np.asarray(value) for name, value in values.tensors.items()}
        save_checkpoint(folder, tensors, request.student, request.head, request.teachers[0])
        write_atomically(notes, json.dumps(values.notes).encode())
    student = build_model(request.student, request.head)
    first = load_checkpoint(folder)
    # What a published family calls a masked-word head is not among the tensors of its encoder.
    tensors = first.tensors | (masked_word_tensors(first) if request.head == MASKED_WORDS else {})
    for name, variable in named_variables(student).items():
        variable.assign(tensors[name])
    return student, tuple(json.loads(notes.read_bytes()))
