"""The command: tables, JSON, exit codes."""

import dataclasses
import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.benchmark.statistics import Ratio
from edgebert.cli import main
from edgebert.measurement import Record
from edgebert.measurement_file import to_json
from tests.benchmark.records import make_case, make_conditions, make_counts, make_emulation, make_record, make_samples
from tests.cli.benchmark_test import board
from tests.data.house_form import assert_house_form

__all__ = ["board"]


def make_one(milliseconds: float, build: str = "4", **changes: object) -> Record:
    record = make_record(make_case(make_samples([milliseconds * 1e6] * 40)), models=("a.tflite",), **changes)
    return dataclasses.replace(record, models=(dataclasses.replace(record.models[0], sha256=build * 64),))


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """before, after (another build, a fifth faster), elsewhere (another device), few (without an interval), again
    (before's file, a fifth faster), busy (after's, with other work beside it).
    """
    before, after = make_one(1), make_one(0.8, build="8")
    elsewhere = dataclasses.replace(before, device=dataclasses.replace(before.device, name="Raspberry Pi 5"))
    few = make_record(make_case(make_samples([1e6] * 10)), models=("a.tflite",))
    work = make_conditions(at_utc="2026-11-20T12:01:00.000Z", busy_cpu_ns=1_060_000_000_000)
    busy = dataclasses.replace(after, conditions_after=work)
    records = {"before": before, "after": after, "elsewhere": elsewhere, "few": few, "again": make_one(0.8)}
    records["busy"] = busy
    for number, (name, record) in enumerate(records.items()):
        moment = dataclasses.replace(record.provenance, started_at_utc=f"2026-11-20T11:59:{number:02}.000Z")
        record = dataclasses.replace(record, provenance=moment)
        (tmp_path / f"{name}.json").write_bytes(to_json(record))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_comparison_on_a_board(board: dict[str, str], written: Path) -> None:
    command = (sys.executable, "-m", "edgebert.cli", "compare", "before.json", "after.json")
    ran = subprocess.run(command, env=board, cwd=written, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (0, "")
    row = next(line for line in ran.stdout.splitlines() if "a.tflite" in line)
    assert row.split() == [
        *("a.tflite", "1", "32", "1.00", "0.800", "0.800x", "0.800", "to", "0.800"),
        *("0.800x", "0.800", "to", "0.800", "20.0%", "faster"),
    ]
    assert "a.tflite: two files, of 58,964 and 58,964 bytes" in ran.stdout
    assert "second, a.tflite, 1 thread, 32 tokens: steady" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("before.json", "after.json"), 0),
        (("before.json", "after.json", "--at-most", "1"), 0),
        (("before.json", "after.json", "--at-most", "0.7"), 1),
        (("after.json", "before.json", "--at-most", "1.05"), 1),
        (("after.json", "before.json", "--at-most", "1.3"), 0),
        (("busy.json", "before.json"), 0),
        (("busy.json", "before.json", "--at-most", "1.05"), 2),
        (("before.json", "busy.json", "--at-most", "1.05"), 0),
        (("again.json", "before.json"), 0),
        (("again.json", "before.json", "--at-most", "1.05"), 2),
        (("before.json", "elsewhere.json"), 2),
        (("before.json", "elsewhere.json", "--across", "device"), 0),
        (("before.json", "few.json"), 0),
        (("before.json", "few.json", "--at-most", "2"), 2),
        (("before.json", "few.json", "--at-most", "0"), 2),
        (("before.json", "after.json", "--at-most", "nan"), 2),
        (("before.json", "after.json", "--across", "weather"), 2),
        (("before.json", "gone.json"), 2),
    ],
)
@pytest.mark.usefixtures("written")
def test_exit_codes(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int) -> None:
    assert main(["compare", *arguments]) == code
    printed = capsys.readouterr()
    if code == 2:
        assert printed.out == ""
        assert_house_form(printed.err.strip().removeprefix("edgebert compare: "))
    else:
        assert printed.err == ""
        assert ("above" in printed.out) == (code == 1)


def edited(folder: Path, name: str, values: dict[str, list[int]]) -> None:
    document = json.loads((folder / name).read_text())
    document["cases"][0]["samples"]["values"] |= values
    (folder / "edited.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    "values", [{"wall_ns": [0] * 40}, {"wall_ns": [10**400] * 40}, {"process_cpu_ns": [-1] * 40}, {"wall_ns": []}]
)
@pytest.mark.parametrize("more", [(), ("--at-most", "1.05"), ("--json",)])
@pytest.mark.parametrize("side", [0, 1])
def test_an_edited_record_is_refused_on_either_side(
    written: Path, capsys: pytest.CaptureFixture[str], values: dict, more: tuple[str, ...], side: int
) -> None:
    edited(written, "after.json", values)
    files = ["before.json", "before.json"]
    files[side] = "edited.json"
    assert main(["compare", *files, *more]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert_house_form(printed.err.strip().removeprefix("edgebert compare: "))


def test_the_same_measurement_with_other_samples_is_refused(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited(written, "before.json", {"wall_ns": [500_000] * 40})
    assert main(["compare", "before.json", "edited.json"]) == 2
    assert "got two of one command" in capsys.readouterr().err


@pytest.mark.parametrize("bound", [math.nan, math.inf])
def test_an_interval_without_an_end_shows_nothing(monkeypatch: pytest.MonkeyPatch, written: Path, bound: float) -> None:
    from edgebert.benchmark import comparing

    monkeypatch.setattr(comparing, "_ratio", lambda *_: Ratio(1.0, bound, bound))
    assert main(["compare", "before.json", "after.json", "--at-most", "1.05"]) == 2


@pytest.mark.usefixtures("written")
def test_json_is_all_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "after.json", "elsewhere.json", "--across", "device", "--at-most", "1", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    (case,) = document["cases"]
    assert case["ratios"]["wall_ns"]["ratio"] == pytest.approx(1.25) and case["conclusion"] == "25.0% slower"
    assert document["above"] == ["a.tflite (1 thread, own lengths)"]
    assert [each["fact"] for each in document["differences"]] == ["device"]


def test_counts_have_no_interval(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    paths = []
    for build, instructions in (("4", 4_000_000), ("8", 5_000_000)):
        record = make_record(
            make_case(make_counts((instructions,) * 2), emulation=make_emulation()),
            models=("a.tflite",),
            place="emulated",
        )
        record = dataclasses.replace(record, models=(dataclasses.replace(record.models[0], sha256=build * 64),))
        moment = dataclasses.replace(record.provenance, started_at_utc=f"2026-11-20T11:5{build}:00.000Z")
        record = dataclasses.replace(record, provenance=moment)
        paths.append(tmp_path / f"{instructions}.json")
        paths[-1].write_bytes(to_json(record))
    assert main(["compare", *map(str, paths), "--at-most", "1.2"]) == 1
    printed = capsys.readouterr().out
    row = next(line for line in printed.splitlines() if "cortex-a76" in line)
    assert row.split() == ["a.tflite", "cortex-a76", "32", "4.00", "5.00", "1.2500x", "25.00%", "more"]
    assert "interval" not in printed


def test_help_names_the_facts_and_the_exit_codes() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "edgebert.cli", "compare", "--help"],
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    from edgebert.benchmark.provenance import FACTS

    assert all(fact in ran.stdout for fact in FACTS)
    assert "exit codes: 0 compared" in ran.stdout
