"""The same model before and after: one .tflite of each in one precision, their bytes, and their scores on dev data.

Both are answered by LiteRT, so that what is compared is what a phone would run.
"""

import dataclasses
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest, check_needs_no_texts
from edgebert.export.precisions import check_precision, check_table_width
from edgebert.files import make_folder, write_atomically
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.loading import load_model
from edgebert.progress import Report, silent
from edgebert.training.scoring import METRICS, score

# Below a result's work folder.
FILES_FOLDER = "files"


@dataclass(frozen=True)
class FileFacts:
    size_bytes: int
    gzipped_bytes: int
    # None where the dev data has no labels of the model's task.
    dev_score: float | None


@dataclass(frozen=True)
class FileComparison:
    precision: str
    metric: str | None
    before: FileFacts
    after: FileFacts
    # The share of dev examples that both answer with the same class; none where nothing is scored or no class.
    agreement: float | None

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, **{side: FileFacts(**fields[side]) for side in ("before", "after")}})


def check_comparable(checkpoint: Checkpoint, precision: str) -> None:
    """Refuse what no file can be made of, before anything is written."""
    check_precision(precision)
    check_needs_no_texts(precision)
    for width in (checkpoint.encoder.width, checkpoint.encoder.embedding_width):
        check_table_width(precision, width)
    if checkpoint.head is None or checkpoint.head == MASKED_WORDS:
        kind = "none" if checkpoint.head is None else "one for masked words"
        raise ArtefactError(
            f"{checkpoint.source}: expected a head for a task or for sentences, to make a .tflite of, got {kind}. "
            "Do: leave the files out (--no-files)."
        )


def compare_files(
    before: Path, after: Path, precision: str | None, dev: Dataset | None, work: Path, report: Report = silent
) -> FileComparison | None:
    """Of two checkpoint folders; None where none is wanted. A file that an interrupted call has finished in `work` is
    taken as it is."""
    if precision is None:
        return None
    head = load_checkpoint(before).head
    scored = dev if dev is not None and can_be_scored(head, dev) else None
    facts, answers = [], []
    for name, folder in (("before", before), ("after", after)):
        path = make_folder(work / FILES_FOLDER) / f"{name}.tflite"
        if not path.exists():
            write_atomically(path, _exported(folder, precision))
        outputs = None if scored is None else _answers(path, scored, report)
        content = path.read_bytes()
        dev_score = None if scored is None else score(head, outputs, _targets(scored))
        facts.append(FileFacts(len(content), len(gzip.compress(content, mtime=0)), dev_score))
        answers.append(outputs)
    agreement = None
    if scored is not None and head.kind == "classification":
        agreement = float(np.mean(np.argmax(answers[0], axis=-1) == np.argmax(answers[1], axis=-1)))
    return FileComparison(precision, None if scored is None else METRICS[head.kind], *facts, agreement)


def can_be_scored(head: HeadConfig | None, dev: Dataset) -> bool:
    return head is not None and head.kind in METRICS and dev.is_labelled


def _exported(folder: Path, precision: str) -> bytes:
    checkpoint = load_checkpoint(folder)
    provenance = {"checkpoint_sha256": checkpoint.sha256}
    exporter = Exporter(load_model(checkpoint).model, WordPiece.from_folder(folder), provenance)
    return exporter.export(ExportRequest(precision))


def _answers(path: Path, dev: Dataset, report: Report) -> np.ndarray:
    return AnsweringModel(path).answer_all([(example.text, example.second_text) for example in dev.examples], report)


def _targets(dev: Dataset) -> np.ndarray:
    return dev.label_values() if dev.is_regression else dev.label_ids()
