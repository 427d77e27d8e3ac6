"""One measurement of all files, in turns, so that whatever slows the machine slows all of them."""

import sys
from pathlib import Path
from typing import Any

from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import SHORTEST, Plan
from edgebert.benchmark.report import derived, report_on
from edgebert.benchmark.texts import Texts
from edgebert.errors import MeasurementError
from edgebert.files import write_atomically
from edgebert.measurement import Record
from edgebert.measurement_file import read_record, to_json
from edgebert.pipeline.reading import spread_texts
from edgebert.pipeline.request import Request, names_of
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


def check_measurement(request: Request) -> None:
    """That the files, which are not there yet, can be measured as was asked for."""
    lengths, fixed = request.config.benchmark.lengths, request.config.convert.length
    students = (request.future_distillation.student,) if request.config.has_student else ()
    longest = min(encoder.maximum_length for encoder in (request.checkpoint.encoder, *students))
    possible = range(SHORTEST, longest + 1) if fixed is None else (fixed,)
    if len(set(lengths)) != len(lengths) or not set(lengths) <= set(possible):
        expected = f"{SHORTEST} to {longest} tokens" if fixed is None else f"the files' own {fixed} tokens"
        raise MeasurementError(
            f"--bench-length: expected {expected}, each length once, got {', '.join(map(str, lengths))}. "
            "Do: correct it, or leave it out."
        )
    # The rest is refused by the plan itself.
    measuring_plan(request, {name: Path(name) for name in names_of(request.exports)})


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
