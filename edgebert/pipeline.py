"""The whole road as straight code: fine-tune, convert, score, verify, measure. The run directory is its only memory."""

import dataclasses
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import Plan as MeasurementPlan
from edgebert.benchmark.report import report_on
from edgebert.benchmark.texts import Texts
from edgebert.config import HeadConfig
from edgebert.data.batches import encode_dataset
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import DataError
from edgebert.export.answering import AnsweringModel
from edgebert.export.clients.verification import verify
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.graph import check_length
from edgebert.export.inspect import summarize
from edgebert.export.precisions import check_precision
from edgebert.files import sha256_of_file, write_atomically
from edgebert.measurement import Record
from edgebert.measurement_file import read_record, to_json
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.progress import Progress, Report
from edgebert.run_directory import RunDirectory
from edgebert.training.finetune import FinetuneSettings, finetune
from edgebert.training.loop import begin
from edgebert.training.scoring import METRICS, score

# The precision that the others' answers are compared with.
REFERENCE_PRECISION = "float32"


@dataclass(frozen=True)
class CompressSettings:
    teacher: Path
    train: Dataset
    dev: Dataset
    precisions: tuple[str, ...] = (REFERENCE_PRECISION, "float16", "dynamic")
    # Tokens of an example that training and the files keep; None leaves the files open to any length.
    training_length: int = 128
    length: int | None = None
    pooling: str = "mean"
    finetuning: FinetuneSettings = field(default_factory=FinetuneSettings)
    verified_texts: int = 20
    measured_texts: int = 20

    def __post_init__(self) -> None:
        for precision in self.precisions:
            check_precision(precision)
        if REFERENCE_PRECISION not in self.precisions:
            raise DataError(
                f"precisions: expected {REFERENCE_PRECISION} among them (the others are compared with it), got "
                f"{', '.join(self.precisions)}. Do: add it."
            )
        if not self.train.is_labelled or not self.dev.is_labelled:
            raise DataError(
                f"{self.train.source}: expected labelled examples, got some without a label. Do: name the label column."
            )


@dataclass(frozen=True)
class FileRow:
    """One produced file in the closing table; every figure was taken on the file."""

    precision: str
    path: Path
    size_bytes: int
    minimum_runtime: str
    score: float
    agreement: float
    latency_ms: float
    clients: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    metric: str
    rows: tuple[FileRow, ...]
    record: Record


def compress(settings: CompressSettings, folder: Path, report: Report) -> Outcome:
    """From a checkpoint and labelled data to files that clients were seen to run; finished stages are not redone."""
    with RunDirectory(folder) as run:
        teacher = _finetune(run, settings, report)
        files = _convert(run, settings, teacher, report)
        scores = _score(run, settings, files, report)
        clients = _verify(run, settings, files, report)
        record = _benchmark(run, settings, files, report)
    return _outcome(settings, files, scores, clients, record)


def _finetune(run: RunDirectory, settings: CompressSettings, report: Report) -> Path:
    source = load_checkpoint(settings.teacher)
    for length in (settings.length, settings.training_length):
        check_length(source.encoder, length)
    head = HeadConfig(
        kind="regression" if settings.train.is_regression else "classification",
        pooling=settings.pooling,
        labels=() if settings.train.is_regression else settings.train.labels,
    )
    stage = run.stage(
        "finetune",
        {
            "checkpoint_sha256": source.sha256,
            "head": head.to_json(),
            "train_sha256": settings.train.sha256,
            "dev_sha256": settings.dev.sha256,
            "training_length": settings.training_length,
            "settings": dataclasses.asdict(settings.finetuning),
        },
    )
    checkpoint = stage.folder / "checkpoint"
    if not stage.finished:
        tokenizer = WordPiece.from_folder(settings.teacher)
        train, dev = (
            encode_dataset(data, tokenizer, settings.training_length) for data in (settings.train, settings.dev)
        )
        # A fresh head's random values must be the same when a killed run is taken up again.
        begin(settings.finetuning.seed)
        model = load_model(source, head).model
        kept = stage.folder / "training"
        epochs = finetune(model, train, dev, settings.finetuning, report, kept)
        save_checkpoint(checkpoint, model_tensors(model), model.config, head, source)
        shutil.rmtree(kept)
        stage.finish({"epochs": [dataclasses.asdict(epoch) for epoch in epochs]})
    return checkpoint


def _convert(run: RunDirectory, settings: CompressSettings, teacher: Path, report: Report) -> dict[str, Path]:
    checkpoint = load_checkpoint(teacher)
    stage = run.stage(
        "convert",
        {"checkpoint_sha256": checkpoint.sha256, "precisions": list(settings.precisions), "length": settings.length},
    )
    files = {precision: stage.folder / f"{precision}.tflite" for precision in settings.precisions}
    if not stage.finished:
        provenance = {"checkpoint_sha256": checkpoint.sha256, "train_sha256": settings.train.sha256}
        exporter = Exporter(load_model(checkpoint).model, WordPiece.from_folder(teacher), provenance)
        for done, (precision, path) in enumerate(files.items(), 1):
            write_atomically(path, exporter.export(ExportRequest(precision, settings.length)))
            report(Progress("convert", done, len(files), precision))
        stage.finish({precision: path.name for precision, path in files.items()})
    return files


def _score(run: RunDirectory, settings: CompressSettings, files: dict[str, Path], report: Report) -> dict[str, Any]:
    """Dev score of each file, and how often its answer is the float32 file's."""
    stage = run.stage("score", {"files": _hashes(files), "dev_sha256": settings.dev.sha256})
    if not stage.finished:
        texts = [(example.text, example.second_text) for example in settings.dev.examples]
        answers = {name: AnsweringModel(path).answer_all(texts, report) for name, path in files.items()}
        targets = settings.dev.label_values() if settings.dev.is_regression else settings.dev.label_ids()
        head = load_checkpoint(run.path / "finetune" / "checkpoint").head
        reference = answers[REFERENCE_PRECISION]
        result = {
            "metric": METRICS[head.kind],
            "scores": {name: score(head, outputs, targets) for name, outputs in answers.items()},
            "agreement": {name: _agreement(head, outputs, reference) for name, outputs in answers.items()},
        }
        stage.finish(result)
    return stage.result


def _agreement(head: HeadConfig, outputs: np.ndarray, reference: np.ndarray) -> float:
    """The share of equal answers; for a regression the rank correlation."""
    return score(head, outputs, reference[:, 0] if head.kind == "regression" else np.argmax(reference, axis=-1))


def _verify(run: RunDirectory, settings: CompressSettings, files: dict[str, Path], report: Report) -> dict[str, Any]:
    """Each file in each client that is installed: {precision: {client: what became of it}}."""
    texts = _spread(settings.dev, settings.verified_texts)
    # Not skipped on a second run: clients may have been installed or updated meanwhile.
    result = {}
    for precision, path in files.items():
        verification = verify(path, texts, report=report)
        result[precision] = {each.client.name: each.status for each in verification.reports}
    stage = run.stage("verify", {"files": _hashes(files), "texts": texts, "result": result})
    stage.finish(result)
    return result


def _benchmark(run: RunDirectory, settings: CompressSettings, files: dict[str, Path], report: Report) -> Record:
    stage = run.stage("benchmark", {"files": _hashes(files), "texts": settings.measured_texts})
    record_path = stage.folder / "record.json"
    if not stage.finished:
        texts = Texts(
            texts=tuple(_spread(settings.dev, settings.measured_texts)),
            source=settings.dev.source,
            sha256=settings.dev.sha256,
            available=len(settings.dev),
        )
        plan = MeasurementPlan(models=tuple(files.values()), texts=texts)

        def keep(record: Record) -> None:
            write_atomically(record_path, to_json(record, {}))

        record = measure(plan, keep, lambda remark: report(Progress("benchmark", 0, 1, remark)))
        keep(record)
        stage.finish({})
    return read_record(record_path)


def _outcome(
    settings: CompressSettings, files: dict[str, Path], scores: dict[str, Any], clients: dict[str, Any], record: Record
) -> Outcome:
    latencies = {Path(entry.label).stem: entry.wall.median / 1e6 for entry in report_on(record).cases}
    rows = []
    for precision, path in files.items():
        summary = summarize(path)
        rows.append(
            FileRow(
                precision=precision,
                path=path,
                size_bytes=summary.size_bytes,
                minimum_runtime=summary.minimum_runtime,
                score=scores["scores"][precision],
                agreement=scores["agreement"][precision],
                latency_ms=latencies[precision],
                clients=clients[precision],
            )
        )
    return Outcome(scores["metric"], tuple(rows), record)


def _spread(data: Dataset, count: int) -> list[tuple[str, str | None]]:
    """`count` texts, evenly from the whole dataset."""
    step = max(len(data) // count, 1)
    return [(example.text, example.second_text) for example in data.examples[::step][:count]]


def _hashes(files: dict[str, Path]) -> dict[str, str]:
    return {name: sha256_of_file(path) for name, path in files.items()}
