"""What a budget decides, by laws that hold for any machine and any run."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as draw

from edgebert.errors import TrainingError
from edgebert.pipeline.budget import LEAST_SHARE, RESERVE_SHARE, Decision, Training, decide
from tests.data.house_form import assert_house_form

SECONDS = draw.floats(0.1, 1000)


@draw.composite
def trainings(choose) -> tuple[Training, ...]:
    count = choose(draw.integers(1, 4))
    return tuple(
        Training(
            f"part {number}",
            choose(draw.integers(1, 20)),
            choose(SECONDS),
            choose(draw.floats(0, 10)),
            choose(draw.floats(0, 100)),
        )
        for number in range(count)
    )


def seconds(decision: Decision, parts: tuple[Training, ...], fixed: float) -> float:
    """Counted anew, one epoch after the other."""
    total = fixed
    for part in parts:
        total += decision.example_share * part.seconds_once
        for _ in range(decision.epochs[part.name]):
            total += decision.example_share * part.seconds_an_epoch + part.seconds_an_evaluation
    return total


def decided(budget: float, fixed: float, parts: tuple[Training, ...]) -> Decision | None:
    try:
        return decide(budget, fixed, parts)
    except TrainingError as error:
        assert_house_form(str(error))
        return None


@given(trainings(), draw.floats(0, 5000), draw.floats(0, 300))
def test_what_is_decided_fits_and_never_exceeds_what_was_asked(parts, budget: float, fixed: float) -> None:
    decision = decided(budget, fixed, parts)
    assume(decision is not None)
    assert decision.expected_seconds == pytest.approx(seconds(decision, parts, fixed))
    assert seconds(decision, parts, 0) <= (budget - fixed) * (1 - RESERVE_SHARE) + 1e-6
    for part in parts:
        assert 1 <= decision.epochs[part.name] <= part.epochs
    assert LEAST_SHARE <= decision.example_share <= 1


@given(trainings(), draw.floats(0, 5000), draw.floats(0, 300))
def test_no_epoch_that_fits_is_given_up_and_what_is_given_up_is_told(parts, budget: float, fixed: float) -> None:
    decision = decided(budget, fixed, parts)
    assume(decision is not None)
    available = (budget - fixed) * (1 - RESERVE_SHARE)
    for part in parts:
        fewer = decision.epochs[part.name] < part.epochs
        assert fewer == any(line.startswith(f"{part.name}: ") for line in decision.given_up)
        if fewer and decision.example_share == 1:
            more = part.seconds_an_epoch + part.seconds_an_evaluation
            assert seconds(decision, parts, 0) + more > available - 1e-6
    if decision.example_share < 1:
        assert set(decision.epochs.values()) == {1}
        assert decision.given_up[-1] == f"{decision.example_share:.0%} of the training examples"


@given(trainings(), draw.floats(1, 5000), draw.floats(0, 300), draw.floats(1, 3))
def test_more_time_never_buys_less(parts, budget: float, fixed: float, factor: float) -> None:
    less, more = decided(budget, fixed, parts), decided(budget * factor, fixed, parts)
    assume(less is not None)
    assert more is not None and more.example_share >= less.example_share
    # An epoch of one part may make way for one of another that is further from its due; a pass over all is no less.
    total = [min(one.epochs[part.name] / part.epochs for part in parts) for one in (less, more)]
    assert total[1] >= total[0] - 1e-9


def test_cuts_are_spread_by_what_was_asked() -> None:
    parts = (Training("finetune", 3, 100), Training("distill 1", 10, 30), Training("distill 2", 3, 20))
    whole = decide(10_000, 60, parts)
    assert (whole.epochs, whole.given_up) == ({"finetune": 3, "distill 1": 10, "distill 2": 3}, ())
    half = decide(60 + 400, 60, parts)
    assert half.epochs == {"finetune": 2, "distill 1": 4, "distill 2": 2}
    assert half.given_up == ("finetune: 2 of 3 epochs", "distill 1: 4 of 10 epochs", "distill 2: 2 of 3 epochs")


def test_a_budget_below_everything_is_refused_with_what_would_do() -> None:
    parts = (Training("finetune", 3, 1000),)
    with pytest.raises(TrainingError, match=r"expected 2 minutes or more .* takes 60 s\), got 1\."):
        decide(60, 60, parts)
    assert decide(2 * 60, 60, parts).example_share >= LEAST_SHARE


def test_a_decision_comes_back_from_json() -> None:
    """Steps in their order, of which there may be more than nine."""
    parts = tuple(Training(f"distill {number}", 3, 10) for number in range(1, 12))
    decision = decide(300, 10, parts)
    again = Decision.from_json(json.loads(json.dumps(decision.to_json(), sort_keys=True)))
    assert again == decision and list(again.epochs) == [part.name for part in parts]
