"""Measure in rounds: one worker for each case, in turns, until there are runs enough; then the record.

This machine and a board do it alike. They differ in how a worker is started and what it calls a model's file: a Bench.
"""

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from edgebert.benchmark.asking import AskedWorker
from edgebert.benchmark.binding import bind_inputs
from edgebert.benchmark.conditions import now_utc
from edgebert.benchmark.feeding import feed_model
from edgebert.benchmark.inputs import choose_length
from edgebert.benchmark.interleaving import block_inputs, round_order
from edgebert.benchmark.nameless import NO_NAMES, Names, without_names, words_without_names
from edgebert.benchmark.plan import Plan, Setting
from edgebert.benchmark.running import RunningCase, prepare
from edgebert.documents import from_plain
from edgebert.errors import MeasurementError
from edgebert.measurement import SCHEMA, SCHEMA_VERSION, Conditions, Device, ModelFile, Protocol, Provenance, Record
from edgebert.progress import Progress, Report, silent
from edgebert.version import VERSION

# How often an unfinished record is handed over, so that even a killed run keeps its samples.
_KEEP_EVERY_SECONDS = 10.0
_NOT_ENDED = "the run had not ended when this was written"

Keep = Callable[[Record], None]
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Bench:
    """Where the workers are. `place` is the record's, `models` are the plan's, `model_paths` theirs to a worker.

    `own_cpu_ns` is what of us runs there beside the workers: their machine's load is judged without it. `names` are
    those of the machine, which the record does without.
    """

    place: str
    models: tuple[ModelFile, ...]
    model_paths: tuple[str, ...]
    start_worker: Callable[[str], AskedWorker]
    own_cpu_ns: Callable[[], int]
    names: Names = NO_NAMES


def measure_on(bench: Bench, plan: Plan, keep: Keep, tell: Tell, report: Report = silent) -> Record:
    """Run `plan` and return the complete record.

    `keep` is given an incomplete record from time to time, and once more when the run is interrupted or fails after
    it has taken samples; the exception then goes on. `tell` is given remarks for the person who waits, `report` how
    far it is.
    """
    run = _Run(bench, plan, keep, tell, report)
    try:
        record = run.to_the_end()
    except KeyboardInterrupt:
        run.keep_unfinished("interrupted")
        run.kill()
        raise
    except MeasurementError as error:
        run.keep_unfinished(str(error))
        run.kill()
        raise
    finally:
        run.close()
    return record


class _Run:
    def __init__(self, bench: Bench, plan: Plan, keep: Keep, tell: Tell, report: Report) -> None:
        self._bench = bench
        self._plan, self._keep, self._tell, self._report = plan, keep, tell, report
        self._started_at = now_utc()
        self._workers: list[AskedWorker] = []
        self._cases: list[RunningCase] = []
        self._before: Conditions | None = None
        self._rounds_done = 0

    def to_the_end(self) -> Record:
        settings = self._plan.settings()
        for done, setting in enumerate(settings, start=1):
            self._cases.append(self._load(setting))
            self._report(Progress("load, each in a process of its own", done, len(settings)))
        self._before = self._conditions()
        for done, case in enumerate(self._cases, start=1):
            case.warm_up(self._plan.warmup_inputs, self._plan.warmup_passes_limit)
            self._report(Progress("warm up", done, len(settings)))
        self._run_rounds()
        for case in self._cases:
            case.ask_memory()
        return self._record(reason=None)

    def keep_unfinished(self, reason: str) -> None:
        if any(case.runs() for case in self._cases):
            self._keep(self._record(reason))

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def close(self) -> None:
        for worker in self._workers:
            worker.close()

    def _load(self, setting: Setting) -> RunningCase:
        index, threads, asked = setting
        name = self._bench.models[index].name
        worker = self._bench.start_worker(name)
        self._workers.append(worker)
        started = worker.ask("start", cores=self._plan.cores)
        cores = threads if started["affinity"] is None else len(started["affinity"])
        if threads > cores:
            self._tell(f"warning: {threads} threads on {cores} core{'s' * (cores > 1)} will wait for each other")
        opened = worker.ask("open", path=self._bench.model_paths[index], threads=threads)
        binding = bind_inputs(name, opened["inputs"])
        length = choose_length(name, binding, asked)
        return prepare(worker, setting, started, opened, binding, feed_model(self._plan, index, name, binding, length))

    def _run_rounds(self) -> None:
        kept = time.monotonic()
        rounds = math.ceil(self._plan.runs / self._plan.block_runs)
        while self._rounds_done < rounds:
            self._run_round(self._rounds_done)
            self._rounds_done += 1
            rounds = self._rounds_needed()
            self._report(Progress("measure, in rounds", self._rounds_done, rounds))
            if time.monotonic() - kept >= _KEEP_EVERY_SECONDS:
                self._keep(self._record(_NOT_ENDED))
                kept = time.monotonic()

    def _run_round(self, number: int) -> None:
        inputs = block_inputs(number, self._plan.block_runs, len(self._plan.texts.texts))
        for position in round_order(self._plan.seed, number, len(self._cases)):
            self._cases[position].run_block(number, inputs)

    def _rounds_needed(self) -> int:
        """Enough for the runs asked for, and for the seconds: those of all cases together, since they take turns."""
        for_runs = math.ceil(self._plan.runs / self._plan.block_runs)
        seconds_a_round = sum(case.measured_ns for case in self._cases) / 1e9 / self._rounds_done
        for_seconds = math.ceil(self._plan.minimum_seconds * len(self._cases) / max(seconds_a_round, 1e-9))
        return max(for_runs, for_seconds)

    def _conditions(self) -> Conditions:
        plain = self._cases[0].worker.ask("conditions")
        own_cpu_ns = self._bench.own_cpu_ns() + sum(case.worker.ask("cpu_time")["own_cpu_ns"] for case in self._cases)
        conditions = from_plain(Conditions, plain, "conditions")
        return dataclasses.replace(conditions, own_cpu_ns=own_cpu_ns)

    def _record(self, reason: str | None) -> Record:
        plan, names = self._plan, self._bench.names
        command_line = without_names(plan.command_line, names)
        return Record(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            place=self._bench.place,
            complete=reason is None,
            incomplete_reason=None if reason is None else words_without_names(reason, names),
            provenance=Provenance(VERSION, command_line, self._started_at, now_utc() if reason is None else None),
            device=from_plain(Device, self._cases[0].started["device"], "device"),
            protocol=Protocol(
                seed=plan.seed,
                block_runs=plan.block_runs,
                rounds_done=self._rounds_done,
                runs_asked=plan.runs,
                minimum_seconds=plan.minimum_seconds,
                warmup_passes_limit=plan.warmup_passes_limit,
            ),
            conditions_before=self._before,
            conditions_after=self._conditions() if reason is None else None,
            models=self._bench.models,
            cases=tuple(case.finished() for case in self._cases),
        )
