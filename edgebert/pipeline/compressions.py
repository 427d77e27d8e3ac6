"""What the stages behind the student are asked for: the stations' own requests, each refused here if it cannot work."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from edgebert.compression.pruning.patterns import SINGLE, Groups, parse_pattern
from edgebert.compression.pruning.policy import USUAL_SPARSITY, Policy
from edgebert.compression.pruning.schedule import CONSTANT, POLYNOMIAL, USUAL_END, Schedule
from edgebert.compression.shrinking.counts import require_prunable, target_counts
from edgebert.compression.shrinking.cutting import Ranking
from edgebert.compression.vocabulary.choosing import Choice
from edgebert.compression.vocabulary.counting import Corpus, corpus_of_examples, corpus_of_text
from edgebert.config import EncoderConfig
from edgebert.data.examples import Dataset
from edgebert.data.plain_text import read_plain_text
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.running import CacheSettings
from edgebert.models.checkpoint import Checkpoint
from edgebert.pipeline.compression_config import PruneConfig, QuantizeConfig, ShrinkConfig
from edgebert.pipeline.config import CompressConfig
from edgebert.pipeline.stages import PRUNE, QUANTIZE, SHRINK, TRIM
from edgebert.progress import Report, silent
from edgebert.stations.healing_request import HealingRequest, one_step_recipe, trained_head
from edgebert.stations.prune_request import PruneRequest
from edgebert.stations.quantize_request import QuantizeRequest
from edgebert.stations.shrink_request import ShrinkRequest
from edgebert.stations.trimming import TrimRequest
from edgebert.training.settings import TrainingSettings

CompressionRequest = HealingRequest | TrimRequest


@dataclass(frozen=True)
class Compressions:
    config: CompressConfig
    # What the student learnt from.
    train: Dataset
    dev: Dataset
    # What every training shares.
    common: TrainingSettings
    # Of the pieces in the data and in plain text beside it; none where no vocabulary is trimmed.
    corpus: Corpus | None

    @cached_property
    def _makers(self) -> dict[str, Callable[[Checkpoint, Checkpoint], CompressionRequest]]:
        return {SHRINK: self._shrink, PRUNE: self._prune, QUANTIZE: self._quantize, TRIM: self._trim}

    def request(self, stage: str, teacher: Checkpoint, model: Checkpoint) -> CompressionRequest:
        """What the stage makes of `model`, which is what the one before it made."""
        return self._makers[stage](teacher, model)

    def future(self, teacher: Checkpoint, model: Checkpoint) -> dict[str, CompressionRequest]:
        """All stages, before any model is trained: of each, source, shape and head are known."""
        found = {}
        for stage in self.config.compressions:
            found[stage] = self.request(stage, teacher, model)
            model = dataclasses.replace(model, encoder=shape_after(found[stage]))
        return found

    def _shrink(self, teacher: Checkpoint, model: Checkpoint) -> ShrinkRequest:
        one = self.config.shrink
        require_prunable(model.encoder, str(model.source))
        asked = {
            "layers": one.layers,
            "heads": one.heads,
            "feed_forward_width": one.feed_forward,
            "width": one.width,
        }
        return ShrinkRequest(
            **self._healing(one, teacher, model),
            target=target_counts(model.encoder, asked, one.keep),
            steps=one.steps,
            ranking=Ranking(one.importance, one.importance_examples, self.config.seed),
        )

    def _prune(self, teacher: Checkpoint, model: Checkpoint) -> PruneRequest:
        one = self.config.prune
        pattern = SINGLE if one.pattern is None else parse_pattern(one.pattern)
        usual = pattern.sparsity if isinstance(pattern, Groups) else USUAL_SPARSITY
        sparsity = usual if one.sparsity is None else one.sparsity
        kind = one.schedule or (CONSTANT if isinstance(pattern, Groups) else POLYNOMIAL)
        return PruneRequest(
            **self._healing(one, teacher, model, averaging=0.0),
            policy=Policy(dict.fromkeys(one.classes, sparsity), pattern, one.exclude),
            schedule=Schedule(kind, end=USUAL_END if kind == POLYNOMIAL else None),
        )

    def _quantize(self, teacher: Checkpoint, model: Checkpoint) -> QuantizeRequest:
        return QuantizeRequest(
            **self._healing(self.config.quantize, teacher, model, averaging=0.0),
            scheme=self.config.quantize.scheme,
            calibration_texts=self.config.convert.calibration_texts,
        )

    def _trim(self, teacher: Checkpoint, model: Checkpoint) -> TrimRequest:
        one = self.config.trim
        minimum = Choice.minimum_count if one.minimum_count is None else one.minimum_count
        # The run makes and scores the files, before and after.
        return TrimRequest(model, self.corpus, Choice(minimum, one.keep_pieces), self.dev, precision=None)

    def _healing(
        self, one: ShrinkConfig | PruneConfig | QuantizeConfig, teacher: Checkpoint, model: Checkpoint, **changed: Any
    ) -> dict[str, Any]:
        """The fields of a HealingRequest."""
        settings = dataclasses.replace(
            self.common, epochs=one.epochs, learning_rate=one.learning_rate, patience=one.patience, **changed
        )
        return {
            "student": model,
            "teachers": (teacher,),
            "recipe": one_step_recipe(one.recipe, trained_head(teacher).kind),
            "train": self.train,
            "dev": self.dev,
            "training": settings,
            "cache": CacheSettings(budget_bytes=self.config.distill.cache_budget_bytes),
            "length": self.config.finetune.length,
        }


def shape_after(request: CompressionRequest) -> EncoderConfig:
    """Of the model that is made; a trimmed one's with all its pieces, since none of the rest depends on them."""
    if isinstance(request, ShrinkRequest):
        return request.configs[-1]
    return request.checkpoint.encoder if isinstance(request, TrimRequest) else request.student.encoder


def passing_bytes(request: CompressionRequest) -> int:
    """On disk, at most, while the stage runs, beside what it leaves."""
    if isinstance(request, ShrinkRequest):
        return request.plan.disk_bytes
    return 0 if isinstance(request, TrimRequest) else request.distillation_of(request.student.encoder).disk_bytes


def count_pieces(
    plain_texts: Sequence[str], tokenizer: WordPiece, train: Dataset, dev: Dataset, report: Report = silent
) -> Corpus:
    """What a vocabulary is trimmed by: labelled data, with or without plain text beside it; dev is held out."""
    corpus = corpus_of_examples(train, dev, tokenizer)
    if plain_texts:
        corpus += corpus_of_text(read_plain_text(plain_texts, tokenizer, report=report), tokenizer)
    return corpus


def remarks_on(config: CompressConfig, requests: dict[str, CompressionRequest]) -> tuple[str, ...]:
    """For a person: what is not as usual."""
    found = []
    for stage, one in requests.items():
        if isinstance(one, ShrinkRequest):
            found += [f"{stage}: {note}" for note in one.plan.notes]
        elif isinstance(one, HealingRequest):
            plan = one.distillation_of(one.student.encoder)
            found += [f"{stage}: {note.removeprefix('step 1: ')}" for note in plan.notes]
            if config.finetune.averaging:
                found.append(f"{stage}: weights are not averaged, as zeros and ranges would not belong to an average")
        elif not one.kept.is_complete:
            found.append(
                f"{stage}: {one.kept.held:,} pieces have a character that is no piece by itself; they are kept, yet a "
                "word with such a character may become unknown"
            )
    return tuple(found)
