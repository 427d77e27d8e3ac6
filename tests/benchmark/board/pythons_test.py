"""Boards' Pythons: this environment's is 3.11, Ubuntu 22.04 has 3.10, Debian 13 has 3.13; each has its own wheels."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from edgebert.benchmark.board.measuring import measure
from edgebert.errors import MeasurementError
from tests.benchmark.board.conftest import StandIn
from tests.benchmark.board.measuring_test import BOARD, nothing, plan, wait_until_ended
from tests.benchmark.conftest import DYNAMIC
from tests.lacking import skip_for_lack

pytestmark = pytest.mark.long


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13"])
def test_a_board_with_another_python(ssh: StandIn, home: Path, tmp_path: Path, version: str) -> None:
    python = shutil.which(f"python{version}")
    if python is None or subprocess.run([python, "-V"], capture_output=True).returncode != 0:
        pytest.skip(f"no python{version} on this machine")
    # What the login finds it by; -s, so that it sees nothing that was installed for this user.
    (tmp_path / "board").mkdir()
    (tmp_path / "board/python3").write_text(f'#!/bin/sh\nexec {shlex.quote(python)} -s "$@"\n')
    (tmp_path / "board/python3").chmod(0o755)
    ssh(f'export HOME={home} PATH={tmp_path}/board:/usr/bin:/bin\ncd\nexec sh -c "exec $command"')
    try:
        record = measure(BOARD, plan(DYNAMIC), nothing, nothing)
    except MeasurementError as error:
        if "check the network" in str(error):
            skip_for_lack(f"wheels for Python {version} cannot be fetched here: {error}")
        raise
    runtime = record.cases[0].runtime
    assert runtime.python_version.startswith(f"{version}.")
    assert (runtime.version, runtime.numpy_version) == ("2.3.0", "2.1.3")
    assert len(record.cases[0].samples) == 10
    wait_until_ended(home)
