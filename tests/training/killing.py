"""A process that trains, to be killed: started once with its imports done, it forks one child for each run."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

# More than any tiny run takes, on any machine.
LONGEST_RUN_SECONDS = 300


class Killed:
    """`module` names a module whose `run(folder, say)` trains in `folder` and says a line for each step."""

    def __init__(self, module: str):
        self._module = module

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.training.killing", self._module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait(LONGEST_RUN_SECONDS)

    def run(self, folder: Path, kill_after: int | None = None, pause_seconds: float = 0.0) -> int:
        """The exit status, negative for a signal; killed `pause_seconds` after line `kill_after`."""
        self._server.stdin.write(f"{folder}\n")
        self._server.stdin.flush()
        child, seen = int(self._server.stdout.readline()), 0
        while not (line := self._server.stdout.readline()).startswith("status "):
            seen += 1
            if seen == kill_after:
                time.sleep(pause_seconds)
                os.kill(child, signal.SIGKILL)
        return int(line.split()[1])


def serve(module_name: str) -> None:
    import gc
    import importlib

    # TensorFlow is imported but has computed nothing, so that a fork of it is whole.
    module = importlib.import_module(module_name)
    # What is imported stays: no fork needs to look through it for garbage.
    gc.freeze()

    def say(line: str) -> None:
        os.write(1, f"{line}\n".encode())

    for folder in map(str.strip, sys.stdin):
        child = os.fork()
        if child == 0:
            signal.alarm(LONGEST_RUN_SECONDS)
            module.run(Path(folder), say)
            os._exit(0)
        # A killed child's lines are all before its status: it wrote them before it died.
        say(str(child))
        _, status = os.waitpid(child, 0)
        say(f"status {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    serve(sys.argv[1])
