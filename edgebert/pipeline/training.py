"""The stations that make models, each a stage of the run: the teacher, its student, and what becomes of that."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebert.models.checkpoint import load_checkpoint
from edgebert.pipeline.request import Request
from edgebert.pipeline.stages import (
    COMPRESSIONS,
    DISTILL,
    DISTILL_TEXT,
    FINETUNE,
    PRUNE,
    QUANTIZE,
    SHRINK,
    STUDENT,
    TEACHER,
    TRIM,
)
from edgebert.progress import Report
from edgebert.run_directory import RunDirectory
from edgebert.stations.distil_request import DistilRequest
from edgebert.stations.distilling import distil_checkpoint
from edgebert.stations.distilling_text import distil_text
from edgebert.stations.finetuning import finetune_checkpoint
from edgebert.stations.healing_request import HealingRequest
from edgebert.stations.pruning import prune_checkpoint
from edgebert.stations.quantizing import quantize_checkpoint
from edgebert.stations.shrinking import shrink_checkpoint
from edgebert.stations.trimming import TrimmedCheckpoint, TrimRequest, trim_checkpoint
from edgebert.training.settings import CheckpointSettings

CHECKPOINT_FOLDER = "checkpoint"
# The teacher's, of the training texts: each stage that learns from it asks the same. Hidden, since it is removed whole:
# a person's folder has no such name.
ANSWERS_FOLDER = ".answers"
KEPT = CheckpointSettings(curves=True)


def train_models(run: RunDirectory, request: Request, report: Report) -> dict[str, Path]:
    """The folder of each model's checkpoint; stations that finished with the same inputs are not redone."""
    models = {TEACHER: request.checkpoint.source}
    if request.trains_teacher:
        models[TEACHER] = _made(run, FINETUNE, finetune_checkpoint, request.finetuning, report)
    if request.config.has_student:
        general = None
        if request.text is not None:
            general = _made(run, DISTILL_TEXT, distil_text, request.text_distillation, report)
        distillation = request.distillation(load_checkpoint(models[TEACHER]), general)
        models[STUDENT] = _made(run, DISTILL, distil_checkpoint, _keeping_answers(run, distillation), report)
    for stage in request.config.compressions:
        before = load_checkpoint(models[list(models)[-1]])
        one = request.compressions.request(stage, load_checkpoint(models[TEACHER]), before)
        one = one if isinstance(one, TrimRequest) else _keeping_answers(run, one)
        models[COMPRESSIONS[stage]] = _made(run, stage, _compressing(stage), one, report)
    shutil.rmtree(run.path / ANSWERS_FOLDER, ignore_errors=True)
    return models


def _keeping_answers(run: RunDirectory, request: DistilRequest | HealingRequest) -> DistilRequest | HealingRequest:
    cache = dataclasses.replace(request.cache, answers_folder=run.path / ANSWERS_FOLDER)
    return dataclasses.replace(request, cache=cache)


def _compressing(stage: str) -> Callable:
    stations = {SHRINK: shrink_checkpoint, PRUNE: prune_checkpoint, QUANTIZE: quantize_checkpoint, TRIM: _trim}
    return stations[stage]


def _trim(request: TrimRequest, folder: Path, report: Report, _: CheckpointSettings) -> TrimmedCheckpoint:
    """Nothing is trained that checkpoints would be kept of."""
    return trim_checkpoint(request, folder, report)


def _made(run: RunDirectory, name: str, make: Callable, request: Any, report: Report) -> Path:
    stage = run.stage(name, request.to_json())
    checkpoint = stage.folder / CHECKPOINT_FOLDER
    if not stage.finished:
        # Killed, the station goes on where it was; the stage saw to it that nothing of other inputs is there.
        stage.finish(make(request, checkpoint, report, KEPT).to_json())
    return checkpoint
