"""Recipes as published, by name. Where a paper leaves a number open, the comment says whose choice it is."""

import dataclasses
from collections.abc import Callable

from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.wording import nearest
from edgebert.errors import TrainingError


def tinybert_intermediate() -> Recipe:
    """Jiao et al. 2019, step one of both stages: L_embd + sum_m (L_hidn + L_attn), every lambda_m 1, uniform map."""
    return Recipe((Term("embedding_mse"), Term("hidden_mse"), Term("attention_scores_mse")))


def tinybert_prediction() -> Recipe:
    """Jiao et al. 2019, step two of task distillation: L_pred at temperature 1, without labels."""
    return Recipe((Term("soft_cross_entropy"),))


def distilbert() -> Recipe:
    """Sanh et al. 2019, general distillation: 5 L_ce + 2 L_mlm + 1 L_cos at temperature 2, the weights of the published
    training script; L_cos on the last layers."""
    return Recipe(
        (
            Term("token_soft_kl", weight=5.0),
            Term("masked_language_model", weight=2.0),
            Term("hidden_cosine", layers="last"),
        ),
        temperature=2.0,
    )


def distilbert_masked() -> Recipe:
    """The same with the published script's --restrict_ce_to_mask: soft targets at the hidden words alone.

    Of 64 tokens 9 are decoded, and a step of 16 such texts with 30,522 pieces takes 0.7 s instead of 2.7 (6 layers of
    384 teach 4 of 312, two busy cores).
    """
    soft, *others = distilbert().terms
    return dataclasses.replace(distilbert(), terms=(dataclasses.replace(soft, positions="masked"), *others))


def distilbert_task() -> Recipe:
    """Sanh et al. 2019, the second step: distillation during fine-tuning, soft and hard targets halved, temperature 2,
    as in the published SQuAD script."""
    return Recipe((Term("soft_kl", weight=0.5),), temperature=2.0, hard_label_weight=0.5)


def distilbert_hidden() -> Recipe:
    """The variant with hidden states of all layers: alpha L_soft + beta sum_m MSE(h_m), alpha = 1, beta = 1/M.

    Reading taken: the two terms are the softened prediction and the sum over the student's M layers, so that the
    second is a mean over layers.
    """
    return Recipe((Term("soft_kl"), Term("hidden_mse", over_layers="mean")), temperature=2.0)


def patient_kd() -> Recipe:
    """Sun et al. 2019: (1 - alpha) L_hard + alpha L_soft + beta L_PT, from every layer but the last (PKD-Skip; with
    layer_map "last", PKD-Last). alpha 0.5, temperature 10 and beta 100 lie inside the grid that the paper searches."""
    return Recipe(
        (Term("soft_kl", weight=0.5), Term("first_row_mse", weight=100.0, layers="inner")),
        temperature=10.0,
        hard_label_weight=0.5,
    )


def minilm() -> Recipe:
    """Wang et al. 2021 (v2): query-query, key-key and value-value relations of the last layers, all weights 1."""
    return Recipe((Term("attention_relation_kl", layers="last"),), projection="none")


def minilm_v1() -> Recipe:
    """Wang et al. 2020: attention distributions and value relations of the last layers, equal heads.

    The paper's value relation has as many heads as the attention; `relation_heads` left open is the largest number
    that fits both models, so set it to the number of attention heads for the paper's own.
    """
    return Recipe(
        (
            Term("attention_kl", layers="last"),
            Term("attention_relation_kl", layers="last", relations=("value",), name="value_relation_kl"),
        ),
        projection="none",
    )


def align() -> Recipe:
    """Phase one of "align + incremental": L_align, the MSE of every mapped layer."""
    return Recipe((Term("hidden_mse"),), projection="per_layer")


def align_incremental(incremental_weight: float = 1.0) -> Recipe:
    """Phase two: L_align + lambda L_incr. lambda = 1 is our choice; `state_losses.increment_mse` has the reading."""
    return Recipe((Term("hidden_mse"), Term("hidden_increment_mse", weight=incremental_weight)), projection="per_layer")


def attention_cross_entropy_pretraining(alpha: float = 1.0, beta: float = 1.0, gamma: float = 1.0) -> Recipe:
    """alpha L_embd + beta L_hidn + gamma L_attn with L_attn the cross-entropy of attention distributions; weights of 1
    are our choice."""
    return Recipe((Term("embedding_mse", alpha), Term("hidden_mse", beta), Term("attention_cross_entropy", gamma)))


def attention_cross_entropy_task(alpha: float = 1.0, beta: float = 1.0, gamma: float = 1.0) -> Recipe:
    """The same on the task: alpha L_class in the place of the embeddings, softened by the teacher."""
    return Recipe((Term("soft_cross_entropy", alpha), Term("hidden_mse", beta), Term("attention_cross_entropy", gamma)))


def logits_only() -> Recipe:
    """Hinton et al. 2015: the teacher's softened outputs and nothing else, at DistilBERT's temperature of 2."""
    return Recipe((Term("soft_kl"),), temperature=2.0)


PUBLISHED: dict[str, Callable[[], Recipe]] = {
    build.__name__: build
    for build in (
        tinybert_intermediate,
        tinybert_prediction,
        distilbert,
        distilbert_masked,
        distilbert_task,
        distilbert_hidden,
        patient_kd,
        minilm,
        minilm_v1,
        align,
        align_incremental,
        attention_cross_entropy_pretraining,
        attention_cross_entropy_task,
        logits_only,
    )
}


# Those for plain text, before any task, as their papers have it. TinyBERT's is step one of its task stage too.
GENERAL = (
    "tinybert_intermediate",
    "minilm",
    "minilm_v1",
    "align",
    "align_incremental",
    "attention_cross_entropy_pretraining",
    "distilbert",
    "distilbert_masked",
)


def general_without_masked_words() -> tuple[str, ...]:
    """Those that any teacher can give, whether it has kept the head that it was pre-trained with or not."""
    return tuple(name for name in GENERAL if not PUBLISHED[name]().predicts_tokens)


def published(name: str, kind: str = "classification") -> Recipe:
    """A published recipe, adapted to the kind of head it is to train."""
    if name not in PUBLISHED:
        raise TrainingError(
            f"recipe {name!r}: expected one of {', '.join(PUBLISHED)}, got {name!r}. Do: write "
            f"{nearest(name, PUBLISHED)}."
        )
    return for_head(dataclasses.replace(PUBLISHED[name](), name=name), kind)


def for_head(recipe: Recipe, kind: str) -> Recipe:
    """The recipe with its softened targets replaced by regression on the teacher's outputs, where outputs are no
    classes: the softmax of a single score is 1 whatever the student says."""
    if kind == "classification":
        return recipe
    terms = tuple(_regression(term) if kind not in (term.facts.heads or (kind,)) else term for term in recipe.terms)
    # An embedding has no label to be wrong about.
    hard_label_weight = 0.0 if kind == "embedding" else recipe.hard_label_weight
    return dataclasses.replace(recipe, terms=terms, hard_label_weight=hard_label_weight)


def _regression(term: Term) -> Term:
    name = "" if term.name == term.objective else term.name
    return dataclasses.replace(term, objective="output_mse", name=name)
