"""Whether a recipe can train this student from this teacher: every reason against it, found before anything starts."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.distill.objectives import HARD_LABEL, OBJECTIVES, Reads
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.relations import common_relation_heads
from edgebert.errors import TrainingError

# transformers names labels like this where nobody named them: they say nothing about their order.
GENERIC_LABEL = "label_"


@dataclass(frozen=True, slots=True)
class Side:
    config: EncoderConfig
    head: HeadConfig | None

    @property
    def output_width(self) -> int:
        return self.head.outputs or self.config.width


def check(
    recipe: Recipe,
    teacher_config: EncoderConfig,
    student_config: EncoderConfig,
    teacher_head: HeadConfig | None = None,
    student_head: HeadConfig | None = None,
    *,
    labelled: bool = True,
    language_model: bool = False,
    same_vocabulary: bool | None = None,
    further_teachers: Sequence[tuple[EncoderConfig, HeadConfig | None]] = (),
) -> None:
    """Raise a TrainingError for the first thing that does not fit.

    `labelled`: every example has a label. `language_model`: both models predict tokens, of texts with masked ones.
    `same_vocabulary`: the two vocabularies hold the same pieces in the same rows; where that is not known, their sizes
    are compared. `further_teachers`: all after the first.
    """
    teacher, student = Side(teacher_config, teacher_head), Side(student_config, student_head)
    if same_vocabulary is None:
        same_vocabulary = teacher_config.vocabulary_size == student_config.vocabulary_size
    for term in recipe.terms:
        _check_tokens(term, language_model)
        _check_vocabulary(term, teacher, student, same_vocabulary)
        _check_layers(term, recipe, teacher, student)
        _check_widths(term, recipe, teacher, student)
        _check_attention(term, teacher, student)
        _check_outputs(term, teacher, student)
    _check_hard_labels(recipe, student, labelled, language_model)
    _check_further_teachers(recipe, teacher, [Side(*further) for further in further_teachers], language_model)


def _check_tokens(term: Term, language_model: bool) -> None:
    if term.facts.reads is Reads.TOKENS and not language_model:
        raise _wrong(
            term.name,
            "a corpus with masked tokens and models that predict them",
            "neither",
            "give a corpus and a masked-language teacher (general distillation), or choose a recipe for a task, such "
            "as distilbert_task",
        )
    if term.facts.reads is Reads.OUTPUT and language_model:
        raise _wrong(
            term.name,
            "models with a head for a task",
            "models that predict tokens",
            f"use {_names(lambda facts: facts.reads is Reads.TOKENS)}",
        )


def _check_vocabulary(term: Term, teacher: Side, student: Side, same_vocabulary: bool) -> None:
    if term.facts.same_vocabulary and not same_vocabulary:
        raise _wrong(
            term.name,
            f"a student with the teacher's vocabulary ({teacher.config.vocabulary_size:,} pieces), since it compares "
            f"{term.facts.reads} token by token",
            f"another one ({student.config.vocabulary_size:,} pieces)",
            "give the student the teacher's vocabulary, or use only "
            f"{_names(lambda facts: not facts.same_vocabulary and facts.reads is not Reads.TOKENS)}",
        )


def _check_layers(term: Term, recipe: Recipe, teacher: Side, student: Side) -> None:
    depths = student.config.layers, teacher.config.layers
    pairs = term.pairs(recipe.layer_map, *depths)
    if not term.facts.layered:
        return
    if not pairs:
        raise _wrong(
            term.name, "a student of two layers or more for layers = inner", depths[0], "write layers = mapped"
        )
    for pair in pairs:
        if not (1 <= pair.student <= depths[0] and 1 <= pair.teacher <= depths[1]):
            raise _wrong(
                term.name,
                f"student layers from 1 to {depths[0]} and teacher layers from 1 to {depths[1]}",
                list(pair),
                "correct the pair",
            )
    if term.layer_weights is not None and len(term.layer_weights) != len(pairs):
        raise _wrong(
            term.name, f"{len(pairs)} layer_weights, one a pair of layers", len(term.layer_weights), "give one for each"
        )


def _check_widths(term: Term, recipe: Recipe, teacher: Side, student: Side) -> None:
    widths = student.config.width, teacher.config.width
    if term.facts.projected and recipe.projection == "none" and widths[0] != widths[1]:
        raise _wrong(
            term.name,
            f"a student as wide as the teacher ({widths[1]}) where nothing projects",
            f"a width of {widths[0]}",
            "write projection = shared or per_layer",
        )


def _check_attention(term: Term, teacher: Side, student: Side) -> None:
    if term.facts.same_heads and student.config.heads != teacher.config.heads:
        raise _wrong(
            term.name,
            f"as many attention heads in the student as in the teacher ({teacher.config.heads})",
            student.config.heads,
            f"give the student {teacher.config.heads} heads, or use "
            f"{_names(lambda facts: facts.reads is Reads.ATTENTION and not facts.same_heads)}, which allows any number",
        )
    if term.relation_heads is not None:
        widths = student.config.heads_width, teacher.config.heads_width
        if any(width % term.relation_heads for width in widths):
            raise _wrong(
                term.name,
                f"relation_heads that cut both attention widths, {widths[0]} and {widths[1]}, evenly",
                term.relation_heads,
                f"write {common_relation_heads(*widths)}",
            )


def _check_outputs(term: Term, teacher: Side, student: Side) -> None:
    if not term.facts.heads:
        return
    for owner, side in (("teacher", teacher), ("student", student)):
        kind = side.head.kind if side.head else "no head"
        if kind not in term.facts.heads:
            remedy = "fine-tune the model on the task first" if side.head is None else "use output_mse"
            raise _wrong(term.name, f"a {owner} with a head for {' or '.join(term.facts.heads)}", kind, remedy)
    _check_same_answers(term.name, teacher, student.head, student.output_width, "student")


def _check_same_answers(subject: str, teacher: Side, head: HeadConfig, output_width: int, owner: str) -> None:
    if head.kind != teacher.head.kind:
        raise _wrong(
            subject, f"a {owner} whose head is the teacher's kind, {teacher.head.kind}", head.kind, "change the head"
        )
    if output_width != teacher.output_width:
        raise _wrong(
            subject,
            f"a {owner} with as many outputs as the teacher ({teacher.output_width})",
            output_width,
            "fine-tune the teacher on the same labels, or use a recipe without outputs, such as tinybert_intermediate",
        )
    expected, got = _plain_labels(teacher.head), _plain_labels(head)
    if expected and got and expected != got:
        place = next(number for number, pair in enumerate(zip(expected, got, strict=True)) if pair[0] != pair[1])
        raise _wrong(
            subject,
            f"the {owner}'s labels to be the teacher's in the teacher's order",
            f"{head.labels[place]!r} where the teacher has {teacher.head.labels[place]!r} (class {place})",
            "use the teacher's labels and order",
        )


def _check_hard_labels(recipe: Recipe, student: Side, labelled: bool, language_model: bool) -> None:
    if not recipe.hard_label_weight:
        return
    if language_model:
        raise _wrong(HARD_LABEL, "labelled examples", "a corpus", "write hard_label_weight = 0")
    if not labelled:
        raise _wrong(HARD_LABEL, "a label for every example", "none", "write hard_label_weight = 0, or give labels")
    kind = student.head.kind if student.head else "no head"
    if kind not in ("classification", "regression"):
        raise _wrong(
            HARD_LABEL, "a student with a head for classification or regression", kind, "write hard_label_weight = 0"
        )


def _check_further_teachers(recipe: Recipe, teacher: Side, others: Sequence[Side], language_model: bool) -> None:
    if not recipe.reads_outputs:
        return
    if recipe.teacher_weighting != "mean" and teacher.head is not None and teacher.head.kind != "classification":
        raise _wrong(
            "recipe.teacher_weighting",
            "mean, since only classes tell how sure a teacher is",
            recipe.teacher_weighting,
            "write teacher_weighting = mean",
        )
    for number, other in enumerate(others, start=2):
        if None in (teacher.head, other.head):
            raise _wrong(
                "teachers", "a head on each", f"none on teacher {1 if teacher.head is None else number}", "fine-tune it"
            )
        if other.config.vocabulary_size != teacher.config.vocabulary_size:
            # One text is cut once for all of them.
            raise _wrong(
                "teachers",
                f"the first one's vocabulary of {teacher.config.vocabulary_size:,} pieces",
                f"{other.config.vocabulary_size:,} pieces in teacher {number}",
                "give models that read the same tokens",
            )
        if not language_model:
            _check_same_answers("teachers", teacher, other.head, other.output_width, f"teacher {number}")


def _plain_labels(head: HeadConfig) -> list[str]:
    """Labels without regard to case; none where they are transformers' placeholders."""
    labels = [label.casefold() for label in head.labels]
    return [] if all(label.startswith(GENERIC_LABEL) for label in labels) else labels


def _names(holds) -> str:
    return ", ".join(name for name, facts in OBJECTIVES.items() if holds(facts))


def _wrong(subject: str, expected: str, got: object, remedy: str) -> TrainingError:
    return TrainingError(f"{subject}: expected {expected}, got {got}. Do: {remedy}.")
