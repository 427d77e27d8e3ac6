"""Starting the guest: in a folder of its own, with nothing of the host's settings that could reach a count."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edgebert.benchmark.emulated.cores import EmulatedCore
from edgebert.benchmark.emulated.environment import GUEST_PYTHON, Environment
from edgebert.errors import MeasurementError

SCRIPT = Path(__file__).with_name("counting_guest.py")
MODEL, REQUEST, ANSWER, ANSWERS, COUNTS = "model.tflite", "request.json", "answer.json", "answers.bin", "counts.jsonl"
# Below the view's root, where the guest sees it as /site.
SITE = "site"
# Hash seeds move dictionaries, and OpenBLAS would start threads, whose counts can be lost.
_GUEST_VARIABLES = {"PYTHONHASHSEED": "0", "PYTHONPATH": f"/{SITE}", "OPENBLAS_NUM_THREADS": "1"}
# Neither the user's nor Debian's site packages, nor the folder of the script.
_PYTHON_OPTIONS = ("-s", "-S", "-P")

Request = Mapping[str, Any]


def run_on_core(
    environment: Environment, core: EmulatedCore, folder: Path, request: Request, name: str
) -> dict[str, Any]:
    """The counting script's answer from an emulated core; the plugin's counts are in COUNTS of `folder`.

    `name` stands for the model in errors.
    """
    _lay_out(folder, request)
    return _read_answer(folder, start_on_core(environment, core, folder, SCRIPT.name, name))


def start_on_core(
    environment: Environment, core: EmulatedCore, folder: Path, script: str, name: str, *, write_bytecode: bool = False
) -> str:
    """Run a Python script that is in `folder` under the plugin; what was written to stderr."""
    view = environment.view(core)
    # In an option's value, a comma is written twice.
    plugin = str(environment.plugin).replace(",", ",,")
    command = [
        *environment.emulator_command(),
        *("-cpu", core.emulator_cpu, "-L", view, "-0", f"/{GUEST_PYTHON}", "-plugin", f"file={plugin},out={COUNTS}"),
        *(view / GUEST_PYTHON, *_PYTHON_OPTIONS, *(() if write_bytecode else ("-B",)), script),
    ]
    return _run(command, folder, _GUEST_VARIABLES, f"{name} on {core.name}")


def run_here(folder: Path, request: Request, name: str) -> dict[str, Any]:
    """The same script on this machine."""
    _lay_out(folder, request)
    return _read_answer(
        folder, _run([sys.executable, "-P", SCRIPT.name], folder, os.environ, f"{name} on this machine")
    )


def _lay_out(folder: Path, request: Request) -> None:
    """Fixed names in the working folder: a path's length would move the guest's memory."""
    shutil.copy(SCRIPT, folder / SCRIPT.name)
    (folder / MODEL).symlink_to(Path(request["model"]).absolute())
    (folder / REQUEST).write_text(json.dumps({**request, "model": MODEL}))


def _run(command: Sequence[str | Path], folder: Path, variables: Mapping[str, str], where: str) -> str:
    try:
        # A session of its own: Ctrl-C is for us, and `run` then ends the guest.
        done = subprocess.run(
            command,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
    except OSError as error:
        raise MeasurementError(
            f"{where}: expected {command[0]} to start, got '{error.strerror}'. Do: edgebert emulator install --again."
        ) from error
    log = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        raise _failed(where, done.returncode, log)
    return log


def _read_answer(folder: Path, log: str) -> dict[str, Any]:
    return {**json.loads((folder / ANSWER).read_text()), "log": log}


def _failed(where: str, status: int, log: str) -> MeasurementError:
    lines = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith("INFO:")]
    how = f"{signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
    said = f": {lines[-1][:300]}" if lines else ""
    if "plugin" in log and status > 0:
        remedy = "the emulator takes no plugin (qemu-user 7.2 as Debian 12 builds it does)"
        return MeasurementError(
            f"{where}: expected an emulator that counts, got {how}{said}. "
            f"Do: edgebert emulator install --again; {remedy}."
        )
    return MeasurementError(
        f"{where}: expected LiteRT to run the model, got {how}{said}. "
        "Do: look at the file with `edgebert inspect`, or run it with --on host."
    )
