"""Run folders to one report: each stage's results, joined file by file through the hash of its content."""

import dataclasses
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import DataError
from edgebert.progress import Report as Tell
from edgebert.progress import silent
from edgebert.report.answers import agreement_of, confusion_of, differences_of
from edgebert.report.comparing import check_measurements, check_scores
from edgebert.report.explaining import explain_texts
from edgebert.report.measurements import Taken, describe_measurement, latencies_of
from edgebert.report.model import SCHEMA, SCHEMA_VERSION, Confusion, Differences, Report, Row, Run, Stage
from edgebert.report.origins import student_start, training_data
from edgebert.report.run_contents import File, RunContents, read_run
from edgebert.report.stages import facts_of
from edgebert.report.training_curves import curves_of, trained_stages
from edgebert.version import VERSION

FLOAT_PRECISION = "float32"


@dataclass(frozen=True)
class ReportRequest:
    """`without_texts`: nothing in the report is a text of the data, for those who may not show them."""

    run_folders: tuple[Path, ...]
    explain: tuple[tuple[str, str | None], ...] = ()
    without_measurements: bool = False
    without_texts: bool = False


def collect(request: ReportRequest, tell: Tell = silent) -> Report:
    contents = [
        read_run(number, Path(folder), name, tell)
        for number, (folder, name) in enumerate(zip(request.run_folders, _names(request.run_folders), strict=True))
    ]
    curves = tuple(
        curve for content in contents for stage in content.stages for curve in curves_of(content.number, stage)
    )
    runs = tuple(_run(content, trained_stages(curves, content.number)) for content in contents)
    check_scores(runs)
    taken = [] if request.without_measurements else _measurements(contents)
    measurements = tuple(describe_measurement(one) for one in taken)
    check_measurements(taken, runs)
    files = [file for content in contents for file in content.files]
    reference = _reference(files, contents)
    files = _in_order(files, reference)
    rows = tuple(_row(file, reference, contents, taken) for file in files)
    report = Report(
        schema=SCHEMA,
        schema_version=SCHEMA_VERSION,
        edgebert_version=VERSION,
        runs=runs,
        reference=files.index(reference),
        rows=rows,
        measurements=measurements,
        curves=curves,
        confusions=_confusions(files, contents),
        differences=() if request.without_texts else _differences(files, reference, contents),
        attributions=(),
        notes=_notes(request, len(measurements)),
    )
    attributions = explain_texts(report, files, contents, request.explain, not request.without_texts, tell)
    return dataclasses.replace(report, attributions=attributions)


def _names(folders: Sequence[Path]) -> list[str]:
    """The folders' own names, with their parents' where two are alike."""
    paths = [Path(os.path.abspath(folder)) for folder in folders]  # noqa: PTH100  # resolve() would follow links
    if len(set(paths)) != len(paths):
        raise DataError("run folders: expected each once, got one twice. Do: name it once.")
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _run(content: RunContents, trained: Collection[str]) -> Run:
    record = content.record
    return Run(
        name=content.name,
        task=content.task,
        metric=content.metric,
        label_names=content.label_names,
        train_source=None if record.train is None else record.train.name,
        dev_source=content.dev_source,
        dev_sha256=content.dev_sha256,
        dev_examples=content.dev_examples,
        stages=tuple(
            Stage(stage.name, stage.finished, stage.edgebert_version, tuple(facts_of(stage.inputs)))
            for stage in content.stages
        ),
        remarks=content.remarks,
        checkpoint=record.checkpoint,
        checkpoint_sha256=record.checkpoint_sha256,
        student_start=student_start(record, content.stages),
        training=tuple(training_data(record, content.stages, trained)),
        dev_bundled=None if record.dev is None else record.dev.bundled,
    )


def _measurements(contents: Sequence[RunContents]) -> list[Taken]:
    records = [(content.number, record) for content in contents for record in content.records]
    return [Taken(number, run, record) for number, (run, record) in enumerate(records)]


def _reference(files: Sequence[File], contents: Sequence[RunContents]) -> File:
    """The teacher in float32: of the float32 files the one with most parameters, of like ones the first made."""
    if not files:
        names = ", ".join(content.name for content in contents)
        raise DataError(
            f"{names}: expected a finished stage with a .tflite, got none. Do: finish the run with `edgebert compress`."
        )
    exact = [file for file in files if file.artefact.precision == FLOAT_PRECISION]
    return min(exact or files, key=lambda file: (-file.artefact.summary.parameters, file.run, file.order))


def _in_order(files: Sequence[File], reference: File) -> list[File]:
    """The reference's model first, then the others by their largest file; within a model the largest file first."""
    largest: dict[tuple[int, str], int] = {}
    for file in files:
        size_bytes = file.artefact.summary.size_bytes
        largest[file.family] = max(largest.get(file.family, 0), size_bytes)

    def place(file: File) -> tuple:
        family = file.family
        return (
            family != reference.family,
            -largest[family],
            # Of equal size, what was made first: pruning and training for int8 leave a float32 file as large as it was.
            (file.run, file.order, family),
            file is not reference,
            -file.artefact.summary.size_bytes,
        )

    return sorted(files, key=place)


def _row(file: File, reference: File, contents: Sequence[RunContents], taken: Sequence[Taken]) -> Row:
    content, artefact = contents[file.run], file.artefact
    summary, base = artefact.summary, contents[reference.run].scores.get(reference.artefact.sha256)
    score = content.scores.get(artefact.sha256)
    # The same file may stand in two runs.
    own = [one for one in taken if one.run == file.run]
    return Row(
        run=file.run,
        name=f"{content.name}: {file.name}" if len(contents) > 1 else file.name,
        model=file.model,
        precision=artefact.precision,
        path=str(artefact.path.relative_to(content.folder)),
        sha256=artefact.sha256,
        size_bytes=summary.size_bytes,
        gzipped_bytes=artefact.gzipped_bytes,
        parameters=summary.parameters,
        zero_share=artefact.zero_share,
        minimum_runtime=summary.minimum_runtime,
        runtime_reason=summary.runtime_reason,
        length=None if artefact.description is None else artefact.description.length,
        maximum_length=None if artefact.description is None else artefact.description.maximum_length,
        score=score,
        agreement=_agreement(file, reference, contents),
        times_smaller=reference.artefact.summary.size_bytes / summary.size_bytes,
        retention=score / base if score is not None and base is not None and base > 0 else None,
        clients=content.clients.get(artefact.sha256, {}),
        client_reasons=content.reasons.get(artefact.sha256, {}),
        latencies=latencies_of(artefact.sha256, reference.artefact.sha256, own, taken),
        layers=artefact.layers,
    )


def _agreement(file: File, reference: File, contents: Sequence[RunContents]) -> float | None:
    """Counted from the predictions with this report's reference; else what the run said of its own."""
    predictions = contents[file.run].predictions
    if predictions is not None and predictions.is_classification:
        ours, theirs = (predictions.of(one.artefact.sha256) for one in (file, reference))
        if ours is not None and theirs is not None:
            return agreement_of(ours, theirs)
    return contents[file.run].agreements.get(file.artefact.sha256) if file.run == reference.run else None


def _confusions(files: Sequence[File], contents: Sequence[RunContents]) -> tuple[Confusion, ...]:
    found = []
    for number, file in enumerate(files):
        predictions = contents[file.run].predictions
        answers = None if predictions is None else predictions.of(file.artefact.sha256)
        if answers is not None and predictions.is_classification:
            found.append(confusion_of(number, answers, predictions))
    return tuple(found)


def _differences(files: Sequence[File], reference: File, contents: Sequence[RunContents]) -> tuple[Differences, ...]:
    found = []
    for number, file in enumerate(files):
        predictions = contents[file.run].predictions
        if predictions is None or file is reference:
            continue
        ours, theirs = (predictions.of(one.artefact.sha256) for one in (file, reference))
        if ours is not None and theirs is not None:
            found.append(differences_of(number, ours, theirs, predictions))
    return tuple(found)


def _notes(request: ReportRequest, measurements: int) -> tuple[str, ...]:
    notes = []
    if measurements > 1:
        notes.append(
            "These times come from several measurements, which did not take turns: what changed on the machine between "
            "them is in no interval."
        )
    if request.without_measurements:
        notes.append("Latency and memory were left out on request.")
    if request.without_texts:
        notes.append("Texts of the data were left out on request.")
    return tuple(notes)
