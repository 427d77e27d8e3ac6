"""A stand-in for OpenSSH's client: a program called `ssh` that does what a test says, first on the path."""

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

StandIn = Callable[[str], Path]


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """Called with a shell script, which is then what `ssh` does; `$command` is what the board would run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def stand_in(script: str) -> Path:
        program = folder / "ssh"
        program.write_text(f"#!/bin/sh\nfor command; do :; done\nset -f\n{script}\n")
        program.chmod(0o755)
        return program

    return stand_in


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of the board's user."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def login(tmp_path: Path, home: Path) -> str:
    """Shell lines that make this machine the board: another home, and this environment's Python by the name python3."""
    folder = tmp_path / "board"
    folder.mkdir()
    python = folder / "python3"
    python.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$@"\n')
    python.chmod(0o755)
    variables = {"HOME": str(home), "PATH": f"{folder}:/usr/bin:/bin"}
    exports = " ".join(f"{name}={shlex.quote(value)}" for name, value in variables.items())
    return f"unset XDG_CACHE_HOME PYTHONPATH; export {exports}; cd; echo 'Welcome to this board, it is warm today'"


@pytest.fixture
def board(ssh: StandIn, login: str) -> None:
    """`ssh` logs in and runs the command."""
    ssh(f'{login}\nexec sh -c "exec $command"')
