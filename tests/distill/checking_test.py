"""A recipe that cannot train these two models is refused before anything starts."""

import dataclasses

import pytest

from edgebert.config import HeadConfig
from edgebert.distill.checking import check
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.objectives import OBJECTIVES
from edgebert.distill.published import PUBLISHED, published
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.relations import common_relation_heads
from edgebert.errors import TrainingError
from tests.data.house_form import assert_house_form
from tests.distill.cases import CLASSES, encoder_config

TEACHER = encoder_config(layers=6, width=24, heads=4)
STUDENT = encoder_config(layers=3, width=12, heads=4)
SCORE = HeadConfig("regression")
VECTOR = HeadConfig("embedding")
LANGUAGE = {"distilbert", "distilbert_masked"}


def refusal(recipe, teacher=TEACHER, student=STUDENT, teacher_head=CLASSES, student_head=CLASSES, **situation) -> str:
    with pytest.raises(TrainingError) as caught:
        check(recipe, teacher, student, teacher_head, student_head, **situation)
    assert_house_form(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("head", [CLASSES, SCORE], ids=lambda head: head.kind)
def test_published_recipes_fit_a_student_of_half_the_depth_and_width(name, head) -> None:
    check(published(name, head.kind), TEACHER, STUDENT, head, head, language_model=name in LANGUAGE)


def test_an_embedding_student_learns_from_an_embedding_teacher_of_its_width() -> None:
    wide = encoder_config(layers=3, width=24, heads=4)
    check(published("logits_only", "embedding"), TEACHER, wide, VECTOR, VECTOR, labelled=False)
    assert "24" in refusal(published("logits_only", "embedding"), teacher_head=VECTOR, student_head=VECTOR)


@pytest.mark.parametrize("name", [name for name, facts in OBJECTIVES.items() if facts.same_vocabulary])
def test_tokens_are_compared_within_one_vocabulary(name) -> None:
    recipe = Recipe((Term(name),))
    text = refusal(
        recipe, student=encoder_config(vocabulary_size=39), language_model=name.startswith("token"), student_head=None
    )
    assert "40" in text and "39" in text
    assert "soft_kl" in text and "output_mse" in text
    # Of one size, and yet another vocabulary.
    refusal(recipe, language_model=name.startswith("token"), same_vocabulary=False)


@pytest.mark.parametrize("name", ["logits_only", "distilbert_task"])
def test_outputs_are_compared_across_vocabularies(name) -> None:
    small = encoder_config(layers=3, heads=4, vocabulary_size=39)
    check(published(name), TEACHER, small, CLASSES, CLASSES)


@pytest.mark.parametrize("name", [name for name, facts in OBJECTIVES.items() if facts.same_heads])
def test_objectives_head_by_head_say_which_ones_are_not(name) -> None:
    text = refusal(Recipe((Term(name),)), student=encoder_config(layers=3, heads=3))
    assert "attention_relation_kl" in text
    assert "heads" in text


def test_relations_allow_any_number_of_heads() -> None:
    check(published("minilm"), TEACHER, encoder_config(layers=5, width=9, heads=3), None, None)


def test_relation_heads_must_divide_both_widths() -> None:
    recipe = Recipe((Term("attention_relation_kl", relation_heads=5),))
    assert "write 12" in refusal(recipe)
    # Of the teacher's width alone.
    assert "write 12" in refusal(Recipe((Term("attention_relation_kl", relation_heads=24),)))
    check(Recipe((Term("attention_relation_kl", relation_heads=6),)), TEACHER, STUDENT)


def test_relation_heads_of_the_published_sizes() -> None:
    assert common_relation_heads(384, 768) == 48
    assert common_relation_heads(312, 384) == 24
    assert common_relation_heads(312, 768) == 24
    assert common_relation_heads(7, 12) == 1


@pytest.mark.parametrize("name", [name for name, facts in OBJECTIVES.items() if facts.projected])
def test_other_widths_need_a_projection(name) -> None:
    text = refusal(Recipe((Term(name),), projection="none"))
    assert "24" in text and "12" in text
    check(Recipe((Term(name),), projection="none"), TEACHER, encoder_config(layers=3, width=24))


def test_layers_are_checked() -> None:
    assert "rise" in refusal(Recipe((Term("hidden_mse"),), layer_map=LayerMap("explicit", teacher_layers=(1, 5, 4))))
    assert "multiple" in refusal(Recipe((Term("hidden_mse"),)), student=encoder_config(layers=4))
    assert "from 1 to 3" in refusal(Recipe((Term("hidden_mse", layers=((4, 6),)),)))
    assert "from 1 to 6" in refusal(Recipe((Term("hidden_mse", layers=((3, 7),)),)))
    assert "from 1 to 3" in refusal(Recipe((Term("hidden_mse", layers=((0, 0),)),)))
    assert "3 layer_weights" in refusal(Recipe((Term("hidden_mse", layer_weights=(1.0, 2.0)),)))
    assert "two layers" in refusal(published("patient_kd"), student=encoder_config(layers=1))
    # A map that no term reads may be impossible.
    check(published("logits_only"), TEACHER, encoder_config(layers=4), CLASSES, CLASSES)


def test_outputs_are_checked() -> None:
    two = HeadConfig("classification", labels=("no", "yes"))
    logits = published("logits_only")
    assert "3" in refusal(logits, student_head=two)
    assert "no head" in refusal(logits, teacher_head=None)
    assert "output_mse" in refusal(logits, teacher_head=SCORE, student_head=SCORE)
    assert "regression" in refusal(Recipe((Term("output_mse"),)), student_head=SCORE)
    # Without an objective on outputs, heads need not agree, nor be there.
    check(published("tinybert_intermediate"), TEACHER, STUDENT, None, two)


def test_the_label_order_is_checked() -> None:
    turned = HeadConfig("classification", labels=("no", "maybe", "yes"))
    text = refusal(published("logits_only"), student_head=turned)
    assert "class 1" in text and "'maybe'" in text and "'yes'" in text
    upper = HeadConfig("classification", labels=("NO", "YES", "MAYBE"))
    nameless = HeadConfig("classification", labels=("LABEL_0", "LABEL_1", "LABEL_2"))
    for head in (upper, nameless):
        check(published("logits_only"), TEACHER, STUDENT, head, CLASSES)


def test_tokens_need_a_corpus_and_tasks_a_task() -> None:
    assert "corpus" in refusal(published("distilbert"))
    assert "token_soft_kl" in refusal(published("logits_only"), language_model=True)
    assert "corpus" in refusal(Recipe((Term("hidden_mse"),), hard_label_weight=1.0), language_model=True)


def test_hard_labels_need_labels() -> None:
    hard = Recipe((), hard_label_weight=1.0)
    assert "none" in refusal(hard, labelled=False)
    assert "embedding" in refusal(hard, student_head=VECTOR)
    assert "no head" in refusal(hard, student_head=None)
    check(hard, TEACHER, STUDENT, None, CLASSES)


def test_further_teachers_must_answer_the_same() -> None:
    logits = published("logits_only")
    two = HeadConfig("classification", labels=("no", "yes"))
    turned = HeadConfig("classification", labels=("yes", "no", "maybe"))
    assert "teacher 3" in refusal(logits, further_teachers=[(TEACHER, CLASSES), (TEACHER, two)])
    assert "order" in refusal(logits, further_teachers=[(TEACHER, turned)])
    sure = Recipe((Term("output_mse"),), teacher_weighting="entropy")
    assert "mean" in refusal(sure, teacher_head=SCORE, student_head=SCORE, further_teachers=[(TEACHER, SCORE)])
    check(sure, TEACHER, STUDENT, CLASSES, CLASSES, further_teachers=[(TEACHER, CLASSES)])
    # A single one's certainty would be divided by that of one class: not a number.
    assert "teacher_weighting" in refusal(sure, teacher_head=SCORE, student_head=SCORE)
    larger = dataclasses.replace(TEACHER, vocabulary_size=TEACHER.vocabulary_size + 1)
    assert f"{larger.vocabulary_size} pieces in teacher 2" in refusal(logits, further_teachers=[(larger, CLASSES)])
