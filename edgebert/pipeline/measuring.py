"""One measurement of all files, in turns, so that whatever slows the machine slows all of them."""

import sys
from pathlib import Path
from typing import Any

from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.report import derived, report_on
from edgebert.benchmark.texts import Texts
from edgebert.files import write_atomically
from edgebert.measurement import Record
from edgebert.measurement_file import read_record, to_json
from edgebert.pipeline.reading import spread_texts
from edgebert.pipeline.request import Request
from edgebert.pipeline.scoring import hashes_of
from edgebert.pipeline.stages import BENCHMARK
from edgebert.progress import Progress, Report
from edgebert.run_directory import RunDirectory

RECORD = "record.json"


def measuring_plan(request: Request, files: dict[str, Path]) -> Plan:
    config, dev = request.config.benchmark, request.dev
    return Plan(
        models=tuple(files.values()),
        texts=Texts(spread_texts(dev, config.texts), Path(dev.source).name, dev.sha256, len(dev)),
        threads=config.threads,
        lengths=config.lengths,
        runs=config.runs,
        seed=request.config.seed,
        command_line=tuple(sys.argv),
    )


def measurement_inputs(request: Request, files: dict[str, Path]) -> dict[str, Any]:
    config = request.config.benchmark
    return {
        "files": hashes_of(files),
        "texts": spread_texts(request.dev, config.texts),
        "threads": config.threads,
        "lengths": config.lengths,
        "runs": config.runs,
        "seed": request.config.seed,
    }


def measure_files(run: RunDirectory, request: Request, files: dict[str, Path], report: Report) -> Record:
    stage = run.stage(BENCHMARK, measurement_inputs(request, files))
    path = stage.folder / RECORD
    if not stage.finished:

        def keep(record: Record) -> None:
            write_atomically(path, to_json(record, derived(report_on(record))))

        tell = _Remarks(report)
        keep(measure(measuring_plan(request, files), keep, tell, report))
        stage.finish({"record": RECORD, "remarks": tell.heard})
    return read_record(path)


class _Remarks:
    """What the measurement says to the person who waits, as progress, and kept."""

    def __init__(self, report: Report):
        self.heard: list[str] = []
        self._report = report

    def __call__(self, remark: str) -> None:
        self.heard.append(remark)
        self._report(Progress(BENCHMARK, 0, 1, remark))
