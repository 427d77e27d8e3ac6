"""A trained student to one that is as good in int8, with ranges it was trained with: `edgebert quantize`."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgebert.compression.quantizing.companion import RangesCompanion
from edgebert.compression.quantizing.ranges import FULL_INT8, StoredRanges
from edgebert.compression.quantizing.wrapping import QuantizedModel, hold_first_row, rounded_tables, wrap
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.learnt import calibrated_start
from edgebert.export.quantization.learnt_integers import integer_start
from edgebert.export.quantization.marking import placed_graph
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Report, silent
from edgebert.stations.finetuning import stored_values_sha256
from edgebert.stations.healing import dev_score, heal, require_room_to_heal, scores_before
from edgebert.stations.making_student import StepOutcome
from edgebert.stations.quantize_request import QuantizeRequest
from edgebert.stations.result_folder import ResultFolder, StationResult
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings

START_FOLDER = "start"


@dataclass(frozen=True)
class Quantized(StationResult):
    metric: str
    scheme: str
    # Of the student on the same dev data: in float32, rounded with calibrated ranges alone, and of each teacher.
    score_before: float
    calibrated_score: float
    teacher_scores: tuple[float, ...]
    # Rounded as the file will be.
    dev_score: float
    healing: StepOutcome
    sites: int
    # Sites whose range training moved.
    moved_sites: int
    # It was there before; nothing was trained now.
    found: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        own = {
            "teacher_scores": tuple(fields["teacher_scores"]),
            "healing": StepOutcome.from_json(fields["healing"]),
        }
        return cls(**{**fields, **own}, found=True)


def quantize_checkpoint(
    request: QuantizeRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> Quantized:
    """Make the checkpoint in `folder`, with its ranges beside it. Killed, the same call goes on where it was; a
    finished one is only reported. `replace` gives up what the folder holds of other inputs; without it that is an
    error."""
    with ResultFolder(folder, request.station, request.to_json(), replace) as place:
        if place.finished:
            return Quantized.from_json(place.result)
        require_room_to_heal(request, folder)
        place.begin()
        begin(request.training.seed)
        quantized = _start(request, place.work / START_FOLDER, report)
        student = quantized.model
        float32, *teachers = (load_model(one).model for one in (request.student, *request.teachers))
        before, calibrated, *taught = scores_before(request, [float32, student], teachers, place.work)
        companion = RangesCompanion(quantized, request.freeze_share)
        healing = heal(request, student, teachers, companion, place.work, report, checkpoints)
        after = dev_score(request, student)
        moved = _save(request, quantized, place.path)
        done = Quantized(
            metric=METRICS[request.head.kind],
            scheme=request.scheme,
            score_before=before,
            calibrated_score=calibrated,
            teacher_scores=tuple(taught),
            dev_score=after,
            healing=healing,
            sites=len(quantized.ranges.sites),
            moved_sites=moved,
        )
        place.finish(done.to_json())
    return done


def check_quantizing(request: QuantizeRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that would be refused before anything is trained; nothing is written."""
    ResultFolder(folder, request.station, request.to_json(), replace).check()
    request.calibration()
    require_room_to_heal(request, folder)


def _start(request: QuantizeRequest, folder: Path, report: Report) -> QuantizedModel:
    """The student with calibrated ranges. They are made once: measured again, they could differ in their last bits."""
    stored = StoredRanges.read(folder) if folder.exists() else None
    if stored is None:
        stored = _calibrate(request, folder, report)
    student = load_model(load_checkpoint(folder)).model
    return wrap(student, hold_first_row(student, stored.ranges))


def _calibrate(request: QuantizeRequest, folder: Path, report: Report) -> StoredRanges:
    calibration = request.calibration()
    student = load_model(request.student).model
    values, texts = model_tensors(student), calibration.inputs(None)
    if request.scheme == FULL_INT8:
        start = integer_start(placed_graph(student, None), values, texts, rounded_tables(student, 1), report)
    else:
        start = calibrated_start(convert_graph(student, None), values, texts, rounded_tables(student), report)
    even = values | dict(start.balanced)
    save_checkpoint(folder, even, student.config, request.head, request.student)
    stored = StoredRanges(
        start.ranges, stored_values_sha256(load_checkpoint(folder)), {"calibration": calibration.provenance()}
    )
    stored.write(folder)
    return stored


def _save(request: QuantizeRequest, quantized: QuantizedModel, folder: Path) -> int:
    """The checkpoint and its ranges; returns how many of them moved."""
    started, ranges = quantized.ranges, quantized.learnt()
    values = model_tensors(quantized.strip())
    save_checkpoint(folder, values, quantized.model.config, request.head, request.student)
    learnt = {
        "train_sha256": request.train.sha256,
        "examples": len(request.train),
        "epochs": request.training.epochs,
        "freeze_share": request.freeze_share,
        "calibration": request.calibration().provenance(),
    }
    StoredRanges(ranges, stored_values_sha256(load_checkpoint(folder)), learnt).write(folder)
    return sum(one.range != other.range for one, other in zip(started.sites, ranges.sites, strict=True))
