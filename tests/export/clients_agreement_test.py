"""A client that answers as we do is passed; whatever else it does is seen and named."""

import math
import random

import pytest

from edgebert.errors import ClientError
from edgebert.export.clients.agreement import Agreement, Yardstick, compare
from edgebert.export.clients.process import Answer
from tests.data.house_form import assert_house_form

LABELS = ("negative", "neutral", "positive")
CLASSIFICATION = Yardstick("classification", LABELS, 0.05)
EMBEDDING = Yardstick("embedding", (), 0.01)
REGRESSION = Yardstick("regression", (), 0.05)


def draw_scores(count: int = 20, classes: int = 3, sharpness: float = 2.0) -> list[tuple[float, ...]]:
    draw = random.Random(0)
    rows = []
    for _ in range(count):
        weights = [math.exp(sharpness * draw.gauss(0, 1)) for _ in range(classes)]
        rows.append(tuple(weight / sum(weights) for weight in weights))
    return rows


def answers(rows, names=LABELS) -> list[Answer]:
    return [Answer(tuple(row), tuple(names)) for row in rows]


def shuffled(rows) -> list[Answer]:
    """As MediaPipe answers: the best label first."""
    found = []
    for row in rows:
        order = sorted(range(len(row)), key=lambda n: -row[n])
        found.append(Answer(tuple(row[n] for n in order), tuple(LABELS[n] for n in order)))
    return found


def noisy(rows, size: float) -> list[tuple[float, ...]]:
    draw = random.Random(1)
    return [tuple(value + draw.uniform(-size, size) for value in row) for row in rows]


def test_the_same_answers_agree_in_any_order_of_labels() -> None:
    ours = draw_scores()
    agreed = Agreement(largest_difference=0.0, same_labels=20, differences=(), diagnosis=None)
    assert compare(ours, answers(ours), CLASSIFICATION) == agreed
    assert compare(ours, shuffled(ours), CLASSIFICATION) == agreed


def test_noise_within_the_tolerance_agrees_and_is_measured() -> None:
    ours = draw_scores()
    agreement = compare(ours, answers(noisy(ours, 0.02)), CLASSIFICATION)
    assert agreement.differences == () and agreement.diagnosis is None
    assert 0.015 < agreement.largest_difference <= 0.02


@pytest.mark.parametrize("number", [7, 37])
def test_one_wrong_answer_among_many_is_found(number: int) -> None:
    ours = draw_scores(40)
    theirs = [list(row) for row in ours]
    theirs[number] = [*theirs[number][1:], theirs[number][0]]
    agreement = compare(ours, answers(theirs), CLASSIFICATION)
    (difference,) = agreement.differences
    assert difference.text_number == number
    assert agreement.same_labels == 39
    assert difference.ours != difference.theirs
    assert "off by up to" in agreement.diagnosis


def test_labels_in_another_order_are_named() -> None:
    ours = draw_scores()
    agreement = compare(ours, answers(ours, (LABELS[1], LABELS[2], LABELS[0])), CLASSIFICATION)
    assert "our scores under other labels" in agreement.diagnosis
    assert agreement.same_labels < 20


@pytest.mark.parametrize("names", [("0", "1", "2"), ("", "", ""), ("negative", "neutral", "other"), LABELS[:2]])
def test_lost_labels_are_named(names: tuple[str, ...]) -> None:
    ours = draw_scores()
    agreement = compare(ours, answers([row[: len(names)] for row in ours], names), CLASSIFICATION)
    assert len(agreement.differences) == 20
    assert "are not the model's" in agreement.diagnosis


def test_answers_of_other_texts_are_nonsense() -> None:
    ours = draw_scores()
    agreement = compare(ours, answers([*ours[3:], *ours[:3]]), CLASSIFICATION)
    assert "nonsense" in agreement.diagnosis


def test_one_answer_to_everything_is_nonsense() -> None:
    ours = draw_scores()
    assert "nonsense" in compare(ours, answers([(0.33, 0.33, 0.34)] * 20), CLASSIFICATION).diagnosis


def test_flat_scores_of_many_classes_cannot_hide_nonsense() -> None:
    """150 classes, all near 1/150: every absolute difference is small."""
    names = tuple(f"class {number}" for number in range(150))
    ours = draw_scores(20, 150, sharpness=0.3)
    assert max(map(max, ours)) < 0.03
    wrong = compare(ours, answers([*ours[3:], *ours[:3]], names), Yardstick("classification", names, 0.05))
    assert len(wrong.differences) == 20 and "nonsense" in wrong.diagnosis


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_never_agrees(value: float) -> None:
    ours = draw_scores()
    theirs = [list(row) for row in ours]
    theirs[0][1] = value
    (difference,) = compare(ours, answers(theirs), CLASSIFICATION).differences
    assert difference.difference == math.inf


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("theirs_too", [False, True])
def test_nothing_agrees_with_an_answer_of_ours_that_is_no_number(value: float, theirs_too: bool) -> None:
    """It must not lift what is allowed for the other texts either."""
    theirs = [list(row) for row in draw_scores()]
    ours = [tuple(row) for row in theirs]
    ours[3] = (value, 0.0, 0.0)
    if theirs_too:
        theirs[3] = [value, 0.0, 0.0]
    theirs[8] = [*theirs[8][1:], theirs[8][0]]
    agreement = compare(ours, answers(theirs), CLASSIFICATION)
    found = [(each.text_number, math.isinf(each.difference)) for each in agreement.differences]
    assert found == [(3, True), (8, False)]
    assert "our own answers to 1 of the texts are no numbers" in agreement.diagnosis


@pytest.mark.parametrize("tolerance", [math.nan, math.inf, -math.inf, -0.001])
def test_a_tolerance_that_would_pass_anything_is_refused(tolerance: float) -> None:
    with pytest.raises(ClientError, match="tolerance: expected a number, zero or more") as caught:
        Yardstick("classification", LABELS, tolerance)
    assert_house_form(str(caught.value))


def test_a_tolerance_of_nothing_passes_the_same_answers_alone() -> None:
    ours = draw_scores()
    exact = Yardstick("classification", LABELS, 0.0)
    assert compare(ours, answers(ours), exact).differences == ()
    assert len(compare(ours, answers(noisy(ours, 1e-6)), exact).differences) == 20


def test_a_text_without_an_answer_never_agrees() -> None:
    ours = draw_scores()
    theirs = answers(ours)
    theirs[5] = Answer(error="Invoke() failed.")
    agreement = compare(ours, theirs, CLASSIFICATION)
    assert [(each.text_number, each.theirs) for each in agreement.differences] == [(5, "Invoke() failed.")]
    assert agreement.same_labels == 19


def test_texts_cut_otherwise_are_marked_and_not_diagnosed() -> None:
    ours = draw_scores()
    theirs = [list(row) for row in ours]
    theirs[7] = theirs[7][::-1]
    agreement = compare(ours, answers(theirs), CLASSIFICATION, cut_otherwise={7, 9})
    assert [(each.text_number, each.tokens_differ) for each in agreement.differences] == [(7, True)]
    assert agreement.diagnosis is None


def test_an_embedding_is_compared_by_its_angle() -> None:
    draw = random.Random(2)
    ours = [tuple(draw.gauss(0, 1) for _ in range(16)) for _ in range(10)]
    assert compare(ours, [Answer(tuple(3 * v for v in row)) for row in ours], EMBEDDING).differences == ()
    turned = [Answer(tuple(-v for v in row)) for row in ours]
    agreement = compare(ours, turned, EMBEDDING)
    assert agreement.largest_difference == pytest.approx(2)
    assert agreement.same_labels is None and "nonsense" in agreement.diagnosis
    assert len(compare(ours, [Answer(row[:8]) for row in ours], EMBEDDING).differences) == 10
    assert len(compare(ours, [Answer((0.0,) * 16)] * 10, EMBEDDING).differences) == 10


def test_a_regression_is_compared_by_its_score_whatever_the_name() -> None:
    ours = [(0.5,), (2.0,), (4.9,)]
    assert compare(ours, [Answer(row, ("score",)) for row in ours], REGRESSION).differences == ()
    (difference,) = compare(ours, [Answer((row[0] + (row[0] == 2.0),)) for row in ours], REGRESSION).differences
    assert (difference.ours, difference.theirs) == ("2.0000", "3.0000")
