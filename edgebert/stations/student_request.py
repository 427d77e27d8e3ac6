"""What every distillation is asked for, be it on a task or on plain text: teachers, a student, a plan, and tokens."""

import dataclasses
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.checking import check_norms
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.planning import Plan, Teacher, TrainingChoices, make_plan
from edgebert.distill.projections import NO_PROJECTIONS, read_projections
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.distill.running import CacheSettings
from edgebert.distill.student_shapes import StudentShape, student_config
from edgebert.errors import TrainingError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.stations.finetuning import checkpoint_facts
from edgebert.training.hashing import values_sha256


class StudentRequest:
    """`start` with the method from_folder brings the student's shape along; of `shape` only its functions are read.

    Only names what a request holds: its dataclasses have the fields, in an order of their own.
    """

    station: ClassVar[str]
    # What the data consist of.
    unit: ClassVar[str]

    teachers: tuple[Checkpoint, ...]
    recipes: tuple[Recipe, ...]
    shape: StudentShape
    start: Initialisation
    layer_map: LayerMap | None
    training: TrainingChoices
    cache: CacheSettings
    # Of a text, or of a sequence, at most.
    tokens: int
    # The student's.
    head: HeadConfig
    teacher_heads: tuple[HeadConfig, ...]
    # What is trained on, and what is held out.
    encoded: tuple[EncodedDataset, EncodedDataset]
    data_sha256: tuple[str, str]

    @cached_property
    def origin(self) -> EncoderConfig:
        """What the student starts as, or as a part of; at random, what it takes its numbers from."""
        return self.teachers[0].encoder if self.start.folder is None else load_checkpoint(self.start.folder).encoder

    @cached_property
    def student(self) -> EncoderConfig:
        """One that was trained before brings its shape along."""
        if self.start.folder is None:
            return student_config(self.origin, self.head, self.shape)
        student = dataclasses.replace(self.origin, pooler=self.head.pooling == "pooler", **self.shape.functions)
        check_norms(student, self.origin)
        return student

    @property
    def fits_norms(self) -> bool:
        """Whether NoNorms that stand for LayerNorms are fitted to text before the first step."""
        return self.start.method != "random" and self.origin.normalization != self.student.normalization

    @cached_property
    def projections(self) -> Mapping[str, np.ndarray]:
        """What a student that was trained before learnt them to be."""
        return NO_PROJECTIONS if self.start.folder is None else read_projections(self.start.folder)

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.teachers[0].source)

    @cached_property
    def plan(self) -> Plan:
        """Everything that can be known to be impossible is an error here."""
        return make_plan(
            [Teacher(one.encoder, head) for one, head in zip(self.teachers, self.teacher_heads, strict=True)],
            self.student,
            self.head,
            self.start,
            self.recipes,
            self.layer_map,
            self.training,
            self.cache,
            *self.encoded,
            self.same_tokens,
        )

    @cached_property
    def student_tokenizer(self) -> WordPiece:
        """The first teacher's, but of a student that was trained before: its own, of which some pieces may be left."""
        return self.tokenizer if self.start.folder is None else WordPiece.from_folder(self.start.folder)

    @cached_property
    def same_tokens(self) -> bool:
        return self.student_tokenizer.cuts_like(self.tokenizer)

    @property
    def student_source(self) -> Checkpoint:
        """Whose tokenizer's files the student gets."""
        return self.teachers[0] if self.same_tokens else load_checkpoint(self.start.folder)

    def require_same_tokens(self) -> None:
        """One text is cut once for all teachers."""
        for teacher in self.teachers[1:]:
            require_tokens_of(self.tokenizer, teacher.source)

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        train_sha256, dev_sha256 = self.data_sha256
        start = dataclasses.asdict(self.plan.start)
        if self.start.folder is not None:
            start["folder"] = load_checkpoint(self.start.folder).sha256
            start["projections"] = values_sha256(dict(self.projections))
            if not self.same_tokens:
                start["tokens"] = checkpoint_facts(load_checkpoint(self.start.folder), self.student_tokenizer)
        teachers = [
            checkpoint_facts(teacher, self.tokenizer) | {"head": head.to_json()}
            for teacher, head in zip(self.teachers, self.teacher_heads, strict=True)
        ]
        return {
            "teachers": teachers,
            "train_sha256": train_sha256,
            "dev_sha256": dev_sha256,
            "tokens": self.tokens,
            "student": self.student.to_json(),
            "head": self.head.to_json(),
            "start": start,
            "steps": {
                str(number): {
                    "recipe": recipe_to_dict(planned.step.recipe),
                    "training": dataclasses.asdict(planned.step.settings),
                    # Kept answers differ from fresh ones in their last bits.
                    "cache": self.cache.precision if planned.is_cached else None,
                }
                for number, planned in enumerate(self.plan.steps, 1)
            },
        }


def require_tokens_of(tokenizer: WordPiece, folder: Path) -> None:
    other = WordPiece.from_folder(folder)
    if not other.cuts_like(tokenizer):
        difference = "pieces" if other.vocabulary != tokenizer.vocabulary else "tokenizer settings"
        raise TrainingError(
            f"{folder}: expected the first teacher's vocabulary, got other {difference}. "
            "Do: give models that read the same tokens."
        )
