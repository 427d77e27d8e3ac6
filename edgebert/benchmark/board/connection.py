"""One connection of OpenSSH's client, with our program at its other end: questions and answers, one at a time."""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from edgebert.benchmark.board import refusals
from edgebert.benchmark.board.target import Target
from edgebert.errors import MeasurementError

_AGENT = Path(__file__).with_name("agent.py")
_GREETING = "edgebert-board"
# For any shell: one pair of double quotes, and nothing within that one would expand. The version comes first, because
# an old Python could not even read the program.
_REMOTE_COMMAND = (
    'python3 -c "import sys;sys.path[:]=[p for p in sys.path if p];'
    f"print();print('{_GREETING}',*sys.version_info[:3],flush=True);"
    'b=sys.stdin.buffer;exec(b.read(int(b.readline())))"'
)
# A silent board is given up after the product of these two.
ALIVE_EVERY_SECONDS, ALIVE_MISSES = 5, 3
_CONNECT_SECONDS = 15
# A Python on a slow card takes its time.
_GREETING_SECONDS = 60.0
# What a login's shell may print before our program: some print a line, none a book.
_LARGEST_NOISE_BYTES = 1 << 16
_SECONDS_TO_END = 5.0


def _options() -> list[str]:
    """No prompt ever, and nothing of the user's that would put another program or connection in our place.

    Host keys, their checking, jump hosts, identities and aliases stay as the user has configured them.
    """
    settings = {
        "BatchMode": "yes",
        # Less would hide why a silent board was given up.
        "LogLevel": "INFO",
        "ConnectTimeout": _CONNECT_SECONDS,
        "ServerAliveInterval": ALIVE_EVERY_SECONDS,
        "ServerAliveCountMax": ALIVE_MISSES,
        "ControlMaster": "no",
        "ControlPath": "none",
        "ClearAllForwardings": "yes",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "RequestTTY": "no",
    }
    return [f"-o{name}={value}" for name, value in settings.items()]


class Connection:
    """Open from its creation until `close`. A `with` block closes it."""

    def __init__(self, target: Target) -> None:
        if shutil.which("ssh") is None:
            raise MeasurementError(
                "ssh: expected OpenSSH's client on this machine, got none. Do: apt-get install openssh-client."
            )
        self.target = target
        self._awaiting = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(), as long-lived as the connection
        # A session of its own: Ctrl-C is for us, and the connection is then closed in order.
        self._process = subprocess.Popen(
            ["ssh", *_options(), *target.arguments, _REMOTE_COMMAND],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        with contextlib.ExitStack() as unless_greeted:
            unless_greeted.callback(self.close)
            self._greet()
            unless_greeted.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def usable(self) -> bool:
        """Whether the next question will find the board listening."""
        return not self._awaiting and not self._process.stdin.closed

    def ask(self, question: str, payload: Iterable[bytes] = (), **arguments: Any) -> dict[str, Any]:
        """The board's answer. `payload` follows the question as it is."""
        if not self.usable:
            raise refusals.lost(self.target, self._log_text(), self._process.poll())
        self._awaiting = True
        line = json.dumps({"question": question, **arguments}) + "\n"
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            for part in payload:
                self._process.stdin.write(part)
            self._process.stdin.flush()
        answer = json.loads(self._read_line())
        self._awaiting = False
        if "error" in answer:
            raise refusals.not_done(self.target, question, answer)
        return answer

    def close(self) -> None:
        """End it; the board ends what it runs for us when it sees that."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _greet(self) -> None:
        """Wait for Python's version and answer with our program."""
        version = self._await_greeting()
        if version[: len(refusals.LEAST_PYTHON)] < refusals.LEAST_PYTHON:
            raise refusals.old_python(self.target, ".".join(map(str, version)))
        program = _AGENT.read_bytes()
        self._awaiting = True
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(b"%d\n%s" % (len(program), program))
            self._process.stdin.flush()
        self._read_line()
        self._awaiting = False

    def _await_greeting(self) -> tuple[int, ...]:
        """Python's version, after whatever the login's shell prints."""
        overdue = threading.Event()
        timer = threading.Timer(_GREETING_SECONDS, lambda: (overdue.set(), self._process.kill()))
        timer.start()
        try:
            noise_bytes = 0
            while noise_bytes < _LARGEST_NOISE_BYTES:
                line = self._process.stdout.readline(_LARGEST_NOISE_BYTES)
                if not line:
                    break
                words = line.decode(errors="replace").split()
                if words[:1] == [_GREETING]:
                    return tuple(map(int, words[1:]))
                noise_bytes += len(line)
            else:
                self._process.kill()
                raise refusals.noisy(self.target)
        finally:
            timer.cancel()
        if overdue.is_set():
            raise refusals.too_slow(self.target, _GREETING_SECONDS)
        status = self._ended()
        raise refusals.refused(self.target, self._log_text(), status)

    def _read_line(self) -> bytes:
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):
            status = self._ended()
            raise refusals.lost(self.target, self._log_text(), status)
        return line

    def _ended(self) -> int | None:
        """Its status. What it has to say is in the log only then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_SECONDS_TO_END)
        return self._process.returncode

    def _log_text(self) -> str:
        # By position: ssh writes through the same file offset, which a seek would move.
        if self._log.closed:
            return ""
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
