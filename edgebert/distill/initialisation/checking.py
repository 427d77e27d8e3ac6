"""Refuses what no start can do, in plain words and before anything is loaded or measured."""

from collections.abc import Sequence

from edgebert.config import EncoderConfig
from edgebert.errors import TrainingError

TRUNCATED = ("layers", "heads", "feed_forward_width", "width", "head_width")
SAME_FOR_LAYERS = ("width", "heads", "feed_forward_width", "bottleneck", "trigram")


def check_embeddings(
    student: EncoderConfig, teacher: EncoderConfig, vocabulary_rows: Sequence[int] | None = None
) -> None:
    """Tables that cannot be had from the teacher's, for `from_layers` and `truncated`."""
    _check_vocabulary(student, teacher, vocabulary_rows)
    for field in ("maximum_length", "segments"):
        if getattr(student, field) > getattr(teacher, field):
            raise wrong(
                f"student {field}",
                f"at most the teacher's {getattr(teacher, field)}",
                getattr(student, field),
                "lower it, or choose random",
            )
    sums = student.projection == "after_norm" or teacher.projection == "after_norm" or student.trigram
    shape = ("projection", "embedding_width", "trigram")
    if sums and any(getattr(student, field) != getattr(teacher, field) for field in shape):
        raise wrong(
            "student embeddings",
            f"the teacher's ({_shown(teacher)}), where either adds up before widening or reads trigrams",
            _shown(student),
            "take over these three settings, or choose random",
        )
    if student.projection == "before_sum" and student.embedding_width > min(teacher.embedding_width, student.width):
        raise wrong(
            "student embedding_width",
            f"at most {min(teacher.embedding_width, student.width)}, the rank that the teacher's table has to give",
            student.embedding_width,
            "lower it",
        )


def check_norms(student: EncoderConfig, origin: EncoderConfig) -> None:
    """NoNorm can be fitted to what LayerNorm does, but not the other way round."""
    if student.normalization == "layer_norm" != origin.normalization:
        raise wrong("student normalization", origin.normalization, student.normalization, "choose random")
    if student.normalization != origin.normalization and student.bottleneck is not None:
        raise wrong(
            "student normalization",
            f"{origin.normalization} behind MobileBERT's bottleneck",
            student.normalization,
            "leave it out, or choose random",
        )


def check_layers(student: EncoderConfig, teacher: EncoderConfig) -> None:
    """Depth is the layer map's affair."""
    for field in SAME_FOR_LAYERS:
        if getattr(student, field) != getattr(teacher, field):
            raise wrong(
                f"student {field}",
                f"the teacher's {getattr(teacher, field)} for from_layers",
                getattr(student, field),
                "choose truncated, or change the student",
            )


def check_truncated(student: EncoderConfig, teacher: EncoderConfig) -> None:
    for owner, config in (("teacher", teacher), ("student", student)):
        if config.bottleneck is not None or config.trigram or config.projection == "after_norm":
            raise wrong(
                f"{owner}",
                "an encoder without bottleneck, trigrams and projection after_norm for truncated",
                _shown(config) + (", bottleneck" if config.bottleneck else ""),
                "choose from_layers, from_folder or random",
            )
    for field in TRUNCATED:
        if getattr(student, field) > getattr(teacher, field):
            remedy = "lower it, or choose from_folder or random"
            if field == "head_width":
                remedy = f"give the student {-(-student.width // teacher.head_width)} heads or more"
            raise wrong(
                f"student {field}", f"at most the teacher's {getattr(teacher, field)}", getattr(student, field), remedy
            )


def _check_vocabulary(student: EncoderConfig, teacher: EncoderConfig, rows: Sequence[int] | None) -> None:
    if rows is None:
        if student.vocabulary_size != teacher.vocabulary_size:
            raise wrong(
                "student vocabulary",
                f"the teacher's {teacher.vocabulary_size:,} pieces, or the teacher's row for each piece",
                f"{student.vocabulary_size:,} pieces",
                "give vocabulary_rows, or the teacher's vocabulary",
            )
        return
    if len(rows) != student.vocabulary_size:
        raise wrong(
            "vocabulary_rows",
            f"{student.vocabulary_size:,} rows, one for each of the student's pieces",
            f"{len(rows):,}",
            "give one for each",
        )
    beyond = [row for row in rows if not 0 <= row < teacher.vocabulary_size]
    if beyond:
        raise wrong(
            "vocabulary_rows",
            f"rows from 0 to {teacher.vocabulary_size - 1:,}",
            f"{beyond[0]:,}",
            "number the pieces as the teacher does",
        )


def _shown(config: EncoderConfig) -> str:
    return f"projection {config.projection}, embedding_width {config.embedding_width}, trigram {config.trigram}"


def wrong(subject: str, expected: str, got: object, remedy: str) -> TrainingError:
    return TrainingError(f"{subject}: expected {expected}, got {got}. Do: {remedy}.")
