"""The one door to a student's first values."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.distill.initialisation.checking import (
    check_embeddings,
    check_layers,
    check_norms,
    check_truncated,
    wrong,
)
from edgebert.distill.initialisation.layers import teacher_layers
from edgebert.distill.layer_maps import LayerMap
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.models.masked_word_head import head_tensor_names, masked_word_tensors
from edgebert.models.task import TaskModel
from edgebert.models.weights import encoder_rows, head_rows
from edgebert.progress import Report, silent
from edgebert.truncation.choosing import Kept, choose, shares
from edgebert.truncation.heads import pooler_and_head
from edgebert.truncation.magnitude import magnitude_importance, random_importance
from edgebert.truncation.measuring import MeasureSettings, measure, sample
from edgebert.truncation.norm_fitting import fitted_norms
from edgebert.truncation.truncating import from_layers, truncated
from edgebert.truncation.values import Importance, Source, TeacherSpread

METHODS = ("from_layers", "truncated", "from_folder", "random")
IMPORTANCES = ("taylor", "magnitude", "random")


@dataclass(frozen=True, slots=True)
class Initialisation:
    """How a student starts. Without a layer map the teacher's layers are spread evenly from first to last.

    importance (truncated): taylor needs data; magnitude and random do not, and start a good deal further away.
    A student with NoNorm that starts as one with LayerNorm needs data too.
    """

    method: str
    layer_map: LayerMap | None = None
    importance: str = "taylor"
    folder: Path | None = None
    # How many texts importance is measured on, and NoNorm fitted.
    examples: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise wrong("initialisation method", ", ".join(METHODS), self.method, "choose one of them")
        if self.importance not in IMPORTANCES:
            raise wrong("initialisation importance", ", ".join(IMPORTANCES), self.importance, "choose one of them")
        if (self.folder is not None) != (self.method == "from_folder"):
            got = "none" if self.folder is None else str(self.folder)
            raise wrong("initialisation folder", "a folder for from_folder, and for nothing else", got, "correct it")
        if self.examples < 1:
            raise wrong("initialisation examples", "1 or more", self.examples, "raise it")


@dataclass(frozen=True)
class Initialised:
    """tensors: every variable of the student, as `assign` takes them; fresh: those that are random."""

    tensors: Mapping[str, np.ndarray] = field(repr=False)
    fresh: tuple[str, ...]
    kept: Kept | None
    # For a person: one line a fact.
    notes: tuple[str, ...]


def initialise(
    student: EncoderConfig,
    head: HeadConfig,
    how: Initialisation,
    teacher: TaskModel | None = None,
    data: EncodedDataset | None = None,
    vocabulary_rows: Sequence[int] | None = None,
    report: Report = silent,
) -> Initialised:
    """The student's first values. vocabulary_rows: the teacher's id of each of the student's pieces, if they differ.

    What cannot be done is a TrainingError before anything is measured.
    """
    if vocabulary_rows is not None and how.method in ("from_folder", "random"):
        raise wrong("vocabulary_rows", f"none for {how.method}", f"{len(vocabulary_rows):,}", "leave it out")
    if how.method == "random":
        return _completed(student, head, {}, how, None, ())
    checkpoint = None if how.folder is None else load_checkpoint(how.folder)
    if checkpoint is None and teacher is None:
        raise wrong("teacher", f"a model for {how.method}", "none", "give one, or choose from_folder or random")
    origin = teacher.config if checkpoint is None else checkpoint.encoder
    check_norms(student, origin)
    if student.normalization == origin.normalization:
        return _started(student, head, how, teacher, checkpoint, data, vocabulary_rows, report)
    if vocabulary_rows is not None:
        # The texts that importance is measured on are in the teacher's tokens, those to fit on in the student's.
        raise wrong("vocabulary_rows", "none where NoNorm is fitted", f"{len(vocabulary_rows):,}", "trim it later")
    # Cut out with its norms first, which are then replaced: what a cut refits is what they read.
    normed = dataclasses.replace(student, normalization=origin.normalization, activation=origin.activation)
    whole = _started(normed, head, how, teacher, checkpoint, data, None, report)
    return _with_fitted_norms(whole, normed, student, head, how, data, report)


def _started(
    student: EncoderConfig,
    head: HeadConfig,
    how: Initialisation,
    teacher: TaskModel | None,
    checkpoint: Checkpoint | None,
    data: EncodedDataset | None,
    vocabulary_rows: Sequence[int] | None,
    report: Report,
) -> Initialised:
    """As the checkpoint of its folder, or as its teacher or a part of it, normalised alike."""
    if checkpoint is not None:
        return _completed(student, head, _from_folder(student, head, checkpoint), how, None, ())
    check_embeddings(student, teacher.config, vocabulary_rows)
    layers = teacher_layers(student, teacher.config, how.layer_map)
    kept, notes = None, (f"layers: {', '.join(map(str, layers))} of the teacher's {teacher.config.layers}",)
    if how.method == "from_layers":
        check_layers(student, teacher.config)
        taken = from_layers(_source(teacher), student, head, layers, vocabulary_rows)
    else:
        check_truncated(student, teacher.config)
        importance, spread = _importance(teacher, how, data, report)
        kept = choose(importance, student, teacher.config, layers)
        taken = truncated(_source(teacher), student, head, kept, spread, vocabulary_rows)
        notes += _notes(kept, importance, student, teacher.config)
    return _completed(student, head, taken, how, kept, notes)


def _with_fitted_norms(
    whole: Initialised,
    normed: EncoderConfig,
    student: EncoderConfig,
    head: HeadConfig,
    how: Initialisation,
    data: EncodedDataset | None,
    report: Report,
) -> Initialised:
    if data is None:
        raise wrong("start with NoNorm", "texts to fit it on", "none", "give the training file, or choose random")
    chosen = sample(data, MeasureSettings(how.examples, seed=how.seed))
    fitted = fitted_norms(Source(normed, head, whole.tensors), student, head, chosen, report)
    note = f"NoNorm: fitted to what LayerNorm does on {len(chosen):,} texts"
    return dataclasses.replace(whole, tensors={**whole.tensors, **fitted}, notes=(*whole.notes, note))


def random_values(student: EncoderConfig, head: HeadConfig, seed: int) -> dict[str, np.ndarray]:
    """Every variable as BERT starts: a normal distribution cut at two deviations, biases 0, gains 1."""
    generator = np.random.default_rng(seed)
    values = {}
    for row in encoder_rows(student, None) + head_rows(student, head, own_names=True):
        if row.ours.endswith((".bias", ".gain")):
            values[row.ours] = np.full(row.shape, float(row.ours.endswith(".gain")), np.float32)
        else:
            values[row.ours] = _truncated_normal(generator, row.shape) * np.float32(student.initializer_range)
    return values


def _truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    values = generator.standard_normal(shape, np.float32)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.standard_normal(np.count_nonzero(outside), np.float32)
    return values


def _source(model: TaskModel) -> Source:
    return Source(model.config, model.head_config, model_tensors(model))


def _importance(
    teacher: TaskModel, how: Initialisation, data: EncodedDataset | None, report: Report
) -> tuple[Importance, TeacherSpread | None]:
    if how.importance == "random":
        return random_importance(teacher.config, how.seed), None
    if how.importance == "magnitude":
        return magnitude_importance(_source(teacher)), None
    if data is None:
        raise wrong("importance taylor", "texts to measure it on", "none", "give the training file, or write magnitude")
    return measure(teacher, data, MeasureSettings(how.examples, seed=how.seed), report)


def _from_folder(student: EncoderConfig, head: HeadConfig, checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    # Settings of training may differ, a pooler may be missing, another activation is learnt. In the order of the
    # fields: always the same error.
    free = {"dropout", "attention_dropout", "initializer_range", "pooler", "activation"}
    for name in (each.name for each in fields(EncoderConfig)):
        stated, expected = getattr(checkpoint.encoder, name), getattr(student, name)
        if name not in free and stated != expected:
            raise wrong(f"{checkpoint.source} {name}", expected, stated, "describe the student as the folder does")
    source = Source(checkpoint.encoder, checkpoint.head, checkpoint.tensors)
    if head == MASKED_WORDS and head_tensor_names(checkpoint):
        source = Source(checkpoint.encoder, head, checkpoint.tensors | masked_word_tensors(checkpoint))
    names = {row.ours for row in encoder_rows(student, None)}
    encoder = {name: values for name, values in checkpoint.tensors.items() if name in names}
    return encoder | pooler_and_head(source, student, head, range(student.width))


def _completed(
    student: EncoderConfig,
    head: HeadConfig,
    taken: dict[str, np.ndarray],
    how: Initialisation,
    kept: Kept | None,
    notes: tuple[str, ...],
) -> Initialised:
    values = random_values(student, head, how.seed)
    fresh = tuple(name for name in values if name not in taken)
    return Initialised(values | taken, fresh, kept, (*notes, f"random: {', '.join(fresh) or 'nothing'}"))


def _notes(kept: Kept, importance: Importance, student: EncoderConfig, teacher: EncoderConfig) -> tuple[str, ...]:
    counts = {
        "channels": (student.width, teacher.width),
        "heads": (student.heads, teacher.heads),
        "neurons": (student.feed_forward_width, teacher.feed_forward_width),
    }
    notes = tuple(
        f"{name}: {counts[name][0]} of {counts[name][1]}, {share:.1%} of their importance"
        for name, share in shares(kept, importance).items()
    )
    if student.head_width < teacher.head_width:
        notes += (f"head width: {student.head_width} of {teacher.head_width}",)
    return notes
