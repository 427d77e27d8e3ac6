"""What a teacher says of a dataset, computed once and kept on disk: logits, and what else a recipe reads.

Only real tokens are kept, one file for each part, examples behind one another in the order of their lengths. A cache
stands in a folder named by the hash of everything it depends on and gets that name when it is whole: a stale or
half-written one is never found.
"""

import json
import math
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.data.batches import INPUT_NAMES, EncodedDataset, batches
from edgebert.distill.computing import TeacherNeeds
from edgebert.distill.traces import ATTENTION, HIDDEN, OUTPUT, needed_parts
from edgebert.errors import OutputError, TrainingError
from edgebert.files import make_folder, write_atomically
from edgebert.keras import tf, traced
from edgebert.models.task import TaskTrace
from edgebert.progress import Progress, Report, silent
from edgebert.training.hashing import dataset_sha256, key_sha256

DESCRIPTION_FILE = "cache.json"
# Raise when the layout of the files changes: caches of the old one are then not found.
LAYOUT = 1
BATCH_SIZE = 64
SQUARE_FIELDS = ("scores", "probabilities")


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of array: how an example of t tokens fills it."""

    name: str
    # [heads, t, width] or [heads, t, t] for attention, [t, width] for states, [width] for outputs.
    heads: int | None
    width: int | None
    dtype: str

    def shape(self, tokens: int) -> tuple[int, ...]:
        if self.name == OUTPUT:
            return (self.width,)
        width = tokens if self.width is None else self.width
        return (tokens, width) if self.heads is None else (self.heads, tokens, width)

    @property
    def spec(self) -> tf.TensorSpec:
        if self.name == OUTPUT:
            return tf.TensorSpec([None, self.width], tf.as_dtype(self.dtype))
        shape = [None, None, self.width] if self.heads is None else [None, self.heads, None, self.width]
        return tf.TensorSpec(shape, tf.as_dtype(self.dtype))

    def elements(self, lengths: np.ndarray) -> np.ndarray:
        """How many values each example has."""
        lengths = lengths.astype(np.int64)
        return np.array([math.prod(self.shape(int(tokens))) for tokens in lengths], np.int64)

    def real(self, values: np.ndarray, tokens: int) -> np.ndarray:
        """An example's own values, of padded ones."""
        if self.name == OUTPUT:
            return values
        if self.heads is None:
            return values[:tokens]
        return values[:, :tokens, :tokens] if self.width is None else values[:, :tokens]


def parts_of(needs: TeacherNeeds, config: EncoderConfig, outputs: int, precision: str) -> tuple[Part, ...]:
    """Outputs stay float32: they are few, and a temperature divides them."""
    parts = [Part(OUTPUT, None, outputs, "float32")] if needs.output else []
    parts += [Part(f"{HIDDEN}.{layer}", None, config.width, precision) for layer in needs.hidden]
    for layer, field in needs.attention:
        width = None if field in SQUARE_FIELDS else config.head_width
        parts.append(Part(f"{ATTENTION}.{layer}.{field}", config.heads, width, precision))
    return tuple(parts)


def size_bytes(parts: tuple[Part, ...], data: EncodedDataset) -> int:
    """Of the whole cache, known before anything is computed."""
    lengths = _lengths(data)
    return sum(int(part.elements(lengths).sum()) * np.dtype(part.dtype).itemsize for part in parts)


class TeacherCache:
    """The kept outputs for the examples of one dataset."""

    def __init__(self, folder: Path, parts: tuple[Part, ...], data: EncodedDataset):
        self._parts, self._lengths = parts, _lengths(data)
        order = np.argsort(self._lengths, kind="stable")
        self._starts = {part.name: _starts(part.elements(self._lengths[order]), order) for part in parts}
        self._arrays = {part.name: np.memmap(folder / part.name, part.dtype, mode="r") for part in parts}

    @property
    def signature(self) -> dict[str, tf.TensorSpec]:
        return {part.name: part.spec for part in self._parts}

    def batch(self, positions: np.ndarray, tokens: int) -> dict[str, np.ndarray]:
        """The parts of these examples, zero where the texts are padded to `tokens`."""
        found = {}
        for part in self._parts:
            padded = np.zeros((len(positions), *part.shape(tokens)), part.dtype)
            for row, position in enumerate(positions):
                length = int(self._lengths[position])
                shape, start = part.shape(length), self._starts[part.name][position]
                values = self._arrays[part.name][start : start + math.prod(shape)].reshape(shape)
                part.real(padded[row], length)[...] = values
            found[part.name] = padded
        return found


def cache_teacher(
    folder: str | os.PathLike,
    teach: Callable[[dict], TaskTrace],
    weights_sha256: str,
    needs: TeacherNeeds,
    parts: tuple[Part, ...],
    data: EncodedDataset,
    report: Report = silent,
) -> TeacherCache:
    """The cache of what `teach` says, read where it stands in `folder`, else computed.

    `weights_sha256` is of all that `teach` depends on.
    """
    description = {
        "layout": LAYOUT,
        "teacher": weights_sha256,
        "inputs": dataset_sha256(data, with_targets=False),
        "parts": [[part.name, part.heads, part.width, part.dtype] for part in parts],
    }
    key = key_sha256(description)
    place = make_folder(folder) / key[:32]
    if not _is_whole(place, key, parts, data):
        _compute(place, teach, needs, parts, data, report)
        sizes = {part.name: (place.with_suffix(".partial") / part.name).stat().st_size for part in parts}
        content = json.dumps({"key": key, "sizes_bytes": sizes, **description}, indent=2)
        write_atomically(place.with_suffix(".partial") / DESCRIPTION_FILE, content.encode())
        shutil.rmtree(place, ignore_errors=True)
        place.with_suffix(".partial").rename(place)
    return TeacherCache(place, parts, data)


def _is_whole(place: Path, key: str, parts: tuple[Part, ...], data: EncodedDataset) -> bool:
    try:
        if json.loads((place / DESCRIPTION_FILE).read_bytes())["key"] != key:
            return False
        lengths = _lengths(data)
        return all(
            (place / part.name).stat().st_size == part.elements(lengths).sum() * np.dtype(part.dtype).itemsize
            for part in parts
        )
    except (OSError, ValueError, KeyError):
        return False


def _compute(place: Path, teach, needs: TeacherNeeds, parts: tuple[Part, ...], data: EncodedDataset, report) -> None:
    unfinished = place.with_suffix(".partial")
    shutil.rmtree(unfinished, ignore_errors=True)
    make_folder(unfinished)
    tokens = tf.TensorSpec([None, None], tf.int32)
    answer = traced(
        lambda inputs: needed_parts(needs, teach(inputs)), input_signature=[dict.fromkeys(INPUT_NAMES, tokens)]
    )
    lengths, done = _lengths(data), 0
    try:
        with ExitStack() as opened:
            files = {part.name: opened.enter_context((unfinished / part.name).open("wb")) for part in parts}
            for part in parts:
                # A disk that is too small says so now, not after an hour; a mapped file would end in SIGBUS.
                size = int(part.elements(lengths).sum()) * np.dtype(part.dtype).itemsize
                os.posix_fallocate(files[part.name].fileno(), 0, size)
            for positions, inputs in batches(data, BATCH_SIZE):
                answers = {name: values.numpy() for name, values in answer(inputs).items()}
                for part in parts:
                    for row, position in enumerate(positions):
                        real = part.real(answers[part.name][row], int(lengths[position]))
                        files[part.name].write(_stored(part, real).tobytes())
                done += len(positions)
                report(Progress("teacher's answers", done, len(data)))
            for file in files.values():
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise OutputError(
            f"{place.parent}: expected room for {size_bytes(parts, data):,} bytes of the teacher's outputs, got "
            f"'{error.strerror}'. Do: make room, or lower the cache's budget."
        ) from error


def _stored(part: Part, values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        stored = values.astype(part.dtype)
    if not np.isfinite(values).all():
        raise TrainingError(
            f"teacher's {part.name}: expected finite values, got NaN or infinity. Do: check the teacher; its answers "
            "are no numbers."
        )
    if not np.isfinite(stored).all():
        largest = np.abs(values).max()
        raise TrainingError(
            f"teacher's {part.name}: expected values that {part.dtype} can hold, got {largest:.4g}. Do: keep no "
            "answers (--cache-budget 0), so that the teacher runs in every epoch; in Python, or keep them with "
            'CacheSettings(precision="float32").'
        )
    return stored


def _lengths(data: EncodedDataset) -> np.ndarray:
    return np.array([len(encoded.input_ids) for encoded in data.encoded], np.int64)


def _starts(elements: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Where each example begins in a file that holds them in `order`."""
    starts = np.empty(len(order), np.int64)
    starts[order] = np.concatenate([[0], np.cumsum(elements)[:-1]])
    return starts
