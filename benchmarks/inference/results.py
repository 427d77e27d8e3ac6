"""What a run of the inference benchmark leaves behind: every sample, and all that could make another run differ."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebert.documents import Kind, to_plain
from edgebert.errors import MeasurementError
from edgebert.files import write_atomically
from edgebert.measurement import Conditions, Device

SCHEMA, SCHEMA_VERSION = "edgebert-inference", 1


@dataclass(frozen=True)
class Engine:
    """`versions` are what the process itself said of its interpreter and packages; `delegate` is LiteRT's."""

    name: str
    versions: Mapping[str, str]
    delegate: str | None
    model_sha256: str
    size_bytes: int
    # Of probabilities, to PyTorch's with the same weights; null where the weights are others.
    largest_difference: float | None
    peak_bytes: int | None
    # A row for each round, in which every engine had one turn; in its row the runs of that turn.
    nanoseconds: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Inference:
    schema: str
    schema_version: int
    edgebert_version: str
    started_at_utc: str
    finished_at_utc: str
    shape: str
    # Tokens of every text.
    length: int
    texts: str
    input_ids_sha256: str
    threads: int
    affinity: tuple[int, ...]
    device: Device
    conditions_before: Conditions
    conditions_after: Conditions
    engines: tuple[Engine, ...]


_KIND = Kind(
    Inference,
    SCHEMA,
    SCHEMA_VERSION,
    noun="results of the inference benchmark",
    remedy="run benchmarks.inference.run again.",
    error=MeasurementError,
)


def results_file(shape: str) -> Path:
    return Path(__file__).parent / f"results-{shape}.json"


def write_results(path: Path, results: Inference) -> None:
    write_atomically(path, (json.dumps(to_plain(results), allow_nan=False) + "\n").encode())


def read_results(path: str | os.PathLike) -> Inference:
    return _KIND.read(path)
