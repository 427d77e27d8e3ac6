"""Times are only put beside each other where they were taken alike; the error names what differs."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.comparing import check_measurements
from edgebert.report.measurements import Taken
from edgebert.report.model import Run
from tests.benchmark.records import make_case, make_record, make_samples
from tests.report.runs import make_run

RUNS = tuple(Run(name, None, None, (), None, None, None, None, ()) for name in ("first", "second"))


def cases_changed(record: Record, **changes) -> Record:
    return dataclasses.replace(record, cases=tuple(dataclasses.replace(case, **changes) for case in record.cases))


def part_changed(record: Record, part: str, **changes) -> Record:
    return cases_changed(record, **{part: dataclasses.replace(getattr(record.cases[0], part), **changes)})


def device_changed(record: Record, **changes) -> Record:
    return dataclasses.replace(record, device=dataclasses.replace(record.device, **changes))


def check(first: Record, second: Record) -> None:
    check_measurements([Taken(number, number, record) for number, record in enumerate((first, second))], RUNS)


def test_records_under_the_same_conditions_compare() -> None:
    """Whatever the times, the files and the moment are."""
    first = make_record()
    second = make_record(
        make_case(make_samples([5e6] * 30)),
        models=("other.tflite",),
        provenance=dataclasses.replace(first.provenance, started_at_utc="2027-01-01T00:00:00.000Z"),
    )
    check(first, second)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda record: device_changed(record, name="Raspberry Pi 5"), "device: Raspberry Pi 4.* and Raspberry Pi 5"),
        (lambda record: device_changed(record, kernel="6.6"), r"kernel: 6\.1\.21-v8\+ and 6\.6"),
        (lambda record: device_changed(record, cpu_features=("asimd", "i8mm")), "CPU features: asimd and asimd, i8mm"),
        (
            lambda record: part_changed(record, "runtime", version="2.4.0"),
            r"runtime: LiteRT 2\.3\.0 and LiteRT 2\.4\.0",
        ),
        (
            lambda record: part_changed(record, "runtime", delegate=None),
            "delegate: XNNPACK and unknown",
        ),
        (lambda record: cases_changed(record, affinity=(0,)), "allowed cores: 0, 1 and 0"),
        (lambda record: cases_changed(record, threads=4), "no number of threads and length in common"),
        (
            lambda record: part_changed(record, "inputs", vocabulary_sha256="7" * 64, source_sha256="9" * 64),
            "inputs: 1 texts of 111111111111 and 1 texts of 999999999999",
        ),
        (
            lambda record: part_changed(record, "inputs", sha256="9" * 64),
            "inputs: texts 333333333333 and texts 999999999999",
        ),
        (lambda record: dataclasses.replace(record, place="board"), "place: host and board"),
    ],
)
def test_a_difference_is_named(change: Callable[[Record], Record], named: str) -> None:
    first = make_record()
    with pytest.raises(MeasurementError, match=named) as caught:
        check(first, change(first))
    assert "first (" in str(caught.value) and "second (" in str(caught.value)
    assert "Do: " in str(caught.value)


def test_another_vocabulary_makes_other_tokens_of_the_same_texts() -> None:
    first = make_record()
    check(first, part_changed(first, "inputs", vocabulary_sha256="7" * 64, sha256="8" * 64))


def test_runs_measured_elsewhere_are_refused_but_for_their_times(run_folder: Path, tmp_path: Path) -> None:
    device = dataclasses.replace(make_record().device, name="another board")
    other = make_run(tmp_path / "other", record={"device": device})
    with pytest.raises(MeasurementError, match=r"device: Raspberry Pi 4 Model B Rev 1\.5 and another board"):
        collect(ReportRequest((run_folder, other)))
    report = collect(ReportRequest((run_folder, other), without_measurements=True))
    assert all(not row.latencies for row in report.rows)
    assert report.notes == ("Latency and memory were left out on request.",)


def test_scores_on_other_data_are_refused(run_folder: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", dev_sha256="e" * 64)
    with pytest.raises(MeasurementError, match="tiny and other: expected scores on the same dev data"):
        collect(ReportRequest((run_folder, other), without_measurements=True))
