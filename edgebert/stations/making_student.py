"""What every distillation does around its training: a folder for the result, room on the disk, a first student."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import numpy as np

from edgebert.distill.initialisation.starting import initialise
from edgebert.distill.planning import Plan
from edgebert.distill.running import StepResult
from edgebert.errors import OutputError
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report
from edgebert.stations.result_folder import ResultFolder, work_folder
from edgebert.stations.student_request import StudentRequest
from edgebert.training.loop import begin
from edgebert.training.settings import EpochResult

START_FOLDER = "start"


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


class Outcome(Protocol):
    def to_json(self) -> dict[str, Any]: ...

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self: ...


Result = TypeVar("Result", bound=Outcome)


@dataclass(frozen=True)
class Beginning:
    """A student before its first step, its teachers, and the folder of what only serves the way."""

    student: TaskModel
    teachers: Sequence[TaskModel]
    # How the student started, a line a fact.
    started: tuple[str, ...]
    work: Path
    # Where the student goes.
    result: Path


def make_student(
    request: StudentRequest,
    folder: str | os.PathLike,
    kind: type[Result],
    learn: Callable[[Beginning], Result],
    report: Report,
    replace: bool,
) -> Result:
    """Make the student's checkpoint in `folder` by `learn`, which trains in place.

    Killed, the same call goes on where it was; a finished one is only reported. `replace` gives up what the folder
    holds of other inputs; without it that is an error.
    """
    with ResultFolder(folder, request.station, request.to_json(), replace) as place:
        if place.finished:
            return kind.from_json(place.result)
        require_room(request.plan, folder)
        place.begin()
        begin(request.training.common.seed)
        heads = zip(request.teachers, request.teacher_heads, strict=True)
        teachers = [load_model(teacher, head).model for teacher, head in heads]
        student, started = _first_student(request, teachers[0], place.work / START_FOLDER, report)
        outcome = learn(Beginning(student, teachers, started, place.work, place.path))
        save_checkpoint(place.path, model_tensors(student), student.config, request.head, request.student_source)
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


def _first_student(
    request: StudentRequest, teacher: TaskModel, folder: Path, report: Report
) -> tuple[TaskModel, tuple[str, ...]]:
    """The student with its first values, which are made once: measuring them again would take as long again."""
    notes = folder / "notes.json"
    if not notes.exists():
        how, train = request.plan.start, request.encoded[0]
        values = initialise(request.student, request.head, how, teacher, train, report=report)
        tensors = {name: np.asarray(value) for name, value in values.tensors.items()}
        save_checkpoint(folder, tensors, request.student, request.head, request.student_source)
        write_atomically(notes, json.dumps(values.notes).encode())
    student = load_model(load_checkpoint(folder), request.head).model
    return student, tuple(json.loads(notes.read_bytes()))
