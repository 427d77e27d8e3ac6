"""A checkpoint to the same checkpoint with a low-rank word table: `edgebert factorise`, with or without healing."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgebert.compression.vocabulary.factorising import Factorised
from edgebert.distill.stages import distil_task
from edgebert.models.checkpoint import Saved, load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Report, silent
from edgebert.stations.factorise_request import FactoriseRequest, HealRequest
from edgebert.stations.file_comparison import FileComparison, compare_files
from edgebert.stations.making_student import StepOutcome, require_room
from edgebert.stations.result_folder import ResultFolder, StationResult
from edgebert.training.loop import begin
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings

STATION = "factorise"
START_FOLDER = "start"


@dataclass(frozen=True)
class Healed:
    metric: str
    # Of the Keras model on dev, when it is healed.
    dev_score: float
    steps: tuple[StepOutcome, ...]

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(fields["metric"], fields["dev_score"], tuple(map(StepOutcome.from_json, fields["steps"])))


@dataclass(frozen=True)
class FactorisedCheckpoint(StationResult):
    rank: int
    # The share of the table's (weighted) squares about their mean that the factors have.
    kept_energy: float
    table_before: int
    table_after: int
    # Tensors beside the model's own that were not written.
    left_out: tuple[str, ...]
    healed: Healed | None
    files: FileComparison | None
    # It was there before; nothing was made now.
    found: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        healed, files = fields["healed"], fields["files"]
        read = {
            "left_out": tuple(fields["left_out"]),
            "healed": None if healed is None else Healed.from_json(healed),
            "files": None if files is None else FileComparison.from_json(files),
        }
        return cls(**{**fields, **read}, found=True)


def factorise_checkpoint(
    request: FactoriseRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> FactorisedCheckpoint:
    """Make the checkpoint in `folder`. Killed, the same call goes on where it was; a finished one is only reported."""
    with ResultFolder(folder, STATION, request.to_json(), replace) as place:
        if place.finished:
            return FactorisedCheckpoint.from_json(place.result)
        if request.heal is not None:
            require_room(request.heal.plan, folder)
        place.begin()
        made, source = request.factorised, request.checkpoint
        healed = None
        if request.heal is None:
            saved = save_checkpoint(place.path, made.tensors, made.encoder, source.head, source)
        else:
            saved, healed = _healed(request.heal, made, place.path, place.work, report, checkpoints)
        files = compare_files(source.source, place.path, request.precision, request.dev, place.work, report)
        done = FactorisedCheckpoint(
            made.encoder.embedding_width,
            made.kept_energy,
            made.table_before,
            made.table_after,
            saved.left_out,
            healed,
            files,
        )
        place.finish(done.to_json())
    return done


def check_request(request: FactoriseRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that `factorise_checkpoint` would refuse before it writes."""
    ResultFolder(folder, STATION, request.to_json(), replace).check()
    if request.heal is not None:
        require_room(request.heal.plan, folder)


def _healed(
    request: HealRequest,
    made: Factorised,
    folder: Path,
    work: Path,
    report: Report,
    checkpoints: CheckpointSettings,
) -> tuple[Saved, Healed]:
    """The student is taken up from `work` as it was, whatever was trained of it before a kill."""
    begin(request.training.common.seed)
    start = work / START_FOLDER
    save_checkpoint(start, made.tensors, made.encoder, request.head, request.model)
    student = load_model(load_checkpoint(start)).model
    heads = zip(request.teachers, request.teacher_heads, strict=True)
    done = distil_task(
        student,
        [load_model(teacher, head).model for teacher, head in heads],
        *request.encoded,
        [planned.step for planned in request.plan.steps],
        work,
        report,
        request.cache,
        checkpoints,
        teacher_train=None if request.same_tokens else request.for_teachers[0],
    )
    saved = save_checkpoint(folder, model_tensors(student), student.config, request.head, request.model)
    return saved, Healed(done.metric, done.dev_score, StepOutcome.of(done.steps))
