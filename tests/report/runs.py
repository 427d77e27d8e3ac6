"""Run folders as the pipeline leaves them, of the tiny classifier: real files and answers, samples made by hand."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.export.answering import AnsweringModel
from edgebert.files import sha256_of_file
from edgebert.measurement import ModelFile, Record
from edgebert.measurement_file import to_json
from edgebert.models.sources import TEACHER_SHA256
from edgebert.predictions import FILE_NAME, predictions_of, write_predictions
from edgebert.run_directory import RUN_FILE, RunDirectory
from tests.benchmark.records import make_case, make_record, make_samples
from tests.export.client_models import LABELS, TEXTS, graph, pack

TEACHER, STUDENT, PRUNED = "teacher-float32", "student-float32", "student-dynamic"
DEV_SHA256 = "d" * 64
HOSTILE_LABELS = ("<script>alert(1)</script>", "\u202eשלום 😀 " + "x" * 10_000)
HOSTILE_TEXTS = (
    "</style><script>alert(1)</script> good",
    "\u202eהסרט טוב | `code` **bold** [link](http://example.org)",
    "good 👩‍👩‍👧‍👦 \x07 & film &amp;",
    "the film " * 1200,
    "x" * 10_000,
    "a\ttab and\na line",
    "",
)
EPOCHS = [
    {"epoch": 1, "training_loss": 2.0, "dev_score": 0.5, "losses": {"hidden": 1.5, "label": 0.5}},
    {"epoch": 2, "training_loss": 1.0, "dev_score": 0.75, "losses": {"hidden": 0.8, "label": 0.2}},
]


def make_run(
    folder: Path,
    labels: Sequence[str] = LABELS,
    texts: Sequence[str] = TEXTS,
    *,
    has_predictions: bool = True,
    record: Mapping[str, Any] | None = None,
    dev_sha256: str = DEV_SHA256,
) -> Path:
    """A teacher, a student that answers otherwise, and the student with half of a matrix zero."""
    with RunDirectory(folder) as run:
        makers = {}
        for name, result in (("finetune", {"epochs": EPOCHS}), ("distill", {"steps": [_step()]})):
            stage = run.stage(name, {"teacher": makers.get("finetune"), "settings": {"epochs": 2}})
            checkpoint = stage.folder / "checkpoint" / "model.safetensors"
            checkpoint.parent.mkdir()
            checkpoint.write_bytes(name.encode())
            stage.finish(result)
            makers[name] = sha256_of_file(checkpoint)
        stage = run.stage("convert", {"models": makers})
        files = {
            TEACHER: (graph(), "float32", "finetune"),
            STUDENT: (altered(-2.0), "float32", "distill"),
            PRUNED: (altered(0.0), "dynamic", "distill"),
        }
        for name, (content, precision, maker) in files.items():
            packed = pack(
                content, labels=tuple(labels), precision=precision, provenance={"checkpoint_sha256": makers[maker]}
            )
            (stage.folder / f"{name}.tflite").write_bytes(packed)
        stage.finish({name: f"{name}.tflite" for name in files})
        paths = {name: stage.folder / f"{name}.tflite" for name in files}
        hashes = {name: sha256_of_file(path) for name, path in paths.items()}
        _score(run, paths, hashes, labels, texts, has_predictions, dev_sha256)
        stage = run.stage("verify", {"files": hashes, "texts": [[text, None] for text in texts[:4]]})
        statuses = {name: {"litert": "agrees", "mediapipe": "NOT RUN"} for name in files}
        stage.finish({"clients": statuses, "reasons": {PRUNED: {"mediapipe": "<b>not</b> installed"}}, "problems": {}})
        stage = run.stage("benchmark", {"files": hashes})
        (stage.folder / "record.json").write_bytes(to_json(measured(paths, hashes, **(record or {})), {}))
        stage.finish({"record": "record.json"})
    return folder


def record_run(folder: Path, config: Mapping[str, Any] | None = None, **inputs: Any) -> Path:
    """With the record of the whole run: of SNIPS and the default teacher, but for what is given."""
    taken = {"source": "snips", "sha256": "a" * 64}
    content = {
        "config": {"teacher": "minilm", "data": {"source": "snips"}, **(config or {})},
        "inputs": {"checkpoint_sha256": TEACHER_SHA256, "train": taken, "dev": taken, "student_train": None, **inputs},
    }
    (folder / RUN_FILE).write_text(json.dumps(content))
    return folder


def altered(kept: float) -> bytes:
    """The tiny classifier with the first half of its last matrix scaled: other answers, and with 0 that many zeros."""
    model = flatbuffer_utils.convert_bytearray_to_object(bytearray(graph()))
    subgraph = model.subgraphs[0]
    buffer = model.buffers[subgraph.tensors[last_matrix(subgraph)].buffer]
    values = np.frombuffer(bytes(buffer.data), np.float32).copy()
    values[: len(values) // 2] *= kept
    buffer.data = values.view(np.uint8)
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def last_matrix(subgraph) -> int:
    """The tensor of the last layer's weights."""
    logits = subgraph.operators[-1].inputs[0]
    return next(operator for operator in subgraph.operators if operator.outputs[0] == logits).inputs[1]


def measured(paths: Mapping[str, Path], hashes: Mapping[str, str], **changes: Any) -> Record:
    """The n-th file takes 8, 4, 2 ms, by one thread and by two."""
    cases = [
        dataclasses.replace(make_case(make_samples(_times(8e6 / 2**number)), model=number), threads=threads)
        for number in range(len(paths))
        for threads in (1, 2)
    ]
    models = tuple(ModelFile(path.name, path.stat().st_size, hashes[name]) for name, path in paths.items())
    record = make_record(*cases, models=list(paths))
    return dataclasses.replace(record, models=models, **changes)


def _times(median_ns: float) -> list[float]:
    """Steady: within half a percent around the median, the same ups and downs in every round."""
    return [median_ns * (1 + 0.002 * (position % 5 - 2)) for position in range(40)]


def _step() -> dict[str, Any]:
    return {"recipe": "tinybert", "chosen_by": "negated dev loss", "epochs": EPOCHS, "best_epoch": 2}


def _score(run, paths, hashes, labels, texts, has_predictions, dev_sha256) -> None:
    stage = run.stage("score", {"files": hashes, "dev_sha256": dev_sha256})
    answers = {name: AnsweringModel(path).answer_all([(text, None) for text in texts]) for name, path in paths.items()}
    targets = [number % 2 for number in range(len(texts))]
    if has_predictions:
        outputs = {hashes[name]: rows for name, rows in answers.items()}
        pairs = [(text, None) for text in texts]
        write_predictions(stage.folder / FILE_NAME, predictions_of(pairs, targets, outputs, labels, dev_sha256))
    chosen = {name: np.argmax(rows, axis=1) for name, rows in answers.items()}
    stage.finish(
        {
            "metric": "accuracy",
            "examples": len(texts),
            "scores": {name: float(np.mean(rows == targets)) for name, rows in chosen.items()},
            "agreement": {name: float(np.mean(rows == chosen[TEACHER])) for name, rows in chosen.items()},
        }
    )
