"""A recipe applied to what teacher and student computed: every term as one weighted number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgebert.distill import attention_losses, prediction_losses, state_losses
from edgebert.distill.layer_maps import LayerPair
from edgebert.distill.masking import float32, real_positions
from edgebert.distill.objectives import HARD_LABEL, RELATIONS, Reads
from edgebert.distill.projections import Projections
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.relations import common_relation_heads
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.layers import Attention
from edgebert.models.task import TaskTrace


class TeacherNeeds(NamedTuple):
    """What a recipe reads of the teacher: all that a cache has to hold. Layers count from 1, embeddings are 0."""

    output: bool
    hidden: tuple[int, ...]
    attention: tuple[tuple[int, str], ...]  # (layer, field of Attention)


@dataclass(frozen=True)
class Batch:
    recipe: Recipe
    teacher: TaskTrace
    student: TaskTrace
    mask: tf.Tensor
    targets: tf.Tensor | None
    projections: Projections | None
    asked: tf.Tensor | None

    def pairs(self, term: Term) -> tuple[LayerPair, ...]:
        depths = len(self.student.encoder.attention), len(self.teacher.encoder.attention)
        return term.pairs(self.recipe.layer_map, *depths)

    def states(self, pairs: Sequence[LayerPair]) -> tuple[list, list]:
        """The student's hidden states in the teacher's width, and the teacher's."""
        students = [self._projected(pair.student) for pair in pairs]
        return students, [self.teacher.encoder.hidden[pair.teacher] for pair in pairs]

    def attention(self, pairs: Sequence[LayerPair]) -> list[tuple[Attention, Attention]]:
        student, teacher = self.student.encoder.attention, self.teacher.encoder.attention
        return [(student[pair.student - 1], teacher[pair.teacher - 1]) for pair in pairs]

    def of_tokens(self, values):
        """Of values [B, T] those of the tokens that the outputs are of."""
        return values if self.asked is None else tf.boolean_mask(values, self.asked)

    def _projected(self, layer: int):
        states = float32(self.student.encoder.hidden[layer])
        return states if self.projections is None else self.projections.project(layer, states)


def compute(
    recipe: Recipe,
    teacher: TaskTrace,
    student: TaskTrace,
    mask,
    targets=None,
    projections: Projections | None = None,
    asked=None,
) -> dict[str, tf.Tensor]:
    """Each term's weighted loss, float32, by its name; their sum is what to minimise.

    mask [B, T]: the student's input_mask. targets: class ids or scores [B] for hard labels; for a language model, whose
    outputs are logits of tokens [B, T, V], the masked tokens [B, T] with NOT_MASKED elsewhere. asked, booleans [B, T]:
    the tokens whose logits the outputs hold, as [N, V]. The recipe has been through `checking.check`. Of the teacher
    only `teacher_needs` is read; the rest may be None.
    """
    batch = Batch(recipe, teacher, student, mask, targets, projections, asked)
    losses = {term.name: term.weight * _term_loss(batch, term) for term in recipe.terms}
    if recipe.hard_label_weight:
        losses[HARD_LABEL] = recipe.hard_label_weight * _hard_label(batch)
    return losses


def teacher_needs(recipe: Recipe, student_layers: int, teacher_layers: int) -> TeacherNeeds:
    hidden: set[int] = set()
    attention: set[tuple[int, str]] = set()
    output = False
    for term in recipe.terms:
        layers = {pair.teacher for pair in term.pairs(recipe.layer_map, student_layers, teacher_layers)}
        if term.facts.projected:
            hidden |= layers
        if term.facts.reads is Reads.ATTENTION:
            fields = term.facts.attention or term.relations
            attention |= {(layer, field) for layer in layers for field in fields}
        output |= term.objective in _OUTPUTS and term.objective != "masked_language_model"
    return TeacherNeeds(output, tuple(sorted(hidden)), tuple(sorted(attention)))


def asked_tokens(recipe: Recipe, mask, targets):
    """The tokens whose predictions a recipe reads, booleans [B, T]: of most texts' tokens nobody asks."""
    if not recipe.predicts_tokens:
        return None
    soft = [term for term in recipe.terms if term.objective in _TOKEN_SOFT]
    everywhere = any(term.positions == "real" for term in soft)
    return real_positions(mask) if everywhere else prediction_losses.masked_tokens(targets)


def _term_loss(batch: Batch, term: Term):
    if term.objective in _OUTPUTS:
        return _OUTPUTS[term.objective](batch, term)
    pairs = batch.pairs(term)
    losses = _LAYERS[term.objective](batch, term, pairs)
    weights = term.layer_weights or (1.0,) * len(pairs)
    total = tf.add_n([weight * loss for weight, loss in zip(weights, losses, strict=True)])
    return total / len(pairs) if term.over_layers == "mean" else total


def _hidden_mse(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
    return [state_losses.hidden_mse(*states, batch.mask) for states in zip(*batch.states(pairs), strict=True)]


def _hidden_cosine(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
    return [state_losses.hidden_cosine(*states, batch.mask) for states in zip(*batch.states(pairs), strict=True)]


def _first_row_mse(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
    return [state_losses.first_row_mse(*states) for states in zip(*batch.states(pairs), strict=True)]


def _hidden_increment_mse(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
    return state_losses.increment_mse(*batch.states(pairs), batch.mask)


def _attention(field: str, loss: Callable) -> Callable:
    def losses(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
        compared = batch.attention(pairs)
        return [loss(getattr(student, field), getattr(teacher, field), batch.mask) for student, teacher in compared]

    return losses


def _attention_relation_kl(batch: Batch, term: Term, pairs: Sequence[LayerPair]) -> list:
    return [
        tf.add_n(
            [
                _relation_kl(getattr(student, field), getattr(teacher, field), field, batch.mask, term)
                for field in RELATIONS
                if field in term.relations
            ]
        )
        for student, teacher in batch.attention(pairs)
    ]


def _relation_kl(student, teacher, field: str, mask, term: Term):
    widths = [vectors.shape[1] * vectors.shape[3] for vectors in (student, teacher)]
    heads = term.relation_heads or common_relation_heads(*widths)
    if field == "query":
        student, teacher = (_without_factor(vectors) for vectors in (student, teacher))
    return attention_losses.relation_kl(student, teacher, mask, heads)


def _without_factor(query):
    """Our queries carry the 1/sqrt(D) of the scores; the relation of queries is defined without."""
    return float32(query) * query.shape[-1] ** 0.5


def _soft(loss: Callable) -> Callable:
    def losses(batch: Batch, term: Term):
        recipe = batch.recipe
        return loss(batch.student.output, batch.teacher.output, recipe.temperature, recipe.temperature_squared)

    return losses


def _token_soft(loss: Callable) -> Callable:
    def losses(batch: Batch, term: Term):
        masked = term.positions == "masked"
        where = prediction_losses.masked_tokens(batch.targets) if masked else real_positions(batch.mask)
        recipe, where = batch.recipe, batch.of_tokens(where)
        return loss(batch.student.output, batch.teacher.output, recipe.temperature, recipe.temperature_squared, where)

    return losses


def _hard_label(batch: Batch):
    if batch.targets is None:
        raise TrainingError(
            f"{HARD_LABEL}: expected a label for every example of a batch, got none. "
            "Do: give fit (inputs, labels), or write hard_label_weight = 0."
        )
    # Of one output the label is a score, of several it is the number of a class.
    if batch.student.output.shape[-1] == 1:
        return prediction_losses.label_mse(batch.student.output, batch.targets)
    return prediction_losses.label_cross_entropy(batch.student.output, tf.cast(batch.targets, tf.int64))


_TOKEN_SOFT = {
    "token_soft_cross_entropy": _token_soft(prediction_losses.soft_cross_entropy),
    "token_soft_kl": _token_soft(prediction_losses.soft_kl),
}
# What each objective computes: a list with one loss a pair of layers, or one loss.
_LAYERS = {
    "embedding_mse": _hidden_mse,
    "hidden_mse": _hidden_mse,
    "hidden_cosine": _hidden_cosine,
    "hidden_increment_mse": _hidden_increment_mse,
    "first_row_mse": _first_row_mse,
    "attention_scores_mse": _attention("scores", attention_losses.attention_mse),
    "attention_probabilities_mse": _attention("probabilities", attention_losses.attention_mse),
    "attention_cross_entropy": _attention("scores", attention_losses.attention_cross_entropy),
    "attention_kl": _attention("scores", attention_losses.attention_kl),
    "attention_relation_kl": _attention_relation_kl,
}
_OUTPUTS = {
    "soft_cross_entropy": _soft(prediction_losses.soft_cross_entropy),
    "soft_kl": _soft(prediction_losses.soft_kl),
    "output_mse": lambda batch, term: prediction_losses.output_mse(batch.student.output, batch.teacher.output),
    **_TOKEN_SOFT,
    "masked_language_model": lambda batch, term: prediction_losses.masked_token_cross_entropy(
        batch.student.output, batch.of_tokens(batch.targets)
    ),
}
