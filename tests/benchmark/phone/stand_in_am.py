"""The stand-in phone's `am`: starts and stops the stand-in app. Run in the phone's shell, with its paths turned."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

ACTIVITY = "dev.edgebert.demo/.BenchmarkActivity"
_PACKAGE = "dev.edgebert.demo"


def main(arguments: list[str]) -> None:
    state = Path(os.environ["STATE"])
    if arguments[0] == "force-stop":
        _stop(state)
        return
    extras = _extras(arguments)
    component = arguments[arguments.index("-n") + 1]
    installed = (state / "packages" / _PACKAGE).exists() and component == ACTIVITY
    if not installed or (state / "no_activity").exists():
        # As am says it: in words, with exit status 0.
        print(f"Starting: Intent {{ cmp={component} (has extras) }}")
        print(f"Error type 3\nError: Activity class {{{component}}} does not exist.")
        return
    _stop(state)
    print(f"Stopping: {_PACKAGE}\nStarting: Intent {{ cmp={component} (has extras) }}")
    sys.stdout.flush()
    command = [sys.executable, "-m", "tests.benchmark.phone.stand_in_app", *(str(value) for value in extras.values())]
    app = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=(state / "logcat").open("wb"),
        start_new_session=True,
    )
    (state / "app.pid").write_text(str(app.pid))


def _extras(arguments: list[str]) -> dict[str, object]:
    found = {}
    for position, option in enumerate(arguments):
        if option in ("--ei", "--es"):
            name, value = arguments[position + 1 : position + 3]
            found[name] = int(value) if option == "--ei" else value
    return {name: found[name] for name in ("contract", "run_id", "job")}


def _stop(state: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        os.kill(int((state / "app.pid").read_text()), signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
