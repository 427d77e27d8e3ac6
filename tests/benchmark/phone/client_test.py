"""The client is found, and its server is looked at before a client of another version could kill it."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgebert.benchmark.phone.client import Adb, find_adb, running_server_version, server_address
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form


@pytest.fixture
def foreign_server(adb: Adb, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """A server of protocol version 31, as a client of 2015 starts it; what it was asked."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(listening.getsockname()[1]))

        def answer() -> None:
            while True:
                try:
                    wire, _ = listening.accept()
                except OSError:
                    return
                with wire:
                    asked.append(wire.recv(64))
                    wire.sendall(b"OKAY0004001f")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield asked
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def test_a_server_of_another_version_is_refused_and_left_alone(adb: Adb, foreign_server: list[bytes]) -> None:
    with pytest.raises(MeasurementError) as caught:
        adb.require_server()
    message = str(caught.value)
    assert_house_form(message)
    assert "got one of version 31 that another adb started. Do: stop it with `adb kill-server`" in message
    assert foreign_server == [b"000chost:version"]


def test_a_server_is_started_where_none_runs(adb: Adb, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(port))
    assert running_server_version() is None
    try:
        adb.require_server()
        assert running_server_version() >= 41
        adb.require_server()
        assert adb.states() == {}
    finally:
        adb.ask("kill-server", seconds=20)


@pytest.mark.long
def test_a_port_that_another_program_holds(adb: Adb, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(listening.getsockname()[1]))

        def hang_up() -> None:
            while True:
                try:
                    wire, _ = listening.accept()
                except OSError:
                    return
                with wire:
                    wire.recv(64)
                    wire.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        with pytest.raises(MeasurementError) as caught:
            adb.require_server()
            adb.states()
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(10)
    assert_house_form(str(caught.value))
    assert "expected a server on 127.0.0.1:" in str(caught.value)


def test_no_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for variable in ("ANDROID_HOME", "ANDROID_SDK_ROOT"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MeasurementError, match="expected the adb client on PATH") as caught:
        find_adb()
    assert_house_form(str(caught.value))


@pytest.mark.parametrize("variable", ["ANDROID_HOME", "ANDROID_SDK_ROOT"])
def test_the_sdks_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("ANDROID_HOME", raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "sdk"))
    program = tmp_path / "sdk/platform-tools/adb"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\necho nonsense\n")
    with pytest.raises(MeasurementError):
        find_adb()
    program.chmod(0o755)
    assert find_adb().program == program
    # And one that is no adb.
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    with pytest.raises(MeasurementError, match="to tell its version") as caught:
        find_adb().require_server()
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, ("127.0.0.1", 5037)),
        ({"ANDROID_ADB_SERVER_PORT": "5038"}, ("127.0.0.1", 5038)),
        ({"ANDROID_ADB_SERVER_ADDRESS": "10.0.0.1"}, ("10.0.0.1", 5037)),
        ({"ADB_SERVER_SOCKET": "tcp:localhost:5039", "ANDROID_ADB_SERVER_PORT": "1"}, ("localhost", 5039)),
        ({"ADB_SERVER_SOCKET": "tcp:5040"}, ("127.0.0.1", 5040)),
    ],
)
def test_where_the_server_is(environment: dict[str, str], expected: tuple[str, int]) -> None:
    assert server_address(environment) == expected


@pytest.mark.parametrize("variable", ["ANDROID_ADB_SERVER_PORT", "ADB_SERVER_SOCKET"])
@pytest.mark.parametrize("port", ["x", "99999", "0", "-1", "²", "0" * 6000 + "1"])
def test_a_port_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, port: str) -> None:
    """Said before the client is asked for anything: it would only say that it cannot tell its version."""
    for name in ("ANDROID_ADB_SERVER_PORT", "ADB_SERVER_SOCKET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, f"tcp:localhost:{port}" if variable == "ADB_SERVER_SOCKET" else port)
    with pytest.raises(
        MeasurementError, match=rf"^{variable}: expected a port number from 1 to 65535, got '"
    ) as caught:
        Adb(tmp_path / "no adb is asked").require_server()
    assert_house_form(str(caught.value))
    assert len(str(caught.value)) < 200


def test_a_client_that_does_not_answer(tmp_path: Path) -> None:
    slow = tmp_path / "adb"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    with pytest.raises(MeasurementError, match=r"within 0\.2 s, got none") as caught:
        Adb(slow).ask("devices", seconds=0.2)
    assert_house_form(str(caught.value))
