"""Progress on stderr: one line that renews itself on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import Self

from edgebert.progress import Progress

LOG_EVERY_SECONDS = 15.0
TERMINAL_EVERY_SECONDS = 0.1


class ProgressLine:
    """A `Report` to hand to long work; as a context it leaves the cursor on a fresh line.

    In a log a task has a line where it says what it waits for (nothing done yet), where it ends, and now and then
    between.
    """

    def __init__(self, quiet: bool = False):
        self._quiet, self._terminal = quiet, sys.stderr.isatty()
        self._task, self._began, self._told, self._open = "", 0.0, 0.0, False
        # How much was done when the task was first heard of: a resumed run begins in its middle.
        self._done_before = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end_line()

    def __call__(self, progress: Progress) -> None:
        if self._quiet:
            return
        now = time.monotonic()
        if progress.task != self._task:
            self._end_line()
            self._task, self._began, self._done_before = progress.task, now, progress.done
            self._told = 0.0 if self._terminal else now
        finished = progress.done >= progress.total
        every = TERMINAL_EVERY_SECONDS if self._terminal else LOG_EVERY_SECONDS
        if progress.done and not finished and now - self._told < every:
            return
        self._told = now
        self._show(_line(progress, now - self._began, progress.done - self._done_before), finished)

    def _show(self, line: str, finished: bool) -> None:
        if self._terminal:
            sys.stderr.write(f"\r\x1b[2K{line}")
            self._open = True
            if finished:
                self._end_line()
        else:
            sys.stderr.write(f"{line}\n")
        sys.stderr.flush()

    def _end_line(self) -> None:
        if self._open:
            sys.stderr.write("\n")
            sys.stderr.flush()
        self._open = False


def _line(progress: Progress, elapsed_seconds: float, done_meanwhile: int) -> str:
    parts = [f"{progress.task}: {progress.done}/{progress.total}"]
    if progress.done < progress.total:
        if done_meanwhile:
            a_step, left = elapsed_seconds / done_meanwhile, progress.total - progress.done
            parts.append(f"{_duration(a_step * left)} left")
            if progress.later:
                parts.append(f"about {_duration(a_step * (left + progress.later))} with what follows")
    elif progress.done:
        parts.append(_duration(elapsed_seconds))
    return ", ".join([*parts, *([progress.remark] if progress.remark else [])])


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"
