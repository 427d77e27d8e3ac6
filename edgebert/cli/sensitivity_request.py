"""What `edgebert sensitivity` looks into: the checkpoint, the texts it is asked and those it is calibrated with."""

import argparse
import dataclasses
import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgebert.cli.output import counted, note
from edgebert.errors import DataError

if TYPE_CHECKING:
    from edgebert.config import HeadConfig
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.quantization.calibration import CalibrationSet
    from edgebert.export.sensitivity.looking import Subject
    from edgebert.models.checkpoint import Checkpoint

Text = tuple[str, str | None]


@dataclass(frozen=True, eq=False)
class Asked:
    """Texts with their targets, where they are labelled and the head has labels."""

    texts: tuple[Text, ...]
    targets: np.ndarray | None
    source: str
    sha256: str


@dataclass(frozen=True, eq=False)
class Request:
    subject: "Subject"
    texts: tuple[Text, ...]
    tokenizer: "WordPiece"
    head: "HeadConfig"
    maximum_length: int


def check_flags(arguments: argparse.Namespace) -> None:
    """What can be told without reading anything."""
    for flag in ("limit", "tensor_texts", "calibration_texts"):
        if getattr(arguments, flag) < 1:
            raise DataError(
                f"--{flag.replace('_', '-')}: expected 1 or more, got {getattr(arguments, flag)}. Do: correct it or "
                "leave it out."
            )
    if arguments.data and arguments.dev:
        raise DataError("data: expected --data SOURCE or --dev FILE, got both. Do: give one of them.")
    if not (arguments.data or arguments.dev or arguments.calibration):
        raise DataError(
            "texts: expected texts to ask, got neither --data nor --dev nor --calibration. Do: give --data SOURCE or "
            "--dev FILE for a score, or --calibration FILE alone for how near the answers are to float32's."
        )
    is_auto = arguments.scheme == "auto"
    if arguments.max_drop is not None and not is_auto:
        raise DataError("--max-drop: expected with --scheme auto alone, got another. Do: leave it out.")
    if arguments.output is not None and not is_auto:
        raise DataError(
            f"--output: expected with --scheme auto alone, got {arguments.scheme}. Do: use edgebert convert "
            f"--precision {arguments.scheme}, or --picture for a drawing."
        )
    if arguments.max_drop is not None and not (arguments.max_drop >= 0 and math.isfinite(arguments.max_drop)):
        raise DataError(
            f"--max-drop: expected 0 or more points of 100, got {arguments.max_drop}. Do: give what may be lost, "
            "such as 0.5."
        )
    if arguments.output is not None and arguments.output.suffix != ".tflite":
        raise DataError(
            f"--output: expected a name that ends in .tflite, got '{arguments.output}'. Do: name it so; a drawing is "
            "--picture."
        )


def read_request(arguments: argparse.Namespace) -> Request:
    from edgebert.data.wordpiece import WordPiece
    from edgebert.export.sensitivity.looking import FASTEST
    from edgebert.export.sensitivity.preparation import check_scheme
    from edgebert.models.checkpoint import load_checkpoint
    from edgebert.models.sources import resolve_checkpoint

    scheme = FASTEST if arguments.scheme == "auto" else arguments.scheme
    check_scheme(scheme, has_texts=bool(arguments.calibration or arguments.data))
    folder = resolve_checkpoint(arguments.checkpoint, allow_download=arguments.allow_download)
    if not arguments.pooling:
        _refuse_learnt_ranges(folder, scheme)
    checkpoint = load_checkpoint(folder)
    head = _head(arguments, checkpoint)
    tokenizer = WordPiece.from_folder(folder)
    maximum_length = checkpoint.encoder.maximum_length
    asked, calibration_texts = _texts(arguments, head, needs_calibration=_needs_calibration(scheme))
    calibration = _calibration(calibration_texts, tokenizer, maximum_length)
    subject = _subject(arguments, checkpoint, head, tokenizer, asked, calibration, scheme)
    return Request(subject, asked.texts, tokenizer, head, maximum_length)


def _refuse_learnt_ranges(folder: Path, scheme: str) -> None:
    """Calibrated anew, what is looked into would be another file than edgebert convert makes, which takes such ranges
    but for a head of another --pooling."""
    from edgebert.compression.quantizing.ranges import StoredRanges, has_ranges_for

    if has_ranges_for(scheme, StoredRanges.read(folder)):
        raise DataError(
            f"{folder}: expected a checkpoint whose ranges texts give, got one that was trained with its own for "
            f"{scheme}. Do: look into the student that it was made of, or choose another --scheme."
        )


def _needs_calibration(scheme: str) -> bool:
    from edgebert.export.precisions import PRECISIONS

    return PRECISIONS[scheme].needs_calibration


def _head(arguments: argparse.Namespace, checkpoint: "Checkpoint") -> "HeadConfig":
    from edgebert.config import MASKED_WORDS, HeadConfig

    if arguments.pooling:
        return HeadConfig(kind="embedding", pooling=arguments.pooling)
    if checkpoint.head in (None, MASKED_WORDS):
        note("the checkpoint has no head: looked into as a sentence embedder (mean), by cosine alone")
        return HeadConfig(kind="embedding", pooling="mean")
    return checkpoint.head


def _texts(
    arguments: argparse.Namespace, head: "HeadConfig", needs_calibration: bool
) -> "tuple[Asked, CalibrationTexts | None]":  # noqa: F821
    """Those to ask and those to calibrate with, which are never the same."""
    from edgebert.benchmark.texts import Texts, read_texts
    from edgebert.data.splits import Preferred

    given = arguments.calibration
    given_split = arguments.calibration_split or Preferred("train")
    if arguments.data or arguments.dev:
        asked = _asked(arguments, head)
        if not needs_calibration:
            return asked, None
        source, split = (given, given_split) if given else (arguments.data, "train")
        return asked, _apart(read_texts(source, arguments.calibration_texts, split=split), asked)
    if not needs_calibration:
        read = read_texts(given, arguments.limit, split=given_split)
        return Asked(read.texts, None, read.source, read.sha256), None
    # Every other text calibrates, the others are asked.
    read = read_texts(given, 2 * min(arguments.limit, arguments.calibration_texts), split=given_split)
    note(f"no --data and no --dev: half of {counted(len(read.texts), 'text')} calibrate, the other half are asked")
    calibrating = Texts(read.texts[::2], read.source, read.sha256, read.available)
    if len(read.texts) < 2:
        raise DataError(f"{given}: expected at least 2 texts, got 1. Do: give some hundred, or --data as well.")
    return Asked(read.texts[1::2], None, read.source, read.sha256), calibrating


def _apart(read: "Texts", asked: Asked) -> "Texts":  # noqa: F821
    """Ranges taken from the very texts that are asked would flatter the file."""
    are_asked = set(asked.texts)
    kept = tuple(text for text in read.texts if text not in are_asked)
    if len(kept) < len(read.texts):
        note(f"{counted(len(read.texts) - len(kept), 'text')} of {read.source} left out of calibration: they are asked")
    return dataclasses.replace(read, texts=kept)


def _asked(arguments: argparse.Namespace, head: "HeadConfig") -> Asked:
    from edgebert.data.reading import read_examples
    from edgebert.pipeline.reading import thinned

    data = read_examples(
        arguments.dev or arguments.data,
        split="dev" if arguments.data else None,
        text_column=arguments.text_column,
        second_text_column=arguments.second_text_column,
        label_column=arguments.label_column,
        labels=head.labels or None,
        regression=head.kind == "regression" or None,
    )
    for remark in data.notes:
        note(remark)
    sha256, some = data.sha256, thinned(data, arguments.limit)
    texts = tuple((example.text, example.second_text) for example in some)
    targets = None
    if head.kind in ("classification", "regression") and some.is_labelled:
        targets = some.label_values() if head.kind == "regression" else some.label_ids()
    if targets is None:
        why = "the texts have no labels" if head.kind != "embedding" else "an embedder has no labels to score"
        note(f"{why}: judged by how near its answers are to float32's")
    return Asked(texts, targets, Path(data.source).name, sha256)


def _calibration(read: "Texts | None", tokenizer: "WordPiece", length: int) -> "CalibrationSet | None":  # noqa: F821
    from edgebert.export.quantization.calibration import calibration_set

    if read is None:
        return None
    note(f"calibrating with {counted(len(read.texts), 'text')} of {read.available:,} from {read.source}")
    return calibration_set(read.texts, tokenizer, length, read.source, read.sha256, read.available)


def _subject(
    arguments: argparse.Namespace,
    checkpoint: "Checkpoint",
    head: "HeadConfig",
    tokenizer: "WordPiece",
    asked: Asked,
    calibration: "CalibrationSet | None",
    scheme: str,
) -> "Subject":
    # TensorFlow is loaded here.
    from edgebert.export.convert import Exporter, ExportRequest
    from edgebert.export.graph import convert_graph
    from edgebert.export.quantization.calibration import CalibrationSet
    from edgebert.export.sensitivity.exam import Exam
    from edgebert.export.sensitivity.looking import Subject
    from edgebert.models.loading import load_model
    from edgebert.training.scoring import METRICS, score

    chosen = head if head != checkpoint.head else None
    model = load_model(checkpoint, chosen).model
    Exporter(model, tokenizer, {}, calibration).check(ExportRequest(scheme))
    note("converting to float32 ...")
    encoded = tuple(tokenizer.encode(*text, length=checkpoint.encoder.maximum_length) for text in asked.texts)
    inputs = CalibrationSet(encoded, asked.source, asked.sha256, len(encoded)).inputs(None)
    is_scored = asked.targets is not None
    exam = Exam(head.kind, inputs, asked.targets, functools.partial(score, head) if is_scored else None)
    count = min(arguments.tensor_texts, len(inputs))
    return Subject(
        checkpoint=arguments.name or Path(arguments.checkpoint).name,
        checkpoint_sha256=checkpoint.sha256,
        graph=convert_graph(model, None),
        exam=exam,
        metric=METRICS[head.kind] if is_scored else None,
        texts_source=asked.source,
        texts_sha256=asked.sha256,
        calibration=calibration,
        tensor_texts=[inputs[position * len(inputs) // count] for position in range(count)],
    )
