"""`edgebert benchmark --on ssh:...` as a user sees it; `ssh` is a stand-in that logs in here."""

from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.measurement_file import read_record
from tests.benchmark.board.conftest import StandIn, board, home, login, ssh
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.data.house_form import assert_house_form

__all__ = ["board", "home", "login", "ssh"]

COMMAND = ("benchmark", DYNAMIC, FIXED, "--vocab", VOCABULARY, "--runs", "10", "--min-seconds", "0", "--texts", "3")


def run(*arguments: object) -> int:
    return main([*map(str, COMMAND), *map(str, arguments)])


def test_the_tables_are_the_hosts(board: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--on", "ssh:pi@board", "--json", tmp_path / "out.json") == 0
    printed = capsys.readouterr()
    assert "tiny_dynamic_length.tflite" in printed.out and "inputs: 3 of 20 from built-in" in printed.out
    assert "pi@board: sending edgebert's worker" in printed.err and "measure, in rounds" in printed.err
    assert read_record(tmp_path / "out.json").place == "ssh"
    assert main(["benchmark", "--show", str(tmp_path / "out.json")]) == 0
    assert capsys.readouterr().out == printed.out


@pytest.mark.parametrize(
    ("on", "script", "named"),
    [
        ("ssh:", "exit 255", "--on: expected ssh:[USER@]BOARD[:PORT], got 'ssh:'"),
        ("ssh:-oProxyCommand=x", "exit 255", "--on: expected ssh:[USER@]BOARD[:PORT]"),
        ("ssh:board", "echo Host key verification failed. >&2; exit 255", "expected a host key that this machine"),
        (
            "ssh:board",
            "echo 'sh: 1: python3: not found' >&2; exit 127",
            "expected python3 (3.10 or newer) on the board",
        ),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_2(
    ssh: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str], on: str, script: str, named: str
) -> None:
    ssh(script)
    assert run("--on", on, "--json", tmp_path / "out.json") == 2
    printed = capsys.readouterr()
    assert printed.out == "" and not (tmp_path / "out.json").exists()
    (told,) = printed.err.splitlines()
    assert named in told
    assert_house_form(told.removeprefix("edgebert benchmark: "))
