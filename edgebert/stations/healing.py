"""The training in which a compressed student heals: on labels, or from teachers; a companion compresses meanwhile."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from edgebert.data.batches import EncodedDataset
from edgebert.distill.stages import distil_task
from edgebert.files import write_atomically
from edgebert.models.task import TaskModel
from edgebert.progress import Report
from edgebert.stations.healing_request import HealingRequest
from edgebert.stations.making_student import StepOutcome, require_room
from edgebert.training.companion import Companion
from edgebert.training.finetune import finetune
from edgebert.training.scoring import METRICS, predict, score
from edgebert.training.settings import CheckpointSettings, best_epoch

SCORES_FILE, LABELS_FOLDER = "scores.json", "labels"
# What heals where there is no teacher.
LABELS = "labels"


def heal(
    request: HealingRequest,
    student: TaskModel,
    teachers: Sequence[TaskModel],
    companion: Companion | None,
    work: Path,
    report: Report,
    checkpoints: CheckpointSettings,
) -> StepOutcome:
    """Train the student in place; it ends as it was in its best epoch."""
    train, dev = request.encoded
    plan = request.distillation_of(student.config)
    if plan is None:
        place = work / LABELS_FOLDER
        epochs = finetune(student, train, dev, request.training, report, place, checkpoints, companion)
        return StepOutcome(LABELS, METRICS[request.head.kind], epochs, best_epoch(epochs).epoch, None)
    steps = [plan.steps[0].step]
    healed = distil_task(
        student,
        teachers,
        train,
        dev,
        steps,
        work,
        report,
        request.cache,
        checkpoints,
        companion=companion,
        teacher_train=None if request.same_tokens else request.for_teachers[0],
    )
    return StepOutcome.of(healed.steps)[0]


def require_room_to_heal(request: HealingRequest, folder: str | os.PathLike) -> None:
    plan = request.distillation_of(request.student.encoder)
    if plan is not None:
        require_room(plan, folder)


def scores_before(
    request: HealingRequest, students: Sequence[TaskModel], teachers: Sequence[TaskModel], work: Path
) -> tuple[float, ...]:
    """On dev, of models as they are before any is trained; asked once, also of a run that is taken up again."""
    path = work / SCORES_FILE
    if not path.exists():
        scores = [dev_score(request, student) for student in students]
        scores += [_score(request, teacher, request.for_teachers[1]) for teacher in teachers]
        write_atomically(path, json.dumps(scores).encode())
    return tuple(json.loads(path.read_bytes()))


def dev_score(request: HealingRequest, student: TaskModel) -> float:
    return _score(request, student, request.encoded[1])


def _score(request: HealingRequest, model: TaskModel, dev: EncodedDataset) -> float:
    return score(request.head, predict(model, dev), dev.targets)
