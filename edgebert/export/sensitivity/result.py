"""What was found, as plain values and as a file: no runtime is needed to read or draw it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from edgebert.documents import Kind, to_plain
from edgebert.errors import MeasurementError

SCHEMA = "edgebert-sensitivity"
SCHEMA_VERSION = 1
WEIGHT, ACTIVATION = "weight", "activation"
# What a group's parts have in common.
BY_CLASS, BY_BLOCK, BY_PART = "class", "block", "part"


@dataclass(frozen=True)
class Verdict:
    """Of a file's answers: `score` where there are labels, the others against the float32 graph's answers.

    `agreement`: the share of equal labels, the mean cosine of embeddings or the correlation of scores; `distance`: 0
    for equal answers, see `edgebert.export.sensitivity.exam`.
    """

    texts: int
    score: float | None
    agreement: float
    distance: float


@dataclass(frozen=True)
class TensorError:
    """Of one tensor against float32. An error in dB that is None is none at all. `tensor`: its name in the file.

    `own_sqnr_db`: what its own rounding costs; None also where the tensor is float in the file. `sqnr_db`: what arrived
    there, with all that was rounded before; of a weight both are the same.
    """

    name: str
    tensor: str
    part: str
    role: str
    dtype: str
    elements: int
    sqnr_db: float | None
    own_sqnr_db: float | None
    cosine: float

    @property
    def is_rounded(self) -> bool:
        return self.role == WEIGHT or self.dtype != "float32"


@dataclass(frozen=True)
class Unmapped:
    """A quantised tensor that no tensor of the float32 graph was found for."""

    name: str
    reason: str


@dataclass(frozen=True)
class GroupHarm:
    """What quantising these parts alone does; everything else is float32."""

    group: str
    by: str
    treatment: str
    parts: tuple[str, ...]
    verdict: Verdict


@dataclass(frozen=True)
class Choice:
    """A mixed scheme: which treatment each part has, and what it costs on texts it was and was not chosen on."""

    most_points: float
    is_met: bool
    treatments: Mapping[str, str]
    # Files that were made and asked on the way.
    tried: int
    selection: Verdict
    selection_float32: Verdict
    selection_static: Verdict
    held_out: Verdict
    held_out_float32: Verdict
    held_out_static: Verdict


@dataclass(frozen=True)
class Sensitivity:
    schema: str
    schema_version: int
    scheme: str
    task: str
    # accuracy or spearman; agreement, cosine or correlation with float32 where there are no labels.
    metric: str
    checkpoint: str
    checkpoint_sha256: str
    calibration_source: str | None
    calibration_sha256: str | None
    calibration_texts: int
    texts_source: str
    texts_sha256: str
    float32: Verdict
    whole: Verdict
    groups: tuple[GroupHarm, ...]
    tensor_texts: int
    tensors: tuple[TensorError, ...]
    unmapped: tuple[Unmapped, ...]
    choice: Choice | None = None


_KIND = Kind(
    Sensitivity,
    SCHEMA,
    SCHEMA_VERSION,
    noun="sensitivities",
    remedy="give a file as `edgebert sensitivity --json` wrote it.",
    error=MeasurementError,
)


def value_of(verdict: Verdict) -> float:
    """What drops are counted in: the score, or without labels the agreement."""
    return verdict.agreement if verdict.score is None else verdict.score


def points_lost(verdict: Verdict, reference: Verdict) -> float:
    """Of 100; below 0 where a file does better than float32."""
    return 100 * (value_of(reference) - value_of(verdict))


def to_json(found: Sensitivity) -> bytes:
    """A line for each tensor and each group, so that a difference between two files can be read."""
    lines = [f" {json.dumps(key)}: {_rendered(value)}" for key, value in to_plain(found).items()]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _rendered(value: object) -> str:
    if isinstance(value, (list, tuple)) and value:
        return "[\n" + ",\n".join(f"  {json.dumps(item, allow_nan=False)}" for item in value) + "\n ]"
    return json.dumps(value, allow_nan=False)


def read_sensitivity(path: str | os.PathLike) -> Sensitivity:
    return _KIND.read(path)
