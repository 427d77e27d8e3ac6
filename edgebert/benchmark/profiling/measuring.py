"""Profile on this machine: the benchmark's rounds, in which every block is run a second time with the profiler on."""

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebert.benchmark.host import PLACE
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.process import WorkerProcess
from edgebert.benchmark.profiling.attribution import operator_costs
from edgebert.benchmark.profiling.events import Step
from edgebert.benchmark.profiling.library import KNOWN_RELEASES
from edgebert.benchmark.profiling.profile import NANOSECONDS, SCHEMA, SCHEMA_VERSION, CaseProfile, Profile
from edgebert.benchmark.profiling.worker import COMMAND
from edgebert.benchmark.rounds import Bench, Tell, measure_on
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Record
from edgebert.progress import Report, silent


def profile(plan: Plan, tell: Tell, report: Report = silent) -> Profile:
    """Run `plan` here, plain and profiled; the callbacks are those of `measure_on`. An unfinished profile is not kept:
    it takes seconds.
    """
    workers: list[_ProfiledWorker] = []

    def start(label: str) -> _ProfiledWorker:
        workers.append(_ProfiledWorker(label))
        return workers[-1]

    bench = Bench(
        place=PLACE,
        models=tuple(read_model_file(path) for path in plan.models),
        model_paths=tuple(str(path) for path in plan.models),
        start_worker=start,
        own_cpu_ns=time.process_time_ns,
    )
    record = measure_on(bench, plan, _forget, tell, report)
    cases = (worker.finished(case, plan.models[case.model]) for worker, case in zip(workers, record.cases, strict=True))
    return Profile(SCHEMA, SCHEMA_VERSION, record, tuple(cases))


def _forget(unfinished: Record) -> None:
    """What `measure_on` hands over between the rounds."""


class _ProfiledWorker:
    """The worker of one case: it answers as the benchmark's, and keeps what each block's profiled runs told."""

    def __init__(self, label: str) -> None:
        self._worker = WorkerProcess(label, COMMAND)
        self._steps: tuple[Step, ...] = ()
        self._pieces: Sequence[Sequence[int]] = ()
        self._columns: dict[str, list] = {"input": [], "wall_ns": [], "invoke_us": [], "elapsed_us": []}

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        answer = self._worker.ask(question, **arguments)
        if question == "start":
            _require_profiler(answer)
        elif question == "run":
            self._profile(arguments["inputs"])
        return answer

    def delegate_name(self) -> str | None:
        return self._worker.delegate_name()

    def close(self) -> None:
        self._worker.close()

    def kill(self) -> None:
        self._worker.kill()

    def finished(self, case: Case, path: Path) -> CaseProfile:
        """`case` has the plain runs: the profiled ones are of the same inputs in the same rounds."""
        by_operator = zip(*self._columns["elapsed_us"], strict=True)
        return CaseProfile(
            unit=NANOSECONDS,
            rounds=case.samples.rounds,
            inputs=tuple(self._columns["input"]),
            whole=tuple(self._columns["wall_ns"]),
            graph=_nanoseconds(self._columns["invoke_us"]),
            operators=operator_costs(path, self._steps, self._pieces, map(_nanoseconds, by_operator)),
        )

    def _profile(self, inputs: Sequence[int]) -> None:
        """The first run brings this copy of the model back into the caches, as the plain block's first does."""
        told = self._worker.ask("run", inputs=inputs, profiled=True)
        self._steps, self._pieces = tuple(Step(*step) for step in told["steps"]), told["pieces"]
        for name, column in self._columns.items():
            column += told[name][1:]


def _nanoseconds(microseconds: Iterable[int]) -> tuple[int, ...]:
    return tuple(1000 * value for value in microseconds)


def _require_profiler(started: Mapping[str, Any]) -> None:
    got = started["instead_of_profiler"]
    if got is not None:
        raise MeasurementError(
            f"profiler: expected the C interface of ai-edge-litert {' or '.join(KNOWN_RELEASES)}, got {got}. "
            "Do: pip install '.[benchmark]' in edgebert's checkout into an environment of its own, and profile there."
        )
