"""Masked-word models as teacher and student: the terms on tokens, where only what is asked for is decoded."""

import numpy as np
import pytest

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.distill.computing import asked_tokens, compute
from edgebert.distill.distiller import Distiller
from edgebert.distill.prediction_losses import NOT_MASKED
from edgebert.distill.published import published
from edgebert.distill.recipe import Recipe, Term
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.task import TaskModel
from tests.data.house_form import assert_house_form
from tests.distill import reference
from tests.distill.cases import inputs_of, model

INPUTS = inputs_of(7, 3, 5)
MASK = INPUTS["input_mask"].numpy() == 1
TARGETS = np.full(MASK.shape, NOT_MASKED, np.int32)
TARGETS[0, 2], TARGETS[0, 5], TARGETS[2, 1] = 11, 3, 39
ASKED = TARGETS != NOT_MASKED
BOTH = published("distilbert_masked")
RECIPES = {
    "real": published("distilbert"),
    "masked": BOTH,
    "hard": Recipe((Term("masked_language_model"),)),
    "cross-entropy": Recipe((Term("token_soft_cross_entropy"),), temperature=3.0),
}


def masked(seed: int, **changes) -> TaskModel:
    return model(seed, MASKED_WORDS, **changes)


def pair() -> tuple[TaskModel, TaskModel]:
    return masked(1), masked(2, layers=2, width=6)


@pytest.mark.parametrize("name", RECIPES)
def test_what_nobody_asks_for_changes_no_term(name: str) -> None:
    """Decoded for all tokens, padding too, and for those alone that a term reads."""
    teacher, student = pair()
    distiller = Distiller(student, (teacher,), RECIPES[name])
    found = distiller.term_losses(INPUTS, tf.constant(TARGETS), training=False)
    whole = compute(
        RECIPES[name],
        teacher.trace(INPUTS),
        student.trace(INPUTS),
        INPUTS["input_mask"],
        tf.constant(TARGETS),
        distiller.projections,
    )
    assert found.keys() == whole.keys()
    for term, loss in found.items():
        assert float(loss) == pytest.approx(float(whole[term]), rel=1e-5)


def test_terms_are_the_references_at_the_hidden_words() -> None:
    teacher, student = pair()
    found = Distiller(student, (teacher,), BOTH).term_losses(INPUTS, tf.constant(TARGETS), training=False)
    logits = [one.trace(INPUTS).output.numpy().astype(np.float64)[ASKED] for one in (student, teacher)]
    assert float(found["token_soft_kl"]) == pytest.approx(5 * reference.soft_kl(*logits, 2.0), rel=1e-4)
    expected = 2 * reference.label_cross_entropy(logits[0], TARGETS[ASKED])
    assert float(found["masked_language_model"]) == pytest.approx(expected, rel=1e-5)


def test_only_what_is_read_is_asked_for() -> None:
    for name, expected in (("real", MASK), ("masked", ASKED), ("hard", ASKED), ("cross-entropy", MASK)):
        asked = asked_tokens(RECIPES[name], INPUTS["input_mask"], tf.constant(TARGETS))
        np.testing.assert_array_equal(asked, expected)
    assert asked_tokens(published("minilm"), INPUTS["input_mask"], None) is None


def test_padding_and_other_texts_change_no_term() -> None:
    teacher, student = pair()
    distiller = Distiller(student, (teacher,), BOTH)
    found = distiller.term_losses(INPUTS, tf.constant(TARGETS), training=False)
    wider = {name: np.pad(values.numpy(), [[0, 1], [0, 4]]) for name, values in INPUTS.items()}
    wider["input_mask"][3, 0] = 1
    more = np.pad(TARGETS, [[0, 1], [0, 4]], constant_values=NOT_MASKED)
    inputs = {name: tf.constant(values) for name, values in wider.items()}
    again = distiller.term_losses(inputs, tf.constant(more), training=False)
    for term in ("token_soft_kl", "masked_language_model"):
        assert float(again[term]) == pytest.approx(float(found[term]), rel=1e-5)


def test_a_copy_of_the_teacher_has_only_the_words_to_learn() -> None:
    teacher, student = masked(1), masked(1)
    student.set_weights(teacher.get_weights())
    found = Distiller(student, (teacher,), BOTH).term_losses(INPUTS, tf.constant(TARGETS), training=False)
    assert float(found["token_soft_kl"]) == pytest.approx(0, abs=1e-6)
    assert float(found["masked_language_model"]) > 0.1


def test_the_decoder_teaches_the_table_of_words() -> None:
    """A piece that stands in no text is still one that the words are not."""
    student = masked(2)
    distiller = Distiller(student, (masked(1),), RECIPES["hard"])
    absent = (set(range(40)) - set(INPUTS["input_ids"].numpy().ravel())).pop()
    table = student.encoder.embeddings.word.weight
    with tf.GradientTape() as tape:
        [loss] = distiller.term_losses(INPUTS, tf.constant(TARGETS), training=False).values()
    gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    assert np.abs(gradient[absent]).max() > 1e-6


@pytest.mark.parametrize("name", ["real", "masked"])
def test_xla_gives_eagers_losses_and_gradients(name: str) -> None:
    teacher, student = pair()
    distiller = Distiller(student, (teacher,), RECIPES[name])

    def step(inputs, targets):
        with tf.GradientTape() as tape:
            losses = distiller.term_losses(inputs, targets, training=False)
            total = tf.add_n(list(losses.values()))
        table = student.encoder.embeddings.word.weight
        return [*losses.values(), tf.convert_to_tensor(tape.gradient(total, table))]

    found = tf.function(step, jit_compile=True)(INPUTS, tf.constant(TARGETS))
    for compiled, eager in zip(found, step(INPUTS, tf.constant(TARGETS)), strict=True):
        np.testing.assert_allclose(compiled, eager, rtol=1e-4, atol=1e-5)


def test_several_teachers_count_as_their_mean() -> None:
    first, second, student = masked(1), masked(3), masked(2)
    recipe = Recipe((Term("token_soft_kl"),))
    found = Distiller(student, (first, second), recipe).term_losses(INPUTS, tf.constant(TARGETS), training=False)
    logits = [one.trace(INPUTS).output.numpy().astype(np.float64)[MASK] for one in (student, first, second)]
    expected = reference.soft_kl(logits[0], (logits[1] + logits[2]) / 2, 1.0)
    assert float(found["token_soft_kl"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("student_head", "teacher_head"),
    [(MASKED_WORDS, HeadConfig("embedding")), (HeadConfig("embedding"), MASKED_WORDS)],
)
def test_both_sides_need_the_head(student_head: HeadConfig, teacher_head: HeadConfig) -> None:
    with pytest.raises(TrainingError, match="models that predict them") as caught:
        Distiller(model(2, student_head), (model(1, teacher_head),), BOTH)
    assert_house_form(str(caught.value))


def test_masked_words_are_no_answers() -> None:
    for name in ("tinybert_prediction", "logits_only"):
        with pytest.raises(TrainingError) as caught:
            Distiller(masked(2), (masked(1),), published(name))
        assert_house_form(str(caught.value))
