"""Task distillation in one step or several: each trains the student with a recipe and keeps its best epoch."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.data.batches import EncodedDataset
from edgebert.distill.computing import TeacherNeeds, teacher_needs
from edgebert.distill.distiller import Distiller
from edgebert.distill.published import for_head, published
from edgebert.distill.recipe import Recipe
from edgebert.distill.teacher_cache import TeacherCache, cache_teacher, parts_of, size_bytes
from edgebert.errors import DataError
from edgebert.keras import tf
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.training.feed import Feed
from edgebert.training.hashing import dataset_sha256, key_sha256, values_sha256
from edgebert.training.loop import Trainee, begin
from edgebert.training.loop import train as run_loop
from edgebert.training.scoring import METRICS, predict, score
from edgebert.training.settings import (
    DEFAULT_CHECKPOINTS,
    DEFAULT_SETTINGS,
    CheckpointSettings,
    EpochResult,
    TrainingSettings,
    best_epoch,
)

TEACHER_FOLDER = "teacher"
DEV_BATCH_SIZE = 64
# What a student is chosen by where no score says anything yet: the recipe's loss on dev, negated.
DEV_LOSS = "negated dev loss"


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What of a teacher is kept. A cache that would be larger is not made, and the teacher runs in every epoch."""

    budget_bytes: int = 4 * 2**30
    # Of states and attention; outputs are always float32. Half precision halves the file; on tiny models it moved the
    # recipes' losses by less than 1e-3 of themselves (teacher_cache_test).
    precision: str = "float16"


DEFAULT_CACHE = CacheSettings()
# The paper's: 10 or 20 epochs by the size of the data, then 3 at a learning rate of 1e-5 to 3e-5.
TINYBERT_INTERMEDIATE = TrainingSettings(epochs=10, patience=10)
TINYBERT_PREDICTION = TrainingSettings(epochs=3, learning_rate=3e-5)


@dataclass(frozen=True)
class Step:
    recipe: Recipe
    settings: TrainingSettings = DEFAULT_SETTINGS


@dataclass(frozen=True)
class StepResult:
    recipe: str
    epochs: tuple[EpochResult, ...]
    # The name of what the epochs' `dev_score` is.
    chosen_by: str
    # None: the teacher ran beside the student.
    cache_bytes: int | None

    @property
    def best(self) -> EpochResult:
        return best_epoch(self.epochs)


@dataclass(frozen=True)
class Distillation:
    steps: tuple[StepResult, ...]
    metric: str
    # Of the student as it is at the end.
    dev_score: float


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
    steps: Recipe | Sequence[Step | tuple[Recipe, TrainingSettings]],
    folder: str | os.PathLike,
    report: Report = silent,
    cache: CacheSettings = DEFAULT_CACHE,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
) -> Distillation:
    """Train the student in place, step after step; each ends with the weights of its best epoch on dev.

    Killed, the same call goes on where it was; finished steps are loaded. `train` needs labels only where a recipe
    reads them; `dev` always.
    """
    teachers = (teachers,) if isinstance(teachers, TaskModel) else tuple(teachers)
    plan = (
        [Step(steps)]
        if isinstance(steps, Recipe)
        else [each if isinstance(each, Step) else Step(*each) for each in steps]
    )
    _require_examples(train, dev)
    run = _TaskRun(student, teachers, train, dev, Path(folder), report, cache, checkpoints)
    # All of them before the first is run: a second step that cannot work is known now.
    for step in plan:
        run.distiller(step)
    results = tuple(run.step(number, step) for number, step in enumerate(plan, 1))
    kind = student.head_config.kind
    return Distillation(results, METRICS.get(kind, DEV_LOSS), _final_score(student, dev, results))


def _final_score(student: TaskModel, dev: EncodedDataset, results: tuple[StepResult, ...]) -> float:
    if student.head_config.kind not in METRICS:
        return results[-1].best.dev_score
    return score(student.head_config, predict(student, dev), dev.targets)


def _require_examples(train: EncodedDataset, dev: EncodedDataset) -> None:
    if not len(train):
        raise DataError("train data: expected examples, got none. Do: give a file with texts.")
    if not len(dev) or dev.targets is None:
        raise DataError("dev data: expected labelled examples, got none. Do: give a file with labels.")


@dataclass(frozen=True)
class _TaskRun:
    student: TaskModel
    teachers: tuple[TaskModel, ...]
    train: EncodedDataset
    dev: EncodedDataset
    folder: Path
    report: Report
    cache: CacheSettings
    checkpoints: CheckpointSettings

    def distiller(self, step: Step) -> Distiller:
        # The projections' random values must be the same when the step is taken up again.
        begin(step.settings.seed)
        recipe = for_head(step.recipe, self.student.head_config.kind)
        return Distiller(self.student, self.teachers, recipe, labelled=self.train.targets is not None)

    def step(self, number: int, step: Step) -> StepResult:
        distiller = self.distiller(step)
        depths = self.student.config.layers, self.teachers[0].config.layers
        needs = teacher_needs(distiller.recipe, *depths)
        teacher = self._cached(distiller, needs)
        chosen_by, judge = self._judge(distiller, needs)
        trainee = Trainee(
            model=self.student,
            trained=distiller.trained,
            losses=lambda inputs, targets: distiller.term_losses(inputs, targets, training=True),
            description=self._description(distiller, chosen_by, teacher is not None),
        )
        name = f"step-{number}-{step.recipe.name}"
        epochs = run_loop(
            f"distil {step.recipe.name}",
            trainee,
            Feed(self.train, step.settings.batch_size, step.settings.seed, teacher),
            judge,
            step.settings,
            self.report,
            self.folder / name,
            self.checkpoints,
        )
        kept_bytes = None if teacher is None else size_bytes(self._parts(needs), self.train)
        return StepResult(step.recipe.name, epochs, chosen_by, kept_bytes)

    def _cached(self, distiller: Distiller, needs: TeacherNeeds) -> TeacherCache | None:
        """What the teachers say of the training data, where there is room; one part missing, they must run anyway."""
        parts = self._parts(needs)
        if not parts or size_bytes(parts, self.train) > self.cache.budget_bytes:
            return None
        place = self.folder / TEACHER_FOLDER
        return cache_teacher(
            place, distiller.teach, self._teachers_sha256(distiller), needs, parts, self.train, self.report
        )

    def _parts(self, needs: TeacherNeeds):
        first = self.teachers[0]
        outputs = first.head_config.outputs or first.config.width
        return parts_of(needs, first.config, outputs, self.cache.precision)

    def _teachers_sha256(self, distiller: Distiller) -> str:
        """Of weights, what they are the weights of, and how several are combined."""
        each = [
            [values_sha256(model_tensors(one)), one.config.to_json(), one.head_config.to_json()]
            for one in self.teachers
        ]
        return key_sha256({"teachers": each, "weighting": distiller.recipe.teacher_weighting})

    def _judge(self, distiller: Distiller, needs: TeacherNeeds) -> tuple[str, Callable[[], float]]:
        """What epochs are chosen by: the task's score, or the loss where the head learns nothing or has no score."""
        head = self.student.head_config
        if head.kind in METRICS and (needs.output or distiller.recipe.hard_label_weight):
            return METRICS[head.kind], lambda: score(head, predict(self.student, self.dev), self.dev.targets)
        return DEV_LOSS, _DevLoss(distiller, self.dev)

    def _description(self, distiller: Distiller, chosen_by: str, cached: bool) -> dict:
        return {
            "kind": "distil",
            "recipe": dataclasses.asdict(distiller.recipe),
            "teachers": self._teachers_sha256(distiller),
            "student": [self.student.config.to_json(), self.student.head_config.to_json()],
            "dev": dataset_sha256(self.dev),
            "chosen_by": chosen_by,
            # Kept outputs differ from fresh ones in their last bits.
            "cache_precision": self.cache.precision if cached else None,
        }


class _DevLoss:
    """The recipe's loss on dev, negated, the teachers running."""

    def __init__(self, distiller: Distiller, dev: EncodedDataset):
        self._feed = Feed(dev, DEV_BATCH_SIZE, seed=0)

        def total(inputs, targets):
            losses = distiller.term_losses(inputs, targets, training=False)
            return tf.add_n(list(losses.values()))

        self._total = tf.function(total, input_signature=self._feed.signature)

    def __call__(self) -> float:
        losses, counts = [], []
        for inputs, targets in self._feed.epoch(None):
            losses.append(float(self._total(inputs, targets)))
            counts.append(len(targets))
        return -float(np.average(losses, weights=counts))
