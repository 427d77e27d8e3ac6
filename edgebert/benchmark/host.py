"""Measure on this machine: each worker is a process here."""

import time

from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.process import WorkerProcess
from edgebert.benchmark.rounds import Bench, Keep, Tell, measure_on
from edgebert.measurement import Record
from edgebert.progress import Report, silent

PLACE = "host"


def measure(plan: Plan, keep: Keep, tell: Tell, report: Report = silent) -> Record:
    """Run `plan` here and return the complete record; the callbacks are those of `measure_on`."""
    bench = Bench(
        place=PLACE,
        models=tuple(read_model_file(path) for path in plan.models),
        model_paths=tuple(str(path) for path in plan.models),
        start_worker=WorkerProcess,
        own_cpu_ns=time.process_time_ns,
    )
    return measure_on(bench, plan, keep, tell, report)
