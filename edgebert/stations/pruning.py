"""A trained student to one whose smallest weights are zero, healed while they are cut: `edgebert prune`."""

import os
from dataclasses import dataclass
from typing import Any, Self

from edgebert.compression.pruning.counting import LayerZeros, count_zeros, with_plain_zeros
from edgebert.compression.pruning.masks import MagnitudeMasks
from edgebert.models.checkpoint import save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Report, silent
from edgebert.stations.file_comparison import FileComparison, compare_files
from edgebert.stations.healing import dev_score, heal, require_room_to_heal, scores_before
from edgebert.stations.making_student import StepOutcome
from edgebert.stations.prune_request import PruneRequest
from edgebert.stations.result_folder import ResultFolder, StationResult
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings


@dataclass(frozen=True)
class Pruned(StationResult):
    metric: str
    # Of the student on the same dev data, before anything was cut, and of each teacher.
    score_before: float
    teacher_scores: tuple[float, ...]
    dev_score: float
    healing: StepOutcome
    # Of each pruned matrix.
    layers: tuple[LayerZeros, ...]
    # Of the whole student.
    parameters: int
    zeros: int
    files: FileComparison | None = None
    # It was there before; nothing was trained now.
    found: bool = False

    @property
    def sparsity(self) -> float:
        """Of the pruned matrices together."""
        elements = sum(layer.elements for layer in self.layers)
        return sum(layer.zero_share * layer.elements for layer in self.layers) / elements

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"sparsity": self.sparsity}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        own = {
            "teacher_scores": tuple(fields["teacher_scores"]),
            "healing": StepOutcome.from_json(fields["healing"]),
            "layers": tuple(LayerZeros(**layer) for layer in fields["layers"]),
            "files": None if fields.get("files") is None else FileComparison.from_json(fields["files"]),
        }
        others = {name: value for name, value in fields.items() if name != "sparsity"}
        return cls(**{**others, **own}, found=True)


def prune_checkpoint(
    request: PruneRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> Pruned:
    """Make the pruned checkpoint in `folder`. Killed, the same call goes on where it was; a finished one is only
    reported. `replace` gives up what the folder holds of other inputs; without it that is an error."""
    with ResultFolder(folder, request.station, request.to_json(), replace) as place:
        if place.finished:
            return Pruned.from_json(place.result)
        require_room_to_heal(request, folder)
        place.begin()
        begin(request.training.seed)
        student, *teachers = (load_model(one).model for one in (request.student, *request.teachers))
        before, *taught = scores_before(request, [student], teachers, place.work)
        masks = MagnitudeMasks(student, request.matrices, request.schedule)
        healing = heal(request, student, teachers, masks, place.work, report, checkpoints)
        tensors = with_plain_zeros(model_tensors(student))
        save_checkpoint(place.path, tensors, student.config, request.head, request.student)
        sides = request.student.source, place.path
        files = compare_files(*sides, request.precision, request.dev, place.work, report)
        done = Pruned(
            metric=METRICS[request.head.kind],
            score_before=before,
            teacher_scores=tuple(taught),
            dev_score=dev_score(request, student),
            healing=healing,
            layers=count_zeros(tensors, request.matrices),
            parameters=sum(values.size for values in tensors.values()),
            zeros=sum(int((values == 0).sum()) for values in tensors.values()),
            files=files,
        )
        place.finish(done.to_json())
    return done


def check_pruning(request: PruneRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that would be refused before anything is trained; nothing is written."""
    ResultFolder(folder, request.station, request.to_json(), replace).check()
    require_room_to_heal(request, folder)
