"""Tables of profiles made by hand."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.profiling.report import (
    CaseReport,
    coverage_lines,
    kind_rows,
    node_rows,
    report_on_profile,
)
from tests.benchmark.profiling.profiles import (
    PASSES,
    make_case_profile,
    make_operator,
    make_operators,
    make_profile,
)
from tests.benchmark.records import make_case, make_samples


def report_of(operators: tuple, **changes: int) -> CaseReport:
    (report,) = report_on_profile(make_profile(make_case_profile(operators, **changes)))
    return report


def rows(table: tuple) -> list[dict]:
    header, body = table
    assert all(len(row) == len(header) for row in body)
    return [dict(zip(header, row, strict=True)) for row in body]


def test_the_figures_of_a_steady_profile() -> None:
    report = report_of(make_operators())
    kinds = rows(kind_rows(report))
    assert [(row["operator"], row["runs in"], row["count"], row["ms"], row["share"]) for row in kinds] == [
        ("Fully Connected (NC, F32) GEMM", "XNNPACK", "2", "0.9000", "90.0%"),
        ("ONE_HOT", "LiteRT", "1", "0.0500", "5.0%"),
        ("between operators", "", "-", "0.0300", "3.0%"),
        ("around the graph", "", "-", "0.0200", "2.0%"),
    ]
    nodes = rows(node_rows(report, 2))
    assert [(row["#"], row["node"], row["computes"], row["ms"]) for row in nodes] == [
        ("0", "3", "block_0/up", "0.6000"),
        ("1", "4", "block_0/down", "0.3000"),
    ]
    assert report.covered == pytest.approx(0.95)


@given(st.lists(st.lists(st.integers(0, 10_000), min_size=8, max_size=8), min_size=1, max_size=6))
def test_shares_add_up_to_one(columns: list[list[int]]) -> None:
    operators = tuple(make_operator(f"Kernel {number % 3}", column) for number, column in enumerate(columns))
    report = report_of(operators)
    assert sum(row.share for row in (*report.kinds, report.between, report.around)) == pytest.approx(1)
    assert sum(entry.row.share for entry in report.nodes) == pytest.approx(sum(row.share for row in report.kinds))


@given(st.integers(0, PASSES - 1), st.integers(0, 2), st.integers(1, 1_000_000))
def test_an_interruption_moves_no_part(at: int, which: int, microseconds: int) -> None:
    """Each operator is interrupted in another tenth of the passes, as on a busy machine."""
    quiet = report_of(make_operators())
    operators = []
    for number, operator in enumerate(make_operators()):
        elapsed = np.asarray(operator.costs)
        elapsed[(at + np.arange(PASSES // 10) + number * PASSES // 4) % PASSES] += 1000 * microseconds
        operators.append(dataclasses.replace(operator, costs=tuple(elapsed.tolist())))
    busy = report_of(tuple(operators))
    assert busy.parts == pytest.approx(quiet.parts)
    assert busy.nodes[which].row.cost == quiet.nodes[which].row.cost


def test_what_takes_parts_of_a_microsecond_is_not_lost() -> None:
    """0 or 1 as it falls: the median of these says 0."""
    (entry,) = report_of((make_operator("Tanh (NC)", [0, 0, 0, 1, 1] * 8),)).nodes
    assert 250 < entry.row.cost.typical <= 400


def test_lengths_are_not_mixed() -> None:
    """Half the passes are of a text that costs ten times as much."""
    operator = make_operator("Softmax (NC, F32)", [10, 100] * 20)
    profile = dataclasses.replace(make_case_profile((operator,)), inputs=(0, 1) * 20)
    plain = make_case(make_samples([1e6, 1e7] * 20, inputs=[0, 1] * 20), lengths=(8, 80))
    (report,) = report_on_profile(make_profile(profile, measured=[plain]))
    assert report.nodes[0].row.cost.typical == 55_000
    assert report.nodes[0].row.cost.spread == 0
    assert report.plain == 5_500_000


def test_what_is_not_covered_is_said() -> None:
    told = coverage_lines(report_of(make_operators()))
    assert told[0] == (
        "a.tflite, 1 thread, 32 tokens: parts of 1.0000 ms; a whole inference takes 1.0000 ms profiled, 1.0000 ms "
        "without (+0.0%)"
    )
    assert "3 operators cover 95.0% of an inference" in told[1] and "up to 0.0030 ms" in told[1]
    assert len(told) == 2
    assert "operators cover too little" in coverage_lines(report_of(make_operators(), between_us=800))[-1]
    assert "profiling slows this model" in coverage_lines(report_of(make_operators(), between_us=200))[-1]


def test_a_whole_longer_than_its_parts_is_said() -> None:
    slow = dataclasses.replace(make_case_profile(make_operators()))
    noisy = dataclasses.replace(slow, whole=tuple(whole * 2 for whole in slow.whole))
    (report,) = report_on_profile(make_profile(noisy))
    assert not any("interrupted" in line for line in coverage_lines(report))
    columns = np.full((3, PASSES), 100)
    columns[np.arange(PASSES) % 3, np.arange(PASSES)] += 5_000 * (np.arange(PASSES) % 4 > 0)
    busy = report_of(tuple(make_operator(f"Kernel {number}", column.tolist()) for number, column in enumerate(columns)))
    assert any("interrupted" in line for line in coverage_lines(busy))
