"""The command with phones: what is printed, what is written, and what it ends with."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.measurement_file import read_record
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.benchmark.phone.stand_in import StandIn, tool_file
from tests.data.house_form import assert_house_form

QUICK = ("--runs", "10", "--min-seconds", "0", "--texts", "5", "--vocab", str(VOCABULARY))


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "edgebert.cli", "benchmark", *map(str, arguments)]


def run(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(command(*arguments), capture_output=True, text=True, timeout=120)


def refusal(ran: subprocess.CompletedProcess) -> str:
    assert ran.returncode == 2, ran.stderr
    message = ran.stderr.splitlines()[-1].removeprefix("edgebert benchmark: ")
    assert_house_form(message)
    return message


@pytest.mark.long
def test_a_phone(stand_in: StandIn, tmp_path: Path) -> None:
    target = tmp_path / "phone.json"
    ran = run(DYNAMIC, FIXED, *QUICK, "--on", "adb", "--json", target)
    assert ran.returncode == 0, ran.stderr
    assert "tiny_fixed_length.tflite" in ran.stdout and "median ms" in ran.stdout
    record = read_record(target)
    assert (record.place, record.complete, len(record.cases[0].samples)) == ("adb", True, 10)
    assert stand_in.serial not in target.read_text() and str(tmp_path) not in target.read_text()
    shown = run("--show", target)
    assert (shown.returncode, shown.stdout) == (0, ran.stdout)


@pytest.mark.long
def test_all_phones_one_of_which_fails(plug_in: Callable[..., StandIn], tmp_path: Path) -> None:
    first, second = plug_in(), plug_in()
    second.set_thermal_status(4)
    place = f"adb:{first.serial},{second.serial}"
    ran = run(DYNAMIC, *QUICK, "--on", place, "--json", tmp_path / "phones.json")
    assert refusal(ran).startswith(f"{second.serial}: expected a phone that is not slowed for heat, got thermal status")
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["phones-1.json"]
    assert read_record(tmp_path / "phones-1.json").complete
    second.set_thermal_status(0)
    ran = run(DYNAMIC, *QUICK, "--on", "adb:all", "--json", tmp_path / "phones.json")
    assert ran.returncode == 0, ran.stderr
    assert [read_record(tmp_path / f"phones-{number}.json").complete for number in (1, 2)] == [True, True]
    assert ran.stdout.count("median ms") == 2
    message = refusal(run(DYNAMIC, *QUICK, "--on", "adb:all", "--json", "-"))
    assert "expected a file for the records of several machines, got -" in message
    assert f"{first.serial}" in refusal(run(DYNAMIC, *QUICK, "--on", "adb"))


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_stopped(stand_in: StandIn, tmp_path: Path, number: int) -> None:
    """It writes what is finished, and leaves nothing on the phone."""
    stand_in.app_does("is slow")
    target = tmp_path / "phone.json"
    arguments = ("--runs", "100000", *QUICK[2:], "--on", "adb", "--json", target)
    running = subprocess.Popen(command(DYNAMIC, *arguments), stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    until = time.monotonic() + 60
    while sum("tail" in command for command in stand_in.commands) < 4 and time.monotonic() < until:
        time.sleep(0.1)
    os.kill(running.pid, number)
    running.communicate(timeout=60)
    assert running.returncode not in (0, 2)
    record = read_record(target)
    assert (record.complete, record.incomplete_reason) == (False, "interrupted")
    assert len(record.cases[0].samples) and stand_in.files_left() == []


@pytest.mark.long
def test_the_tools_own_statistics_are_shown(stand_in: StandIn, tmp_path: Path) -> None:
    tool = tool_file(tmp_path / "benchmark_model", "many")
    arguments = ("--on", f"adb:{stand_in.serial}", "--benchmark-model", tool)
    ran = run(DYNAMIC, "--runs", "4", *QUICK[2:], *arguments)
    assert ran.returncode == 0, ran.stderr
    assert "mean ms" in ran.stdout and "of 20 runs the tool told statistics and no run's own time" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--benchmark-model", "x"), "--benchmark-model: expected --on adb with it, got --on host."),
        (("--on", "adb", "--benchmark-model", "/no/such"), "got 'No such file or directory' for /no/such."),
        (("--on", "adb", "--benchmark-model", str(VOCABULARY)), "which is no program."),
        (("--on", "adb:x"), "expected a serial that `adb devices` lists (127.0.0.1:"),
    ],
)
@pytest.mark.usefixtures("stand_in")
def test_a_command_that_cannot_be(capsys: pytest.CaptureFixture, arguments: tuple[str, ...], expected: str) -> None:
    assert main(["benchmark", str(DYNAMIC), *arguments]) == 2
    message = capsys.readouterr().err.strip().removeprefix("edgebert benchmark: ")
    assert_house_form(message)
    assert expected in message


@pytest.mark.parametrize("each", ["adb", "adb:all", "adb:x"])
def test_a_file_that_is_no_tool_is_told_before_a_phone_is_looked_for(
    capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, each: str
) -> None:
    """Here not even an adb is found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    assert main(["benchmark", str(DYNAMIC), "--on", each, "--benchmark-model", str(VOCABULARY)]) == 2
    message = capsys.readouterr().err.strip().removeprefix("edgebert benchmark: ")
    assert_house_form(message)
    assert message.startswith("--benchmark-model: expected TFLite's benchmark_model built for Android, got ")
