"""What is moved back: on parts whose harm is known, and on models with one bad layer."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from edgebert.errors import DataError
from edgebert.export.quantization.recipes import Rule
from edgebert.export.sensitivity.choosing import Halves, _Search, choose, halve
from edgebert.export.sensitivity.parts import DENSE, TABLE
from edgebert.export.sensitivity.preparation import Part, Prepared, Treatment, prepare
from edgebert.export.sensitivity.result import Verdict
from edgebert.progress import silent
from tests.data.house_form import assert_house_form
from tests.export.quantization.cases import calibration
from tests.export.sensitivity.subjects import exam, harmless, loud_weight, wide_logits


@dataclass(frozen=True)
class Additive:
    """A trial whose parts cost points that add up; `costs` by part, for each treatment but the last."""

    costs: Mapping[str, tuple[float, ...]]
    tables: tuple[str, ...] = ()

    @property
    def prepared(self) -> Prepared:
        parts = []
        for name, costs in self.costs.items():
            rules = {0: Rule(TABLE if name in self.tables else DENSE, activations=0 if name in self.tables else 8)}
            narrow = [Treatment(f"step {level}", rules) for level in range(len(costs))]
            parts.append(Part(name, name, None, (*narrow, Treatment("float32", {}))))
        return Prepared("static", b"", None, tuple(parts))

    def float32(self) -> Verdict:
        return Verdict(100, 1.0, 1.0, 0.0)

    def verdict(self, levels: Mapping[str, int]) -> Verdict:
        lost = sum((*self.costs[name], 0.0)[level] for name, level in levels.items()) / 100
        return Verdict(100, 1 - lost, 1 - lost, lost)


def moved(costs: Mapping[str, tuple[float, ...]], most: float, tables: tuple[str, ...] = ()) -> tuple[dict, bool]:
    levels, is_met = _Search(Additive(costs, tables), most, silent).run()
    return {name: level for name, level in levels.items() if level}, is_met


def test_nothing_is_moved_where_nothing_is_lost() -> None:
    assert moved({"a": (0.1, 0.0), "b": (0.2,)}, 0.5) == ({}, True)


def test_the_worst_part_alone_is_moved_where_that_is_enough() -> None:
    assert moved({"a": (0.1, 0.0), "b": (9.0, 0.2), "c": (0.3,), "d": (0.2, 0.1)}, 1.0) == ({"b": 1}, True)


def test_what_is_bad_in_its_gentle_form_too_goes_on_to_float() -> None:
    costs = {"a": (0.2, 0.1), "b": (9.0, 8.0), "c": (0.3,), "d": (0.2, 0.1)}
    assert moved(costs, 1.0) == ({"b": 2}, True)


def test_a_table_is_moved_only_where_nothing_else_helps() -> None:
    assert moved({"words": (0.4,), "b": (0.3, 0.0)}, 0.5, ("words",)) == ({"b": 1}, True)
    assert moved({"words": (4.0,), "b": (0.3, 0.0)}, 0.5, ("words",)) == ({"words": 1}, True)


def test_one_large_harm_is_moved_before_two_small_ones() -> None:
    assert moved({"a": (2.0,), "b": (3.0,), "c": (2.0,)}, 4.0) == ({"b": 1}, True)


def test_a_move_that_brought_nothing_is_taken_back() -> None:
    """The worst part is as bad in its gentle form; the next one's move is what was needed."""
    assert moved({"a": (5.0, 4.9), "b": (3.0, 0.0)}, 5.2) == ({"b": 1}, True)


def test_no_more_is_in_float_than_needed() -> None:
    """Whatever was chosen, taking any one move back would lose too much."""
    costs = {f"part {number}": (1.0 / (number + 1), 0.3 / (number + 1)) for number in range(12)}
    for most in (0.1, 0.4, 0.9, 2.0):
        search = _Search(Additive(costs), most, silent)
        levels, is_met = search.run()
        assert is_met and search.trial.verdict(levels).score >= 1 - most / 100 - 1e-12
        for name, level in levels.items():
            if level:
                assert search.trial.verdict({**levels, name: level - 1}).score < 1 - most / 100


def test_the_best_is_said_where_no_mixture_is_good_enough() -> None:
    # Of the four steps all but the last, which would leave nothing narrow.
    assert moved({"a": (3.0, 2.0), "b": (5.0, 4.0)}, 0.5) == ({"a": 1, "b": 2}, False)


def test_nothing_is_asked_twice() -> None:
    search = _Search(Additive({"a": (3.0, 1.0), "b": (0.2,)}), 2.0, silent)
    search.run()
    asked = search.tried
    search.run()
    assert search.tried == asked


def test_halves_share_no_text_and_do_not_hang_on_the_order() -> None:
    texts = [(f"text {number % 40}", None) for number in range(80)]
    halves = halve(texts)
    sides = [{texts[position] for position in side} for side in (halves.selection, halves.held_out)]
    assert not sides[0] & sides[1] and len(halves.selection) + len(halves.held_out) == 80
    turned = halve(texts[::-1])
    assert {texts[::-1][position] for position in turned.selection} == sides[0]
    with pytest.raises(DataError, match="expected at least 8 texts to choose on") as refused:
        halve(texts[:10])
    assert_house_form(str(refused.value))


@pytest.mark.parametrize(
    ("subject", "treatments"),
    [
        (wide_logits, {"head.classifier": "dynamic"}),
        pytest.param(loud_weight, {"head.classifier": "float32"}, marks=pytest.mark.long),
        (harmless, {}),
    ],
)
def test_the_one_bad_layer_is_what_is_kept_in_float(subject, treatments: dict[str, str]) -> None:
    graph = subject()
    prepared = prepare(graph, "static", calibration().inputs(None))
    halves = Halves(tuple(range(0, 60, 2)), tuple(range(1, 60, 2)))
    # Three answers of thirty: random weights in int8 change two of them.
    found = choose(prepared, graph, exam(graph), halves, 10.0)
    choice = found.choice
    assert choice.is_met and {part: name for part, name in choice.treatments.items() if name != "int8"} == treatments
    assert choice.selection_float32.score == choice.held_out_float32.score == 1.0
    assert choice.selection.texts == choice.held_out.texts == 30 and choice.held_out.score >= 0.8
    if treatments:
        assert max(found.harms, key=lambda harm: harm.verdict.distance).group == "head.classifier"
        assert choice.selection_static.score < 0.7
