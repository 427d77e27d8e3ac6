"""Every model in every precision: one .tflite each, packed and inspected."""

import dataclasses
from pathlib import Path
from typing import Any

from edgebert.compression.quantizing.ranges import StoredRanges
from edgebert.data.wordpiece import WordPiece
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.precisions import PRECISIONS, remarks_on
from edgebert.export.quantization.calibration import CalibrationSet, calibration_set
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.task import build_model
from edgebert.pipeline.compressions import shape_after
from edgebert.pipeline.reading import spread_texts
from edgebert.pipeline.request import Request, names_of
from edgebert.pipeline.stages import COMPRESSIONS, CONVERT, STUDENT, TEACHER
from edgebert.progress import Progress, Report
from edgebert.run_directory import RunDirectory
from edgebert.stations.finetuning import checkpoint_facts


def conversion_inputs(request: Request, models: dict[str, Path]) -> dict[str, Any]:
    return {
        "models": {model: _facts(folder) for model, folder in models.items()},
        "files": {name: _asked(one) for name, (_, one) in names_of(request.exports).items()},
        "train_sha256": request.train.sha256,
        "calibration_texts": request.config.convert.calibration_texts if needs_calibration(request) else None,
    }


def needs_calibration(request: Request) -> bool:
    return any(PRECISIONS[one.precision].needs_calibration for _, one in names_of(request.exports).values())


def check_conversions(request: Request) -> tuple[str, ...]:
    """Refuse what a model of this shape cannot be made into, before it is trained; what can be and will disappoint is
    told."""
    encoders, head = {TEACHER: request.checkpoint.encoder}, request.head
    if request.config.has_student:
        encoders[STUDENT], head = request.future_distillation.student, request.future_distillation.head
    for stage, one in request.future_compressions.items():
        encoders[COMPRESSIONS[stage]] = shape_after(one)
    tokenizer = WordPiece.from_folder(request.checkpoint.source)
    calibration, remarks = calibration_of(request, tokenizer), []
    for model, exports in request.exports.items():
        its_head = request.head if model == TEACHER else head
        exporter = Exporter(build_model(encoders[model], its_head), tokenizer, {}, calibration)
        for one in exports:
            exporter.check(one)
            remarks += [f"{model}: {remark}" for remark in remarks_on(one.precision, encoders[model].normalization)]
    return tuple(remarks)


def calibration_of(request: Request, tokenizer: WordPiece) -> CalibrationSet | None:
    """Training texts, evenly taken; what the dev score is taken on stays out of the files."""
    if not needs_calibration(request):
        return None
    one, train = request.config.convert, request.train
    length = one.length or request.config.finetune.length
    texts = spread_texts(train, one.calibration_texts)
    return calibration_set(texts, tokenizer, length, train.source, train.sha256, len(train))


def files_of(folder: Path, request: Request) -> dict[str, Path]:
    """Each file's path by its name, the reference first."""
    return {name: folder / f"{name}.tflite" for name in names_of(request.exports)}


def convert_models(run: RunDirectory, request: Request, models: dict[str, Path], report: Report) -> dict[str, Path]:
    stage = run.stage(CONVERT, conversion_inputs(request, models))
    files = files_of(stage.folder, request)
    if stage.finished:
        return files
    exporters: dict[str, Exporter] = {}
    for done, (name, (model, one)) in enumerate(names_of(request.exports).items(), 1):
        # Whole or not there: what a killed run made of the same inputs is taken as it is.
        if not files[name].exists():
            if model not in exporters:
                exporters[model] = _exporter(models[model], request)
            write_atomically(files[name], exporters[model].export(one))
        report(Progress(CONVERT, done, len(files), name))
    stage.finish({name: path.name for name, path in files.items()})
    return files


def _exporter(folder: Path, request: Request) -> Exporter:
    checkpoint = load_checkpoint(folder)
    provenance = {"checkpoint_sha256": checkpoint.sha256, "train_sha256": request.train.sha256}
    tokenizer = WordPiece.from_folder(folder)
    calibration, learnt = calibration_of(request, tokenizer), StoredRanges.read(folder)
    return Exporter(load_model(checkpoint).model, tokenizer, provenance, calibration, learnt)


def _asked(request: ExportRequest) -> dict[str, Any]:
    """What came to an export after the first run folders were made is said where it is asked for: theirs stay known."""
    first = ("precision", "length", "compatible_with")
    fields = dataclasses.asdict(request)
    return {name: value for name, value in fields.items() if name in first or value != getattr(ExportRequest, name)}


def _facts(folder: Path) -> dict[str, Any]:
    checkpoint, learnt = load_checkpoint(folder), StoredRanges.read(folder)
    facts = checkpoint_facts(checkpoint, WordPiece.from_folder(folder)) | {"head": checkpoint.head.to_json()}
    return facts if learnt is None else facts | {"ranges_sha256": learnt.sha256}
