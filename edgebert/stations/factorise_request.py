"""What a factorisation is asked for, and the healing of what it costs: a distillation of one step."""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

from edgebert.compression.vocabulary.counting import Corpus, require_known
from edgebert.compression.vocabulary.factorising import Factorised, RankChoice, check_factorisable, factorise
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.examples import Dataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.planning import TrainingChoices
from edgebert.distill.recipe import Recipe
from edgebert.distill.recipe_choice import choose_recipes
from edgebert.distill.running import DEFAULT_CACHE, CacheSettings
from edgebert.distill.student_shapes import StudentShape
from edgebert.errors import TrainingError
from edgebert.export.precisions import check_table_width
from edgebert.models.checkpoint import Checkpoint
from edgebert.stations.distil_request import DistilRequest, task_head
from edgebert.stations.file_comparison import check_comparable
from edgebert.stations.finetuning import checkpoint_facts

# Every layer as the teacher's, and the answers: what a narrower table changed shows in all of them.
USUAL_RECIPE = "tinybert_joint"


@dataclass(frozen=True)
class Healing:
    """How the factorised model learns back; `dev` is what epochs are chosen by."""

    teachers: tuple[Checkpoint, ...]
    train: Dataset
    dev: Dataset
    recipe: Recipe
    training: TrainingChoices = field(default_factory=TrainingChoices)
    cache: CacheSettings = DEFAULT_CACHE
    length: int | None = None


@dataclass(frozen=True)
class HealRequest(DistilRequest):
    """A distillation whose student is the factorised model: its shape, its head, its values."""

    station: ClassVar[str] = "factorise"

    model: Checkpoint = field(kw_only=True)
    encoder: EncoderConfig = field(kw_only=True)

    @cached_property
    def student(self) -> EncoderConfig:
        return self.encoder

    @property
    def head(self) -> HeadConfig:
        return task_head(self.model)


@dataclass(frozen=True)
class FactoriseRequest:
    checkpoint: Checkpoint
    choice: RankChoice
    # Rows count by how often their pieces occur in it; without one all count alike.
    corpus: Corpus | None = None
    # What both files are scored on, if it has labels.
    dev: Dataset | None = None
    # Of the files that are compared; none makes no file.
    precision: str | None = "dynamic"
    healing: Healing | None = None

    def __post_init__(self) -> None:
        check_factorisable(self.checkpoint)
        if self.corpus is not None:
            require_known(self.corpus, self.tokenizer)
        if self.precision is not None:
            check_comparable(self.checkpoint, self.precision)
            check_table_width(self.precision, self.factorised.encoder.embedding_width)

    @cached_property
    def tokenizer(self) -> WordPiece:
        return WordPiece.from_folder(self.checkpoint.source)

    @cached_property
    def factorised(self) -> Factorised:
        """A rank that cannot be had is an error here."""
        return factorise(self.checkpoint, self.choice, None if self.corpus is None else self.corpus.counts)

    @cached_property
    def heal(self) -> HealRequest | None:
        if self.healing is None:
            return None
        one = self.healing
        return HealRequest(
            one.teachers,
            one.train,
            one.dev,
            (one.recipe,),
            StudentShape(),
            Initialisation("from_folder", folder=self.checkpoint.source),
            training=one.training,
            cache=one.cache,
            length=one.length,
            model=self.checkpoint,
            encoder=self.factorised.encoder,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything that the result depends on."""
        return {
            "checkpoint": checkpoint_facts(self.checkpoint, self.tokenizer),
            "choice": dataclasses.asdict(self.choice),
            "corpus_sha256": None if self.corpus is None else self.corpus.sha256,
            "dev_sha256": None if self.dev is None else self.dev.sha256,
            "precision": self.precision,
            "healing": None if self.heal is None else self.heal.to_json(),
        }


def healing_recipe(name: str | None, teacher: Checkpoint, model: Checkpoint) -> Recipe:
    """The one of that name or in that file; without a name USUAL_RECIPE, in which nothing need be projected where the
    teacher is as wide as the model: it mostly is the model before its table was factorised."""
    steps = choose_recipes([name or USUAL_RECIPE], task_head(model).kind)
    if len(steps) != 1:
        raise TrainingError(
            f"recipe: expected one of a single step to heal with, got {name} of {len(steps)}. "
            f"Do: write {USUAL_RECIPE}, or distil the factorised model (edgebert distill --start)."
        )
    same_width = teacher.encoder.width == model.encoder.width
    return dataclasses.replace(steps[0], projection="none") if name is None and same_width else steps[0]
