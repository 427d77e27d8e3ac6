"""Turns are fair: nobody is always first, everybody gets the same inputs, and the same seed gives the same turns."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.interleaving import block_inputs, round_order


@given(seed=st.integers(0, 2**32), number=st.integers(0, 10**6), cases=st.integers(1, 12))
def test_a_round_has_every_case_once(seed: int, number: int, cases: int) -> None:
    order = round_order(seed, number, cases)
    assert sorted(order) == list(range(cases))
    assert order == round_order(seed, number, cases)


def test_every_case_is_equally_often_in_every_place() -> None:
    rounds, cases = 3000, 3
    places = Counter(
        (place, case) for number in range(rounds) for place, case in enumerate(round_order(0, number, cases))
    )
    # Nine cells of 1,000 expected; four standard deviations of a binomial are 103.
    assert all(abs(places[place, case] - rounds / cases) < 104 for place in range(cases) for case in range(cases))


def test_another_seed_gives_other_turns() -> None:
    assert [round_order(0, number, 4) for number in range(10)] != [round_order(1, number, 4) for number in range(10)]


@given(runs=st.integers(1, 9), inputs=st.integers(1, 30))
def test_all_inputs_take_turns(runs: int, inputs: int) -> None:
    seen = Counter(index for number in range(inputs) for index in block_inputs(number, runs, inputs))
    assert seen == dict.fromkeys(range(inputs), runs)
