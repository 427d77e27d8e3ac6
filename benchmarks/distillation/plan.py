"""What a configuration file in `configs/` says: data, teacher, student, and the variants that are compared."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgebert.config import EncoderConfig
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.layer_maps import LayerMap
from edgebert.training.settings import TrainingSettings

CONFIGS = Path(__file__).parent / "configs"


@dataclass(frozen=True)
class TeacherPlan:
    checkpoint: str
    pooling: str
    # One training each, all from the checkpoint; the teacher's weights are the mean of theirs (a "model soup").
    trainings: tuple[TrainingSettings, ...]


@dataclass(frozen=True)
class GeneralPlan:
    corpus: tuple[str, ...]
    length: int
    most_sequences: int
    recipe: str
    layers: tuple[int, ...]
    settings: TrainingSettings


@dataclass(frozen=True)
class StepPlan:
    # A published recipe's name, or "labels": no teacher at all.
    recipe: str
    settings: dict[str, Any]


@dataclass(frozen=True)
class VariantPlan:
    description: str
    start: str
    steps: tuple[StepPlan, ...]
    # Whether the student was distilled on plain text before.
    general: bool = False
    # How many texts augmentation adds to each example.
    augmented: int = 0
    # Teacher's layers that the student's layers start from and are compared with.
    layers: tuple[int, ...] = ()


@dataclass(frozen=True)
class Plan:
    name: str
    # A folder inside --data, or a bundled dataset.
    data: str
    length: int
    teacher: TeacherPlan
    student: dict[str, int]
    variants: dict[str, VariantPlan] = field(repr=False)


def read_plan(name: str) -> Plan:
    raw = tomllib.loads((CONFIGS / f"{name}.toml").read_text(encoding="utf-8"))
    return Plan(
        name=name,
        data=raw["data"],
        length=raw["length"],
        teacher=_teacher(raw["teacher"]),
        student=raw["student"],
        variants={key: _variant(fields, raw["student_training"]) for key, fields in raw["variants"].items()},
    )


def read_general_plan() -> GeneralPlan:
    raw = tomllib.loads((CONFIGS / "general.toml").read_text(encoding="utf-8"))
    settings = TrainingSettings(**raw.pop("training"))
    return GeneralPlan(**{**raw, "corpus": tuple(raw["corpus"]), "layers": tuple(raw["layers"]), "settings": settings})


def explicit(layers: tuple[int, ...]) -> LayerMap:
    return LayerMap("explicit", teacher_layers=layers)


def _teacher(fields: dict[str, Any]) -> TeacherPlan:
    checkpoint, pooling, mixed = fields.pop("checkpoint"), fields.pop("pooling"), fields.pop("mean_of", [{}])
    return TeacherPlan(checkpoint, pooling, tuple(TrainingSettings(**{**fields, **each}) for each in mixed))


def _variant(fields: dict[str, Any], defaults: dict[str, Any]) -> VariantPlan:
    steps = tuple(StepPlan(step.pop("recipe"), {**defaults, **step}) for step in fields.pop("steps"))
    return VariantPlan(**{**fields, "steps": steps, "layers": tuple(fields.get("layers", ()))})


def student_config(plan: Plan, teacher: EncoderConfig) -> EncoderConfig:
    shape = plan.student
    return EncoderConfig(
        vocabulary_size=teacher.vocabulary_size,
        width=shape["width"],
        layers=shape["layers"],
        heads=shape["heads"],
        feed_forward_width=shape["feed_forward"],
        embedding_width=shape["width"],
        maximum_length=teacher.maximum_length,
        norm_epsilon=teacher.norm_epsilon,
        pooler=teacher.pooler,
    )


def initialisation(variant: VariantPlan, seed: int, general: Path | None) -> Initialisation:
    if general is not None:
        return Initialisation("from_folder", folder=general, seed=seed)
    return Initialisation(variant.start, layer_map=explicit(variant.layers) if variant.layers else None, seed=seed)
