"""A board as users have one: real sshd, real ssh, an arm64 Python without numpy or LiteRT behind the login.

How fast it is means nothing (the core is emulated); no time is looked at.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.devices.checking import owner_problems
from edgebert.benchmark.board import connection
from edgebert.benchmark.board.connection import Connection
from edgebert.benchmark.board.measuring import measure
from edgebert.benchmark.board.refusals import ConnectionLostError
from edgebert.benchmark.board.target import Target
from edgebert.benchmark.emulated.cores import choose_cores
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.model_file import read_model_file
from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.measurement_file import read_record, to_json
from tests.benchmark.board.measuring_test import during, nothing, plan, wait_until_ended, workers
from tests.benchmark.board.sshd import Server, fetch_sshd, privilege_separation
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY
from tests.benchmark.emulated.conftest import ELSEWHERE, emulator
from tests.data.house_form import assert_house_form
from tests.lacking import skip_for_lack

__all__ = ["emulator"]

pytestmark = pytest.mark.long

BOARD = Target("board")
(CORE,) = choose_cores("emulated:cortex-a53")
ENOUGH = 1000


@pytest.fixture(scope="module")
def tree() -> Path:
    if shutil.which("ssh") is None or shutil.which("ssh-keygen") is None:
        skip_for_lack("no OpenSSH client on this machine")
    try:
        return fetch_sshd()
    except MeasurementError as error:
        if any(words in str(error) for words in ELSEWHERE):
            skip_for_lack(f"Debian's sshd cannot be fetched here: {error}")
        raise


@pytest.fixture(scope="module")
def server(emulator: Environment, tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One board for all tests: what the first one sends is there for the others."""
    made = Server(tmp_path_factory.mktemp("board"), tree)
    made.install(emulator, CORE)
    with privilege_separation():
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(autouse=True)
def client(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    server.client(programs)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def refusal() -> str:
    with pytest.raises(MeasurementError) as caught:
        Connection(BOARD).close()
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_the_login_says_that_it_is_an_arm64_machine() -> None:
    ran = subprocess.run(["ssh", "board", "uname -m"], capture_output=True, text=True)
    assert ran.stdout == "aarch64\n", ran.stderr


def test_the_command_measures_there_and_sends_nothing_the_second_time(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "edgebert.cli", "benchmark", DYNAMIC, FIXED, "--vocab", VOCABULARY]
    command += ["--on", "ssh:board", "--runs", "5", "--min-seconds", "0", "--texts", "2"]
    command += ["--json", tmp_path / "out.json"]
    first = subprocess.run(command, capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    sent = "board: sending edgebert's worker, ai_edge_litert 2.3.0, numpy 2.1.3, tiny_dynamic_length.tflite, "
    assert sent in first.stderr and "tiny_fixed_length.tflite" in first.stdout
    record = read_record(tmp_path / "out.json")
    assert (record.place, record.complete) == ("ssh", True)
    assert record.device.architecture == "aarch64"
    assert [cluster.model for cluster in record.device.clusters] == ["Cortex-A53"]
    assert record.models == tuple(read_model_file(path) for path in (DYNAMIC, FIXED))
    assert [len(case.samples) for case in record.cases] == [5, 5]
    assert [case.runtime.delegate for case in record.cases] == ["XNNPACK", "XNNPACK"]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 0, second.stderr
    assert "board: everything is there already, nothing is sent" in second.stderr
    assert "sending" not in second.stderr
    kept = {path.relative_to(server.home).parts[2] for path in (server.home / ".cache/edgebert-board").glob("*/*")}
    assert kept == {"models", "trees"}
    wait_until_ended(server.home)


def lose(server: Server, number: signal.Signals) -> tuple[Record, str]:
    """What is kept, and the error, when every process of the connection gets a signal in the third round."""
    kept: list[Record] = []
    with pytest.raises(ConnectionLostError) as caught:
        measure(BOARD, plan(runs=ENOUGH), kept.append, nothing, during(3, lambda: server.signal_sessions(number)))
    assert_house_form(str(caught.value))
    return kept[-1], str(caught.value)


def assert_nameless(record: Record) -> None:
    assert record.incomplete_reason.startswith("the board: expected the connection to last, got '")
    assert owner_problems(record) == [] and b"127.0.0.1" not in to_json(record)


def test_a_connection_that_is_cut_leaves_the_finished_samples(server: Server) -> None:
    record, error = lose(server, signal.SIGKILL)
    said = re.search("board: expected the connection to last, got '(.*?)'", error)[1]
    # ssh says the one or the other, depending on whether it was reading or writing.
    assert said in ("Connection to 127.0.0.1 closed by remote host", "client_loop: send disconnect: Broken pipe")
    assert not record.complete
    assert_nameless(record)
    assert record.device.architecture == "aarch64"
    assert all(15 <= len(case.samples) < ENOUGH for case in record.cases)
    wait_until_ended(server.home)


def test_a_board_that_falls_silent_is_given_up(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one whose plug was pulled: nothing is closed, nothing answers."""
    monkeypatch.setattr(connection, "ALIVE_EVERY_SECONDS", 1)
    monkeypatch.setattr(connection, "ALIVE_MISSES", 2)
    record, error = lose(server, signal.SIGSTOP)
    assert "got 'Timeout, server 127.0.0.1 not responding'" in error
    assert "got 'Timeout, server the machine not responding'" in record.incomplete_reason
    assert_nameless(record)
    assert all(15 <= len(case.samples) < ENOUGH for case in record.cases)
    # The board itself is still there and hears of it when it comes back.
    assert workers(server.home)
    server.signal_sessions(signal.SIGCONT)
    wait_until_ended(server.home)


def test_an_unknown_host_key_is_refused_and_not_learnt(server: Server) -> None:
    server.known_hosts.unlink()
    try:
        assert "expected a host key that this machine knows, got 'Host key verification failed'" in refusal()
        assert not server.known_hosts.exists()
    finally:
        server.know(server.folder / "host_key.pub")


def test_another_host_key_is_refused(server: Server) -> None:
    server.know(server.folder / "other_key.pub")
    before = server.known_hosts.read_bytes()
    try:
        assert "got 'WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!'" in refusal()
        assert server.known_hosts.read_bytes() == before
    finally:
        server.know(server.folder / "host_key.pub")


def test_a_login_without_a_key_is_refused_and_asks_for_no_password(server: Server) -> None:
    authorized = server.folder / "authorized_keys"
    authorized.write_bytes((server.folder / "other_key.pub").read_bytes())
    try:
        assert "expected a login that needs no password, got 'board@127.0.0.1: Permission denied" in refusal()
    finally:
        authorized.write_bytes((server.folder / "user_key.pub").read_bytes())


def test_a_board_without_python(server: Server) -> None:
    python = server.programs / "python3"
    hidden = python.rename(python.with_name("hidden"))
    try:
        assert "expected python3 (3.10 or newer) on the board, got 'sh: 1: python3: not found'" in refusal()
    finally:
        hidden.rename(python)


def test_a_port_where_nobody_listens(server: Server) -> None:
    server.stop()
    try:
        assert "expected a board that answers on ssh's port, got 'ssh: connect to host 127.0.0.1" in refusal()
    finally:
        server.start()


def test_what_the_board_says_of_itself() -> None:
    with Connection(BOARD) as opened:
        facts = opened.ask("describe")
    assert (facts["machine"], facts["bits"], facts["libc"][0]) == ("aarch64", 64, "glibc")
    assert facts["packages"] == {"ai-edge-litert": None, "numpy": None}
    assert json.loads(json.dumps(facts)) == facts
