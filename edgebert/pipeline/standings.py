"""How far a run's folder has come with a request; nothing in it is changed."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgebert.models.checkpoint import load_checkpoint
from edgebert.pipeline.budgeting import budget_inputs, decided, read_decision
from edgebert.pipeline.converting import conversion_inputs, files_of
from edgebert.pipeline.measuring import measurement_inputs
from edgebert.pipeline.request import Request
from edgebert.pipeline.scoring import score_inputs
from edgebert.pipeline.stages import (
    BENCHMARK,
    BUDGET,
    COMPRESSIONS,
    CONVERT,
    DISTILL,
    DISTILL_TEXT,
    FINETUNE,
    SCORE,
    STAGES,
    STUDENT,
    TEACHER,
    VERIFY,
)
from edgebert.pipeline.training import CHECKPOINT_FOLDER
from edgebert.pipeline.verifying import verification_inputs
from edgebert.run_directory import BEGUN, FINISHED, key_of, standing

# The report retells the stages and is written at every end.
TO_DO = "to do"
__all__ = ["BEGUN", "FINISHED", "TO_DO", "standings"]


def standings(request: Request, folder: str | os.PathLike, redo_from: str | None = None) -> dict[str, str]:
    """FINISHED, BEGUN or TO_DO of every stage of the run, in their order.

    What a stage is made from is known when those before it have finished: after the first that has not, all are to do.
    """
    found = dict.fromkeys(names_of_stages(request), TO_DO)
    redone = () if redo_from is None else STAGES[STAGES.index(redo_from) :]
    for name, inputs in _inputs(request, Path(folder)):
        state = None if name in redone else standing(Path(folder) / name, key_of(inputs))
        found[name] = state or TO_DO
        if state != FINISHED:
            break
    return found


def outdated(folder: str | os.PathLike, found: Mapping[str, str], redo_from: str | None) -> list[str]:
    """Stages of these standings that finished, but of something else than is asked for now."""
    asked = () if redo_from is None else STAGES[STAGES.index(redo_from) :]
    return [
        name
        for name, state in found.items()
        if state == TO_DO and name not in asked and standing(Path(folder) / name) == FINISHED
    ]


def names_of_stages(request: Request) -> list[str]:
    """The stages that this request has."""
    absent = {
        BUDGET: request.config.budget_minutes is None,
        FINETUNE: not request.trains_teacher,
        DISTILL_TEXT: request.text is None,
        DISTILL: not request.config.has_student,
        **{stage: stage not in request.config.compressions for stage in COMPRESSIONS},
    }
    return [name for name in STAGES if not absent.get(name)]


def _inputs(request: Request, folder: Path) -> Iterator[tuple[str, Any]]:
    """Each stage with what it is made from, read from those before it: ask for the next only where one has finished."""
    if request.config.budget_minutes is not None:
        yield BUDGET, budget_inputs(request)
        request = decided(request, read_decision(folder / BUDGET))
    models, general = {TEACHER: request.checkpoint.source}, None
    if request.trains_teacher:
        yield FINETUNE, request.finetuning.to_json()
        models[TEACHER] = folder / FINETUNE / CHECKPOINT_FOLDER
    if request.text is not None:
        yield DISTILL_TEXT, request.text_distillation.to_json()
        general = folder / DISTILL_TEXT / CHECKPOINT_FOLDER
    if request.config.has_student:
        yield DISTILL, request.distillation(load_checkpoint(models[TEACHER]), general).to_json()
        models[STUDENT] = folder / DISTILL / CHECKPOINT_FOLDER
    for stage in request.config.compressions:
        teacher, before = (load_checkpoint(models[name]) for name in (TEACHER, list(models)[-1]))
        yield stage, request.compressions.request(stage, teacher, before).to_json()
        models[COMPRESSIONS[stage]] = folder / stage / CHECKPOINT_FOLDER
    yield CONVERT, conversion_inputs(request, models)
    files = files_of(folder / CONVERT, request)
    for name, inputs in ((SCORE, score_inputs), (VERIFY, verification_inputs), (BENCHMARK, measurement_inputs)):
        yield name, inputs(request, files)
