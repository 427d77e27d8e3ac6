"""One model in the interpreter: what is reported belongs to the inputs that were run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.benchmark.session import COLUMNS, Session, has_settled
from tests.benchmark.conftest import DYNAMIC, FIXED, WITHOUT_SEGMENTS


def ready(lengths: tuple[int, ...]) -> Session:
    session = Session(str(DYNAMIC), threads=1)
    described = session.describe()
    tensors = [detail["tensor"] for detail in described["inputs"]]
    prepared = session.prepare(tensors, ["int32"] * 3, [[[1] * length] * 3 for length in lengths])
    assert prepared["allocate_ns"] > 0 and prepared["first_run_ns"] > 0
    return session


@pytest.mark.parametrize(
    ("path", "names", "shape"),
    [
        (DYNAMIC, {"input_ids", "input_mask", "segment_ids"}, [1, -1]),
        (FIXED, {"ids", "mask", "segment_ids"}, [1, 32]),
        (WITHOUT_SEGMENTS, {"input_word_ids", "input_mask"}, [1, 16]),
    ],
)
def test_inputs_are_told_by_their_signatures_names(path: object, names: set[str], shape: list[int]) -> None:
    inputs = Session(str(path), threads=1).describe()["inputs"]
    assert {detail["name"] for detail in inputs} == names
    assert all(detail["shape"] == shape and detail["dtype"] == "int32" for detail in inputs)


def test_a_resize_is_paid_when_and_only_when_the_length_changes() -> None:
    columns = ready((8, 8, 20)).run([0, 1, 2, 2, 0])
    assert tuple(columns) == COLUMNS
    assert columns["input"] == [0, 1, 2, 2, 0]
    assert [bool(nanoseconds) for nanoseconds in columns["resize_wall_ns"]] == [False, False, True, False, True]
    assert all(nanoseconds > 0 for nanoseconds in columns["wall_ns"] + columns["process_cpu_ns"])


def test_warming_up_returns_every_run() -> None:
    warmed = ready((8, 20)).warm_up([0, 1], passes_limit=3)
    assert warmed["passes"] == 3
    assert warmed["input"] == [0, 1] * 3
    assert all(len(warmed[name]) == 6 for name in COLUMNS)


@given(st.lists(st.integers(1, 10**9), max_size=10))
def test_a_warm_up_has_settled_when_it_stops_getting_faster(pass_ns: list[int]) -> None:
    settled = has_settled(pass_ns)
    if len(pass_ns) < 3:
        assert not settled
    else:
        assert settled == all(latest >= 0.97 * earlier for latest in pass_ns[-2:] for earlier in [min(pass_ns[:-2])])


def test_passes_that_still_improve_have_not_settled() -> None:
    assert not has_settled([100, 90, 80])
    assert has_settled([100, 80, 80, 79])
