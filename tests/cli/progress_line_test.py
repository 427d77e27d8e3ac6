"""What a terminal and what a log sees of long work."""

import io

import pytest

from edgebert.cli.progress_line import LOG_EVERY_SECONDS, ProgressLine
from edgebert.progress import Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    seconds = 1000.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("edgebert.cli.progress_line.time.monotonic", lambda: clock.seconds)
    return clock


def told(clock: Clock, every_seconds: float, steps: range, total: int, quiet: bool = False) -> None:
    with ProgressLine(quiet) as line:
        for step in steps:
            line(Progress("train", step, total, "loss 1"))
            clock.seconds += every_seconds


def test_a_short_task_is_one_line_in_a_log(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told(clock, 0.1, range(1, 11), 10)
    assert capsys.readouterr().err == "train: 10/10, 1 s, loss 1\n"


def test_a_long_task_has_a_line_now_and_then_without_terminal_codes(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    told(clock, LOG_EVERY_SECONDS / 2, range(1, 6), 5)
    assert capsys.readouterr().err.splitlines() == [
        "train: 3/5, 15 s left, loss 1",
        "train: 5/5, 30 s, loss 1",
    ]


def test_what_is_waited_for_is_named_at_once(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told(clock, 1.0, range(2), 2)
    assert capsys.readouterr().err == "train: 0/2, loss 1\n"


def test_the_time_left_of_a_resumed_task_is_by_what_was_done_since(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """One step in 20 s from step 501 on: not 500 steps in none."""
    told(clock, 20.0, range(501, 503), 503)
    assert capsys.readouterr().err == "train: 502/503, 20 s left, loss 1\n"


def test_a_task_that_others_follow_tells_the_time_of_all(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """A training's epoch: five steps a minute, two epochs of ten to come."""
    with ProgressLine() as line:
        for step in range(1, 4):
            line(Progress("train 1/3", step, 10, later=20))
            clock.seconds += 12.0
    (told,) = capsys.readouterr().err.splitlines()
    assert told == "train 1/3: 3/10, 1 min 24 s left, about 5 min 24 s with what follows"


def test_quiet_is_quiet(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    told(clock, 100.0, range(1, 6), 5, quiet=True)
    assert capsys.readouterr().err == ""


def test_a_terminal_has_one_line_that_renews_itself(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr("edgebert.cli.progress_line.sys.stderr", stderr)
    told(clock, 1.0, range(1, 4), 3)
    renewed = stderr.getvalue().split("\r\x1b[2K")
    assert renewed == ["", "train: 1/3, loss 1", "train: 2/3, 1 s left, loss 1", "train: 3/3, 2 s, loss 1\n"]
