"""What is asked for where a model that knows its task is compressed in training: it heals on labels, or from teachers.

Checked as far as files and configurations go.
"""

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset, encode_dataset
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.planning import Plan, Teacher, TrainingChoices, make_plan
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_choice import choose_recipes
from edgebert.distill.recipe_fields import recipe_to_dict
from edgebert.distill.running import DEFAULT_CACHE, CacheSettings
from edgebert.errors import DataError, TrainingError
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint
from edgebert.stations.distil_request import label_order
from edgebert.stations.finetuning import checkpoint_facts, require_kind, require_labelled, usual_length
from edgebert.stations.student_request import require_tokens_of
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.scoring import METRICS
from edgebert.training.settings import DEFAULT_SETTINGS, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class HealingRequest:
    """`recipe`: the one step of distillation that heals; there is one where there is a teacher."""

    student: Checkpoint
    train: Dataset
    dev: Dataset
    teachers: tuple[Checkpoint, ...] = ()
    recipe: Recipe | None = None
    training: TrainingSettings = DEFAULT_SETTINGS
    cache: CacheSettings = DEFAULT_CACHE
    # Tokens of a text that are kept.
    length: int | None = None

    def __post_init__(self) -> None:
        self._require_same_kind()
        require_labelled(dev=self.dev)
        if not self.teachers:
            require_labelled(train=self.train)
        if bool(self.teachers) != (self.recipe is not None):
            got = "a recipe alone" if self.recipe else "a teacher alone"
            raise TrainingError(
                f"recipe: expected one where there is a teacher and only there, got {got}. "
                "Do: give --teacher, or leave --recipe out."
            )
        for teacher in self.teachers:
            self._require_same_task(teacher)
            # One text is cut once for all teachers.
            require_tokens_of(self.teachers_tokenizer, teacher.source)
        for one in (self.student, *self.teachers):
            check_length(one.encoder, self.tokens)
        check_arithmetic(self.training.arithmetic)

    @property
    def tokens(self) -> int:
        return usual_length(self.student) if self.length is None else self.length

    @property
    def head(self) -> HeadConfig:
        return trained_head(self.student)

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.student.source)

    @cached_property
    def encoded(self) -> tuple[EncodedDataset, EncodedDataset]:
        """Training and dev data."""
        return tuple(encode_dataset(data, self.tokenizer, self.tokens) for data in (self.train, self.dev))

    @cached_property
    def teachers_tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.teachers[0].source)

    @cached_property
    def same_tokens(self) -> bool:
        """A trimmed student has other pieces than its teacher, whose answers alone it then learns from."""
        return not self.teachers or self.tokenizer.cuts_like(self.teachers_tokenizer)

    @cached_property
    def for_teachers(self) -> tuple[EncodedDataset, EncodedDataset]:
        """Training and dev data as the teachers read them."""
        if self.same_tokens:
            return self.encoded
        return tuple(encode_dataset(data, self.teachers_tokenizer, self.tokens) for data in (self.train, self.dev))

    @property
    def steps_per_epoch(self) -> int:
        return -(-len(self.train) // self.training.batch_size)

    def distillation_of(self, config: EncoderConfig) -> Plan | None:
        """Of a student of this shape; none without teachers. What can be known to be impossible is an error here."""
        if self.recipe is None:
            return None
        one = self.training
        return make_plan(
            [Teacher(teacher.encoder, trained_head(teacher)) for teacher in self.teachers],
            config,
            self.head,
            # The student is there.
            Initialisation("from_folder", folder=self.student.source, seed=one.seed),
            [self.recipe],
            None,
            TrainingChoices(one, (one.epochs,), (one.learning_rate,), one.patience),
            self.cache,
            *self.encoded,
            self.same_tokens,
        )

    def made_from(self) -> dict[str, Any]:
        """Everything that the healing depends on, but the model that it begins with."""
        plan = self.distillation_of(self.student.encoder)
        return {
            "student": _facts(self.student, self.tokenizer),
            "teachers": [_facts(teacher, self.teachers_tokenizer) for teacher in self.teachers],
            "train_sha256": self.train.sha256,
            "dev_sha256": self.dev.sha256,
            "tokens": self.tokens,
            "training": dataclasses.asdict(self.training),
            "recipe": plan and recipe_to_dict(plan.steps[0].step.recipe),
            # Kept answers differ from fresh ones in their last bits.
            "cache": self.cache.precision if plan and plan.steps[0].is_cached else None,
        }

    def _require_same_kind(self) -> None:
        for data in (self.train, self.dev):
            require_kind(data, self.head.kind, "the student's")
            if data.is_labelled and data.labels and len(data.labels) != self.head.outputs:
                raise DataError(
                    f"{data.source}: expected the student's {self.head.outputs} labels, got {len(data.labels)}. "
                    "Do: give the data of the student's task."
                )

    def _require_same_task(self, teacher: Checkpoint) -> None:
        head = trained_head(teacher)
        named = {order for one in (self.student, teacher) if (order := label_order(one)) is not None}
        if (head.kind, head.outputs) != (self.head.kind, self.head.outputs) or len(named) > 1:
            raise TrainingError(
                f"{teacher.source}: expected a teacher with the student's answers in the student's order "
                f"({_shown(self.head)}), got {_shown(head)}. Do: give the teacher of the student's task."
            )


def trained_head(checkpoint: Checkpoint) -> HeadConfig:
    head = checkpoint.head
    if head is None or head.kind not in METRICS:
        raise TrainingError(
            f"{checkpoint.source}: expected a checkpoint with a head for {' or '.join(METRICS)}, got "
            f"{'none' if head is None else head.kind}. Do: train it on the task first (edgebert distill, or finetune)."
        )
    return head


def one_step_recipe(name: str, kind: str) -> Recipe:
    """While a student is compressed it takes one step: a second one would begin with what the first has cut."""
    recipes = choose_recipes([name], kind)
    if len(recipes) > 1:
        raise TrainingError(
            f"recipe: expected one of a single step, got {name}, which has {len(recipes)}. Do: write "
            f"{name}_joint, or another of edgebert distill --list-recipes."
        )
    return recipes[0]


def _facts(checkpoint: Checkpoint, tokenizer: WordPiece) -> dict[str, Any]:
    return checkpoint_facts(checkpoint, tokenizer) | {"head": trained_head(checkpoint).to_json()}


def _shown(head: HeadConfig) -> str:
    most = 4
    more = f" and {len(head.labels) - most} more" if len(head.labels) > most else ""
    return ", ".join(head.labels[:most]) + more if head.labels else head.kind
