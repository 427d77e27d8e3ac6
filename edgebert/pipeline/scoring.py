"""Every file's answers to the dev examples, through LiteRT: its score, and how often it says what the teacher says."""

from pathlib import Path
from typing import Any

import numpy as np

from edgebert.config import HeadConfig
from edgebert.export.answering import AnsweringModel
from edgebert.files import sha256_of_file
from edgebert.pipeline.request import Request
from edgebert.pipeline.stages import SCORE
from edgebert.predictions import FILE_NAME, predictions_of, write_predictions
from edgebert.progress import Report
from edgebert.run_directory import RunDirectory
from edgebert.training.scoring import METRICS, score


def score_inputs(request: Request, files: dict[str, Path]) -> dict[str, Any]:
    return {"files": hashes_of(files), "dev_sha256": request.dev.sha256}


def score_files(run: RunDirectory, request: Request, files: dict[str, Path], report: Report) -> dict[str, Any]:
    """`scores` and `agreement` by file. The first file's answers are those that the others are held to."""
    hashes, dev, head = hashes_of(files), request.dev, request.head
    stage = run.stage(SCORE, score_inputs(request, files))
    if stage.finished:
        return stage.result
    texts = [(example.text, example.second_text) for example in dev.examples]
    answers = {name: AnsweringModel(path).answer_all(texts, report) for name, path in files.items()}
    targets = dev.label_values() if dev.is_regression else dev.label_ids()
    labels = () if dev.is_regression else dev.labels
    outputs = {hashes[name]: answer for name, answer in answers.items()}
    write_predictions(stage.folder / FILE_NAME, predictions_of(texts, targets, outputs, labels, dev.sha256))
    reference = next(iter(answers.values()))
    stage.finish(
        {
            "metric": METRICS[head.kind],
            "examples": len(texts),
            "scores": {name: score(head, answer, targets) for name, answer in answers.items()},
            "agreement": {name: _agreement(head, answer, reference) for name, answer in answers.items()},
        }
    )
    return stage.result


def hashes_of(files: dict[str, Path]) -> dict[str, str]:
    return {name: sha256_of_file(path) for name, path in files.items()}


def _agreement(head: HeadConfig, answers: np.ndarray, reference: np.ndarray) -> float:
    """The share of equal answers; for a regression the rank correlation."""
    return score(head, answers, reference[:, 0] if head.kind == "regression" else np.argmax(reference, axis=-1))
