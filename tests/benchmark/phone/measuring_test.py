"""Measured on a stand-in phone with the real adb client: from files to the record, and every way it can end."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.devices.checking import owner_problems
from edgebert.benchmark.phone import app
from edgebert.benchmark.phone.client import Adb
from edgebert.benchmark.phone.connection import Phone
from edgebert.benchmark.phone.measuring import measure_phone
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.report import latency_rows, ratio_rows, report_on
from edgebert.benchmark.texts import builtin_texts
from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.measurement_file import from_json, to_json
from edgebert.progress import Progress
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.benchmark.phone.stand_in import PROPERTIES, StandIn, tool_file
from tests.data.house_form import assert_house_form

Measure = Callable[..., Record]


class Run:
    """A measurement with all that it handed out on its way."""

    def __init__(self, adb: Adb, phone: StandIn) -> None:
        self._adb, self.phone = adb, phone
        self.kept: list[Record] = []
        self.told: list[str] = []

    def measure(
        self, *models: Path, tool: Path | None = None, at_round: dict[int, Callable] | None = None, **changes: object
    ) -> Record:
        """`at_round` names what happens as soon as so many rounds are done."""
        quick = {"vocabulary": VOCABULARY, "runs": 20, "minimum_seconds": 0.0, "texts": builtin_texts(5)}
        plan = Plan(models=models or (DYNAMIC,), **{**quick, **changes})
        waiting = dict(at_round or {})

        def report(progress: Progress) -> None:
            for done in [done for done in waiting if progress.task.startswith("measure") and progress.done >= done]:
                waiting.pop(done)()

        return measure_phone(
            plan, Phone(self._adb, self.phone.serial), tool, self.kept.append, self.told.append, report
        )

    def refused(self, *models: Path, **changes: object) -> str:
        with pytest.raises(MeasurementError) as caught:
            self.measure(*models, **changes)
        message = str(caught.value)
        assert_house_form(message)
        return message

    def last_kept(self) -> Record:
        """The unfinished record: it comes back from its file, has samples, and does not name the phone."""
        record = self.kept[-1]
        assert not record.complete and sum(len(case.samples) for case in record.cases)
        assert self.phone.serial not in to_json(record).decode()
        assert from_json(to_json(record), "record.json") == record
        return record


@pytest.fixture
def run(adb: Adb, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(app, "_LOOK_EVERY_SECONDS", 0.1)
    return Run(adb, stand_in)


def interrupt() -> None:
    raise KeyboardInterrupt


def test_two_models_in_the_app(run: Run) -> None:
    record = run.measure(DYNAMIC, FIXED, command_line=("/home/owner/bin/edgebert", "--on", f"adb:{run.phone.serial}"))
    assert (record.place, record.complete, record.protocol.rounds_done) == ("adb", True, 4)
    assert from_json(to_json(record), "record.json") == record
    first, second = record.cases
    assert (first.samples.rounds, first.samples.inputs) == (second.samples.rounds, second.samples.inputs)
    assert Counter(first.samples.inputs) == dict.fromkeys(range(5), 4)
    for case in record.cases:
        assert (case.runtime.name, case.runtime.version, case.runtime.delegate) == ("LiteRT", "1.4.0", "XNNPACK")
        assert min(case.samples.values["wall_ns"]) > 0 and min(case.load.open_ns, case.load.first_run_ns) > 0
        assert Counter(case.warmup.rounds)[-1] >= 3 * 5 and {0, 1, 2, 3} < {*case.warmup.rounds}
        assert 0 < case.delegation.delegated_nodes < case.delegation.nodes
    assert any(first.samples.values["resize_wall_ns"]) and not any(second.samples.values["resize_wall_ns"])
    # Nothing of the owner, nothing on the phone.
    assert owner_problems(record) == []
    written = to_json(record).decode()
    assert record.provenance.command_line == ("edgebert", "--on", "adb")
    assert run.phone.serial not in written and PROPERTIES["ro.serialno"] not in written
    assert run.phone.files_left() == [] and not any("ro.serialno" in command for command in run.phone.commands)


@pytest.mark.long
def test_a_second_run_on_the_same_phone_is_refused_and_costs_the_first_nothing(run: Run, adb: Adb) -> None:
    other = Run(adb, run.phone)
    refusals: list[str] = []
    record = run.measure(at_round={1: lambda: refusals.append(other.refused())})
    assert refusals == [
        f"{run.phone.serial}: expected a phone that nobody else measures, got one where another edgebert does. "
        "Do: wait until it has ended, then run the command again."
    ]
    assert record.complete and other.kept == [] and other.told == []
    assert other.measure().complete


def test_unplugged_in_the_middle(run: Run) -> None:
    run.phone.app_does("is slow")
    message = run.refused(runs=1000, at_round={3: run.phone.unplug})
    assert message.startswith(f"{run.phone.serial}: expected the phone to stay connected, got a phone that ")
    assert len(run.last_kept().cases[0].samples) >= 15
    assert "the phone to stay connected" in run.last_kept().incomplete_reason
    (warning,) = [line for line in run.told if line.startswith("warning")]
    assert "stays on the phone" in warning and run.phone.files_left() != []


def test_the_tool_tells_every_run_of_two(run: Run, tmp_path: Path) -> None:
    tool = tool_file(tmp_path / "benchmark_model", "2025")
    record = run.measure(DYNAMIC, FIXED, tool=tool, runs=4, cores=(6, 4))
    assert from_json(to_json(record), "record.json") == record
    assert (record.protocol.block_runs, record.protocol.rounds_done) == (2, 2)
    for case in record.cases:
        assert case.samples.rounds == case.samples.inputs == (0, 0, 1, 1)
        assert set(case.samples.values) == {"wall_ns"}
        assert (case.affinity, case.runtime.name, case.runtime.delegate) == ((4, 6), "benchmark_model", "XNNPACK")
        for told in case.tool_statistics:
            runs = [
                wall_ns
                for number, wall_ns in zip(case.samples.rounds, case.samples.values["wall_ns"], strict=True)
                if number == told.round
            ]
            assert (told.runs, told.minimum_ns, told.maximum_ns) == (2, min(runs), max(runs))
            assert told.warmup_runs == 3 and told.initialization_ns == 5_579_000 and told.median_ns in runs
            assert (told.loaded_growth_bytes, told.overall_growth_bytes) == (6_672_383, 115_167_199)
    # Cores 4 and 6.
    assert (run.phone.root / "state/taskset").read_text() == "50\n"
    assert run.phone.files_left() == []
    report = report_on(record)
    assert len(latency_rows(report)[1]) == 2 and len(ratio_rows(report)[1]) == 1


@pytest.mark.long
def test_what_stayed_is_removed_by_the_next_run(run: Run, adb: Adb) -> None:
    run.phone.app_does("is slow")
    run.refused(runs=1000, at_round={1: run.phone.unplug})
    assert run.phone.files_left() != []
    run.phone.app_does("")
    run.phone.plug_in()
    adb.ask("disconnect", run.phone.serial, seconds=20)
    adb.ask("connect", run.phone.serial, seconds=20)
    assert run.measure().complete
    assert run.told[-1] == "note: removed what an earlier run had left on the phone"
    assert run.phone.files_left() == []


@pytest.mark.long
def test_seconds_that_are_asked_for_take_more_rounds(run: Run) -> None:
    record = run.measure(minimum_seconds=0.05)
    assert record.protocol.rounds_done > 4
    case = record.cases[0]
    settling = Counter(case.warmup.rounds)[-1]
    spent_ns = sum(sum(case.samples.values[metric]) for metric in ("wall_ns", "resize_wall_ns"))
    spent_ns += sum(sum(case.warmup.values[metric][settling:]) for metric in ("wall_ns", "resize_wall_ns"))
    assert spent_ns >= 0.05e9


@pytest.mark.long
def test_an_interruption_keeps_what_is_finished_and_cleans_up(run: Run) -> None:
    run.phone.app_does("is slow")
    with pytest.raises(KeyboardInterrupt):
        run.measure(runs=1000, at_round={2: interrupt})
    assert run.last_kept().incomplete_reason == "interrupted"
    assert run.phone.files_left() == [] and run.told == []
    # The app is stopped, not left behind; the kernel takes a moment to end it.
    until = time.monotonic() + 10
    while run.phone.run("pidof dev.edgebert.demo")[0] == 0 and time.monotonic() < until:
        time.sleep(0.05)
    assert run.phone.run("pidof dev.edgebert.demo")[0] != 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("dies", "expected the app to go on, got one that ended without a word"),
        ("refuses", "expected the phone's runtime to run the model, got 'runtime: Node number 57 (BATCH_MATMUL)"),
    ],
)
def test_an_app_that_fails_after_two_rounds(run: Run, what: str, expected: str) -> None:
    run.phone.app_does(what)
    assert expected in run.refused(runs=1000)
    assert len(run.last_kept().cases[0].samples) == 10
    assert run.phone.files_left() == []


@pytest.mark.long
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("never begins", "expected the app to begin, got "),
        ("knows contract 2", "expected one that knows contract 1, got one that knows 2. Do: install the app"),
        ("writes nonsense", "expected lines as contract 1 has them, got '{"),
    ],
)
def test_an_app_that_fails_before(run: Run, what: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "BEGIN_SECONDS", 2.0)
    run.phone.app_does(what)
    assert expected in run.refused()
    assert run.kept == [] and run.phone.files_left() == []


@pytest.mark.long
def test_a_phone_without_the_app(run: Run) -> None:
    run.phone.remove_app()
    message = run.refused()
    assert "expected the app dev.edgebert.demo on the phone, got none. Do: measure with TFLite's tool by" in message
    run.phone.install_app()
    (run.phone.root / "state/no_activity").touch()
    assert "expected the app to have the activity dev.edgebert.demo/.BenchmarkActivity, got '" in run.refused()
    assert run.phone.files_left() == []


@pytest.mark.long
def test_a_full_phone(run: Run) -> None:
    run.phone.set_free_kib(100)
    assert "MB free below /data/local/tmp, got 0.1 MB. Do: make room on the phone." in run.refused()
    # One whose df did not tell in time.
    run.phone.set_free_kib(94_000_000)
    run.phone.fails_to_store = "write failed: No space left on device"
    message = run.refused()
    assert "got 'No space left on device' for tiny_dynamic_length.tflite. Do: make room on the phone." in message
    run.phone.fails_to_store = "couldn't create file: Permission denied"
    assert "expected the phone to take tiny_dynamic_length.tflite, got '" in run.refused()
    assert run.phone.files_left() == []


@pytest.mark.long
def test_a_hot_phone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.phone.set_thermal_status(3)
    expected = "expected a phone that is not slowed for heat, got thermal status 'severe'. Do: let it cool"
    assert expected in run.refused() and run.kept == []
    run.phone.set_thermal_status(1)
    record = run.measure()
    assert run.told == ["warning: the phone slows itself for heat (status 'light')"]
    assert (record.conditions_before.thermal_status, record.conditions_after.thermal_status) == ("light", "light")
    assert "slowed itself for heat" in report_on(record).verdicts[0].words
    run.phone.set_thermal_status(0)
    run.phone.app_does("is slow")
    monkeypatch.setattr("edgebert.benchmark.phone.measuring._LOOK_AT_HEAT_EVERY_SECONDS", 0.2)
    assert "'moderate'" in run.refused(runs=1000, at_round={2: lambda: run.phone.set_thermal_status(2)})
    assert "slowed for heat" in run.last_kept().incomplete_reason
    assert run.phone.files_left() == []


@pytest.mark.long
def test_a_phone_that_tells_no_cpu_time(run: Run) -> None:
    run.phone.app_does("tells no CPU time")
    record = run.measure(DYNAMIC, FIXED)
    assert set(record.cases[0].samples.values) == {"wall_ns", "resize_wall_ns"}
    header, rows = latency_rows(report_on(record))
    assert [row[header.index("CPU ms")] for row in rows] == ["-", "-"]


@pytest.mark.long
@pytest.mark.parametrize(("cores", "expected"), [((0,), "expected none with the app")])
def test_cores_with_the_app(run: Run, cores: tuple[int, ...], expected: str) -> None:
    assert expected in run.refused(cores=cores)


@pytest.mark.long
def test_cores_that_the_phone_has_not(run: Run, tmp_path: Path) -> None:
    tool = tool_file(tmp_path / "benchmark_model", "2025")
    message = run.refused(tool=tool, cores=(9,))
    assert "expected cores among the phone's 0, 1, 2, 3, 4, 5, 6, 7, got 9." in message
    run.measure(tool=tool, runs=2, threads=(16,))
    assert run.told == ["warning: 16 threads on 8 cores will wait for each other"]


@pytest.mark.long
def test_an_old_tool_and_one_that_keeps_its_runs_to_itself(run: Run, tmp_path: Path) -> None:
    old = run.measure(DYNAMIC, FIXED, tool=tool_file(tmp_path / "old", "2020"), runs=4)
    assert [len(case.samples) for case in old.cases] == [4, 4]
    assert all(told.median_ns is None for told in old.cases[0].tool_statistics)
    many = run.measure(tool=tool_file(tmp_path / "many", "many"), runs=4)
    (case,) = many.cases
    assert len(case.samples) == 0 and [told.runs for told in case.tool_statistics] == [10, 10]
    assert from_json(to_json(many), "record.json") == many


@pytest.mark.long
@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("2019", "expected a benchmark_model that reads --input_layer_value_files, got one that passes over it"),
        ("refuses", "to run the model, got 'Didn't find op for builtin opcode 'FULLY_CONNECTED' version '12'"),
        ("crashes", "to run the model, got 'signal 11: "),
    ],
)
def test_a_tool_that_fails(run: Run, tmp_path: Path, version: str, expected: str) -> None:
    assert expected in run.refused(tool=tool_file(tmp_path / "benchmark_model", version))
    assert run.kept == [] and run.phone.files_left() == []


@pytest.mark.long
def test_a_tool_for_another_processor(run: Run, tmp_path: Path) -> None:
    wrong = tmp_path / "benchmark_model"
    wrong.write_bytes(b"\x7fELF of no machine")
    message = run.refused(tool=wrong)
    assert "--benchmark-model: expected a benchmark_model that starts on the phone, got '" in message


@pytest.mark.long
def test_unplugged_under_the_tool(run: Run, tmp_path: Path) -> None:
    tool = tool_file(tmp_path / "benchmark_model", "2025")
    message = run.refused(tool=tool, runs=1000, at_round={2: run.phone.unplug})
    assert "to stay connected" in message
    assert len(run.last_kept().cases[0].samples) == 4


@pytest.mark.long
def test_an_interruption_between_two_processes_of_the_tool(run: Run, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        run.measure(tool=tool_file(tmp_path / "tool", "2025"), runs=10_000, at_round={1: interrupt})
    assert len(run.last_kept().cases[0].samples) == 2 and run.phone.files_left() == []


@pytest.mark.long
def test_the_tool_is_stopped_when_we_are(run: Run, tmp_path: Path) -> None:
    numbers: list[int] = []

    def stop_us_once_it_runs() -> None:
        while not (found := list((run.phone.root / "data/local/tmp").rglob("pid"))) or not found[0].read_text():
            time.sleep(0.05)
        numbers.append(int(found[0].read_text()))
        # To this thread by name: as a signal to the process it may be taken by another one, and wakes nobody.
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def before(command: str) -> None:
        if "exec " in command:
            threading.Thread(target=stop_us_once_it_runs, daemon=True).start()

    run.phone.before_command = before
    with pytest.raises(KeyboardInterrupt):
        run.measure(tool=tool_file(tmp_path / "tool", "sleeps"), runs=10_000)
    assert run.phone.files_left() == []
    until = time.monotonic() + 10
    while is_running(numbers[0]) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(numbers[0])


def is_running(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
