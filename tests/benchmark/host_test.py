"""A measurement on this machine, from files to the record; no figure is asserted, only what must hold of all."""

import contextlib
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from edgebert.benchmark.host import measure
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.running import METRICS
from edgebert.benchmark.texts import builtin_texts
from edgebert.errors import ArtefactError, MeasurementError
from edgebert.export.flatbuffer import read_model
from edgebert.measurement import Record
from edgebert.measurement_file import from_json, to_json
from edgebert.progress import Progress
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY, WITHOUT_SEGMENTS
from tests.data.house_form import assert_house_form


def plan(*models: Path, **changes: object) -> Plan:
    quick = {"vocabulary": VOCABULARY, "runs": 20, "minimum_seconds": 0.0, "texts": builtin_texts(5)}
    return Plan(models=models or (DYNAMIC,), **{**quick, **changes})


def nothing(*_: object) -> None:
    """For callbacks whose calls do not matter."""


def workers() -> list[int]:
    """The numbers of this process's own workers that are still there."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            parent = int(status.read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"edgebert.benchmark.worker" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


@pytest.fixture(scope="module")
def record() -> Record:
    return measure(plan(DYNAMIC, FIXED, WITHOUT_SEGMENTS, threads=(1, 2)), nothing, nothing)


def test_every_model_has_a_case_with_every_number_of_threads(record: Record) -> None:
    assert [(case.model, case.threads) for case in record.cases] == [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2)]
    assert [model.name for model in record.models] == [path.name for path in (DYNAMIC, FIXED, WITHOUT_SEGMENTS)]
    assert record.complete and record.place == "host"


def test_the_record_survives_its_file(record: Record) -> None:
    assert from_json(to_json(record), "record.json") == record


def test_every_case_ran_the_same_inputs_in_the_same_rounds(record: Record) -> None:
    first = record.cases[0].samples
    assert len(first) >= 20
    for case in record.cases:
        assert (case.samples.rounds, case.samples.inputs) == (first.rounds, first.inputs)
        assert set(case.samples.values) == set(METRICS)
        assert all(value > 0 for metric in METRICS[:2] for value in case.samples.values[metric])
    assert set(Counter(first.inputs).values()) == {4}


def test_lengths_are_the_texts_or_the_models(record: Record) -> None:
    assert len(set(record.cases[0].inputs.lengths)) > 1
    assert set(record.cases[1].inputs.lengths) == {32}
    assert set(record.cases[2].inputs.lengths) == {16}
    assert any(record.cases[0].samples.values["resize_wall_ns"])
    assert not any(record.cases[1].samples.values["resize_wall_ns"])


def test_warm_up_runs_are_kept_apart(record: Record) -> None:
    for case in record.cases:
        assert Counter(case.warmup.rounds)[-1] >= 3 * 5
        assert [number for number in case.warmup.rounds if number >= 0] == sorted(set(case.samples.rounds))


def test_what_surrounds_the_samples_is_known(record: Record) -> None:
    for case in record.cases:
        assert case.runtime.name == "LiteRT" and case.runtime.delegate == "XNNPACK"
        assert 0 < case.delegation.delegated_nodes < case.delegation.nodes
        assert min(case.load.open_ns, case.load.allocate_ns, case.load.first_run_ns) > 0
        assert case.memory.peak_bytes >= case.memory.after_load_bytes > case.memory.before_load_bytes
        assert set(case.affinity) == os.sched_getaffinity(0)
    before, after = record.conditions_before, record.conditions_after
    assert after.own_cpu_ns > before.own_cpu_ns and after.at_utc > before.at_utc


def test_lengths_that_are_asked_for() -> None:
    lengths = measure(plan(lengths=(8, 16)), nothing, nothing)
    assert [set(case.inputs.lengths) for case in lengths.cases] == [{8}, {16}]
    assert not any(lengths.cases[1].samples.values["resize_wall_ns"])


def test_a_core_that_is_asked_for_and_synthetic_ids() -> None:
    pinned = measure(plan(cores=(0,), synthetic_ids=True, lengths=(16,), vocabulary=None), nothing, nothing)
    assert pinned.cases[0].affinity == (0,)
    assert pinned.cases[0].inputs.kind == "synthetic"


def test_seconds_that_are_asked_for_take_more_rounds_than_the_runs() -> None:
    longer = measure(plan(minimum_seconds=0.05), nothing, nothing)
    case = longer.cases[0]
    blocks = [case.samples.values[metric] for metric in ("wall_ns", "resize_wall_ns")]
    first = case.warmup.rounds.count(-1)
    blocks += [case.warmup.values[metric][first:] for metric in ("wall_ns", "resize_wall_ns")]
    assert sum(map(sum, blocks)) >= 0.05e9
    assert longer.protocol.rounds_done > 4


def test_an_interrupted_run_hands_over_what_is_finished() -> None:
    kept: list[Record] = []

    def interrupt(progress: Progress) -> None:
        if progress.task.startswith("measure") and progress.done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(plan(DYNAMIC, FIXED, runs=1000), kept.append, nothing, interrupt)
    (unfinished,) = kept
    assert (unfinished.complete, unfinished.incomplete_reason) == (False, "interrupted")
    assert [len(case.samples) for case in unfinished.cases] == [15, 15]
    assert from_json(to_json(unfinished), "record.json") == unfinished
    assert workers() == []


def test_an_interruption_before_the_first_run_hands_over_nothing() -> None:
    def interrupt(progress: Progress) -> None:
        if progress.task == "warm up":
            raise KeyboardInterrupt

    kept: list[Record] = []
    with pytest.raises(KeyboardInterrupt):
        measure(plan(), kept.append, nothing, interrupt)
    assert (kept, workers()) == ([], [])


def test_a_worker_that_dies_leaves_the_samples_of_all() -> None:
    kept: list[Record] = []

    def kill_one(progress: Progress) -> None:
        if progress.task.startswith("measure") and progress.done == 3:
            os.kill(workers()[0], signal.SIGSEGV)

    with pytest.raises(MeasurementError, match=r"got a dead process \(SIGSEGV\)"):
        measure(plan(DYNAMIC, FIXED, runs=1000), kept.append, nothing, kill_one)
    assert all(len(case.samples) >= 15 for case in kept[0].cases)
    assert "SIGSEGV" in kept[0].incomplete_reason
    assert workers() == []


def test_more_threads_than_cores_are_remarked_on() -> None:
    told: list[str] = []
    measure(plan(cores=(0,), threads=(2,)), nothing, told.append)
    assert told == ["warning: 2 threads on 1 core will wait for each other"]


@pytest.mark.parametrize(("cores", "got"), [((4096,), "4096"), ((), "none")])
def test_cores_that_are_not_there_are_refused(cores: tuple[int, ...], got: str) -> None:
    """By the worker, which knows the cores of the machine that it runs on."""
    allowed = ", ".join(map(str, sorted(os.sched_getaffinity(0))))
    with pytest.raises(MeasurementError) as caught:
        measure(plan(cores=cores), nothing, nothing)
    assert str(caught.value) == f"--cores: expected cores among {allowed}, got {got}. Do: choose from these."
    assert workers() == []


def cut(path: Path, tmp_path: Path, size: int) -> Path:
    shorter = tmp_path / "cut.tflite"
    shorter.write_bytes(path.read_bytes()[:size])
    return shorter


@pytest.mark.parametrize("size", [0, 7, 8, 100, 30_000, 58_000])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, size: int) -> None:
    """In the words of `edgebert inspect`, whatever the runtime would say."""
    shorter = cut(DYNAMIC, tmp_path, size)
    with pytest.raises(ArtefactError) as caught:
        measure(plan(shorter), nothing, nothing)
    with pytest.raises(ArtefactError) as inspected:
        read_model(shorter)
    assert str(caught.value) == str(inspected.value)
    assert str(caught.value).count("cut.tflite: expected ") == 1
    assert_house_form(str(caught.value))
    assert workers() == []


@pytest.mark.parametrize("kind", ["endless device", "pipe", "folder"])
def test_what_is_no_regular_file_is_refused_and_never_read(tmp_path: Path, kind: str) -> None:
    """In a process of its own: read to its end, /dev/zero has none, and a pipe waits for a writer."""
    path = {"endless device": Path("/dev/zero"), "pipe": tmp_path / "pipe.tflite", "folder": tmp_path}[kind]
    if kind == "pipe":
        os.mkfifo(path)
    command = [sys.executable, "-m", "edgebert.cli", "benchmark", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr == (
        f"edgebert benchmark: {path}: expected a .tflite file, got something else. Do: name a regular file.\n"
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"threads": (0,)}, "--threads: expected 1 or more, got 0"),
        ({"threads": (1, 2**31)}, "--threads: expected 1024 or fewer, got 2147483648"),
        ({"threads": (1, 1)}, "--threads: expected each value once"),
        ({"lengths": (2,)}, "--length: expected 3 or more, got 2"),
        ({"runs": 0}, "--runs: expected 1 or more, got 0"),
        ({"minimum_seconds": -1.0}, "--min-seconds: expected zero or more"),
        ({"minimum_seconds": float("nan")}, "--min-seconds: expected zero or more"),
        ({"models": ()}, "models: expected at least one"),
    ],
)
def test_an_impossible_plan_is_refused(changes: dict, named: str) -> None:
    values = {"models": (DYNAMIC,), "texts": builtin_texts(5), **changes}
    with pytest.raises(MeasurementError) as caught:
        Plan(**values)
    assert named in str(caught.value)
    assert_house_form(str(caught.value))
