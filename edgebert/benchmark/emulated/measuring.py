"""Count a plan's models on emulated cores; then the record. A count does not depend on what else the machine does."""

from collections.abc import Callable

from edgebert.benchmark.conditions import now_utc
from edgebert.benchmark.emulated.cores import PLACE, EmulatedCore
from edgebert.benchmark.emulated.counting import Reference, count_on_core, take_reference
from edgebert.benchmark.emulated.environment import Environment, require_environment
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.nameless import without_names, words_without_names
from edgebert.benchmark.plan import Plan, Setting
from edgebert.benchmark.preparing import prepare_case
from edgebert.errors import MeasurementError
from edgebert.measurement import (
    SCHEMA,
    SCHEMA_VERSION,
    Case,
    Conditions,
    CoreCluster,
    Device,
    Protocol,
    Provenance,
    Record,
)
from edgebert.progress import Progress, Report, silent
from edgebert.version import VERSION

_NOT_ENDED = "the run had not ended when this was written"

Keep = Callable[[Record], None]


def count(plan: Plan, cores: tuple[EmulatedCore, ...], keep: Keep, report: Report = silent) -> Record:
    """Count `plan.runs` rounds of every input, for every model at every length on every core.

    `keep` is given an incomplete record after each finished case but the last, and once more when the run is
    interrupted or fails; the exception then goes on.
    """
    check_plan(plan)
    run = _Run(plan, cores, require_environment(), keep, report)
    try:
        return run.to_the_end()
    except KeyboardInterrupt:
        run.keep_unfinished("interrupted")
        raise
    except MeasurementError as error:
        run.keep_unfinished(str(error))
        raise


def check_plan(plan: Plan) -> None:
    """Refuse what means nothing here."""
    if plan.threads != (1,):
        got = ",".join(map(str, plan.threads))
        raise MeasurementError(
            f"--threads: expected 1 on an emulated core (more make counts vary), got {got}. Do: drop --threads."
        )
    if plan.cores is not None:
        raise MeasurementError(
            "--cores: expected none on emulated cores (counts are the same on all), got some. Do: drop --cores."
        )
    if plan.minimum_seconds:
        raise MeasurementError(
            f"--min-seconds: expected none on emulated cores, got {plan.minimum_seconds}. Do: drop it, or give --runs."
        )


class _Run:
    def __init__(
        self, plan: Plan, cores: tuple[EmulatedCore, ...], environment: Environment, keep: Keep, report: Report
    ) -> None:
        self._plan, self._cores, self._environment = plan, cores, environment
        self._keep, self._report = keep, report
        self._started_at = now_utc()
        self._before = _conditions()
        self._models = tuple(read_model_file(path) for path in plan.models)
        self._cases: list[Case] = []

    def to_the_end(self) -> Record:
        settings = self._plan.settings()
        references = []
        for done, setting in enumerate(settings, start=1):
            references.append(self._take_reference(setting))
            self._report(Progress("run on this machine, for its answers", done, len(settings)))
        # Core by core, and the models of one setting next to each other, as the table will have them.
        jobs = [(core, reference) for core in self._cores for reference in references]
        for done, (core, reference) in enumerate(jobs, start=1):
            self._report(Progress("count", done - 1, len(jobs), f"{reference.name} on {core.name}"))
            self._cases.append(count_on_core(self._environment, core, reference))
            if done < len(jobs):
                self.keep_unfinished(_NOT_ENDED)
        self._report(Progress("count", len(jobs), len(jobs)))
        return self._record(reason=None)

    def keep_unfinished(self, reason: str) -> None:
        if self._cases:
            self._keep(self._record(reason))

    def _take_reference(self, setting: Setting) -> Reference:
        index = setting[0]
        path, name = self._plan.models[index], self._models[index].name
        prepared = prepare_case(self._plan, setting, name)
        return take_reference(path, name, setting, prepared.binding, prepared.feed, self._plan.runs)

    def _record(self, reason: str | None) -> Record:
        plan, complete = self._plan, reason is None
        return Record(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            place=PLACE,
            complete=complete,
            incomplete_reason=None if complete else words_without_names(reason),
            provenance=Provenance(
                VERSION, without_names(plan.command_line), self._started_at, now_utc() if complete else None
            ),
            device=_device(self._cores, self._environment),
            protocol=Protocol(
                seed=plan.seed,
                block_runs=1,
                rounds_done=plan.runs,
                runs_asked=plan.runs,
                minimum_seconds=0.0,
                warmup_passes_limit=1,
            ),
            conditions_before=self._before,
            conditions_after=_conditions() if complete else None,
            models=self._models,
            cases=tuple(self._cases),
        )


def _device(cores: tuple[EmulatedCore, ...], environment: Environment) -> Device:
    """Each emulated core as a cluster; nothing of this machine, which has no part in a count."""
    in_all = set.intersection(*(set(core.features) for core in cores))
    return Device(
        name=environment.emulator,
        soc=None,
        architecture="aarch64",
        cpu_features=tuple(sorted(in_all)),
        logical_cores=len(cores),
        physical_cores=None,
        clusters=tuple(CoreCluster((number,), core.title, None, None, None) for number, core in enumerate(cores)),
        memory_bytes=None,
        operating_system=None,
        kernel=None,
        is_virtual=True,
    )


def _conditions() -> Conditions:
    """When; temperatures, frequencies and other load cannot reach a count."""
    return Conditions(
        at_utc=now_utc(),
        load_average_1m=None,
        busy_cpu_ns=None,
        own_cpu_ns=None,
        temperatures_celsius={},
        frequencies_hz=(),
        throttle_count=None,
        available_memory_bytes=None,
    )
