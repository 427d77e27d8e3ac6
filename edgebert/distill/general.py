"""General distillation: a student learns from a teacher on plain text, before any task and without labels."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.config import MASKED_WORDS
from edgebert.data.batches import EncodedDataset
from edgebert.distill.data_checks import require_readable
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.objectives import Reads
from edgebert.distill.projections import NO_PROJECTIONS, save_projections
from edgebert.distill.published import GENERAL, general_without_masked_words, published
from edgebert.distill.recipe import UNIFORM
from edgebert.distill.running import (
    DEFAULT_CACHE,
    DEV_LOSS,
    CacheSettings,
    Run,
    Step,
    StepResult,
    Steps,
    plan_of,
    teachers_of,
)
from edgebert.distill.word_masking import WordMasking
from edgebert.distill.wording import nearest
from edgebert.errors import DataError, TrainingError
from edgebert.models.checkpoint import Checkpoint, save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings, TrainingSettings

STUDENT_FOLDER = "student"
# Epochs and rate of TinyBERT's published general_distill.py. Its batches of 256 are for 2,500 million words: on what
# two cores can read, they would leave a few hundred steps.
GENERAL_SETTINGS = TrainingSettings(epochs=3, batch_size=32, learning_rate=1e-4, patience=3)


@dataclass(frozen=True)
class GeneralDistillation:
    steps: tuple[StepResult, ...]
    # The student as it is at the end, ready for `Initialisation("from_folder", folder=...)`, with its projections.
    checkpoint: Path

    @property
    def dev_score(self) -> float:
        return self.steps[-1].best.dev_score

    @property
    def metric(self) -> str:
        return DEV_LOSS


def general_steps(
    name: str, settings: TrainingSettings = GENERAL_SETTINGS, layer_map: LayerMap = UNIFORM
) -> tuple[Step, ...]:
    """The steps of a published recipe for plain text; "align_incremental" begins with its first phase, "align"."""
    if name not in GENERAL:
        raise TrainingError(
            f"general distillation: expected one of {', '.join(GENERAL)}, got {name!r}. Do: write "
            f"{nearest(name, GENERAL)}, or give a recipe of your own."
        )
    names = ("align", name) if name == "align_incremental" else (name,)
    return tuple(Step(dataclasses.replace(published(each), layer_map=layer_map), settings) for each in names)


def distil_general(
    student: TaskModel,
    teachers: TaskModel | Sequence[TaskModel],
    train: EncodedDataset,
    dev: EncodedDataset,
    steps: Steps,
    folder: str | os.PathLike,
    report: Report = silent,
    cache: CacheSettings = DEFAULT_CACHE,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    source: Checkpoint | None = None,
    masking: WordMasking | None = None,
    projections: Mapping[str, np.ndarray] = NO_PROJECTIONS,
) -> GeneralDistillation:
    """Train the student in place on text (`data.plain_text`), step after step, each keeping its best epoch.

    Epochs are chosen by the recipe's loss on `dev`. Killed, the same call goes on where it was. At the end the student
    is saved in `folder`/student; of `source`, the checkpoint whose vocabulary the text was cut with, the tokenizer's
    files are copied there. `masking` (`WordMasking.of(tokenizer)`) is for recipes that predict hidden words: student
    and teachers then have the head MASKED_WORDS. `projections` are those that an earlier one left.
    """
    plan, teachers = plan_of(steps), teachers_of(teachers)
    _require_text(train, dev)
    _require_heads(plan, student, teachers)
    _require_masking(plan, masking, (student, *teachers))
    for data in (train, dev):
        require_readable(data, {"student": [student], "teacher": teachers})
    train, dev = (dataclasses.replace(data, targets=None) for data in (train, dev))
    run = Run(student, teachers, train, dev, Path(folder), report, cache, checkpoints, masking, projections=projections)
    results, learnt = run.all(plan)
    place = Path(folder) / STUDENT_FOLDER
    save_checkpoint(place, model_tensors(student), student.config, student.head_config, source)
    save_projections(place, learnt)
    return GeneralDistillation(results, place)


def _require_text(train: EncodedDataset, dev: EncodedDataset) -> None:
    for name, data in (("train text", train), ("dev text", dev)):
        if not len(data):
            raise DataError(f"{name}: expected sequences, got none. Do: give a corpus with text in it.")


def _require_heads(plan: Sequence[Step], student: TaskModel, teachers: Sequence[TaskModel]) -> None:
    """A head for a task has nothing to learn from text: it would be saved as random as it began."""
    kind = student.head_config.kind
    if kind in ("classification", "regression"):
        raise TrainingError(
            f"student: expected an encoder without a head for a task, got one for {kind}. Do: distil with the head "
            "'embedding', then start the task's student from the folder (from_folder)."
        )
    for step in plan:
        lacking = _without_masked_words(student, teachers) if step.recipe.predicts_tokens else None
        if lacking:
            terms = [term.name for term in step.recipe.terms if term.facts.reads is Reads.TOKENS]
            raise TrainingError(
                f"recipe {step.recipe.name}: expected a masked-word head on teacher and student for "
                f"{' and '.join(terms)}, got none on the {lacking}. Do: give the checkpoint as it was pre-trained, or "
                f"use a recipe that needs none: {', '.join(general_without_masked_words())}."
            )


def _require_masking(plan: Sequence[Step], masking: WordMasking | None, models: Sequence[TaskModel]) -> None:
    names = [step.recipe.name for step in plan if step.recipe.predicts_tokens]
    if names and masking is None:
        raise TrainingError(
            f"recipe {names[0]}: expected how words are hidden, which it predicts, got nothing. "
            "Do: give masking=WordMasking.of(tokenizer)."
        )
    smallest = min(model.config.vocabulary_size for model in models)
    if names and masking.vocabulary_size > smallest:
        raise TrainingError(
            f"masking: expected the models' vocabulary ({smallest:,} pieces), got {masking.vocabulary_size:,} pieces. "
            "Do: make it of the tokenizer that the text was cut with."
        )


def _without_masked_words(student: TaskModel, teachers: Sequence[TaskModel]) -> str | None:
    owners = [*(("teacher", one) for one in teachers), ("student", student)]
    return next((owner for owner, model in owners if model.head_config != MASKED_WORDS), None)
