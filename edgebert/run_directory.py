"""The folder of one run: each stage's files and result, what they were made from, and a lock.

A stage that finished with the same inputs is not run again; one that was interrupted finds its own folder as it left
it. Paths in records are relative, so that a moved folder still works.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from edgebert.errors import OutputError
from edgebert.files import make_folder, sha256_of_file, write_atomically
from edgebert.version import VERSION

LOCK_FILE = ".lock"
RECORD_FILE = "stage.json"
BEGUN, FINISHED = "begun", "finished"


class RunDirectory:
    """Use as a context: a second process on the same folder is refused."""

    def __init__(self, path: str | os.PathLike):
        self.path = make_folder(path)
        self._lock: int | None = None

    @staticmethod
    def check(path: str | os.PathLike) -> None:
        """Refuse a place that could not be written to; nothing is changed."""
        place = Path(path).absolute()
        while not place.exists():
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            got = "one that is read-only" if place.is_dir() else "a file"
            raise OutputError(f"{path}: expected a folder to write in, got {got}. Do: choose another run folder.")

    def __enter__(self) -> Self:
        try:
            lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(
                f"{self.path}: expected a folder to write in, got '{error.strerror}'. Do: choose another run folder."
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.pread(lock, 32, 0).decode("ascii", "replace") or "?"
            os.close(lock)
            raise OutputError(
                f"{self.path}: expected a run that nobody works on, got one in use by process {owner}. "
                "Do: wait for it to end, or choose another run folder."
            ) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock
        return self

    def __exit__(self, *exception: object) -> None:
        # The kernel lets go of the lock even of a killed process; the file stays.
        os.close(self._lock)
        self._lock = None

    def stage(self, name: str, inputs: Mapping[str, Any]) -> "Stage":
        """The stage `name`, ready to be run or known to be done. `inputs` is everything that its result depends on."""
        stage = Stage(make_folder(self.path / name), key_of(inputs), dict(inputs))
        stage.open()
        return stage

    def forget(self, name: str) -> None:
        """Make the stage run anew."""
        _remove(self.path / name)


@dataclass
class Stage:
    folder: Path
    key: str
    inputs: dict[str, Any]
    result: Any = None
    finished: bool = False

    def open(self) -> None:
        record = _read_record(self.folder / RECORD_FILE)
        if standing(self.folder, self.key) == FINISHED:
            self.result, self.finished = record["result"], True
        elif record.get("key") != self.key or record.get("state") == FINISHED:
            # Left over from other inputs, or damaged since; nothing in it may leak into this run.
            _remove(self.folder)
            make_folder(self.folder)
            self._write({"state": BEGUN})

    def finish(self, result: Any) -> None:
        """Record the result and the files as they are now."""
        self._write({"state": FINISHED, "result": result, "files": _hash_files(self.folder)})
        self.result, self.finished = result, True

    def _write(self, record: dict[str, Any]) -> None:
        content = {"key": self.key, "version": VERSION, "inputs": self.inputs, **record}
        write_atomically(self.folder / RECORD_FILE, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def standing(folder: Path, key: str) -> str | None:
    """FINISHED, BEGUN, or None for neither with these inputs; nothing is changed."""
    record = _read_record(folder / RECORD_FILE)
    if record.get("key") != key:
        return None
    if record.get("state") == FINISHED:
        return FINISHED if record["files"] == _hash_files(folder) else None
    return BEGUN


def key_of(inputs: Mapping[str, Any]) -> str:
    """What a stage's record is recognised by: everything that its result depends on."""
    return _sha256({"version": VERSION, "inputs": inputs})


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(
            f"{folder}: expected a folder that can be removed, got '{error.strerror}'. Do: choose another run folder."
        ) from error


def _read_record(path: Path) -> dict[str, Any]:
    """What stands there; nothing, where there is no whole record."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _hash_files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD_FILE)
    return {str(path.relative_to(folder)): sha256_of_file(path) for path in files}


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
