"""What a distillation is asked for, checked as far as files and configurations go, and what its result depends on."""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

from edgebert.config import HeadConfig
from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.data.examples import Dataset
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.planning import TrainingChoices
from edgebert.distill.recipe import Recipe
from edgebert.distill.running import DEFAULT_CACHE, CacheSettings
from edgebert.distill.student_shapes import StudentShape
from edgebert.errors import TrainingError
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint
from edgebert.stations.finetuning import require_kind, require_labelled, usual_length
from edgebert.stations.student_request import StudentRequest
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.scoring import METRICS

# transformers' names for labels that nobody named.
GENERIC_LABEL = "label_"


@dataclass(frozen=True)
class DistilRequest(StudentRequest):
    station: ClassVar[str] = "distill"
    unit: ClassVar[str] = "example"

    teachers: tuple[Checkpoint, ...]
    train: Dataset
    dev: Dataset
    recipes: tuple[Recipe, ...]
    shape: StudentShape
    start: Initialisation
    layer_map: LayerMap | None = None
    training: TrainingChoices = field(default_factory=TrainingChoices)
    cache: CacheSettings = DEFAULT_CACHE
    # Tokens of a text that are kept.
    length: int | None = None
    # What the student's head reads, where it is not what the teacher's does.
    pooling: str | None = None

    def __post_init__(self) -> None:
        kind = task_head(self.teachers[0]).kind
        require_labelled(dev=self.dev)
        for data in (self.train, self.dev):
            require_kind(data, kind, "the teacher's")
        for encoder in (*(teacher.encoder for teacher in self.teachers), self.student):
            check_length(encoder, self.tokens)
        check_arithmetic(self.training.common.arithmetic)
        self.require_same_tokens()

    @property
    def tokens(self) -> int:
        return usual_length(self.teachers[0]) if self.length is None else self.length

    @property
    def head(self) -> HeadConfig:
        """The teacher's; where that does not name its labels, with the data's names."""
        head = task_head(self.teachers[0])
        if self.pooling is not None:
            head = dataclasses.replace(head, pooling=self.pooling)
        named = self.dev.labels if label_order(self.teachers[0]) is None else head.labels
        return dataclasses.replace(head, labels=named or ())

    @property
    def teacher_heads(self) -> tuple[HeadConfig, ...]:
        return tuple(task_head(teacher) for teacher in self.teachers)

    @cached_property
    def encoded(self) -> tuple[EncodedDataset, EncodedDataset]:
        """Training and dev data."""
        return tuple(encode_dataset(data, self.student_tokenizer, self.tokens) for data in (self.train, self.dev))

    @cached_property
    def for_teachers(self) -> tuple[EncodedDataset, EncodedDataset]:
        """The same as the teachers read it."""
        if self.same_tokens:
            return self.encoded
        return tuple(encode_dataset(data, self.tokenizer, self.tokens) for data in (self.train, self.dev))

    @property
    def data_sha256(self) -> tuple[str, str]:
        return self.train.sha256, self.dev.sha256


def task_head(teacher: Checkpoint) -> HeadConfig:
    head = teacher.head
    if head is None or head.kind not in METRICS:
        raise TrainingError(
            f"{teacher.source}: expected a teacher with a head for {' or '.join(METRICS)}, got "
            f"{'none' if head is None else head.kind}. Do: fine-tune it on the task first (edgebert finetune)."
        )
    return head


def label_order(teacher: Checkpoint) -> tuple[str, ...] | None:
    """The names in whose order the teacher answers; none where it has no names, or only numbers in their place."""
    labels = task_head(teacher).labels
    generic = all(label.casefold().startswith(GENERIC_LABEL) for label in labels)
    return None if generic else labels
