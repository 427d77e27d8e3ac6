"""A trained model to a physically smaller one, in steps with healing between: `edgebert shrink`."""

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgebert.compression.shrinking.counts import Counts, block_parameters
from edgebert.compression.shrinking.cutting import cut
from edgebert.compression.shrinking.remaining import Remaining
from edgebert.data.batches import EncodedDataset
from edgebert.distill.planning import count_parameters
from edgebert.distill.running import TEACHER_FOLDER
from edgebert.distill.teachers import combine_outputs
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import Report, silent
from edgebert.quiet import many_models
from edgebert.stations.healing import dev_score, heal
from edgebert.stations.making_student import StepOutcome, require_room
from edgebert.stations.result_folder import ResultFolder, StationResult
from edgebert.stations.shrink_request import ShrinkRequest, ShrinkStep
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS, predict
from edgebert.training.settings import DEFAULT_CHECKPOINTS, CheckpointSettings

CUT_FOLDER, HEALED_FOLDER = "cut", "healed"
CUT_FILE, OUTCOME_FILE = "cut.json", "outcome.json"


@dataclass(frozen=True)
class ShrunkStep:
    counts: Counts
    parameters: int
    # Of the blocks alone: what a token's work is proportional to.
    block_parameters: int
    # The part of all importance that was kept, 0 to 1, of layers, heads, neurons and channels.
    importance_kept: dict[str, float]
    # On dev, before the cut, after it and after healing.
    score_before: float
    score_cut: float
    score_healed: float
    healing: StepOutcome
    remaining: Remaining

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        own = {
            "counts": Counts(**fields["counts"]),
            "healing": StepOutcome.from_json(fields["healing"]),
            "remaining": Remaining.from_json(fields["remaining"]),
        }
        return cls(**{**fields, **own})


@dataclass(frozen=True)
class Shrunk(StationResult):
    metric: str
    start_parameters: int
    start_block_parameters: int
    steps: tuple[ShrunkStep, ...]
    # It was there before; nothing was trained now.
    found: bool = False

    @property
    def start_score(self) -> float:
        return self.steps[0].score_before

    @property
    def dev_score(self) -> float:
        return self.steps[-1].score_healed

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"start_score": self.start_score, "dev_score": self.dev_score}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        steps = tuple(map(ShrunkStep.from_json, fields["steps"]))
        return cls(fields["metric"], fields["start_parameters"], fields["start_block_parameters"], steps, found=True)


def shrink_checkpoint(
    request: ShrinkRequest,
    folder: str | os.PathLike,
    report: Report = silent,
    checkpoints: CheckpointSettings = DEFAULT_CHECKPOINTS,
    replace: bool = False,
) -> Shrunk:
    """Make the smaller checkpoint in `folder`. Killed, the same call goes on where it was; a finished one is only
    reported. `replace` gives up what the folder holds of other inputs; without it that is an error."""
    with ResultFolder(folder, request.station, request.to_json(), replace) as place:
        if place.finished:
            return Shrunk.from_json(place.result)
        require_room(request.plan, folder)
        place.begin()
        begin(request.training.seed)
        with many_models():
            model, steps = _Shrinking(request, place.work, report, checkpoints).run()
        start = request.student.encoder
        done = Shrunk(METRICS[request.head.kind], count_parameters(start, request.head), block_parameters(start), steps)
        save_checkpoint(place.path, model_tensors(model), model.config, request.head, request.student)
        place.finish(done.to_json())
    return done


def check_shrinking(request: ShrinkRequest, folder: str | os.PathLike, replace: bool = False) -> None:
    """Refuse all that would be refused before anything is cut; nothing is written."""
    ResultFolder(folder, request.station, request.to_json(), replace).check()
    require_room(request.plan, folder)


class _Shrinking:
    """The steps in their folders: each holds the model as it was cut, and healed, so that neither is made twice."""

    def __init__(self, request: ShrinkRequest, work: Path, report: Report, checkpoints: CheckpointSettings):
        self.request, self.work, self.report, self.checkpoints = request, work, report, checkpoints
        self.teachers = [load_model(teacher).model for teacher in request.teachers]

    def run(self) -> tuple[TaskModel, tuple[ShrunkStep, ...]]:
        done: list[ShrunkStep] = []
        model = None
        for number, step in enumerate(self.request.plan.steps, 1):
            folder = make_folder(self.work / f"step-{number}")
            if not (folder / OUTCOME_FILE).exists():
                model = model or self._before(number)
                model, outcome = self._step(model, step, done, folder)
                self._keep(model, outcome, folder)
            else:
                # Loaded only where it is the last one that was finished.
                model = None
            done.append(ShrunkStep.from_json(json.loads((folder / OUTCOME_FILE).read_bytes())))
        return model or self._before(len(done) + 1), tuple(done)

    def _before(self, number: int) -> TaskModel:
        """The model that the step of this number begins with."""
        if number == 1:
            return load_model(self.request.student).model
        return load_model(load_checkpoint(self.work / f"step-{number - 1}" / HEALED_FOLDER)).model

    def _step(
        self, model: TaskModel, step: ShrinkStep, done: Sequence[ShrunkStep], folder: Path
    ) -> tuple[TaskModel, ShrunkStep]:
        before = done[-1].score_healed if done else dev_score(self.request, model)
        remaining = done[-1].remaining if done else Remaining.all_of(model.config)
        smaller, facts = self._cut(model, step, remaining, folder)
        healing, healed = self._heal(smaller, folder)
        counts = Counts.of(step.config)
        parameters = count_parameters(step.config, self.request.head), block_parameters(step.config)
        left = Remaining.from_json(facts["remaining"])
        return smaller, ShrunkStep(
            counts, *parameters, facts["importance_kept"], before, facts["score"], healed, healing, left
        )

    def _cut(
        self, model: TaskModel, step: ShrinkStep, remaining: Remaining, folder: Path
    ) -> tuple[TaskModel, dict[str, Any]]:
        """Once: measuring again would take as long again."""
        path = folder / CUT_FILE
        if not path.exists():
            made = cut(model, step.config, self.request.ranking, self._ranking_data(), self.report)
            save_checkpoint(folder / CUT_FOLDER, made.tensors, made.config, self.request.head, self.request.student)
            facts = {
                "importance_kept": made.importance_kept,
                "remaining": dataclasses.asdict(remaining.after(made.kept)),
                "score": dev_score(self.request, load_model(load_checkpoint(folder / CUT_FOLDER)).model),
            }
            write_atomically(path, json.dumps(facts).encode())
        return load_model(load_checkpoint(folder / CUT_FOLDER)).model, json.loads(path.read_bytes())

    def _heal(self, model: TaskModel, folder: Path) -> tuple[StepOutcome, float]:
        self._bring_teachers_answers(folder)
        outcome = heal(self.request, model, self.teachers, None, folder, self.report, self.checkpoints)
        return outcome, dev_score(self.request, model)

    def _bring_teachers_answers(self, folder: Path) -> None:
        """From the step before, which needs them no more: the teachers say the same in every step."""
        number = int(folder.name.rpartition("-")[2])
        earlier = self.work / f"step-{number - 1}" / TEACHER_FOLDER
        if earlier.is_dir() and not (folder / TEACHER_FOLDER).exists():
            earlier.rename(folder / TEACHER_FOLDER)

    def _keep(self, model: TaskModel, outcome: ShrunkStep, folder: Path) -> None:
        request = self.request
        save_checkpoint(folder / HEALED_FOLDER, model_tensors(model), model.config, request.head, request.student)
        write_atomically(folder / OUTCOME_FILE, json.dumps(dataclasses.asdict(outcome)).encode())

    def _ranking_data(self) -> EncodedDataset:
        """Labelled; where the training data is not, with what the teachers say of it."""
        train = self.request.encoded[0]
        if train.targets is not None or self.request.ranking.importance == "magnitude":
            return train
        weighting = self.request.recipe.teacher_weighting
        texts = self.request.ranking.texts(train)
        read = self.request.ranking.texts(self.request.for_teachers[0])
        said = combine_outputs([predict(teacher, read) for teacher in self.teachers], weighting).numpy()
        return EncodedDataset(texts.encoded, said if self.request.head.kind == "classification" else said[:, 0])
