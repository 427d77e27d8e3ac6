"""Whether a file answers as the model did that was trained for it: rounding in Keras beside integers in LiteRT."""

import dataclasses
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE, StoredRanges
from edgebert.compression.quantizing.wrapping import wrap
from edgebert.config import HeadConfig
from edgebert.data.batches import encode_dataset
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError
from edgebert.export.answering import AnsweringModel
from edgebert.export.quantization.integer_output import with_logits
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.progress import Report, silent
from edgebert.training.scoring import predict, score

# Below this a probability is no longer told apart from 0 by its logit.
_SMALLEST_PROBABILITY = 1e-30


@dataclass(frozen=True)
class RoundingParity:
    examples: int
    # Of logits less their mean, which softmax leaves standing; of scores as they are.
    largest_difference: float
    mean_difference: float
    # Of the rounding model's, to see differences against.
    standard_deviation: float
    # Share of examples that the file itself gives the same class; none of scores.
    agreement: float | None
    rounding_score: float
    file_score: float

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def compare_rounding(
    folder: Path, file: Path, dev: Dataset, length: int | None = None, report: Report = silent
) -> RoundingParity:
    """`folder`: what edgebert quantize made, `file`: what edgebert convert made of it."""
    stored, answering = StoredRanges.read(folder), AnsweringModel(file)
    if stored is None:
        raise ArtefactError(f"{folder}: expected {QUANTIZATION_FILE} in it, got none. Do: make it with quantize.")
    checkpoint = load_checkpoint(folder)
    encoded = encode_dataset(dev, WordPiece.from_folder(folder), length or checkpoint.encoder.maximum_length)
    rounding = predict(wrap(load_model(checkpoint).model, stored.ranges).model, encoded, batch_size=1)
    told = answering.answer_all([(each.text, each.second_text) for each in dev.examples], report)
    # Probabilities that count in 1/256 say little of their logits.
    counts_in_steps = checkpoint.head.kind == "classification" and stored.ranges.is_integer_throughout
    logits = _logits(file, dev) if counts_in_steps else None
    return parity_of(checkpoint.head, rounding, told, logits, encoded.targets)


def parity_of(
    head: HeadConfig, rounding: np.ndarray, told: np.ndarray, logits: np.ndarray | None, targets: np.ndarray
) -> RoundingParity:
    """rounding: the logits or scores that Keras finds; told: what the file answers; logits: the file's, where its
    probabilities do not tell them."""
    is_classes = head.kind == "classification"
    ours, theirs = rounding, told
    if is_classes:
        theirs = np.log(np.maximum(told, _SMALLEST_PROBABILITY)) if logits is None else logits
        ours, theirs = _centred(ours), _centred(theirs)
    apart = np.abs(ours - theirs)
    return RoundingParity(
        examples=len(told),
        largest_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
        standard_deviation=float(ours.std()),
        agreement=float(np.mean(rounding.argmax(axis=-1) == told.argmax(axis=-1))) if is_classes else None,
        rounding_score=score(head, rounding, targets),
        file_score=score(head, told, targets),
    )


def _logits(file: Path, dev: Dataset) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / file.name
        cut.write_bytes(with_logits(file.read_bytes()))
        return AnsweringModel(cut).answer_all([(each.text, each.second_text) for each in dev.examples])


def _centred(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=-1, keepdims=True)
