"""A process that holds one model: `python -m edgebert.benchmark.worker`, one JSON object a line, question and answer.

It needs no terminal and no shared memory, so that the same program can stand behind a pipe here or an ssh connection.
Questions: start · open · prepare · warm_up · run · finish. An answer is an object; one with the key `error` says what
the runtime said.
"""

import gc
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

from edgebert.benchmark import memory
from edgebert.benchmark.conditions import read_conditions
from edgebert.benchmark.device import read_device
from edgebert.documents import to_plain
from edgebert.version import VERSION

Question = dict[str, Any]
Answer = dict[str, Any]


class Worker:
    """The answers. LiteRT is imported by `start`, after the process is pinned to its cores."""

    def __init__(self) -> None:
        self._session: Any = None
        self._before_load_bytes: int | None = None
        self._after_load_bytes: int | None = None
        self._peak_was_reset = False

    def start(self, cores: list[int] | None) -> Answer:
        if cores is not None:
            _stay_on(cores)
        from edgebert.benchmark.session import describe_runtime

        affinity = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        return {
            "edgebert_version": VERSION,
            "runtime": {**describe_runtime(), "python_version": platform.python_version()},
            "affinity": affinity,
            "device": to_plain(read_device()),
        }

    def conditions(self) -> Answer:
        return to_plain(read_conditions(own_cpu_ns=None))

    def cpu_time(self) -> Answer:
        return {"own_cpu_ns": time.process_time_ns()}

    def open(self, path: str, threads: int) -> Answer:
        from edgebert.benchmark.session import Session

        self._peak_was_reset = memory.reset_peak()
        self._before_load_bytes = memory.resident_bytes()
        self._session = Session(path, threads)
        return self._session.describe()

    def prepare(self, **question: Any) -> Answer:
        answer = self._session.prepare(**question)
        self._after_load_bytes = memory.resident_bytes()
        # A collection in the middle of a run would be measured as the model's.
        gc.collect()
        gc.disable()
        return answer

    def warm_up(self, **question: Any) -> Answer:
        return self._session.warm_up(**question)

    def run(self, inputs: list[int]) -> Answer:
        return self._session.run(inputs)

    def memory(self) -> Answer:
        return {
            "before_load_bytes": self._before_load_bytes,
            "after_load_bytes": self._after_load_bytes,
            "after_runs_bytes": memory.resident_bytes(),
            "peak_bytes": memory.peak_bytes(),
            "peak_is_since_load": self._peak_was_reset,
        }


class _CoresError(ValueError):
    """Cores that this process cannot be pinned to."""


def _stay_on(cores: list[int]) -> None:
    if not hasattr(os, "sched_setaffinity"):
        raise _CoresError("expected a system that can pin a process to cores (Linux), got another one")
    allowed = os.sched_getaffinity(0)
    if not cores or not set(cores) <= allowed:
        listed, asked = (", ".join(map(str, numbers)) for numbers in (sorted(allowed), cores))
        raise _CoresError(f"expected cores among {listed}, got {asked or 'none'}")
    os.sched_setaffinity(0, cores)


def answer_one(worker: Worker, line: str) -> Answer:
    question: Question = json.loads(line)
    answers: dict[str, Callable[..., Answer]] = {
        name: getattr(worker, name)
        for name in ("start", "conditions", "cpu_time", "open", "prepare", "warm_up", "run", "memory")
    }
    try:
        return answers[question.pop("ask")](**question)
    except ImportError as error:
        return {"error": str(error), "kind": "import"}
    except _CoresError as error:
        return {"error": str(error), "kind": "cores"}
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        return {"error": str(error) or type(error).__name__, "kind": "runtime"}


def serve(worker: Worker) -> None:
    # The runtime logs where it likes; file descriptor 1 must carry answers only.
    answers: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        answers.write(json.dumps(answer_one(worker, line)) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(Worker())
