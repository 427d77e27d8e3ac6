"""One step of distillation as a run that survives, for the stage on plain text and for the one on a task alike."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.config import HeadConfig
from edgebert.data.batches import INPUT_NAMES, EncodedDataset
from edgebert.distill.computing import TeacherNeeds, teacher_needs
from edgebert.distill.distiller import Distiller
from edgebert.distill.objectives import Reads
from edgebert.distill.projections import projection_tensors, take_over
from edgebert.distill.published import for_head
from edgebert.distill.recipe import Recipe
from edgebert.distill.teacher_cache import TeacherCache, cache_teacher, parts_of, size_bytes
from edgebert.distill.word_masking import MaskedFeed, WordMasking
from edgebert.errors import TrainingError
from edgebert.keras import tf, traced
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report
from edgebert.training.companion import Companion
from edgebert.training.feed import Feed
from edgebert.training.hashing import dataset_sha256, key_sha256, values_sha256
from edgebert.training.loop import Trainee, begin
from edgebert.training.loop import train as run_loop
from edgebert.training.scoring import METRICS, predict, score
from edgebert.training.settings import (
    DEFAULT_SETTINGS,
    CheckpointSettings,
    EpochResult,
    TrainingSettings,
    best_epoch,
)

TEACHER_FOLDER = "teacher"
DEV_BATCH_SIZE = 64
# Of the words hidden in dev, whatever the run's own: scores of two runs then compare.
DEV_SEED = 0
# What a student is chosen by where no score says anything yet: the recipe's loss on dev, negated.
DEV_LOSS = "negated dev loss"


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """What of a teacher is kept. A cache that would be larger is not made, and the teacher runs in every epoch."""

    budget_bytes: int = 4 * 2**30
    # Of states and attention; outputs are always float32. Half precision halves the file; on tiny models it moved the
    # recipes' losses by less than 1e-3 of themselves (teacher_cache_test).
    precision: str = "float16"
    # Answers of texts stand here for the trainings that follow, which may ask the same teacher the same; without one,
    # and what else a recipe reads, beside the training, and gone with it.
    answers_folder: Path | None = None

    def folder(self, needs: TeacherNeeds, training: Path) -> Path:
        answers_alone = not (needs.hidden or needs.attention)
        return self.answers_folder if self.answers_folder and answers_alone else training / TEACHER_FOLDER


DEFAULT_CACHE = CacheSettings()


@dataclass(frozen=True)
class Step:
    recipe: Recipe
    settings: TrainingSettings = DEFAULT_SETTINGS


Steps = Recipe | Sequence[Step | tuple[Recipe, TrainingSettings]]


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


def is_kept(needs: TeacherNeeds, taken_bytes: int, epochs: int, cache: CacheSettings) -> bool:
    """Whether a teacher's answers are kept. Those of texts are small, and kept whatever the budget; what a single epoch
    asks for once is not worth the writing."""
    if not taken_bytes or epochs == 1:
        return False
    return taken_bytes <= cache.budget_bytes or not (needs.hidden or needs.attention)


def is_scored(recipe: Recipe, head: HeadConfig) -> bool:
    """Whether the task's score says how good a student is; else the recipe's loss on dev does, where the head learns
    nothing or has no score, and there too the teachers are asked."""
    reads_answers = bool(recipe.hard_label_weight) or any(term.facts.reads is Reads.OUTPUT for term in recipe.terms)
    return head.kind in METRICS and reads_answers


def plan_of(steps: Steps) -> tuple[Step, ...]:
    if isinstance(steps, Recipe):
        return (Step(steps),)
    return tuple(each if isinstance(each, Step) else Step(*each) for each in steps)


def teachers_of(teachers: TaskModel | Sequence[TaskModel]) -> tuple[TaskModel, ...]:
    return (teachers,) if isinstance(teachers, TaskModel) else tuple(teachers)


@dataclass(frozen=True)
class Run:
    """A student, its teachers and their data; the steps of a stage follow one another."""

    student: TaskModel
    teachers: tuple[TaskModel, ...]
    train: EncodedDataset
    dev: EncodedDataset
    folder: Path
    report: Report
    cache: CacheSettings
    checkpoints: CheckpointSettings
    # For the steps that predict words; the others read whole texts.
    masking: WordMasking | None = None
    companion: Companion | None = None
    # The training texts in the teachers' tokens, where these are not the student's.
    teacher_train: EncodedDataset | None = None
    # As an earlier distillation of this student left them.
    projections: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    def all(self, plan: Sequence[Step]) -> tuple[tuple[StepResult, ...], dict[str, np.ndarray]]:
        """The results, and the projections as they ended; each step goes on with those of the steps before it."""
        if self.companion and len(plan) != 1:
            raise TrainingError(
                f"distillation: expected one step while the student is compressed, got {len(plan)}. "
                "Do: choose a recipe of one step."
            )
        if self.teacher_train is not None:
            _require_comparable(plan, self.teacher_train, self.train, self.student.head_config.kind)
        # All of them before the first is run: a second step that cannot work is known now.
        for step in plan:
            self.distiller(step)
        results, projections = [], dict(self.projections)
        for number, step in enumerate(plan, 1):
            distiller = self.distiller(step)
            take_over(distiller.projections, projections)
            results.append(self.step(number, step, distiller))
            projections = projections | projection_tensors(distiller.projections)
        return tuple(results), projections

    def distiller(self, step: Step) -> Distiller:
        # The projections' random values must be the same when the step is taken up again.
        begin(step.settings.seed)
        recipe = for_head(step.recipe, self.student.head_config.kind)
        return Distiller(self.student, self.teachers, recipe, labelled=self.train.targets is not None)

    def step(self, number: int, step: Step, distiller: Distiller) -> StepResult:
        depths = self.student.config.layers, self.teachers[0].config.layers
        needs = teacher_needs(distiller.recipe, *depths)
        masking = self.masking if distiller.recipe.predicts_tokens else None
        scored = is_scored(distiller.recipe, self.student.head_config)
        asked = {"train": self.teacher_train or self.train} | ({} if scored else {"dev": self.dev})
        # With other words hidden in every epoch, no answer comes twice.
        kept = {} if masking else self._kept(distiller, needs, step.settings.epochs, asked)
        teacher = kept.get("train")
        chosen_by, judge = self._judge(distiller, scored, kept.get("dev"))
        trainee = Trainee(
            model=self.student,
            trained=distiller.trained,
            losses=lambda inputs, targets: distiller.term_losses(inputs, targets, training=True),
            description=self._description(distiller, chosen_by, teacher is not None, masking),
            companion=self.companion,
            guessing_loss=_guessing_loss(distiller.recipe, self.student.head_config),
        )
        name = f"step-{number}-{step.recipe.name}"
        epochs = run_loop(
            f"distil {step.recipe.name}",
            trainee,
            _feed(self.train, step.settings.batch_size, step.settings.seed, masking, teacher),
            judge,
            step.settings,
            self.report,
            self.folder / name,
            self.checkpoints,
        )
        kept_bytes = sum(size_bytes(self._parts(needs), data) for data in asked.values()) if kept else None
        return StepResult(step.recipe.name, epochs, chosen_by, kept_bytes)

    def _kept(
        self, distiller: Distiller, needs: TeacherNeeds, epochs: int, asked: Mapping[str, EncodedDataset]
    ) -> dict[str, TeacherCache]:
        """What the teachers say of each, where there is room for all; one part missing, they must run anyway."""
        parts = self._parts(needs)
        taken = sum(size_bytes(parts, data) for data in asked.values())
        if not is_kept(needs, taken, epochs, self.cache) and self.teacher_train is None:
            return {}
        place, teachers = self.cache.folder(needs, self.folder), self._teachers_sha256(distiller)
        return {
            name: cache_teacher(place, distiller.teach, teachers, needs, parts, data, self.report)
            for name, data in asked.items()
        }

    def _parts(self, needs: TeacherNeeds):
        first = self.teachers[0]
        outputs = first.head_config.outputs or first.config.width
        return parts_of(needs, first.config, outputs, self.cache.precision)

    def _teachers_sha256(self, distiller: Distiller) -> str:
        """Of weights, what they are the weights of, and how several are combined."""
        return key_sha256({"teachers": self._teachers_facts, "weighting": distiller.recipe.teacher_weighting})

    @cached_property
    def _teachers_facts(self) -> list[list[Any]]:
        """Once for all steps: hashing reads every weight."""
        return [
            [values_sha256(model_tensors(one)), one.config.to_json(), one.head_config.to_json(), one.compute_dtype]
            for one in self.teachers
        ]

    def _judge(self, distiller: Distiller, scored: bool, kept: TeacherCache | None) -> tuple[str, Callable[[], float]]:
        """What epochs are chosen by; kept: what the teachers say of dev, where they do not say it each time."""
        head = self.student.head_config
        if scored:
            return METRICS[head.kind], lambda: score(head, predict(self.student, self.dev), self.dev.targets)
        masking = self.masking if distiller.recipe.predicts_tokens else None
        return DEV_LOSS, _DevLoss(distiller, _feed(self.dev, DEV_BATCH_SIZE, DEV_SEED, masking, kept))

    def _description(self, distiller: Distiller, chosen_by: str, cached: bool, masking: WordMasking | None) -> dict:
        masked = {"masking": dataclasses.asdict(masking)} if masking else {}
        return masked | {
            "kind": "distil",
            "recipe": dataclasses.asdict(distiller.recipe),
            "teachers": self._teachers_sha256(distiller),
            "student": [self.student.config.to_json(), self.student.head_config.to_json()],
            "dev": dataset_sha256(self.dev),
            "chosen_by": chosen_by,
            # Kept outputs differ from fresh ones in their last bits.
            "cache_precision": self.cache.precision if cached else None,
        }


def _guessing_loss(recipe: Recipe, head: HeadConfig) -> float | None:
    """Of a student that finds every class alike, at most; none where anything but answers is compared."""
    softened = {term.objective for term in recipe.terms} <= {"soft_kl", "soft_cross_entropy"}
    if head.kind != "classification" or not softened:
        return None
    scale = recipe.temperature**2 if recipe.temperature_squared else 1.0
    weight = scale * sum(term.weight for term in recipe.terms) + recipe.hard_label_weight
    return weight * math.log(head.outputs)


def _require_comparable(plan: Sequence[Step], teacher_train: EncodedDataset, train: EncodedDataset, kind: str) -> None:
    """Across vocabularies only whole texts' answers can be compared, and only a task's score chooses an epoch."""
    if len(teacher_train) != len(train):
        raise TrainingError(
            f"teacher_train: expected the {len(train):,} training texts, got {len(teacher_train):,}. "
            "Do: encode the same examples."
        )
    if kind not in METRICS:
        raise TrainingError(
            f"student: expected a head for {' or '.join(METRICS)} where its vocabulary is not the teacher's, got "
            f"{kind}. Do: give both the same vocabulary."
        )
    for step in plan:
        if step.recipe.predicts_tokens or any(term.facts.same_vocabulary for term in step.recipe.terms):
            raise TrainingError(
                f"recipe {step.recipe.name}: expected one vocabulary of teacher and student, since it compares them "
                "token by token, got two. Do: choose a recipe that compares answers, such as logits_only."
            )


def _feed(
    data: EncodedDataset,
    batch_size: int,
    seed: int,
    masking: WordMasking | None,
    teacher: TeacherCache | None = None,
) -> Feed:
    return MaskedFeed(data, batch_size, seed, masking) if masking else Feed(data, batch_size, seed, teacher)


class _DevLoss:
    """The recipe's loss on dev, negated."""

    def __init__(self, distiller: Distiller, feed: Feed):
        self._feed = feed

        def total(inputs, targets=None):
            losses = distiller.term_losses(inputs, targets, training=False)
            return tf.add_n(list(losses.values()))

        self._total = traced(total, input_signature=self._feed.signature)

    def __call__(self) -> float:
        losses, counts = [], []
        for batch in self._feed.epoch(None):
            losses.append(float(self._total(*batch)))
            counts.append(len(batch[0][INPUT_NAMES[0]]))
        return -float(np.average(losses, weights=counts))
