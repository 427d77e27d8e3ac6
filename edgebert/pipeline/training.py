"""The stations that train, each a stage of the run: the teacher, the student of plain text, the student of the task."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgebert.models.checkpoint import load_checkpoint
from edgebert.pipeline.request import STUDENT, TEACHER, Request
from edgebert.pipeline.stages import DISTILL, DISTILL_TEXT, FINETUNE
from edgebert.progress import Report
from edgebert.run_directory import RunDirectory
from edgebert.stations.distilling import distil_checkpoint
from edgebert.stations.distilling_text import distil_text
from edgebert.stations.finetuning import finetune_checkpoint
from edgebert.training.settings import CheckpointSettings

CHECKPOINT_FOLDER = "checkpoint"
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
        models[STUDENT] = _made(run, DISTILL, distil_checkpoint, distillation, report)
    return models


def _made(run: RunDirectory, name: str, make: Callable, request: Any, report: Report) -> Path:
    stage = run.stage(name, request.to_json())
    checkpoint = stage.folder / CHECKPOINT_FOLDER
    if not stage.finished:
        # Killed, the station goes on where it was; the stage saw to it that nothing of other inputs is there.
        stage.finish(make(request, checkpoint, report, KEPT).to_json())
    return checkpoint
