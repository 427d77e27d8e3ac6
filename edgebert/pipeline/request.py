"""What a run is asked for once its files are read: the stations' own requests, each refused here if it cannot work."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from edgebert.compression.vocabulary.counting import Corpus
from edgebert.config import HeadConfig
from edgebert.data.examples import Dataset
from edgebert.data.plain_text import PlainText
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.planning import TrainingChoices, choose_start
from edgebert.distill.recipe_choice import choose_recipes, parse_layer_map
from edgebert.distill.running import CacheSettings
from edgebert.distill.student_shapes import StudentShape, choose_shape
from edgebert.errors import TrainingError
from edgebert.export.convert import ExportRequest
from edgebert.export.graph import check_length
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.sources import resolve_checkpoint
from edgebert.pipeline.compressions import CompressionRequest, Compressions, count_pieces
from edgebert.pipeline.config import CompressConfig
from edgebert.pipeline.reading import read_data, thinned
from edgebert.pipeline.stages import QUANTIZE, TEACHER, TRIM
from edgebert.progress import Report, silent
from edgebert.stations.distil_request import DistilRequest, label_order, task_head
from edgebert.stations.finetuning import FinetuneRequest, require_labelled
from edgebert.stations.text_request import TextRequest, read_corpus, text_recipes
from edgebert.stations.trimming import TrimRequest
from edgebert.training.arithmetic import check_arithmetic
from edgebert.training.settings import TrainingSettings

REFERENCE_PRECISION = "float32"


@dataclass(frozen=True)
class Request:
    """`checkpoint` is what the teacher is made of, or the teacher itself where it knows the task already."""

    config: CompressConfig
    checkpoint: Checkpoint
    # All that may be trained on; `train` and `student_train` are what a budget leaves of it.
    all_train: Dataset
    dev: Dataset
    all_student_train: Dataset | None = None
    text: PlainText | None = None
    text_tokens: int = 0
    remarks: tuple[str, ...] = ()
    # What a trimmed vocabulary is chosen by.
    corpus: Corpus | None = None
    # Of a budget: how much of the training data is taken.
    example_share: float = 1.0
    # Training examples that the data had before it was thinned.
    train_available: int = 0

    def check(self) -> None:
        """Refuse what no station could do, before the first begins."""
        require_labelled(train=self.all_train, dev=self.dev)
        check_arithmetic(self.config.finetune.arithmetic)
        for length in (self.config.convert.length, self.config.finetune.length):
            check_length(self.checkpoint.encoder, length)
        if self.trains_teacher:
            _ = self.finetuning
        else:
            task_head(self.checkpoint)
        _ = self.exports
        if self.config.has_student:
            # Everything that can be known to be impossible is an error of the plan.
            _ = self.future_distillation.plan
            if self.text is not None:
                _ = self.text_distillation.plan
        for one in self.future_compressions.values():
            # Of a vocabulary: what is kept of it.
            _ = one.kept if isinstance(one, TrimRequest) else one.distillation_of(one.student.encoder)

    @cached_property
    def train(self) -> Dataset:
        return _share(self.all_train, self.example_share)

    @cached_property
    def student_train(self) -> Dataset:
        if self.all_student_train is None:
            return self.train
        return _share(self.all_student_train, self.example_share)

    @property
    def trains_teacher(self) -> bool:
        return self.config.finetune.epochs != 0

    @property
    def common(self) -> TrainingSettings:
        """What every training shares."""
        one = self.config.finetune
        return TrainingSettings(
            batch_size=one.batch_size,
            warmup_share=one.warmup_share,
            weight_decay=one.weight_decay,
            averaging=one.averaging,
            seed=self.config.seed,
            arithmetic=one.arithmetic,
        )

    @cached_property
    def finetuning(self) -> FinetuneRequest:
        one = self.config.finetune
        settings = dataclasses.replace(
            self.common, epochs=one.epochs, learning_rate=one.learning_rate, patience=one.patience
        )
        return FinetuneRequest(self.checkpoint, self.train, self.dev, settings, one.pooling, one.length)

    @property
    def head(self) -> HeadConfig:
        return self.finetuning.head if self.trains_teacher else task_head(self.checkpoint)

    @cached_property
    def future_teacher(self) -> Checkpoint:
        """The teacher as far as it is known before it is trained: its values are still the checkpoint's."""
        return dataclasses.replace(self.checkpoint, head=self.head)

    @cached_property
    def text_distillation(self) -> TextRequest:
        """The student of plain text, which learns from the checkpoint before it knew the task."""
        one = self.config.distill_text
        return TextRequest(
            (self.checkpoint,),
            self.text,
            self.text_tokens,
            text_recipes(one.recipes),
            training=TrainingChoices(self.common, one.epochs, one.learning_rates),
            **self._student,
        )

    @cached_property
    def future_distillation(self) -> DistilRequest:
        """The student of the task, planned before its teacher is trained."""
        start = None
        if self.text is not None:
            start = Initialisation("random", seed=self.config.seed)
        return self._distillation(self.future_teacher, start)

    def distillation(self, teacher: Checkpoint, general: Path | None) -> DistilRequest:
        """From the trained teacher; `general` is the student of plain text, where there is one."""
        start = None
        if general is not None:
            start = Initialisation("from_folder", folder=general, seed=self.config.seed)
        return self._distillation(teacher, start)

    def _distillation(self, teacher: Checkpoint, start: Initialisation | None) -> DistilRequest:
        one = self.config.distill
        choices = self._student | ({} if start is None else {"start": start})
        return DistilRequest(
            (teacher,),
            self.student_train,
            self.dev,
            choose_recipes(one.recipes, self.head.kind),
            training=TrainingChoices(self.common, one.epochs, one.learning_rates, one.patience),
            length=self.config.finetune.length,
            pooling=one.pooling,
            **choices,
        )

    @cached_property
    def _student(self) -> dict:
        """Shape and start, the same on plain text and on the task."""
        one = self.config.distill
        start = choose_start(one.start, one.importance, one.importance_examples, self.config.seed)
        numbers = StudentShape(
            one.layers,
            one.width,
            one.heads,
            one.feed_forward,
            one.embedding_width,
            one.normalization,
            one.activation,
        )
        return {
            "shape": choose_shape(one.student, numbers, start, self.checkpoint.encoder),
            "start": start,
            "layer_map": None if one.layer_map is None else parse_layer_map(one.layer_map),
            "cache": CacheSettings(budget_bytes=one.cache_budget_bytes),
        }

    @cached_property
    def future_compressions(self) -> dict[str, CompressionRequest]:
        """By stage, planned before the models are trained that they begin with."""
        model = self.future_teacher
        if self.config.has_student:
            one = self.future_distillation
            model = dataclasses.replace(one.student_source, encoder=one.student, head=one.head)
        return self.compressions.future(self.future_teacher, model)

    @cached_property
    def compressions(self) -> Compressions:
        return Compressions(self.config, self.student_train, self.dev, self.common, self.corpus)

    @cached_property
    def exports(self) -> dict[str, tuple[ExportRequest, ...]]:
        """The files of each model; the oldest client is only asked to run the last one's."""
        one = self.config.convert
        made = {
            model: tuple(ExportRequest(precision, one.length) for precision in one.stage_precisions)
            for model in self.config.models
        }
        # What the others are compared with comes first.
        references = sorted(self.config.references, key=lambda name: name != REFERENCE_PRECISION)
        made[TEACHER] = tuple(ExportRequest(precision, one.length) for precision in references)
        last = self.config.last_model
        wanted = references if last == TEACHER else list(one.precisions)
        if QUANTIZE in self.config.compressions and self.config.quantize.scheme not in wanted:
            wanted.append(self.config.quantize.scheme)
        made[last] = tuple(ExportRequest(precision, one.length, one.compatible_with) for precision in wanted)
        return made


def prepare(config: CompressConfig, folder: str | os.PathLike | None = None, report: Report = silent) -> Request:
    """Read and check everything that a run needs. Skipped rows are listed in `folder`, if there is one."""
    _precisions_exist(config)
    source = resolve_checkpoint(_named(config.teacher, "teacher", "--teacher"), allow_download=config.allow_download)
    checkpoint = load_checkpoint(source)
    labels, regression = None, False
    if config.finetune.epochs == 0:
        regression = task_head(checkpoint).kind == "regression"
        labels = None if regression else label_order(checkpoint)
    place = None if folder is None else Path(folder)
    read = read_data(config.data, config.distill.train if config.has_student else None, labels, regression, place)
    text, tokens = None, 0
    if config.distill_text.corpus:
        one = config.distill_text
        text, tokens = read_corpus(checkpoint, one.corpus, config.finetune.length, one.sequences, report)
    remarks = (*checkpoint.notes, *read.remarks)
    request = Request(
        config,
        checkpoint,
        read.train,
        read.dev,
        read.student_train,
        text,
        tokens,
        remarks,
        train_available=read.train_available,
    )
    if TRIM in config.compressions:
        request = dataclasses.replace(request, corpus=_pieces(request, report))
    request.check()
    return request


def _pieces(request: Request, report: Report) -> Corpus:
    """Of all that the student learns from, however few texts a budget leaves, in the tokens that it reads."""
    student = request.future_distillation.student_tokenizer if request.config.has_student else None
    tokenizer = student or WordPiece.from_folder(request.checkpoint.source)
    data = request.all_train if request.all_student_train is None else request.all_student_train
    return count_pieces(request.config.trim.texts, tokenizer, data, request.dev, report)


def _precisions_exist(config: CompressConfig) -> None:
    """Said before any file is read."""
    one = config.convert
    for precision in (*config.references, *one.stage_precisions):
        ExportRequest(precision, one.length)
    learnt = (config.quantize.scheme,) if QUANTIZE in config.compressions else ()
    for precision in (*one.precisions, *learnt):
        ExportRequest(precision, one.length, one.compatible_with)


def _named(value: str | None, name: str, flag: str) -> str:
    if value is None:
        raise TrainingError(f"{name}: expected one, got none. Do: give {flag}, or write it into the file.")
    return value


def _share(data: Dataset, share: float) -> Dataset:
    return thinned(data, max(round(share * len(data)), 1))


def names_of(exports: dict[str, Sequence[ExportRequest]]) -> dict[str, tuple[str, ExportRequest]]:
    """Model and request of each file, by the file's name without its suffix."""
    return {f"{model}-{one.precision}": (model, one) for model, requests in exports.items() for one in requests}
