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
from edgebert.files import PARTIAL_SUFFIX, make_folder, sha256_of_file, write_atomically
from edgebert.version import VERSION

LOCK_FILE = ".lock"
RECORD_FILE = "stage.json"
# Of the whole run: what it was made with, and the configuration that it was last asked for with.
RUN_FILE, CONFIG_FILE = "run.json", "config.toml"
BEGUN, FINISHED = "begun", "finished"


class RunDirectory:
    """Use as a context: a second process on the same folder is refused."""

    def __init__(self, path: str | os.PathLike):
        self.path = make_folder(path)
        self._lock: int | None = None
        # That was last begun or found finished.
        self.current_stage: str | None = None

    @staticmethod
    def check(path: str | os.PathLike) -> None:
        """Refuse a place that could not be written to; nothing is changed."""
        place = Path(path).absolute()
        while not place.exists():
            place = place.parent
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            got = "one that is read-only" if place.is_dir() else "a file"
            raise OutputError(f"{path}: expected a folder to write in, got {got}. Do: choose another run folder.")
        if Path(path).is_dir() and any(Path(path).iterdir()) and not _is_a_runs(Path(path)):
            raise OutputError(
                f"{path}: expected a new or empty folder, or that of a run, got one with something else in it. "
                "Do: choose another run folder."
            )

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
        self.current_stage = name
        return stage

    def forget(self, name: str) -> None:
        """Make the stage run anew."""
        _remove_stage(self.path / name)


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
            _remove_stage(self.folder)
            make_folder(self.folder)
            self._write({"state": BEGUN})

    def finish(self, result: Any) -> None:
        """Record the result and the files as they are now."""
        self._write({"state": FINISHED, "result": result, "files": _hash_files(self.folder)})
        self.result, self.finished = result, True

    def _write(self, record: dict[str, Any]) -> None:
        content = {"key": self.key, "version": VERSION, "inputs": self.inputs, **record}
        write_atomically(self.folder / RECORD_FILE, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def standing(folder: Path, key: str | None = None) -> str | None:
    """FINISHED, BEGUN, or None for neither with these inputs (whichever they were, without a key); nothing changes."""
    record = _read_record(folder / RECORD_FILE)
    if not record or key not in (None, record.get("key")):
        return None
    if record.get("state") == FINISHED:
        return FINISHED if _are_as_recorded(folder, record["files"]) else None
    return BEGUN


def key_of(inputs: Mapping[str, Any]) -> str:
    """What a stage's record is recognised by: everything that its result depends on."""
    return _sha256({"version": VERSION, "inputs": inputs})


def _is_a_runs(folder: Path) -> bool:
    return (folder / LOCK_FILE).exists() or any(folder.glob(f"*/{RECORD_FILE}"))


def _remove_stage(folder: Path) -> None:
    """Only what has a stage's record; it goes last, so that a removal that was killed is known as one."""
    try:
        found = [path for path in folder.iterdir() if path.suffix != PARTIAL_SUFFIX] if folder.exists() else []
        if found and not (folder / RECORD_FILE).exists():
            raise OutputError(
                f"{folder}: expected a stage of the run, got {found[0].name} in it and no {RECORD_FILE}. "
                "Do: move it elsewhere, or choose another run folder."
            )
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != RECORD_FILE:
                path.unlink()
        if folder.exists():
            shutil.rmtree(folder)
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


def _are_as_recorded(folder: Path, files: Mapping[str, str]) -> bool:
    """Whatever else somebody has put beside them."""
    paths = {folder / name: sha256 for name, sha256 in files.items()}
    return all(path.is_file() and sha256_of_file(path) == sha256 for path, sha256 in paths.items())


def _hash_files(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RECORD_FILE)
    return {str(path.relative_to(folder)): sha256_of_file(path) for path in files}


def _sha256(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
