"""One run folder, read: its files inspected, and what its stages say of each."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.errors import ArtefactError
from edgebert.measurement import Record
from edgebert.predictions import FILE_NAME, Predictions, read_predictions
from edgebert.progress import Progress
from edgebert.progress import Report as Tell
from edgebert.report.artefacts import Artefact, inspect_artefact
from edgebert.report.measurements import read_measurements
from edgebert.report.run_file import RunFile, read_run_file
from edgebert.report.stages import StageRecord, read_stages

_MODEL_SUFFIX, _FLOAT_PRECISION = ".tflite", "float32"


@dataclass(frozen=True)
class File:
    """A produced file. `model` is the stage whose checkpoint it was converted from, null where none says so."""

    run: int
    model: str | None
    # Where that stage comes among the run's; before all of them what none of them made.
    order: int
    artefact: Artefact

    @property
    def name(self) -> str:
        """The file's own, and whose weights it holds where the file's says no more than its precision."""
        stem = self.artefact.path.stem
        return f"{self.model} {stem}" if self.model and stem == self.artefact.precision else stem

    @property
    def family(self) -> tuple[int, str]:
        """Files of the same weights."""
        return self.run, self.model or self.artefact.checkpoint_sha256 or ""


@dataclass(frozen=True)
class _Scored:
    """By the file's sha256, and of how many dev examples."""

    scores: dict[str, float]
    agreements: dict[str, float]
    metric: str | None = None
    dev_sha256: str | None = None
    examples: int | None = None


@dataclass(frozen=True)
class RunContents:
    """Scores, agreements and clients are by the file's sha256."""

    number: int
    name: str
    folder: Path
    stages: tuple[StageRecord, ...]
    files: tuple[File, ...]
    metric: str | None
    scores: Mapping[str, float]
    agreements: Mapping[str, float]
    clients: Mapping[str, Mapping[str, str]]
    # Why a client does not agree, where it said so.
    reasons: Mapping[str, Mapping[str, str]]
    verified_texts: tuple[tuple[str, str | None], ...]
    records: tuple[Record, ...]
    predictions: Predictions | None
    dev_sha256: str | None
    scored_examples: int | None
    record: RunFile
    remarks: tuple[str, ...]

    @property
    def task(self) -> str | None:
        descriptions = (file.artefact.description for file in self.files)
        return next((description.task for description in descriptions if description is not None), None)

    @property
    def label_names(self) -> tuple[str, ...]:
        descriptions = (file.artefact.description for file in self.files)
        return next((each.labels for each in descriptions if each is not None and each.labels), ())

    @property
    def dev_source(self) -> str | None:
        """As the run names it; else the measured texts are the dev data's, and their source has its name."""
        named = None if self.record.dev is None else self.record.dev.name
        return named or next((inputs.source for inputs in self._dev_inputs()), None)

    @property
    def dev_examples(self) -> int | None:
        """Those that were scored; of a run that scored nothing those that it could have."""
        if self.predictions is not None:
            return len(self.predictions.texts)
        return self.scored_examples or next((inputs.texts_available for inputs in self._dev_inputs()), None)

    def _dev_inputs(self):
        inputs = [case.inputs for record in self.records for case in record.cases]
        return [one for one in inputs if self.dev_sha256 is not None and one.source_sha256 == self.dev_sha256]


def read_run(number: int, folder: Path, name: str, tell: Tell) -> RunContents:
    recorded = read_run_file(folder)
    stages = _of_this_run(read_stages(folder), recorded.stages)
    finished = [stage for stage in stages if stage.finished]
    scored = _scores(finished)
    return RunContents(
        number=number,
        name=name,
        folder=folder,
        stages=stages,
        files=_files(number, folder, finished, tell),
        metric=scored.metric,
        scores=scored.scores,
        agreements=scored.agreements,
        clients=_clients(finished, "clients"),
        reasons=_clients(finished, "reasons"),
        verified_texts=_verified_texts(finished),
        records=tuple(record for stage in finished for record in read_measurements(stage.folder)),
        predictions=_predictions(finished),
        dev_sha256=scored.dev_sha256,
        scored_examples=scored.examples,
        record=recorded,
        remarks=tuple(f"{stage.name} did not finish" for stage in stages if not stage.finished),
    )


def _files(number: int, folder: Path, stages: Sequence[StageRecord], tell: Tell) -> tuple[File, ...]:
    """Every .tflite that a finished stage recorded, each content once, float32 before what is compared with it."""
    found = {
        sha256: stage.folder / name
        for stage in stages
        for name, sha256 in stage.files.items()
        if name.endswith(_MODEL_SUFFIX)
    }
    for path in found.values():
        if not path.is_file():
            raise ArtefactError(
                f"{path}: expected the file that its stage recorded, got none. "
                "Do: run `edgebert compress` on this folder again."
            )
    artefacts: dict[str, Artefact] = {}
    for done, (sha256, path) in enumerate(found.items(), 1):
        artefacts[sha256] = inspect_artefact(path, sha256)
        tell(Progress("inspect", done, len(found), path.name))
    bases = {
        artefact.checkpoint_sha256: artefact.path
        for artefact in artefacts.values()
        if artefact.precision == _FLOAT_PRECISION and artefact.checkpoint_sha256 is not None
    }
    names = [stage.name for stage in stages]
    makers = {sha256: stage.name for stage in reversed(stages) for sha256 in stage.files.values()}
    files = []
    for artefact in artefacts.values():
        maker = makers.get(artefact.checkpoint_sha256)
        compared = artefact.compared_with(bases.get(artefact.checkpoint_sha256))
        files.append(File(number, maker, -1 if maker is None else names.index(maker), compared))
    return tuple(files)


def _scores(stages: Sequence[StageRecord]) -> _Scored:
    found = _Scored({}, {})
    for stage, hashes in _about_files(stages):
        if isinstance(stage.result.get("scores"), dict):
            examples = stage.result.get("examples")
            found = _Scored(
                scores=found.scores | _finite(_by_hash(stage.result["scores"], hashes)),
                agreements=found.agreements | _finite(_by_hash(stage.result.get("agreement", {}), hashes)),
                metric=stage.result.get("metric"),
                dev_sha256=stage.inputs.get("dev_sha256"),
                examples=examples if isinstance(examples, int) else None,
            )
    return found


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    """A rank correlation of answers that are all alike is no number."""
    return {sha256: value for sha256, value in values.items() if math.isfinite(value)}


def _clients(stages: Sequence[StageRecord], table: str) -> dict[str, Mapping[str, str]]:
    """By file what each client did (`clients`), or why it did (`reasons`)."""
    found: dict[str, Mapping[str, str]] = {}
    for stage, hashes in _about_files(stages):
        result = stage.result.get(table)
        if isinstance(result, dict) and all(_are_texts(each) for each in result.values()):
            found |= _by_hash(result, hashes)
    return found


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


def _verified_texts(stages: Sequence[StageRecord]) -> tuple[tuple[str, str | None], ...]:
    """Texts that a stage listed, to be explained where no predictions say which are of more interest."""
    for stage in stages:
        texts = stage.inputs.get("texts")
        if isinstance(texts, list) and all(isinstance(each, list) and len(each) == 2 for each in texts):
            return tuple((text, second) for text, second in texts)
    return ()


def _predictions(stages: Sequence[StageRecord]) -> Predictions | None:
    for stage in reversed(stages):
        if FILE_NAME in stage.files:
            return read_predictions(stage.folder / FILE_NAME)
    return None


def _of_this_run(stages: Sequence[StageRecord], names: frozenset[str] | None) -> tuple[StageRecord, ...]:
    """Without those that an earlier configuration left in the folder."""
    return tuple(stage for stage in stages if names is None or stage.name.split("/")[0] in names)


def _about_files(stages: Sequence[StageRecord]) -> list[tuple[StageRecord, dict[str, str]]]:
    """Stages whose inputs name files by hash and whose result is a table."""
    return [
        (stage, stage.inputs["files"])
        for stage in stages
        if isinstance(stage.inputs.get("files"), dict) and isinstance(stage.result, dict)
    ]


def _by_hash(values: Mapping[str, Any], hashes: Mapping[str, str]) -> dict[str, Any]:
    return {hashes[name]: value for name, value in values.items() if name in hashes and value is not None}
