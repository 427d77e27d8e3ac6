"""The command as a board runs it, and where the profiler is missing."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgebert.benchmark.profiling.profile import read_profile
from edgebert.cli import main
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.benchmark.profiling.profiles import make_case_profile, make_operators, make_profile
from tests.cli.benchmark_test import board
from tests.data.house_form import assert_house_form

__all__ = ["board"]

COMMAND = (sys.executable, "-m", "edgebert.cli", "profile")
QUICK = ("--vocab", VOCABULARY, "--runs", "20", "--texts", "4")
# Says that another release is installed, in every Python process below this folder's path.
OTHER_RELEASE = """
from importlib import metadata
found = metadata.version
metadata.version = lambda name: "2.2.1" if name == "ai-edge-litert" else found(name)
"""


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], env=environment, capture_output=True, text=True)


def test_a_profile_on_a_board(board: dict[str, str], tmp_path: Path) -> None:
    written, picture = tmp_path / "profile.json", tmp_path / "profile.svg"
    ran = run(board, DYNAMIC, *QUICK, "--length", "8,16", "--json", written, "--picture", picture)
    assert ran.returncode == 0, ran.stderr
    profile = read_profile(written)
    assert [case.length for case in profile.measurement.cases] == [8, 16]
    assert all(len(case.rounds) == 20 for case in profile.cases)
    assert profile.cases[0].inputs == profile.measurement.cases[0].samples.inputs
    assert "8 tokens: parts of" in ran.stdout and "16 tokens: parts of" in ran.stdout
    assert "between operators" in ran.stdout and "not in XNNPACK:" in ran.stdout
    assert "inputs: 4 of 20 from built-in English sentences" in ran.stdout
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    shown = run(board, "--show", written)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, ran.stdout, "")


def test_json_on_stdout_is_all_of_stdout(board: dict[str, str]) -> None:
    document = json.loads(run(board, FIXED, *QUICK, "--json", "-").stdout)
    assert document["schema"] == "edgebert-profile"
    whole = document["cases"][0]
    sums = [sum(column) for column in zip(*(operator["costs"] for operator in whole["operators"]), strict=True)]
    # Rounded down each, so that parts never exceed the whole but by its own rounding.
    for total, graph, wall in zip(sums, whole["graph"], whole["whole"], strict=True):
        assert total <= graph + 1000 <= wall + 2000


def test_another_release_is_refused_before_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(OTHER_RELEASE)
    ran = run({**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}, FIXED, *QUICK)
    assert ran.returncode == 2 and ran.stdout == ""
    told = ran.stderr.strip().splitlines()[-1]
    assert "expected the C interface of ai-edge-litert 2.3, got ai-edge-litert 2.2.1" in told
    assert_house_form(told.removeprefix("edgebert profile: "))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "models: expected at least one .tflite"),
        (("gone.tflite", *QUICK), "gone.tflite: expected a .tflite file that can be read"),
        ((FIXED, "--on", "ssh:board"), "--on: expected host or emulated:CORE,..., got 'ssh:board'"),
        ((FIXED, "--on", "emulated:z80"), "z80"),
        ((FIXED, "--top", "-1"), "--top: expected 0 or more, got -1"),
        ((FIXED, "--picture", "p.png"), "--picture: expected a name that ends in .svg, got 'p.png'"),
        ((FIXED, "--picture", "gone/p.svg"), "gone/p.svg: expected a file in an existing folder"),
        ((FIXED, "--json", "gone/p.json"), "choose another place for --json"),
        ((FIXED, "--show", "p.json"), "--show: expected no model beside it"),
        (("--show", "gone.json"), "gone.json: expected a profile, got"),
        (("--show", VOCABULARY), "tiny_vocab.txt: expected a profile, got no JSON"),
        ((FIXED, *QUICK, "--length", "16"), "expected --length 32 (its inputs are fixed), got 16"),
        ((DYNAMIC, *QUICK, "--threads", "0"), "--threads: expected 1 or more, got 0"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["profile", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    told = printed.err.strip().splitlines()
    assert printed.out == "" and named in told[-1]
    assert_house_form(told[-1].removeprefix("edgebert profile: "))


def test_a_handmade_profile_is_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from edgebert.benchmark.profiling.profile import to_json

    (tmp_path / "p.json").write_bytes(to_json(make_profile()))
    assert main(["profile", "--show", str(tmp_path / "p.json"), "--top", "0"]) == 0
    printed = capsys.readouterr().out
    assert "Fully Connected (NC, F32) GEMM  XNNPACK      2  0.9000" in printed
    assert "block_0/up" not in printed and "a.tflite, 1 thread, 32 tokens: steady" in printed


def test_below_a_slow_node_stands_why_it_is_outside(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from edgebert.benchmark.profiling.profile import to_json

    operators = make_operators()
    hostile = dataclasses.replace(operators[0], output="two\nlines")
    profile = make_profile(make_case_profile((hostile, *operators[1:])))
    (tmp_path / "p.json").write_bytes(to_json(profile))
    assert main(["profile", "--show", str(tmp_path / "p.json"), "--top", "3"]) == 0
    printed = capsys.readouterr().out.splitlines()
    (at,) = [number for number, line in enumerate(printed) if line.startswith("2  ONE_HOT")]
    assert printed[at + 1] == "    not in XNNPACK: it has none; change: use a look-up"
    assert not any(line.startswith("    not in") for line in printed[:at]) and "two lines" in printed[at - 2]
