"""`edgebert ...` in processes that are killed: forks of one that has TensorFlow imported, which takes longest."""

import contextlib
import gc
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Self

LONGEST_RUN_SECONDS = 600
POLL_SECONDS = 0.001


class Commands:
    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.killing"],
            # Unbuffered: a line that was read ahead would not be there for select.
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(LONGEST_RUN_SECONDS)

    def kill(self, arguments: Sequence[object], when: Callable[[], object]) -> None:
        """SIGKILL as soon as `when()`; a command that ends before fails the test."""
        self._server.stdin.write(f"{json.dumps([str(one) for one in arguments])}\n".encode())
        child = int(self._server.stdout.readline())
        has_ended = False
        while not has_ended and not when():
            has_ended = bool(select.select([self._server.stdout], [], [], POLL_SECONDS)[0])
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        status = int(self._server.stdout.readline())
        assert status == -signal.SIGKILL, f"it ended with {status} before it was killed"


def serve() -> None:
    # Imported but nothing computed, so that a fork of it is whole.
    import edgebert.pipeline.running
    import edgebert.stations.distilling_text  # noqa: F401
    from edgebert.cli import main

    # What is imported stays: no fork needs to look through it for garbage, which is a twentieth of its time.
    gc.freeze()
    quiet = os.open(os.devnull, os.O_RDWR)
    for line in sys.stdin.buffer:
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST_RUN_SECONDS)
            for stream in range(3):
                os.dup2(quiet, stream)
            os._exit(main(json.loads(line)))
        os.write(1, f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        os.write(1, f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    serve()
