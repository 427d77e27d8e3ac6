"""Reasons of profiles made by hand: each node's own, and those of a kind together."""

from edgebert.benchmark.profiling.reasons import kind_reasons, node_reasons, reason_lines
from tests.benchmark.profiling.profiles import PASSES, make_operator, make_operators
from tests.benchmark.profiling.report_test import report_of


def left_out(name: str, elapsed_us: int, reason: str, change: str | None = None) -> object:
    return make_operator(name, [elapsed_us] * PASSES, piece=None, node=elapsed_us, reason=reason, change=change)


def test_a_reason_stands_with_its_node() -> None:
    report = report_of(make_operators())
    assert reason_lines(report) == ["ONE_HOT × 1, #2 (5.0%): it has none; change: use a look-up"]
    assert node_reasons(report, 3) == ["", "", "it has none; change: use a look-up"]
    assert node_reasons(report, 2) == ["", ""]
    assert [kind_reasons(report, kind) for kind in report.kinds] == [[], ["it has none; change: use a look-up"]]


def test_every_node_has_its_own_reason_and_a_kind_one_for_each_change() -> None:
    """A kind's reasons are not another's, nor those of the same operator inside XNNPACK."""
    inside = make_operator("MUL", [500] * PASSES, reason="so the linter thought")
    report = report_of(
        (
            inside,
            left_out("MUL", 400, "a"),
            left_out("MUL", 300, "b"),
            left_out("MUL", 200, "c", "d"),
            *make_operators(),
        )
    )
    assert [words for words in node_reasons(report, 9) if words] == [
        *("a", "b", "c; change: d", "it has none; change: use a look-up")
    ]
    by_kind = {(kind.name, kind.kernel): kind_reasons(report, kind) for kind in report.kinds}
    assert by_kind["MUL", "LiteRT"] == ["a (and 1 like it)", "c; change: d"]
    assert by_kind["MUL", "XNNPACK"] == []


def test_like_reasons_are_told_once() -> None:
    """The slowest's in words: a whole graph that XNNPACK leaves has hundreds that differ in a tensor's name only."""
    left = [
        make_operator(
            "MUL", [number] * PASSES, piece=None, node=number, reason=f"'t{number}' is int16", change="use int8"
        )
        for number in (100, 300, 200, 400)
    ]
    (line,) = reason_lines(report_of(tuple(left)))
    assert line == "MUL × 4, #3, #1, #2, ... (95.2%): 't400' is int16 (and 3 like it); change: use int8"


def test_cheap_ones_are_told_together() -> None:
    cheap = [
        make_operator(name, [0] * 20 + [1] * 20, piece=None, node=n, reason="r")
        for n, name in enumerate(("CAST", "RANGE"))
    ]
    told = reason_lines(report_of((*make_operators(), *cheap)))
    assert told[1:] == ["2 cheap ones (0.1%): CAST, RANGE"]
