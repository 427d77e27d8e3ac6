"""The run order read back from events put together as LiteRT 2.3 writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.profiling.events import Pass, RawEvent, Step, read_pass

AROUND = (RawEvent("LiteRT::Run[buffer registration]", 1, 7, 0, 0), RawEvent("Invoke", 1, 90, 0, 0))
AFTER = (RawEvent("Invoke", 32, 0, 2**64 - 1, 0), RawEvent("LiteRT::Run[Buffer sync]", 1, 5, 0, 0))


def events_of(steps: list[Step], elapsed_us: list[int]) -> list[RawEvent]:
    kinds = (
        RawEvent(s.name, 2 if s.piece is None else 8, us, s.number, 0) for s, us in zip(steps, elapsed_us, strict=True)
    )
    return [*AROUND, *kinds, *AFTER]


@st.composite
def run_orders(draw: st.DrawFn) -> list[Step]:
    """LiteRT's own operators, and pieces of XNNPACK's, next to each other or not."""
    steps: list[Step] = []
    piece = 0
    for _ in range(draw(st.integers(1, 6))):
        if draw(st.booleans()):
            steps.append(Step("GATHER", draw(st.integers(0, 400)), None))
            continue
        steps += [Step("Add (ND)", number, piece) for number in range(draw(st.integers(1, 4)))]
        piece += 1
    return steps


@given(run_orders(), st.integers(0, 5000))
def test_the_run_order_is_read_back(steps: list[Step], elapsed_us: int) -> None:
    times = [elapsed_us + position for position in range(len(steps))]
    assert read_pass(events_of(steps, times)) == Pass(tuple(steps), tuple(times), 90)


@pytest.mark.parametrize("events", [[], AROUND, [*AROUND, *AFTER]])
def test_a_profile_without_operators_is_refused(events: list[RawEvent]) -> None:
    with pytest.raises(RuntimeError, match="expected a profile of one inference"):
        read_pass(events)


def test_two_inferences_in_one_profile_are_refused() -> None:
    once = events_of([Step("GATHER", 0, None)], [1])
    with pytest.raises(RuntimeError, match="got 2 with 2 operators"):
        read_pass([*once, *once])
