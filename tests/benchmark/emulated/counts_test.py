"""The plugin's lines: whole ones are read, and whatever contradicts itself is refused."""

import json
from pathlib import Path

import pytest

from edgebert.benchmark.emulated.counting import Run, plan_runs
from edgebert.benchmark.emulated.counts import BEGIN, CLASSES, END, END_WITH_BLOCKS, mark_argument, read_segments
from edgebert.benchmark.running import BEFORE_ROUNDS
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form


def line(mark: int, **changes: object) -> dict:
    counts = {name: position for position, name in enumerate(CLASSES)}
    return {"mark": mark, "threads": 1, "all": sum(counts.values()), **counts, **changes}


def written(tmp_path: Path, *lines: object) -> Path:
    path = tmp_path / "counts.jsonl"
    path.write_text("".join(f"{each if isinstance(each, str) else json.dumps(each)}\n" for each in lines))
    return path


def test_segments_come_in_order_with_their_blocks(tmp_path: Path) -> None:
    path = written(tmp_path, line(BEGIN), line(END_WITH_BLOCKS, blocks=[[4096, 60], [8192, 18]]), line(-1))
    segments = read_segments(path)
    assert [segment.mark for segment in segments] == [BEGIN, END_WITH_BLOCKS, -1]
    assert [segment.blocks for segment in segments] == [None, ((4096, 60), (8192, 18)), None]
    assert segments[0].counts == {"all": 78, **{name: position for position, name in enumerate(CLASSES)}}


@pytest.mark.parametrize(
    ("lines", "named"),
    [
        ((), "cut short"),
        ((line(BEGIN), line(END)), "cut short"),
        ((line(BEGIN), "{"), "Expecting"),
        ((line(BEGIN, all=79), line(-1)), "79 instructions but 78"),
        ((line(BEGIN, threads=2), line(-1)), "2 threads"),
        (({"mark": 1, "threads": 1}, line(-1)), "all"),
        (("null", line(-1)), "subscriptable"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, lines: tuple, named: str) -> None:
    with pytest.raises(MeasurementError, match=named) as caught:
        read_segments(written(tmp_path, *lines))
    assert_house_form(str(caught.value))


def test_counts_that_were_not_written_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="No such file"):
        read_segments(tmp_path / "counts.jsonl")


@pytest.mark.parametrize("mark", [BEGIN, END, END_WITH_BLOCKS])
def test_a_mark_is_the_usual_umask_to_the_kernel(mark: int) -> None:
    argument = mark_argument(mark)
    assert argument & 0o777 == 0o022
    assert 0 < argument < 2**31
    # As counting_plugin.c takes it apart.
    assert (argument >> 24, argument >> 9 & 0x7FFF) == (0x7A, mark)


def test_every_input_is_run_in_every_round_and_each_length_is_warmed_up_once() -> None:
    runs = plan_runs([128, 5, 128], rounds=2)
    assert runs == (
        *(Run(1, BEFORE_ROUNDS), Run(1, 0), Run(1, 1)),
        *(Run(0, BEFORE_ROUNDS), Run(0, 0), Run(2, 0), Run(0, 1), Run(2, 1)),
    )
