"""Teachers and data of their task to a student's checkpoint: `edgebert distill`."""

import dataclasses
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.starting import Initialisation, initialise
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.planning import Plan, Teacher, TrainingChoices, make_plan
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.distill.running import DEFAULT_CACHE, CacheSettings
from edgebert.distill.stages import Distillation, distil_task
from edgebert.distill.student_shapes import StudentShape, student_config
from edgebert.errors import DataError, OutputError, TrainingError
from edgebert.export.graph import check_length
from edgebert.files import write_atomically
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.progress import Report, silent
from edgebert.stations.finetuning import checkpoint_facts, require_labelled, usual_length
from edgebert.stations.result_folder import ResultFolder, work_folder
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS, predict, score
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings, EpochResult

STATION = "distill"
START_FOLDER, TEACHER_SCORES = "start", "teacher_scores.json"
# transformers' names for labels that nobody named.
GENERIC_LABEL = "label_"


@dataclass(frozen=True)
class DistilRequest:
    """`start` with the method from_folder brings the student's shape along; then `shape` is not read."""

    teachers: tuple[Checkpoint, ...]
    train: Dataset
    dev: Dataset
    recipes: tuple[Recipe, ...]
    shape: StudentShape
    start: Initialisation
    layer_map: LayerMap | None = None
    training: TrainingChoices = field(default_factory=TrainingChoices)
    cache: CacheSettings = DEFAULT_CACHE
    # Tokens of a text that are kept.
    length: int | None = None

    def __post_init__(self) -> None:
        kind = task_head(self.teachers[0]).kind
        require_labelled(dev=self.dev)
        for data in (self.train, self.dev):
            if data.is_labelled and data.is_regression != (kind == "regression"):
                got = "scores" if data.is_regression else "classes"
                raise DataError(
                    f"{data.source}: expected labels for the teacher's {kind}, got {got}. "
                    "Do: give the data of the teacher's task."
                )
        check_length(self.teachers[0].encoder, self.tokens)
        check_arithmetic(self.training.common.arithmetic)
        for folder in (*(teacher.source for teacher in self.teachers[1:]), self.start.folder):
            if folder is not None:
                _require_same_tokens(self.tokenizer, folder)

    @property
    def tokens(self) -> int:
        return usual_length(self.teachers[0]) if self.length is None else self.length

    @property
    def head(self) -> HeadConfig:
        """The teacher's; where that does not name its labels, with the data's names."""
        head = task_head(self.teachers[0])
        named = self.dev.labels if label_order(self.teachers[0]) is None else head.labels
        return dataclasses.replace(head, labels=named or ())

    @cached_property
    def student(self) -> EncoderConfig:
        if self.start.folder is None:
            return student_config(self.teachers[0].encoder, self.head, self.shape)
        encoder = load_checkpoint(self.start.folder).encoder
        return dataclasses.replace(encoder, pooler=self.head.pooling == "pooler")

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.teachers[0].source)

    @cached_property
    def encoded(self) -> tuple[EncodedDataset, EncodedDataset]:
        """Training and dev data."""
        return tuple(encode_dataset(data, self.tokenizer, self.tokens) for data in (self.train, self.dev))

    @cached_property
    def plan(self) -> Plan:
        """Everything that can be known to be impossible is an error here."""
        return make_plan(
            [Teacher(teacher.encoder, task_head(teacher)) for teacher in self.teachers],
            self.student,
            self.head,
            self.start,
            self.recipes,
            self.layer_map,
            self.training,
            self.cache,
            self.encoded[0],
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        start = dataclasses.asdict(self.plan.start)
        if self.start.folder is not None:
            start["folder"] = load_checkpoint(self.start.folder).sha256
        teachers = [
            checkpoint_facts(teacher, self.tokenizer) | {"head": task_head(teacher).to_json()}
            for teacher in self.teachers
        ]
        return {
            "teachers": teachers,
            "train_sha256": self.train.sha256,
            "dev_sha256": self.dev.sha256,
            "tokens": self.tokens,
            "student": self.student.to_json(),
            "head": self.head.to_json(),
            "start": start,
            "steps": {
                str(number): {
                    "recipe": recipe_to_dict(planned.step.recipe),
                    "training": dataclasses.asdict(planned.step.settings),
                    # Kept answers differ from fresh ones in their last bits.
                    "cache": self.cache.precision if planned.is_cached else None,
                }
                for number, planned in enumerate(self.plan.steps, 1)
            },
        }


@dataclass(frozen=True)
class StepOutcome:
    recipe: str
    # The name of what the epochs' `dev_score` is.
    chosen_by: str
    epochs: tuple[EpochResult, ...]
    best_epoch: int
    cache_bytes: int | None


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
        steps = tuple(
            StepOutcome(**{**step, "epochs": tuple(EpochResult(**epoch) for epoch in step["epochs"])})
            for step in fields["steps"]
        )
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
    with ResultFolder(folder, STATION, inputs, replace) as place:
        if place.finished:
            return Distilled.from_json(place.result)
        require_room(request.plan, folder)
        place.begin()
        begin(request.training.common.seed)
        teachers = [load_model(teacher).model for teacher in request.teachers]
        scores = _teacher_scores(teachers, request, place.work)
        student, started = _started(request, teachers[0], place.work / START_FOLDER, report)
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
        outcome = _outcome(done, scores, started)
        save_checkpoint(place.path, model_tensors(student), student.config, request.head, request.teachers[0])
        place.finish(outcome.to_json())
    return outcome


def check_request(request: DistilRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that `distil_checkpoint` would refuse before it trains; nothing is written."""
    ResultFolder(folder, STATION, request.to_json(), replace).check()
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


def task_head(teacher: Checkpoint) -> HeadConfig:
    head = teacher.head
    if head is None or head.kind not in METRICS:
        raise TrainingError(
            f"{teacher.source}: expected a teacher with a head for {' or '.join(METRICS)}, got "
            f"{'none' if head is None else head.kind}. Do: fine-tune it on the task first (edgebert finetune)."
        )
    return head


def label_order(teacher: Checkpoint) -> tuple[str, ...] | None:
    """The names in whose order the teacher answers; none where it has no names, or only numbers in their place."""
    labels = task_head(teacher).labels
    generic = all(label.casefold().startswith(GENERIC_LABEL) for label in labels)
    return None if generic else labels


def _require_same_tokens(tokenizer: WordPiece, folder: Path) -> None:
    """One text is cut once, for all models of a distillation."""
    other = WordPiece.from_folder(folder)
    if (other.vocabulary, other.settings) != (tokenizer.vocabulary, tokenizer.settings):
        difference = "pieces" if other.vocabulary != tokenizer.vocabulary else "tokenizer settings"
        raise TrainingError(
            f"{folder}: expected the first teacher's vocabulary, got other {difference}. "
            "Do: give models that read the same tokens."
        )


def _teacher_scores(teachers: Sequence[TaskModel], request: DistilRequest, work: Path) -> tuple[float, ...]:
    path = work / TEACHER_SCORES
    if not path.exists():
        dev = request.encoded[1]
        scores = [score(teacher.head_config, predict(teacher, dev), dev.targets) for teacher in teachers]
        write_atomically(path, json.dumps(scores).encode())
    return tuple(json.loads(path.read_bytes()))


def _started(
    request: DistilRequest, teacher: TaskModel, folder: Path, report: Report
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
    tensors = load_checkpoint(folder).tensors
    for name, variable in named_variables(student).items():
        variable.assign(tensors[name])
    return student, tuple(json.loads(notes.read_bytes()))


def _outcome(done: Distillation, teacher_scores: tuple[float, ...], started: tuple[str, ...]) -> Distilled:
    steps = tuple(
        StepOutcome(step.recipe, step.chosen_by, step.epochs, step.best.epoch, step.cache_bytes) for step in done.steps
    )
    return Distilled(done.metric, done.dev_score, teacher_scores, steps, started)
