"""Several trainings of one checkpoint to the mean of their weights: `edgebert average`. Nothing is trained.

A "model soup" (Wortsman et al. 2022): trainings that began with the same weights end near one another, where the mean
often answers better than each, and costs no more than one.
"""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.distill.projections import FILE_NAME as PROJECTIONS_FILE
from edgebert.files import write_atomically
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgebert.models.checkpoint_reading import model_rows
from edgebert.models.loading import load_model
from edgebert.models.tensor_file import FLOAT_TYPES, StoredTensor, TensorFile, tensor_file_bytes
from edgebert.progress import Progress, Report, silent
from edgebert.stations.average_request import AverageRequest
from edgebert.stations.result_folder import ResultFolder, StationResult
from edgebert.training.scoring import METRICS, predict, score

STATION = "average"
# The lower half of a float32, which bfloat16 has not.
DROPPED_BITS = 16


@dataclass(frozen=True)
class Averaged(StationResult):
    metric: str | None
    # How far each checkpoint lies from the mean, as a share of the mean's length.
    distances: tuple[float, ...]
    # Of each checkpoint; none without data.
    dev_scores: tuple[float, ...]
    # Of the mean, as it is written.
    dev_score: float | None
    # It was there before; nothing was made now.
    found: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        lists = {name: tuple(fields[name]) for name in ("distances", "dev_scores")}
        return cls(**{**fields, **lists}, found=True)


def average_checkpoints(
    request: AverageRequest, folder: str | os.PathLike, report: Report = silent, replace: bool = False
) -> Averaged:
    """Make the mean's checkpoint in `folder`. Killed, the same call makes it anew; a finished one is only reported."""
    with ResultFolder(folder, STATION, request.to_json(), replace) as place:
        if place.finished:
            return Averaged.from_json(place.result)
        place.begin()
        mean, distances = _mean_checkpoint(request.checkpoints)
        if request.projections:
            content = tensor_file_bytes(_mean(request.projections)[0], request.projections[0].metadata)
            write_atomically(place.path / PROJECTIONS_FILE, content)
        save_checkpoint(place.path, mean.tensors, mean.encoder, mean.head, mean)
        *scores, dev_score = _scores(request, (*request.checkpoints, load_checkpoint(place.path)), report)
        metric = None if request.dev is None else METRICS[request.first.head.kind]
        done = Averaged(metric, distances, tuple(scores) if metric else (), dev_score)
        place.finish(done.to_json())
    return done


def _mean_checkpoint(checkpoints: Sequence[Checkpoint]) -> tuple[Checkpoint, tuple[float, ...]]:
    """The first one with the mean's values, in its own number types, as if it had been read so; and each one's
    distance."""
    first = checkpoints[0]
    stored, distances = _mean([one.file for one in checkpoints])
    tensors = {}
    for row in model_rows(first.encoder, first.head, first.family, first.raw_config):
        values = stored[first.stored_names[row.ours]].float32()
        tensors[row.ours] = values.T if row.transposed else values
    return dataclasses.replace(first, tensors=tensors, file=dataclasses.replace(first.file, tensors=stored)), distances


def _mean(files: Sequence[TensorFile]) -> tuple[dict[str, StoredTensor], tuple[float, ...]]:
    """Each tensor's mean in float64, in the first file's type, and how far each file lies from it.

    Tensors of integers are the same in all.
    """
    stored, squares, length = {}, np.zeros(len(files)), 0.0
    for name, tensor in files[0].tensors.items():
        if tensor.type_name not in FLOAT_TYPES:
            stored[name] = tensor
            continue
        values = np.stack([_float64(file.tensors[name]) for file in files])
        mean = values.mean(axis=0)
        stored[name] = _stored(mean, tensor)
        squares += np.square(values - mean).reshape(len(files), -1).sum(axis=1)
        length += float(np.square(mean).sum())
    return stored, tuple(float(np.sqrt(square / length)) if length else 0.0 for square in squares)


def _float64(tensor: StoredTensor) -> np.ndarray:
    if tensor.type_name == "F64":
        return np.frombuffer(tensor.data, np.float64).reshape(tensor.shape)
    return tensor.float32().astype(np.float64)


def _stored(values: np.ndarray, like: StoredTensor) -> StoredTensor:
    """In the type of `like`, rounded to the nearest, of two to the even one."""
    if like.type_name == "BF16":
        bits = values.astype(np.float32).view(np.uint32)
        to_even = (1 << (DROPPED_BITS - 1)) - 1 + ((bits >> DROPPED_BITS) & 1)
        rounded = ((bits + to_even) >> DROPPED_BITS).astype(np.uint16)
    else:
        rounded = values.astype(FLOAT_TYPES[like.type_name])
    return StoredTensor(like.type_name, like.shape, rounded.tobytes())


def _scores(request: AverageRequest, checkpoints: Sequence[Checkpoint], report: Report) -> list[float | None]:
    """On dev, in Keras as fine-tuning scores; None for each without data."""
    if request.dev is None:
        return [None] * len(checkpoints)
    dev = encode_dataset(request.dev, request.tokenizers[0], request.tokens)
    scores = []
    for number, checkpoint in enumerate(checkpoints, 1):
        scores.append(_score(checkpoint, dev))
        report(Progress("dev scores", number, len(checkpoints), f"{100 * scores[-1]:.2f}"))
    return scores


def _score(checkpoint: Checkpoint, dev: EncodedDataset) -> float:
    return score(checkpoint.head, predict(load_model(checkpoint).model, dev), dev.targets)
