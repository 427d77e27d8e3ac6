"""Task distillation in one step or several: each trains the student with a recipe and keeps its best epoch."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.data.batches import EncodedDataset
from edgebert.distill.data_checks import require_answerable, require_readable
from edgebert.distill.projections import NO_PROJECTIONS
from edgebert.distill.published import published
from edgebert.distill.running import (
    DEFAULT_CACHE,
    DEV_LOSS,
    TEACHER_FOLDER,
    CacheSettings,
    Run,
    Step,
    StepResult,
    Steps,
    plan_of,
    teachers_of,
)
from edgebert.errors import DataError
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.training.companion import Companion
from edgebert.training.scoring import METRICS, predict, score
from edgebert.training.settings import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_SETTINGS,
    CheckpointSettings,
    TrainingSettings,
)

__all__ = [
    "DEFAULT_CACHE",
    "DEV_LOSS",
    "TEACHER_FOLDER",
    "CacheSettings",
    "Distillation",
    "Step",
    "StepResult",
    "distil_task",
    "distilbert_step",
    "joint_step",
    "tinybert_steps",
]

# The paper's: 10 or 20 epochs by the size of the data, then 3 at a learning rate of 1e-5 to 3e-5.
TINYBERT_INTERMEDIATE = TrainingSettings(epochs=10, patience=10)
TINYBERT_PREDICTION = TrainingSettings(epochs=3, learning_rate=3e-5)


@dataclass(frozen=True)
class Distillation:
    steps: tuple[StepResult, ...]
    metric: str
    # Of the student as it is at the end.
    dev_score: float
    # As they ended, for a distillation that goes on from here.
    projections: Mapping[str, np.ndarray] = dataclasses.field(repr=False, compare=False)


def tinybert_steps(
    kind: str = "classification",
    intermediate: TrainingSettings = TINYBERT_INTERMEDIATE,
    prediction: TrainingSettings = TINYBERT_PREDICTION,
) -> tuple[Step, ...]:
    """Jiao et al. 2019, task distillation: the intermediate layers first, then the prediction."""
    recipes = (published("tinybert_intermediate", kind), published("tinybert_prediction", kind))
    return tuple(map(Step, recipes, (intermediate, prediction)))


def joint_step(kind: str = "classification", settings: TrainingSettings = DEFAULT_SETTINGS) -> tuple[Step, ...]:
    """Both of TinyBERT's steps at once, every weight 1."""
    first, second = (published(name, kind) for name in ("tinybert_intermediate", "tinybert_prediction"))
    return (Step(dataclasses.replace(first, terms=first.terms + second.terms, name="tinybert_joint"), settings),)


def distilbert_step(kind: str = "classification", settings: TrainingSettings = DEFAULT_SETTINGS) -> tuple[Step, ...]:
    """Sanh et al. 2019: distillation while the labels are learnt."""
    return (Step(published("distilbert_task", kind), settings),)


def distil_task(
    student: TaskModel,
    teachers: TaskModel | Sequence[TaskModel],
    train: EncodedDataset,
    dev: EncodedDataset,
    steps: Steps,
    folder: str | os.PathLike,
    report: Report = silent,
    cache: CacheSettings = DEFAULT_CACHE,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    companion: Companion | None = None,
    projections: Mapping[str, np.ndarray] = NO_PROJECTIONS,
    teacher_train: EncodedDataset | None = None,
) -> Distillation:
    """Train the student in place, step after step; each ends with the weights of its best epoch on dev.

    `projections` are those that an earlier distillation left (`projections.read_projections`). `teacher_train` are the
    same examples in the teachers' tokens, where these are not the student's: then only answers are compared, and kept.

    Killed, the same call goes on where it was; finished steps are loaded. `train` needs labels only where a recipe
    reads them; `dev` always.
    """
    _require_examples(train, dev)
    teachers = teachers_of(teachers)
    _require_fitting(student, teachers, train, dev, teacher_train)
    run = Run(
        student,
        teachers,
        train,
        dev,
        Path(folder),
        report,
        cache,
        checkpoints,
        companion=companion,
        teacher_train=teacher_train,
        projections=projections,
    )
    results, learnt = run.all(plan_of(steps))
    kind = student.head_config.kind
    return Distillation(results, METRICS.get(kind, DEV_LOSS), _final_score(student, dev, results), learnt)


def _final_score(student: TaskModel, dev: EncodedDataset, results: tuple[StepResult, ...]) -> float:
    if student.head_config.kind not in METRICS:
        return results[-1].best.dev_score
    return score(student.head_config, predict(student, dev), dev.targets)


def _require_fitting(
    student: TaskModel,
    teachers: Sequence[TaskModel],
    train: EncodedDataset,
    dev: EncodedDataset,
    teacher_train: EncodedDataset | None,
) -> None:
    # Where the teachers read other tokens, they are only asked about the training texts.
    both = {"student": [student], "teacher": teachers}
    for name, data in (("train data", train), ("dev data", dev)):
        require_readable(data, both if teacher_train is None else {"student": [student]})
        require_answerable(name, data, student.head_config)
    if teacher_train is not None:
        require_readable(teacher_train, {"teacher": teachers})


def _require_examples(train: EncodedDataset, dev: EncodedDataset) -> None:
    if not len(train):
        raise DataError("train data: expected examples, got none. Do: give a file with texts.")
    if not len(dev) or dev.targets is None:
        raise DataError("dev data: expected labelled examples, got none. Do: give a file with labels.")
