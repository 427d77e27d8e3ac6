"""The app's lines, however they arrive, and every way in which they can be wrong."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.inputs import Feed, TokenInput
from edgebert.benchmark.phone.events import AppFailedError, Progress
from edgebert.benchmark.preparing import PreparedCase
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Runtime
from tests.benchmark.records import make_case, make_samples
from tests.data.house_form import assert_house_form

RUN_ID = "0123456789abcdef"
NAME = "Pixel ≥ 7 · 日本"


def prepared(model: int = 0) -> PreparedCase:
    rows = {"input_ids": (2, 5, 3), "input_mask": (1, 1, 1), "segment_ids": (0, 0, 0)}
    inputs = (TokenInput(rows, 3), TokenInput(rows, 3))
    description = make_case(make_samples([1]), lengths=(3, 3)).inputs
    binding = Binding(("input_ids", "input_mask", "segment_ids"), (0, 1, 2), ("int32",) * 3, None, 30)
    return PreparedCase((model, 1, None), binding, Feed(inputs, description))


def columns(count: int, start: int = 1) -> dict[str, list[int]]:
    values = list(range(start, start + count))
    return {"input": [value % 2 for value in values], "wall_ns": values, "resize_wall_ns": [0] * count}


def begin(**changes: object) -> dict:
    runtime = {"name": NAME, "version": "1.4.0"}
    return {"event": "begin", "contract": 1, "run_id": RUN_ID, "app_version": "1", "runtime": runtime, **changes}


def case_line(**changes: object) -> dict:
    load = {"open_ns": 1, "allocate_ns": 2, "first_run_ns": 3}
    return {"event": "case", "case": 0, "delegate": None, "delegation": None, "load": load, **changes}


def block(number: int, **changes: object) -> dict:
    return {"event": "block", "round": number, "case": 0, **columns(3, 10 * number + 1), **changes}


WARM_UP = {"event": "warm_up", "case": 0, "settled": True, **columns(4)}
WHOLE = [begin(), {"event": "added later"}, case_line(), WARM_UP, block(0), block(1), {"event": "end"}]


def text(*events: dict) -> str:
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events)


def finished(progress: Progress) -> Case:
    return progress.cases[0].finished(progress.runtime or Runtime("?", None, None, None, None))


def take(*events: dict) -> Progress:
    progress = Progress(RUN_ID, (prepared(),))
    progress.take(text(*events))
    return progress


def test_a_whole_run() -> None:
    progress = take(*WHOLE)
    assert progress.ended and progress.rounds_done == 2 and progress.runs() == 4 and progress.warmed == 1
    case = finished(progress)
    assert case.samples.values == {"wall_ns": (2, 3, 12, 13), "resize_wall_ns": (0, 0, 0, 0)}
    assert (case.samples.rounds, case.samples.inputs) == ((0, 0, 1, 1), (0, 1, 0, 1))
    assert case.warmup.rounds == (-1, -1, -1, -1, 0, 1) and case.warmup.values["wall_ns"][-2:] == (1, 11)
    assert (case.runtime.name, case.load.first_run_ns, case.warmup_settled) == (NAME, 3, True)


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, len(text(*WHOLE).encode())), max_size=8))
def test_pieces_make_the_same_as_the_whole(cuts: list[int]) -> None:
    """Whatever had landed at each look: what is read again begins where the last whole line ended."""
    content = text(*WHOLE).encode()
    progress = Progress(RUN_ID, (prepared(),))
    for landed in sorted([*cuts, len(content)]):
        progress.take(content[progress.taken_bytes : landed].decode(errors="replace"))
    assert progress.taken_bytes == len(content)
    assert finished(progress) == finished(take(*WHOLE)) and progress.ended


@settings(deadline=None, max_examples=60)
@given(landed=st.integers(0, len(text(*WHOLE).encode())))
def test_what_has_landed_is_kept(landed: int) -> None:
    content = text(*WHOLE).encode()[:landed]
    progress = Progress(RUN_ID, (prepared(),))
    progress.take(content.decode(errors="replace"))
    blocks = sum(b'"block"' in line for line in content.split(b"\n")[:-1])
    assert len(finished(progress).samples) == 2 * blocks


def test_a_column_that_is_not_in_every_line_is_none() -> None:
    progress = take(begin(), block(0, thread_cpu_ns=[1, 2, 3]), block(1))
    assert set(finished(progress).samples.values) == {"wall_ns", "resize_wall_ns"}
    progress = take(begin(), block(0, thread_cpu_ns=[1, 2, 3]), block(1, thread_cpu_ns=[4, 5, 6]))
    assert finished(progress).samples.values["thread_cpu_ns"] == (2, 3, 5, 6)


def test_fields_that_a_later_app_adds_are_passed_over() -> None:
    delegation = {"nodes": 9, "delegated_nodes": 7, "partitions": 1, "operators_outside": {"GATHER": 2}, "added": 1}
    load = {"open_ns": 1, "allocate_ns": 2, "first_run_ns": 3, "added": 4}
    case = finished(take(begin(added=1), case_line(delegation=delegation, load=load, added=1), block(0, added=[1])))
    assert (case.delegation.delegated_nodes, case.load.first_run_ns) == (7, 3)
    assert set(case.samples.values) == {"wall_ns", "resize_wall_ns"}


@pytest.mark.parametrize(
    "line",
    [
        begin(run_id="another"),
        {key: value for key, value in begin().items() if key != "runtime"},
        case_line(case=1),
        case_line(case=-1),
        block(0, case=True),
        case_line(load={"open_ns": 1}),
        case_line(delegation={"nodes": "many"}),
        block(0, wall_ns=[1, 2]),
        block(0, wall_ns=[1, 2, -3]),
        block(0, wall_ns=[1.5, 2, 3]),
        block(0, wall_ns=None),
        block(0, input=[0, 1, 2]),
        block(0, input=[0, 1, -1]),
        {"event": "block", "round": 0, "case": 0, "input": [0], "wall_ns": [1]},
        ["no object"],
        7,
        {"no": "event"},
    ],
    ids=lambda line: json.dumps(line)[:60],
)
def test_a_line_that_is_not_the_contracts_is_refused(line: object) -> None:
    with pytest.raises(MeasurementError, match="expected lines as contract 1 has them") as caught:
        take(line)
    assert_house_form(str(caught.value))


def test_what_is_no_json_is_refused_and_quoted_in_short() -> None:
    with pytest.raises(MeasurementError) as caught:
        Progress(RUN_ID, (prepared(),)).take("x" * 10_000 + "\n")
    assert len(str(caught.value)) < 500
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "contract", "message": "1", "supported": [2, 3]}, "expected one that knows contract 1, got one that"),
        ({"kind": "contract", "message": "1"}, "knows none"),
        ({"kind": "runtime", "message": "Node 5\nfailed", "case": 0}, "app, case 1: expected the phone's runtime"),
        ({"kind": "memory", "message": "out of memory"}, "got 'memory: out of memory'"),
    ],
)
def test_the_apps_own_errors(fields: dict, expected: str) -> None:
    progress = Progress(RUN_ID, (prepared(),))
    with pytest.raises(AppFailedError) as caught:
        progress.take(text(begin(), block(0), {"event": "error", **fields}))
    assert expected in str(caught.value)
    assert_house_form(str(caught.value))
    assert progress.runs() == 2
