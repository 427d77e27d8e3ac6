"""The parent's end of a worker: a question a line to its standard input, an answer a line from its standard output."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from typing import Any

from edgebert.benchmark.asking import HOST_INSTALLATION, failed, gone

HOST_COMMAND = (sys.executable, "-m", "edgebert.benchmark.worker")
_SECONDS_TO_END = 5.0
_DELEGATE_LINE = re.compile(r"Created TensorFlow Lite (\w+) delegate")


def delegate_named_in(log: str) -> str | None:
    """LiteRT tells the name of a delegate in its log only."""
    found = _DELEGATE_LINE.search(log)
    return found.group(1) if found else None


def describe_end(status: int) -> str:
    """A return code as the subprocess module gives it: below zero the signal that ended the process."""
    if status >= 0:
        return f"exit status {status}"
    return signal.Signals(-status).name + (" (out of memory?)" if -status == signal.SIGKILL else "")


class WorkerProcess:
    """One worker, named `label` in errors. `command` starts it: our own Python here, whatever reaches one elsewhere."""

    def __init__(self, label: str, command: Sequence[str] = HOST_COMMAND) -> None:
        self.label = label
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close(), as long-lived as the worker
        # A session of its own: Ctrl-C is for the parent, which then ends the workers in order.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, start_new_session=True
        )

    def ask(self, question: str, **arguments: Any) -> dict[str, Any]:
        """The worker's answer; a MeasurementError if it says that it failed, or is gone."""
        line = json.dumps({"ask": question, **arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
            answered = self._process.stdout.readline()
        except BrokenPipeError:
            answered = b""
        if not answered.endswith(b"\n"):
            raise gone(self.label, question, self._how_it_ended(), self._log_text(), HOST_INSTALLATION)
        answer = json.loads(answered)
        if "error" in answer:
            raise failed(self.label, question, answer, HOST_INSTALLATION)
        return answer

    def delegate_name(self) -> str | None:
        """The delegate that the runtime said it had created, if it said so."""
        return delegate_named_in(self._log_text())

    def close(self) -> None:
        """End the worker; one that does not end when its questions do is killed."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.stdout.close()
        self._log.close()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _how_it_ended(self) -> str:
        self._process.wait()
        return describe_end(self._process.returncode)

    def _log_text(self) -> str:
        # By position: the worker writes through the same file offset, which a seek would move.
        descriptor = self._log.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")
