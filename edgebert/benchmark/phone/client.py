"""The adb client: found, asked, and its server looked at before it could be replaced.

An adb client that meets a server of another version kills it, and with it what others do there. So the server is asked
for its version first, by the one request that all versions understand.
"""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import MeasurementError

_SDK_VARIABLES = ("ANDROID_HOME", "ANDROID_SDK_ROOT")
_DEFAULT_SERVER = ("127.0.0.1", 5037)
_LARGEST_PORT = 65535
# The last number of `Android Debug Bridge version 1.0.41` is the protocol version that client and server compare.
_VERSION = re.compile(r"Android Debug Bridge version \d+\.\d+\.(\d+)")
_VERSION_REQUEST = b"000chost:version"
_ANSWER_SECONDS = 10.0
_START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call of the client left behind; `complaint` is its stderr in one line."""

    status: int
    output: bytes
    complaint: str


class Adb:
    """One adb client program."""

    def __init__(self, program: Path) -> None:
        self.program = program

    def ask(self, *arguments: str, seconds: float) -> Answer:
        """Run the client. A call that takes longer than `seconds` is a MeasurementError."""
        with self._start(arguments) as process:
            try:
                output, complaint = process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired as error:
                raise MeasurementError(
                    f"adb: expected an answer to `adb {' '.join(arguments)[:60]}` within {seconds:g} s, got none. "
                    "Do: unlock the phone, plug it in again, then run the command again."
                ) from error
            finally:
                # Nothing where it has ended. Where we are interrupted, `subprocess.run` would leave it behind.
                process.kill()
                process.wait()
        return Answer(process.returncode, output, one_line(complaint.decode(errors="replace")))

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            # A session of its own: Ctrl-C is for us, and we then still need the server to clean up.
            return subprocess.Popen(
                [self.program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise MeasurementError(
                f"adb: expected {self.program} to start, got '{error.strerror}'. Do: install adb again."
            ) from error

    def states(self) -> dict[str, str]:
        """Every device's serial with its state, as `adb devices` lists them."""
        answer = self.ask("devices", seconds=_START_SECONDS)
        if answer.status != 0:
            raise _no_server(answer.complaint)
        lines = answer.output.decode(errors="replace").splitlines()
        return dict(line.split("\t", 1) for line in lines if "\t" in line)

    def require_server(self) -> None:
        """Start the server where none runs; refuse one of another version."""
        # Before the client, which calls a port that is none many things, even when it is asked for its version.
        server_address(os.environ)
        ours = self._version()
        running = running_server_version()
        if running is None:
            started = self.ask("start-server", seconds=_START_SECONDS)
            if started.status != 0:
                raise _no_server(started.complaint)
        elif running != ours:
            raise MeasurementError(
                f"adb: expected a server of version {ours} (as {self.program}), got one of version {running} that "
                "another adb started. Do: stop it with `adb kill-server`, or put the adb that started it first on PATH."
            )

    def _version(self) -> int:
        answer = self.ask("version", seconds=_ANSWER_SECONDS)
        found = _VERSION.search(answer.output.decode(errors="replace"))
        if answer.status != 0 or found is None:
            raise MeasurementError(
                f"adb: expected {self.program} to tell its version, got '{answer.complaint or 'something else'}'. "
                "Do: install adb again."
            )
        return int(found.group(1))


def find_adb() -> Adb:
    """From PATH, or from the Android SDK that ANDROID_HOME names."""
    found = shutil.which("adb")
    if found is not None:
        return Adb(Path(found))
    for variable in _SDK_VARIABLES:
        program = Path(os.environ.get(variable, ""), "platform-tools", "adb")
        if os.environ.get(variable) and os.access(program, os.X_OK):
            return Adb(program)
    raise MeasurementError(
        f"adb: expected the adb client on PATH or in platform-tools of {' or '.join(_SDK_VARIABLES)}, got none. "
        "Do: install it (Debian: apt-get install adb), or set ANDROID_HOME to the Android SDK."
    )


def running_server_version() -> int | None:
    """The version of the adb server that this environment's clients use; None where none answers."""
    try:
        with socket.create_connection(server_address(os.environ), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(_VERSION_REQUEST)
            answer = b""
            while part := connection.recv(64):
                answer += part
    except OSError:
        return None
    # `OKAY`, four digits of length, then the version, all hexadecimal.
    text = answer[8:].decode("ascii", errors="replace")
    return int(text, 16) if answer.startswith(b"OKAY") and re.fullmatch(r"[0-9a-fA-F]+", text) else None


def server_address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where a client looks for its server, by the variables that adb itself reads."""
    host, port = _DEFAULT_SERVER
    written = environment.get("ADB_SERVER_SOCKET", "")
    if written.startswith("tcp:"):
        named, _, number = written.removeprefix("tcp:").rpartition(":")
        return named or host, _port(number, "ADB_SERVER_SOCKET")
    number = environment.get("ANDROID_ADB_SERVER_PORT")
    return environment.get("ANDROID_ADB_SERVER_ADDRESS", host), port if not number else _port(
        number, "ANDROID_ADB_SERVER_PORT"
    )


def one_line(text: str) -> str:
    """What a program said, for an error message."""
    return " ".join(text.split())[:300]


def _port(text: str, variable: str) -> int:
    is_short_number = text.isascii() and text.isdigit() and len(text) <= len(str(_LARGEST_PORT))
    if not is_short_number or not 1 <= int(text) <= _LARGEST_PORT:
        raise MeasurementError(
            f"{variable}: expected a port number from 1 to {_LARGEST_PORT}, got '{text[:40]}'. "
            "Do: unset it, or set it to 5037."
        )
    return int(text)


def _no_server(complaint: str) -> MeasurementError:
    host, port = server_address(os.environ)
    return MeasurementError(
        f"adb: expected a server on {host}:{port}, got '{complaint or 'none'}'. "
        "Do: run `adb start-server` and look at what it says; another program may hold the port."
    )
