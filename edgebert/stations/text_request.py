"""What a distillation on plain text is asked for: encoders whose head, if they have one, is for no task."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.plain_text import PlainText, read_plain_text
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.general import general_steps
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.planning import TrainingChoices
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_choice import FILE_SUFFIXES, choose_recipes
from edgebert.distill.running import DEFAULT_CACHE, CacheSettings
from edgebert.distill.student_shapes import StudentShape
from edgebert.distill.word_masking import WordMasking
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.masked_word_head import masked_word_tensors
from edgebert.progress import Report, silent
from edgebert.stations.finetuning import usual_length
from edgebert.stations.student_request import StudentRequest, require_tokens_of
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.hashing import dataset_sha256

SENTENCE = HeadConfig(kind="embedding", pooling="mean")


@dataclass(frozen=True)
class TextRequest(StudentRequest):
    station: ClassVar[str] = "distill-text"
    unit: ClassVar[str] = "sequence"

    teachers: tuple[Checkpoint, ...]
    # As `read_corpus` cut it, with the first teacher's vocabulary.
    text: PlainText
    # Tokens of a sequence, at most.
    tokens: int
    recipes: tuple[Recipe, ...]
    shape: StudentShape
    start: Initialisation
    layer_map: LayerMap | None = None
    training: TrainingChoices = field(default_factory=TrainingChoices)
    cache: CacheSettings = DEFAULT_CACHE

    def __post_init__(self) -> None:
        for encoder in (*(teacher.encoder for teacher in self.teachers), self.student):
            check_length(encoder, self.tokens)
        check_arithmetic(self.training.common.arithmetic)
        self.require_same_tokens()
        if self.start.folder is not None:
            require_tokens_of(self.tokenizer, self.start.folder)
        if self.head == MASKED_WORDS:
            for teacher in self.teachers:
                # Refuses a teacher without one.
                masked_word_tensors(teacher)

    @property
    def head(self) -> HeadConfig:
        return text_head(self.teachers[0], self.recipes)

    @property
    def teacher_heads(self) -> tuple[HeadConfig, ...]:
        """What a teacher learnt to answer on a task is not asked for."""
        return (self.head,) * len(self.teachers)

    @property
    def masking(self) -> WordMasking | None:
        return WordMasking.of(self.tokenizer) if self.head == MASKED_WORDS else None

    @property
    def encoded(self) -> tuple[EncodedDataset, EncodedDataset]:
        """What is trained on and what is held out."""
        return self.text.train, self.text.dev

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        masking = {} if self.masking is None else {"masking": dataclasses.asdict(self.masking)}
        return super().to_json() | masking

    @property
    def data_sha256(self) -> tuple[str, str]:
        train, dev = self.encoded
        return dataset_sha256(train), dataset_sha256(dev)


def text_head(teacher: Checkpoint, recipes: Sequence[Recipe]) -> HeadConfig:
    """Of student and teachers alike: words are only predicted where a recipe asks for them."""
    if any(recipe.predicts_tokens for recipe in recipes):
        return MASKED_WORDS
    head = teacher.head
    return head if head is not None and head.kind == SENTENCE.kind else SENTENCE


def text_recipes(names: Sequence[str]) -> tuple[Recipe, ...]:
    """The recipe of each step in turn: published ones for plain text, or files."""
    found: list[Recipe] = []
    for name in names:
        if name.lower().endswith(FILE_SUFFIXES):
            found += choose_recipes([name], SENTENCE.kind)
        else:
            found += [step.recipe for step in general_steps(name)]
    return tuple(found)


def read_corpus(
    teacher: Checkpoint,
    sources: Sequence[str | os.PathLike],
    length: int | None = None,
    most_sequences: int | None = None,
    report: Report = silent,
) -> tuple[PlainText, int]:
    """The corpus in the teacher's tokens, and how many of them a sequence has at most."""
    tokens = usual_length(teacher) if length is None else length
    check_length(teacher.encoder, tokens)
    tokenizer = WordPiece.from_folder(teacher.source)
    return read_plain_text(sources, tokenizer, tokens, most_sequences=most_sequences, report=report), tokens
