"""What a run's folder says of the run: its configuration, versions and machine, and a log of what was done when."""

import contextlib
import datetime
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edgebert.benchmark.device import read_device
from edgebert.data.examples import Dataset
from edgebert.documents import to_plain as record_to_plain
from edgebert.errors import OutputError
from edgebert.files import write_atomically
from edgebert.pipeline.config_file import to_plain, to_toml
from edgebert.pipeline.request import Request
from edgebert.pipeline.standings import names_of_stages
from edgebert.progress import Progress, Report
from edgebert.run_directory import CONFIG_FILE, RUN_FILE, RunDirectory
from edgebert.version import VERSION

LOG_FILE = "log.txt"
# Whose versions may change a result.
PACKAGES = (
    "ai-edge-litert",
    "ai-edge-quantizer",
    "numpy",
    "tensorflow",
    "tensorflow-model-optimization",
    "tf-keras",
    "tflite-support",
)


def record_start(run: RunDirectory, request: Request) -> None:
    """Everything that is needed to reproduce the run, and each start of it."""
    path = run.path / RUN_FILE
    config = to_plain(request.config)
    start = {"at_utc": _now(), "command_line": list(sys.argv), "folder": str(Path.cwd()), "edgebert": VERSION}
    content = {
        "schema": "edgebert-run",
        "schema_version": 1,
        "edgebert": VERSION,
        "python": platform.python_version(),
        "packages": {name: version for name in PACKAGES if (version := _version(name)) is not None},
        "device": record_to_plain(read_device()),
        "config": config,
        # A folder of another stage is what an earlier configuration left.
        "stages": names_of_stages(request),
        "inputs": {
            "checkpoint_sha256": request.checkpoint.sha256,
            "train": _source(request.all_train, request.train_available),
            "dev": _source(request.dev),
            "student_train": _source(request.all_student_train),
            "corpus": [] if request.text is None else list(request.text.files),
        },
        "starts": [*_starts(path), start],
    }
    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    write_atomically(run.path / CONFIG_FILE, to_toml(request.config).encode())


@contextlib.contextmanager
def logged(run: RunDirectory, report: Report) -> Iterator[Report]:
    """A report that also writes to the run's log where a task begins and ends; how the run ended is its last line."""
    log = _Log(run.path / LOG_FILE)
    log.write(f"start, process {os.getpid()}: {' '.join(sys.argv)}")

    def hear(progress: Progress) -> None:
        log.hear(progress)
        report(progress)

    try:
        yield hear
    finally:
        error = sys.exception()
        # A disk that is full may be what the error is about.
        with contextlib.suppress(OutputError):
            log.write("done" if error is None else f"stopped: {type(error).__name__} {error}")


class _Log:
    def __init__(self, path: Path):
        self._path, self._task = path, ""

    def hear(self, progress: Progress) -> None:
        finished = progress.done >= progress.total
        if progress.task != self._task or finished:
            remark = f", {progress.remark}" if progress.remark else ""
            self.write(f"{progress.task}: {progress.done}/{progress.total}{remark}")
        self._task = progress.task

    def write(self, line: str) -> None:
        try:
            with self._path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{_now()} {line}\n")
        except OSError as error:
            raise OutputError(
                f"{self._path}: expected a file to write the log to, got '{error.strerror}'. Do: make room there."
            ) from error


def _source(data: Dataset | None, available: int | None = None) -> dict[str, str | int] | None:
    if data is None:
        return None
    read = available or len(data)
    return {"source": data.source, "sha256": data.sha256, "examples": len(data), "examples_read": read}


def _starts(path: Path) -> list[Any]:
    try:
        return json.loads(path.read_bytes())["starts"]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
