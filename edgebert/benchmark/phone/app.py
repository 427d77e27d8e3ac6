"""Measuring through our app: hand it a job, start it, read its lines as they land."""

import math
import shlex
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from edgebert.benchmark.phone.client import one_line
from edgebert.benchmark.phone.connection import Phone
from edgebert.benchmark.phone.contract import (
    ACTIVITY,
    BEGIN_SECONDS,
    JOB,
    PACKAGE,
    SILENCE_SECONDS,
    model_name,
    result_path,
    start_command,
    write_job,
)
from edgebert.benchmark.phone.events import Progress
from edgebert.benchmark.phone.folder import PhoneFolder
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.preparing import PreparedCase
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Runtime

# Looking costs the phone a process each time.
_LOOK_EVERY_SECONDS = 1.0
# pidof's status where there is none; any other says that it could not look.
_NO_PROCESS = 1
_UNKNOWN = Runtime("LiteRT", None, None, None, None)


class AppMeasuring:
    """One run of the app; `run` yields whenever something landed."""

    def __init__(self, phone: Phone, folder: PhoneFolder, run_id: str, plan: Plan, cases: tuple[PreparedCase, ...]):
        self._phone, self._folder, self._run_id, self._plan = phone, folder, run_id, plan
        self._progress = Progress(run_id, cases)
        self._result = result_path(run_id)
        self._job = write_job(plan, run_id, cases)

    @property
    def rounds_done(self) -> int:
        return self._progress.rounds_done

    @property
    def warmed(self) -> int:
        return self._progress.warmed

    def rounds_needed(self) -> int:
        """For the runs; the app alone knows how many the seconds take."""
        return math.ceil(self._plan.runs / self._plan.block_runs)

    def needed_bytes(self) -> int:
        return len(self._job) + sum(model.stat().st_size for model in self._plan.models)

    def check(self) -> None:
        """Refuse what the app cannot do, and a phone without it."""
        if self._plan.cores is not None:
            raise MeasurementError(
                "--cores: expected none with the app (Android places its threads), got some. "
                "Do: drop --cores, or give --benchmark-model."
            )
        # Old ones end with 0 and an empty line.
        if not self._phone.shell(f"pm path {PACKAGE}").text.startswith("package:"):
            raise MeasurementError(
                f"{self._phone.serial}: expected the app {PACKAGE} on the phone, got none. "
                "Do: measure with TFLite's tool by --benchmark-model PATH; the app is not written yet "
                "(android_demo/BENCHMARK.md is what it will keep to)."
            )

    def put(self) -> None:
        for number, model in enumerate(self._plan.models):
            self._folder.put(model, model_name(number))
        with tempfile.TemporaryDirectory() as folder:
            job = Path(folder) / JOB
            job.write_bytes(self._job)
            self._folder.put(job, JOB)

    def run(self) -> Iterator[None]:
        self._start()
        heard = time.monotonic()
        while not self._progress.ended:
            time.sleep(_LOOK_EVERY_SECONDS)
            if self._read():
                heard = time.monotonic()
                yield
            else:
                self._check_silence(time.monotonic() - heard)

    def cases(self) -> tuple[Case, ...]:
        runtime = self._progress.runtime or _UNKNOWN
        return tuple(case.finished(runtime) for case in self._progress.cases)

    def runs(self) -> int:
        return self._progress.runs()

    def stop(self) -> None:
        self._phone.require(f"am force-stop {PACKAGE}; rm -f {shlex.quote(self._result)}", "stop the app")

    def _start(self) -> None:
        said = self._phone.shell(start_command(self._run_id, f"{self._folder.path}/{JOB}"))
        # am ends with 0 whatever happened, and says it in words.
        if said.status != 0 or "Error" in said.text or "Exception" in said.text:
            raise MeasurementError(
                f"{self._phone.serial}: expected the app to have the activity {ACTIVITY}, got "
                f"'{one_line(said.text)}'. Do: install the app that belongs to this edgebert."
            )

    def _read(self) -> int:
        """What landed since the last look."""
        command = f"tail -c +{self._progress.taken_bytes + 1} {shlex.quote(self._result)} 2>/dev/null"
        return self._progress.take(self._phone.shell(command).text)

    def _check_silence(self, seconds: float) -> None:
        limit = BEGIN_SECONDS if self._progress.runtime is None else SILENCE_SECONDS
        gone = self._progress.runtime is not None and self._phone.shell(f"pidof {PACKAGE}").status == _NO_PROCESS
        # It may have ended between the two looks.
        if gone and self._read():
            return
        if gone or seconds > limit:
            how = "one that ended without a word" if gone else f"{seconds:.0f} s without a word"
            raise MeasurementError(
                f"{self._phone.serial}: expected the app to {'go on' if self._progress.runtime else 'begin'}, got "
                f"{how}. Do: unlock the phone and leave it alone meanwhile; `adb logcat` may tell more."
            )
