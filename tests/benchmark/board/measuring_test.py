"""A measurement through the real client code, agent and workers; only `ssh` is a stand-in, which logs in here."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edgebert.benchmark import host
from edgebert.benchmark.board import agent, connection
from edgebert.benchmark.board.measuring import check_board, measure
from edgebert.benchmark.board.payloads import worker_payload
from edgebert.benchmark.board.refusals import ConnectionLostError
from edgebert.benchmark.board.target import Target
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.report import derived, report_on
from edgebert.benchmark.texts import builtin_texts
from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.measurement_file import from_json, to_json
from edgebert.progress import Progress
from tests.benchmark.board.conftest import StandIn
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.data.house_form import assert_house_form

BOARD = Target("pi@board")


def plan(*models: Path, **changes: object) -> Plan:
    quick = {"vocabulary": VOCABULARY, "runs": 10, "minimum_seconds": 0.0, "texts": builtin_texts(3)}
    return Plan(models=models or (DYNAMIC, FIXED), **{**quick, **changes})


def nothing(*_: object) -> None:
    """For callbacks whose calls do not matter."""


def workers(home: Path) -> list[int]:
    """The workers that run on the board, whoever started them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            ours = f"HOME={home}\0".encode() in (folder / "environ").read_bytes()
            if ours and b"edgebert.benchmark.worker" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
    return found


def wait_until_ended(home: Path) -> None:
    """They end by themselves, when their input does."""
    deadline = time.monotonic() + 20
    while workers(home):
        assert time.monotonic() < deadline, "workers stayed behind"
        time.sleep(0.05)


def during(round_number: int, act: Callable[[], None]) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        if progress.task.startswith("measure") and progress.done == round_number:
            act()

    return report


def test_the_record_is_the_hosts_but_for_the_place(board: None, home: Path) -> None:
    told: list[str] = []
    there = measure(BOARD, plan(), nothing, told.append)
    here = host.measure(plan(), nothing, nothing)
    assert (there.place, there.complete) == ("ssh", True)
    assert there.models == here.models and there.protocol == here.protocol and there.device == here.device
    for case, same in zip(there.cases, here.cases, strict=True):
        assert case.inputs == same.inputs
        assert (case.samples.rounds, case.samples.inputs) == (same.samples.rounds, same.samples.inputs)
        assert case.runtime == same.runtime and case.delegation == same.delegation
        assert case.memory.peak_bytes > 0
    assert there.conditions_after.own_cpu_ns > there.conditions_before.own_cpu_ns
    assert from_json(to_json(there), "record.json") == there
    assert told[0].startswith(
        "pi@board: sending edgebert's worker, tiny_dynamic_length.tflite, tiny_fixed_length.tflite"
    )
    wait_until_ended(home)


def test_a_second_run_sends_nothing(board: None, home: Path) -> None:
    measure(BOARD, plan(DYNAMIC), nothing, nothing)
    cache = home / ".cache/edgebert-board"
    before = sorted((path, path.stat().st_ino) for path in cache.glob("*/*"))
    told: list[str] = []
    progress: list[Progress] = []
    measure(BOARD, plan(DYNAMIC), nothing, told.append, progress.append)
    assert told == ["pi@board: everything is there already, nothing is sent"]
    assert not [one for one in progress if one.task.startswith("send")]
    assert sorted((path, path.stat().st_ino) for path in cache.glob("*/*")) == before


def test_one_file_under_two_names_is_sent_once(board: None, home: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes(DYNAMIC.read_bytes())
    record = measure(BOARD, plan(DYNAMIC, copy), nothing, nothing)
    assert [model.name for model in record.models] == [DYNAMIC.name, "copy.tflite"]
    assert len(list((home / ".cache/edgebert-board/models").iterdir())) == 1


def cut_after(login: str, count: Path, size: int, times: int = 1) -> str:
    """`ssh` whose connection ends after `size` bytes to the board, the first `times` that it is called."""
    cut = f'{login}\necho >> {count}\n[ $(wc -l < {count}) -gt {times} ] && exec sh -c "exec $command"\n'
    # Not head, which holds back what it has read.
    return f'{cut}dd bs=1 count={size} status=none | sh -c "$command"\nexit 255'


# Our program's; then what is sent.
PROGRAM_BYTES = len(Path(agent.__file__).read_bytes())
SENT_BYTES = worker_payload().size_bytes + DYNAMIC.stat().st_size + FIXED.stat().st_size
# Within the first question, in the middle of a model, and while the workers load.
SIZES = (PROGRAM_BYTES + 20, PROGRAM_BYTES + SENT_BYTES - 1000, PROGRAM_BYTES + SENT_BYTES + 3000)


@pytest.mark.parametrize("size", SIZES)
def test_a_connection_lost_before_the_first_sample_is_made_once_more(
    ssh: StandIn, login: str, tmp_path: Path, size: int
) -> None:
    ssh(cut_after(login, tmp_path / "count", size))
    told: list[str] = []
    assert measure(BOARD, plan(), nothing, told.append).complete
    (warning,) = [line for line in told if line.startswith("warning")]
    assert "pi@board: expected the connection to last, got silence (exit status 255)." in warning
    assert warning.endswith("No sample was lost, so it is tried once more now.")


def test_one_that_is_lost_again_is_an_error(ssh: StandIn, login: str, tmp_path: Path) -> None:
    ssh(cut_after(login, tmp_path / "count", SIZES[0], times=2))
    kept: list[Record] = []
    with pytest.raises(ConnectionLostError) as caught:
        measure(BOARD, plan(), kept.append, nothing)
    assert_house_form(str(caught.value))
    assert kept == [] and (tmp_path / "count").read_text() == "\n\n"


def test_one_that_is_lost_later_leaves_the_samples(ssh: StandIn, login: str, home: Path, tmp_path: Path) -> None:
    """And no second attempt: it would cost what was measured."""
    ssh(f'{login}\necho $$ >> {tmp_path}/processes\nexec sh -c "exec $command"')
    kept: list[Record] = []

    def pull_the_plug() -> None:
        (process,) = (tmp_path / "processes").read_text().split()
        os.kill(int(process), signal.SIGKILL)

    with pytest.raises(ConnectionLostError, match="expected the connection to last, got silence"):
        measure(BOARD, plan(runs=1000), kept.append, nothing, during(3, pull_the_plug))
    assert [len(case.samples) for case in kept[-1].cases] == [15, 15]
    assert kept[-1].incomplete_reason.startswith("the board: expected the connection to last")
    assert b"pi@board" not in to_json(kept[-1], derived(report_on(kept[-1])))
    assert len((tmp_path / "processes").read_text().split()) == 1
    wait_until_ended(home)


def test_a_worker_that_dies_is_told_from_a_lost_connection(board: None, home: Path) -> None:
    kept: list[Record] = []

    def kill_one() -> None:
        os.kill(workers(home)[0], signal.SIGSEGV)

    with pytest.raises(MeasurementError, match=r"on pi@board: expected .*got a dead process \(SIGSEGV\)") as caught:
        measure(BOARD, plan(runs=1000), kept.append, nothing, during(3, kill_one))
    assert_house_form(str(caught.value))
    assert all(len(case.samples) >= 15 for case in kept[-1].cases)
    wait_until_ended(home)


def test_an_interrupted_run_keeps_its_samples(board: None, home: Path) -> None:
    kept: list[Record] = []

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(BOARD, plan(runs=1000), kept.append, nothing, during(3, interrupt))
    assert [len(case.samples) for case in kept[-1].cases] == [15, 15]
    wait_until_ended(home)


def test_an_interruption_does_not_wait_for_the_answer(board: None, home: Path) -> None:
    """A worker that is stopped will never answer; the board's end kills it all the same."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def stop_one() -> None:
        os.kill(workers(home)[0], signal.SIGSTOP)
        signal.setitimer(signal.ITIMER_REAL, 0.3)

    kept: list[Record] = []
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            measure(BOARD, plan(runs=1000), kept.append, nothing, during(3, stop_one))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert all(len(case.samples) >= 15 for case in kept[-1].cases)
    wait_until_ended(home)


def test_cores_are_the_boards(board: None) -> None:
    assert measure(BOARD, plan(DYNAMIC, cores=(0,)), nothing, nothing).cases[0].affinity == (0,)
    with pytest.raises(MeasurementError, match=r"--cores: expected cores among .*, got 4096"):
        measure(BOARD, plan(cores=(4096,)), nothing, nothing)


def test_a_model_that_the_runtime_refuses_is_named_with_the_board(board: None, tmp_path: Path) -> None:
    with pytest.raises(
        MeasurementError, match=r"tiny_dynamic_length.tflite on pi@board: expected the runtime to alloc"
    ):
        measure(BOARD, plan(DYNAMIC, lengths=(600,)), nothing, nothing)


def test_a_board_whose_disk_is_full(board: None, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's own error, at the first byte that does not fit."""
    program = tmp_path / "agent.py"
    full = "\nos.fsync = lambda descriptor: (_ for _ in ()).throw(OSError(28, os.strerror(28)))\n"
    program.write_text(Path(agent.__file__).read_text().replace("\nif __name__", full + "\nif __name__"))
    monkeypatch.setattr(connection, "_AGENT", program)
    with pytest.raises(
        MeasurementError, match=r"expected room in ~/\.cache/edgebert-board, got 'No space left"
    ) as caught:
        measure(BOARD, plan(), nothing, nothing)
    assert_house_form(str(caught.value))


def test_a_board_with_too_little_room_is_refused_before_anything_is_sent(
    board: None, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "agent.py"
    text = Path(agent.__file__).read_text()
    program.write_text(text.replace("return shutil.disk_usage(folder).free", "return 50_000"))
    monkeypatch.setattr(connection, "_AGENT", program)
    with pytest.raises(MeasurementError, match=r"expected 0\.\d MB free for .*, got 0\.1 MB") as caught:
        measure(BOARD, plan(), nothing, nothing)
    assert_house_form(str(caught.value))
    assert list((home / ".cache").glob("*/*/*")) == []


def test_a_home_that_cannot_be_written_to(board: None, home: Path) -> None:
    (home / ".cache").touch()
    with pytest.raises(
        MeasurementError, match=r"expected to write into ~/\.cache/edgebert-board, got 'Not a dir"
    ) as caught:
        measure(BOARD, plan(), nothing, nothing)
    assert_house_form(str(caught.value))


FACTS: dict[str, Any] = {
    "system": "Linux",
    "machine": "aarch64",
    "bits": 64,
    "libc": ["glibc", "2.36"],
    "python_version": "3.11.2",
    "packages": {"ai-edge-litert": None, "numpy": None},
}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"bits": 32},
            "expected a 64-bit Python on aarch64 or x86_64 (LiteRT has no other wheels), got 32 bits on aarch64",
        ),
        ({"machine": "armv7l", "bits": 32}, "got 32 bits on armv7l"),
        ({"machine": "riscv64"}, "got 64 bits on riscv64"),
        ({"system": "Darwin"}, "expected Linux, got Darwin"),
        ({"libc": ["", ""]}, "expected a system with glibc (LiteRT's wheels need it), got another C library"),
    ],
)
def test_a_board_that_cannot_run_the_runtime_is_refused(changes: dict, named: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        check_board(BOARD, {**FACTS, **changes})
    assert named in str(caught.value)
    assert_house_form(str(caught.value))


def test_a_board_with_a_runtime_of_its_own_needs_no_wheels() -> None:
    """Whatever its processor and C library are: somebody built it for them."""
    own = {"ai-edge-litert": "2.3.9", "numpy": "2.2.0"}
    check_board(BOARD, {**FACTS, "machine": "riscv64", "libc": ["", ""], "packages": own})
    with pytest.raises(MeasurementError, match="riscv64"):
        check_board(BOARD, {**FACTS, "machine": "riscv64", "packages": {**own, "ai-edge-litert": "1.4.0"}})


def test_the_record_does_not_say_where_the_board_is(board: None) -> None:
    for written in (("--on", "ssh:pi@board"), ("--on=ssh:pi@board",)):
        command_line = ("edgebert", "benchmark", *written, "--runs", "10")
        record = measure(BOARD, plan(DYNAMIC, command_line=command_line), nothing, nothing)
        assert b"pi@board" not in to_json(record)
        assert " ".join(record.provenance.command_line).replace("=", " ") == "edgebert benchmark --on ssh --runs 10"
