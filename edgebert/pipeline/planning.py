"""A run thought through: every stage and whether it is done, the models, the data, and what it takes."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.data.batches import encode_dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.planning import count_parameters
from edgebert.errors import OutputError
from edgebert.pipeline.budgeting import decided, explained, read_decision
from edgebert.pipeline.compressions import remarks_on
from edgebert.pipeline.config_file import to_plain
from edgebert.pipeline.converting import check_conversions
from edgebert.pipeline.measuring import check_measurement
from edgebert.pipeline.request import Request, names_of
from edgebert.pipeline.requiring import check_required_clients, notes_on_clients
from edgebert.pipeline.resources import Resources, resources_of
from edgebert.pipeline.stages import BUDGET, STAGES
from edgebert.pipeline.standings import FINISHED, outdated, standings
from edgebert.run_directory import RunDirectory


@dataclass(frozen=True)
class RunPlan:
    folder: str
    request: Request
    standings: dict[str, str]
    files: tuple[str, ...]
    resources: Resources
    notes: tuple[str, ...]
    mean_tokens: float
    # The share of training texts that are longer than what is kept of them.
    cut_share: float

    def to_json(self) -> dict[str, Any]:
        request, one = self.request, self.resources
        student = {}
        if request.config.has_student:
            task = request.future_distillation
            student = {
                "student_parameters": count_parameters(task.student, task.head),
                "distillation_steps": [planned.training_steps for planned in task.plan.steps],
            }
        compressions = {stage: one.to_json() for stage, one in request.future_compressions.items()}
        return {
            "folder": self.folder,
            "config": to_plain(request.config),
            "checkpoint": str(request.checkpoint.source),
            "teacher_parameters": count_parameters(request.checkpoint.encoder, request.head),
            **student,
            **({"compressions": compressions} if compressions else {}),
            "train_examples": len(request.train),
            "dev_examples": len(request.dev),
            "labels": list(request.head.labels),
            "mean_tokens": self.mean_tokens,
            "cut_share": self.cut_share,
            "stages": self.standings,
            "files": list(self.files),
            "disk_bytes": one.disk_bytes,
            "disk_free_bytes": one.disk_free_bytes,
            "memory_bytes": one.memory_bytes,
            "memory_available_bytes": one.memory_available_bytes,
            "notes": list(self.notes),
        }


def plan_of(request: Request, folder: str | os.PathLike, redo_from: str | None = None) -> RunPlan:
    """Whatever can be known to be impossible is an error here; nothing is written."""
    if redo_from is not None and redo_from not in STAGES:
        raise OutputError(f"--from: expected {', '.join(STAGES)}, got {redo_from!r}. Do: choose one of them.")
    check_required_clients(request)
    on_files = check_conversions(request)
    check_measurement(request)
    RunDirectory.check(folder)
    found = standings(request, folder, redo_from)
    notes: tuple[str, ...] = ()
    if found.get(BUDGET) == FINISHED:
        decision = read_decision(Path(folder) / BUDGET)
        notes = tuple(f"budget: {line}" for line in explained(decision, request.config.budget_minutes))
        request = decided(request, decision)
    elif request.config.budget_minutes is not None:
        notes = ("budget: epochs are as asked for; measured speeds will decide how many there is time for",)
    resources = resources_of(request, folder, found)
    resources.check(folder)
    if request.config.has_student:
        notes += request.future_distillation.plan.notes
    notes += (*remarks_on(request.config, request.future_compressions), *on_files)
    for name in outdated(folder, found, redo_from):
        notes += (f"{name}: made anew, since it finished with other settings or data",)
    notes += (*notes_on_clients(request), *resources.notes)
    mean_tokens, cut_share = _lengths(request)
    files = tuple(f"convert/{name}.tflite" for name in names_of(request.exports))
    return RunPlan(os.fspath(folder), request, found, files, resources, notes, mean_tokens, cut_share)


def _lengths(request: Request) -> tuple[float, float]:
    tokenizer, most = WordPiece.from_folder(request.checkpoint.source), request.config.finetune.length
    # One token more than is kept says whether anything was cut.
    lengths = np.array([len(one.input_ids) for one in encode_dataset(request.train, tokenizer, most + 1).encoded])
    return float(np.minimum(lengths, most).mean()), float((lengths > most).mean())
