"""Instructions of each operator: the cuts read back, and on a real emulated core against the count of the whole."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.emulated.cores import choose_cores
from edgebert.benchmark.emulated.counts import ALL, BEGIN, END, Segment
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.profiling import clock
from edgebert.benchmark.profiling.clock import OWN_INSTRUCTIONS
from edgebert.benchmark.profiling.counting import CUT, inferences, operator_instructions, profile_on_cores
from edgebert.benchmark.profiling.report import coverage_lines, kind_rows, report_on_profile
from edgebert.benchmark.texts import builtin_texts
from edgebert.errors import MeasurementError
from edgebert.export.flatbuffer import read_model
from tests.benchmark.conftest import FIXED, VOCABULARY
from tests.benchmark.emulated.conftest import emulator
from tests.data.house_form import assert_house_form

__all__ = ["emulator"]


def segment(mark: int, instructions: int = 1000) -> Segment:
    return Segment(mark, {ALL: instructions}, None)


def cuts(*instructions: int) -> list[Segment]:
    return [segment(CUT, each) for each in instructions]


@given(st.lists(st.lists(st.integers(1, 10**6), min_size=1, max_size=9), min_size=1, max_size=5), st.integers(0, 9))
def test_inferences_are_what_lies_between_their_marks(runs: list[list[int]], outside: int) -> None:
    """Looks at the clock outside an inference, as Python makes them, are no part of one."""
    segments = cuts(*[7] * outside)
    for counts in runs:
        segments += [segment(BEGIN), *cuts(*counts), segment(END), *cuts(*[7] * outside)]
    found = inferences([*segments, segment(-1)], len(runs))
    assert [[each.counts[ALL] for each in run] for run in found] == runs


@pytest.mark.parametrize(
    "segments",
    [
        [segment(BEGIN), segment(END), segment(-1)],
        [segment(BEGIN), *cuts(5), segment(-1)],
        [*cuts(5), segment(END), segment(-1)],
        [segment(BEGIN), *cuts(5), segment(END), segment(BEGIN), *cuts(5), segment(END), segment(-1)],
    ],
    ids=["uncut", "without an end", "without a begin", "too many"],
)
def test_other_marks_are_refused(segments: list[Segment]) -> None:
    with pytest.raises(MeasurementError) as raised:
        inferences(segments, 1)
    assert_house_form(str(raised.value))


def test_an_operator_is_the_segment_that_the_profiler_names() -> None:
    counts = operator_instructions(cuts(100, 200, 300, 400, 500), (2, 3, 5))
    assert counts == (200 - OWN_INSTRUCTIONS, 300 - OWN_INSTRUCTIONS, 500 - OWN_INSTRUCTIONS)


@pytest.mark.parametrize("numbers", [(2, 2), (3, 2), (0, 1), (1, 6), (6,)])
def test_segments_that_cannot_be_told_are_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(MeasurementError) as raised:
        operator_instructions(cuts(100, 200, 300, 400, 500), numbers)
    assert_house_form(str(raised.value))


def test_an_operator_without_instructions_is_refused() -> None:
    with pytest.raises(MeasurementError, match="shorter than the clock itself"):
        operator_instructions(cuts(OWN_INSTRUCTIONS - 1), (1,))


def test_the_clocks_own_part_is_its_code_and_the_jump_to_it() -> None:
    """Two instructions jump; all of its own run between two looks, some before the mark and some behind it."""
    assert len(clock._code(0)) // 4 + 2 == OWN_INSTRUCTIONS


@pytest.mark.long
def test_operators_on_a_core_add_up_to_the_inference(emulator: Environment) -> None:
    """The whole is counted in another process, by the interpreter, without a profiler."""
    plan = Plan((FIXED,), builtin_texts(2), vocabulary=VOCABULARY, runs=2, minimum_seconds=0)
    profile = profile_on_cores(plan, choose_cores("emulated:cortex-a76"))
    (case,), (profiled,) = profile.measurement.cases, profile.cases
    assert profiled.inputs == (0, 1, 0, 1) and profiled.rounds == (0, 0, 1, 1)
    by_pass = list(zip(*(operator.costs for operator in profiled.operators), strict=True))
    whole = min(case.samples.values["all_instructions"])
    # The profiler's own some ten instructions an operator weigh in a model this small.
    for costs in by_pass:
        assert 0.9 * whole < sum(costs) < whole + 40 * len(costs)
    # In XNNPACK nothing depends on ids or rounds: every pass is the same to the instruction.
    inside = [operator for operator in profiled.operators if operator.piece is not None]
    assert len(inside) > 40
    assert all(len(set(operator.costs)) == 1 for operator in inside)
    # Which node an operator is: dense layers of one shape cost the same, of another shape something else.
    graph = read_model(FIXED).subgraphs[0]
    by_shape: dict[tuple, set[int]] = {}
    for operator in inside:
        if operator.name.startswith("Fully Connected"):
            node = graph.operators[operator.node]
            shape = (graph.tensors[node.inputs[1]].shape, node.options.get("activation"), operator.piece)
            by_shape.setdefault(shape, set()).add(operator.costs[0])
    assert len(by_shape) >= 3 and all(len(costs) == 1 for costs in by_shape.values())
    assert len(set.union(*by_shape.values())) == len(by_shape)
    (report,) = report_on_profile(profile)
    assert kind_rows(report)[0][3:5] == ("M", "± M")
    assert "on cortex-a76, 32 tokens" in coverage_lines(report)[0] and "not a time" in coverage_lines(report)[0]


def test_the_guest_needs_only_what_is_copied_beside_it() -> None:
    """Its imports, and theirs: anything else of edgebert is not on the core."""
    from edgebert.benchmark.profiling import counting

    folder = Path(counting.__file__).parent
    copied = {file.removesuffix(".py") for file in counting._COPIED}
    for file in (*counting._COPIED, counting._GUEST):
        lines = (folder / file).read_text().splitlines()
        ours = [line for line in lines if line.startswith(("from edgebert", "import edgebert"))]
        assert {line.split()[1].removeprefix("edgebert.benchmark.profiling.") for line in ours} <= copied
