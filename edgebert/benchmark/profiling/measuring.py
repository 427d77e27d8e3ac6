"""Profile on this machine: plain and profiled blocks in turns, all cases in every round; then the profile."""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edgebert.benchmark.binding import bind_inputs
from edgebert.benchmark.conditions import now_utc
from edgebert.benchmark.feeding import feed_model
from edgebert.benchmark.inputs import choose_length
from edgebert.benchmark.interleaving import block_inputs, round_order
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.plan import Plan, Setting
from edgebert.benchmark.process import WorkerProcess
from edgebert.benchmark.profiling.attribution import attribute
from edgebert.benchmark.profiling.events import Step
from edgebert.benchmark.profiling.library import KNOWN_RELEASES
from edgebert.benchmark.profiling.profile import SCHEMA, SCHEMA_VERSION, CaseProfile, OperatorTimes, Profile
from edgebert.benchmark.profiling.worker import COMMAND
from edgebert.benchmark.running import RunningCase, prepare
from edgebert.errors import MeasurementError
from edgebert.export.flatbuffer import read_model
from edgebert.measurement import SCHEMA as RECORD_SCHEMA
from edgebert.measurement import SCHEMA_VERSION as RECORD_SCHEMA_VERSION
from edgebert.measurement import Conditions, Device, Protocol, Provenance, Record
from edgebert.measurement_file import from_plain
from edgebert.progress import Progress, Report, silent
from edgebert.version import VERSION

Tell = Callable[[str], None]


def profile(plan: Plan, tell: Tell, report: Report = silent) -> Profile:
    """Run `plan`, each block plain and profiled. `tell` is given remarks for the person who waits."""
    run = _Run(plan, tell, report)
    try:
        return run.to_the_end()
    except (KeyboardInterrupt, MeasurementError):
        run.kill()
        raise
    finally:
        run.close()


@dataclass
class _ProfiledCase:
    """Mutable while measuring; `finished()` is the value that stays."""

    plain: RunningCase
    pieces: Sequence[Sequence[int]] = ()
    steps: tuple[Step, ...] = ()
    columns: dict[str, list] = field(
        default_factory=lambda: {name: [] for name in ("round", "input", "wall_ns", "invoke_us", "elapsed_us")}
    )

    def run_block(self, number: int, inputs: Sequence[int]) -> None:
        """The same inputs plain and profiled, each after an untimed run that brings that copy into the caches."""
        self.plain.run_block(number, inputs)
        answer = self.plain.worker.ask("run", inputs=[inputs[-1], *inputs], profiled=True)
        self.pieces = answer["pieces"]
        self.steps = tuple(Step(*step) for step in answer["steps"])
        self.columns["round"] += [number] * len(inputs)
        for name in ("input", "wall_ns", "invoke_us", "elapsed_us"):
            self.columns[name] += answer[name][1:]

    def finished(self, path: Path) -> CaseProfile:
        origins = attribute(read_model(path), self.steps, self.pieces)
        by_operator = zip(*self.columns["elapsed_us"], strict=True)
        return CaseProfile(
            rounds=tuple(self.columns["round"]),
            inputs=tuple(self.columns["input"]),
            wall_ns=tuple(self.columns["wall_ns"]),
            invoke_us=tuple(self.columns["invoke_us"]),
            operators=tuple(
                OperatorTimes(step.name, step.piece, **dataclasses.asdict(origin), elapsed_us=tuple(times))
                for step, origin, times in zip(self.steps, origins, by_operator, strict=True)
            ),
        )


class _Run:
    def __init__(self, plan: Plan, tell: Tell, report: Report) -> None:
        self._plan, self._tell, self._report = plan, tell, report
        self._started_at = now_utc()
        self._models = tuple(read_model_file(path) for path in plan.models)
        self._workers: list[WorkerProcess] = []
        self._cases: list[_ProfiledCase] = []

    def to_the_end(self) -> Profile:
        plan, settings = self._plan, self._plan.settings()
        for done, setting in enumerate(settings, start=1):
            self._cases.append(self._load(setting))
            self._report(Progress("load, each in a process of its own", done, len(settings)))
        before = self._conditions()
        for case in self._cases:
            case.plain.warm_up(plan.warmup_inputs, plan.warmup_passes_limit)
        rounds = math.ceil(plan.runs / plan.block_runs)
        for number in range(rounds):
            inputs = block_inputs(number, plan.block_runs, len(plan.texts.texts))
            for position in round_order(plan.seed, number, len(self._cases)):
                self._cases[position].run_block(number, inputs)
            self._report(Progress("profile, in rounds", number + 1, rounds))
        for case in self._cases:
            case.plain.ask_memory()
        cases = tuple(case.finished(plan.models[case.plain.model]) for case in self._cases)
        return Profile(SCHEMA, SCHEMA_VERSION, self._record(before, rounds), cases)

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    def _load(self, setting: Setting) -> _ProfiledCase:
        index, threads, asked = setting
        path, name = self._plan.models[index], self._models[index].name
        worker = WorkerProcess(name, COMMAND)
        self._workers.append(worker)
        started = worker.ask("start", cores=self._plan.cores)
        _require_profiler(started)
        cores = threads if started["affinity"] is None else len(started["affinity"])
        if threads > cores:
            self._tell(f"warning: {threads} threads on {cores} core{'s' * (cores > 1)} will wait for each other")
        opened = worker.ask("open", path=str(path), threads=threads)
        binding = bind_inputs(name, opened["inputs"])
        length = choose_length(name, binding, asked)
        feed = feed_model(self._plan, index, name, binding, length)
        return _ProfiledCase(prepare(worker, setting, started, opened, binding, feed))

    def _conditions(self) -> Conditions:
        plain = self._cases[0].plain.worker.ask("conditions")
        workers = sum(case.plain.worker.ask("cpu_time")["own_cpu_ns"] for case in self._cases)
        conditions = from_plain(Conditions, plain, "conditions")
        return dataclasses.replace(conditions, own_cpu_ns=time.process_time_ns() + workers)

    def _record(self, before: Conditions, rounds: int) -> Record:
        """What the plain runs measured, as `edgebert benchmark` writes it down."""
        plan = self._plan
        return Record(
            schema=RECORD_SCHEMA,
            schema_version=RECORD_SCHEMA_VERSION,
            place="host",
            complete=True,
            incomplete_reason=None,
            provenance=Provenance(VERSION, plan.command_line, self._started_at, now_utc()),
            device=from_plain(Device, self._cases[0].plain.started["device"], "device"),
            protocol=Protocol(
                seed=plan.seed,
                block_runs=plan.block_runs,
                rounds_done=rounds,
                runs_asked=plan.runs,
                minimum_seconds=0.0,
                warmup_passes_limit=plan.warmup_passes_limit,
            ),
            conditions_before=before,
            conditions_after=self._conditions(),
            models=self._models,
            cases=tuple(case.plain.finished() for case in self._cases),
        )


def _require_profiler(started: Mapping[str, Any]) -> None:
    got = started["instead_of_profiler"]
    if got is not None:
        raise MeasurementError(
            f"profiler: expected the C interface of ai-edge-litert {' or '.join(KNOWN_RELEASES)}, got {got}. "
            "Do: pip install edgebert[benchmark] in an environment of its own, and profile there."
        )
