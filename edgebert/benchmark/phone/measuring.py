"""Measure a plan on one phone; then the record, in which nothing names the phone's owner."""

import re
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from edgebert.benchmark.conditions import now_utc
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.nameless import Names, without_names, words_without_names
from edgebert.benchmark.phone.alone import alone_on
from edgebert.benchmark.phone.app import AppMeasuring
from edgebert.benchmark.phone.connection import Phone
from edgebert.benchmark.phone.devices import PLACE
from edgebert.benchmark.phone.facts import check_heat, holding_back, read_phone, read_phone_conditions
from edgebert.benchmark.phone.folder import ROOT, PhoneFolder
from edgebert.benchmark.phone.tool import BLOCK_RUNS, ToolMeasuring
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.preparing import PreparedCase, prepare_case
from edgebert.errors import EdgebertError, MeasurementError
from edgebert.measurement import SCHEMA, SCHEMA_VERSION, Conditions, Device, Protocol, Provenance, Record
from edgebert.progress import Progress, Report, silent
from edgebert.version import VERSION

_KEEP_EVERY_SECONDS = 10.0
_LOOK_AT_HEAT_EVERY_SECONDS = 5.0
_NOT_ENDED = "the run had not ended when this was written"
_RUN_ID_BYTES = 8

Keep = Callable[[Record], None]
Tell = Callable[[str], None]


def measure_phone(
    plan: Plan, phone: Phone, tool: Path | None, keep: Keep, tell: Tell, report: Report = silent
) -> Record:
    """Run `plan` in our app on the phone, or in `tool`, TFLite's benchmark_model; return the complete record.

    `keep` is given an incomplete record from time to time, and once more when the run is interrupted or fails after
    it has taken samples; the exception then goes on. Everything put on the phone is removed in any case.
    """
    with alone_on(phone):
        run = _Run(plan, phone, tool, keep, tell, report)
        try:
            return run.to_the_end()
        except KeyboardInterrupt:
            run.keep_unfinished("interrupted")
            raise
        except EdgebertError as error:
            run.keep_unfinished(str(error))
            raise
        finally:
            run.clean_up()


class _Run:
    def __init__(self, plan: Plan, phone: Phone, tool: Path | None, keep: Keep, tell: Tell, report: Report) -> None:
        self._plan, self._phone, self._tool = plan, phone, tool
        self._keep, self._tell, self._report = keep, tell, report
        self._started_at = now_utc()
        self._run_id = secrets.token_hex(_RUN_ID_BYTES)
        self._folder = PhoneFolder(phone, self._run_id)
        self._models = tuple(read_model_file(path) for path in plan.models)
        self._measuring: AppMeasuring | ToolMeasuring | None = None
        self._device: Device | None = None
        self._before: Conditions | None = None
        self._touched = False

    def to_the_end(self) -> Record:
        cases = tuple(
            prepare_case(self._plan, setting, self._models[setting[0]].name) for setting in self._plan.settings()
        )
        measuring = self._choose(cases)
        measuring.check()
        self._device = read_phone(self._phone)
        self._check_cores()
        self._put(measuring)
        self._look_at_state()
        self._before = read_phone_conditions(self._phone)
        self._measuring = measuring
        self._follow(measuring)
        return self._record(None)

    def keep_unfinished(self, reason: str) -> None:
        if self._measuring is not None and self._measuring.runs():
            self._keep(self._record(reason))

    def clean_up(self) -> None:
        """Leave nothing on the phone; where it is gone, say what stayed."""
        if not self._touched:
            return
        try:
            if self._measuring is not None:
                self._measuring.stop()
            self._folder.remove()
        except MeasurementError as error:
            self._tell(f"warning: {ROOT} stays on the phone ({error}); the next run on it removes it")

    def _choose(self, cases: tuple[PreparedCase, ...]) -> AppMeasuring | ToolMeasuring:
        if self._tool is None:
            return AppMeasuring(self._phone, self._folder, self._run_id, self._plan, cases)
        return ToolMeasuring(self._phone, self._folder, self._tool, self._plan, cases)

    def _check_cores(self) -> None:
        asked = self._plan.cores
        there = sorted(core for cluster in self._device.clusters for core in cluster.cores)
        if asked is not None and not set(asked) <= set(there):
            raise MeasurementError(
                f"--cores: expected cores among the phone's {', '.join(map(str, there))}, got "
                f"{', '.join(map(str, asked))}. Do: choose from these."
            )
        cores = len(there) if asked is None else len(set(asked))
        if max(self._plan.threads) > cores:
            self._tell(f"warning: {max(self._plan.threads)} threads on {cores} cores will wait for each other")

    def _put(self, measuring: AppMeasuring | ToolMeasuring) -> None:
        self._report(Progress("copy to the phone", 0, 1))
        self._folder.check_room(measuring.needed_bytes())
        self._touched = True
        if self._folder.make():
            self._tell("note: removed what an earlier run had left on the phone")
        measuring.put()
        self._report(Progress("copy to the phone", 1, 1))

    def _look_at_state(self) -> None:
        status = check_heat(self._phone)
        if status not in (None, "none"):
            self._tell(f"warning: the phone slows itself for heat (status '{status}')")
        for reason in holding_back(self._phone):
            self._tell(f"warning: the phone is held back; {reason}")

    def _follow(self, measuring: AppMeasuring | ToolMeasuring) -> None:
        kept = looked = time.monotonic()
        for _ in measuring.run():
            self._tell_progress(measuring)
            now = time.monotonic()
            if now - looked >= _LOOK_AT_HEAT_EVERY_SECONDS:
                check_heat(self._phone)
                looked = now
            if now - kept >= _KEEP_EVERY_SECONDS and measuring.runs():
                self._keep(self._record(_NOT_ENDED))
                kept = now
        self._tell_progress(measuring)

    def _tell_progress(self, measuring: AppMeasuring | ToolMeasuring) -> None:
        if measuring.warmed < len(measuring.cases()):
            self._report(Progress("warm up", measuring.warmed, len(measuring.cases())))
            return
        needed = max(measuring.rounds_needed(), measuring.rounds_done)
        self._report(Progress("measure, in rounds", measuring.rounds_done, needed))

    def _record(self, reason: str | None) -> Record:
        plan, complete = self._plan, reason is None
        names = Names((re.escape(self._phone.serial),), in_commands="SERIAL", in_words="the phone")
        return Record(
            schema=SCHEMA,
            schema_version=SCHEMA_VERSION,
            place=PLACE,
            complete=complete,
            incomplete_reason=None if complete else words_without_names(reason, names),
            provenance=Provenance(
                VERSION,
                without_names(plan.command_line, names),
                self._started_at,
                now_utc() if complete else None,
            ),
            device=self._device,
            protocol=Protocol(
                seed=plan.seed,
                block_runs=plan.block_runs if self._tool is None else BLOCK_RUNS,
                rounds_done=self._measuring.rounds_done,
                runs_asked=plan.runs,
                minimum_seconds=plan.minimum_seconds,
                warmup_passes_limit=plan.warmup_passes_limit,
            ),
            conditions_before=self._before,
            conditions_after=read_phone_conditions(self._phone) if complete else None,
            models=self._models,
            cases=self._measuring.cases(),
        )
