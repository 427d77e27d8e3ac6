"""What every distillation is asked for, be it on a task or on plain text: teachers, a student, a plan, and tokens."""

import dataclasses
from pathlib import Path
from typing import Any, Protocol

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.planning import Plan
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.distill.running import CacheSettings
from edgebert.distill.student_shapes import StudentShape, student_config
from edgebert.errors import TrainingError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.stations.finetuning import checkpoint_facts


class StudentRequest(Protocol):
    @property
    def station(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def teachers(self) -> tuple[Checkpoint, ...]: ...

    @property
    def teacher_heads(self) -> tuple[HeadConfig, ...]: ...

    @property
    def student(self) -> EncoderConfig: ...

    @property
    def head(self) -> HeadConfig: ...

    @property
    def start(self) -> Initialisation: ...

    @property
    def tokenizer(self) -> WordPiece: ...

    @property
    def tokens(self) -> int: ...

    @property
    def encoded(self) -> tuple[EncodedDataset, EncodedDataset]: ...

    @property
    def plan(self) -> Plan: ...

    @property
    def cache(self) -> CacheSettings: ...

    def to_json(self) -> dict[str, Any]: ...


def student_of(teacher: Checkpoint, head: HeadConfig, shape: StudentShape, start: Initialisation) -> EncoderConfig:
    """A student that was trained before brings its shape along."""
    if start.folder is None:
        return student_config(teacher.encoder, head, shape)
    return dataclasses.replace(load_checkpoint(start.folder).encoder, pooler=head.pooling == "pooler")


def require_same_tokens(request: StudentRequest) -> None:
    """One text is cut once, for all models of a distillation."""
    for folder in (*(teacher.source for teacher in request.teachers[1:]), request.start.folder):
        if folder is not None:
            _require_tokens_of(request.tokenizer, folder)


def made_from(request: StudentRequest, train_sha256: str, dev_sha256: str) -> dict[str, Any]:
    """Everything that the result depends on."""
    start = dataclasses.asdict(request.plan.start)
    if request.start.folder is not None:
        start["folder"] = load_checkpoint(request.start.folder).sha256
    teachers = [
        checkpoint_facts(teacher, request.tokenizer) | {"head": head.to_json()}
        for teacher, head in zip(request.teachers, request.teacher_heads, strict=True)
    ]
    return {
        "teachers": teachers,
        "train_sha256": train_sha256,
        "dev_sha256": dev_sha256,
        "tokens": request.tokens,
        "student": request.student.to_json(),
        "head": request.head.to_json(),
        "start": start,
        "steps": {
            str(number): {
                "recipe": recipe_to_dict(planned.step.recipe),
                "training": dataclasses.asdict(planned.step.settings),
                # Kept answers differ from fresh ones in their last bits.
                "cache": request.cache.precision if planned.is_cached else None,
            }
            for number, planned in enumerate(request.plan.steps, 1)
        },
    }


def _require_tokens_of(tokenizer: WordPiece, folder: Path) -> None:
    other = WordPiece.from_folder(folder)
    if (other.vocabulary, other.settings) != (tokenizer.vocabulary, tokenizer.settings):
        difference = "pieces" if other.vocabulary != tokenizer.vocabulary else "tokenizer settings"
        raise TrainingError(
            f"{folder}: expected the first teacher's vocabulary, got other {difference}. "
            "Do: give models that read the same tokens."
        )
