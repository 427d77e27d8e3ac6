"""How long work tells of itself: floors below the command line call a `Report`, and the command line draws it."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """`done` of `total` steps of a task; `remark` is what a person wants to know now (a loss, a score).

    `later`: as many steps like these as may follow under other names, as a training's later epochs.
    """

    task: str
    done: int
    total: int
    remark: str = ""
    later: int = 0


Report = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """For callers that do not want to hear."""
