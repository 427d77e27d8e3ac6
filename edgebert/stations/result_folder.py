"""The folder that a station makes: an ordinary checkpoint, and in `training` what it was made from and how.

A finished result is never made twice nor replaced unasked; an unfinished one is taken up where it stood.
"""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from edgebert.errors import OutputError
from edgebert.files import sha256_of_file, write_atomically
from edgebert.run_directory import LOCK_FILE, RunDirectory
from edgebert.training.settings import EVENTS_FOLDER
from edgebert.version import VERSION

WORK_FOLDER = "training"
RECORD_FILE = "record.json"
# Rows of the data that were left out; they are listed before the data can be described.
SKIPPED_FILES = "skipped-*.jsonl"
BEGUN, FINISHED = "begun", "finished"
SHOWN, SHOWN_CHARACTERS = 3, 40


class StationResult:
    """A dataclass of what a station tells of what it made; `found`: it was there before, nothing was made now."""

    found: bool

    def to_json(self) -> dict[str, Any]:
        """What the record keeps."""
        fields = dataclasses.asdict(self)
        del fields["found"]
        return fields


def work_folder(folder: str | os.PathLike) -> Path:
    return Path(folder) / WORK_FOLDER


def require_free(folder: str | os.PathLike) -> None:
    """Refuse a folder that holds what no station made, before anything is read."""
    path = Path(folder)
    try:
        found = sorted(one.name for one in path.iterdir()) if path.exists() else []
    except OSError as error:
        raise OutputError(
            f"{path}: expected a folder for the result, got '{error.strerror}'. Do: choose another one."
        ) from error
    foreign = [name for name in found if name != WORK_FOLDER]
    if foreign and not (work_folder(path) / RECORD_FILE).exists():
        raise OutputError(
            f"{path}: expected a new or empty folder, or one that this command made, got one that holds "
            f"{_some(foreign)}. Do: choose another folder."
        )


class ResultFolder:
    """Use as a context: a second process on the same folder is refused.

    `inputs` is everything that the result depends on, as JSON holds it. Until `begin` nothing is written but the lock:
    what is found to be impossible before leaves the folder free for another try.
    """

    def __init__(self, path: str | os.PathLike, station: str, inputs: Mapping[str, Any], replace: bool = False):
        self.path, self.work = Path(path), work_folder(path)
        self.station, self.inputs, self._replace = station, json.loads(json.dumps(inputs)), replace
        self.finished, self.result = False, None
        self._replaced: dict[str, Any] = {}
        self._lock = contextlib.ExitStack()

    def __enter__(self) -> Self:
        # Before the lock makes a folder inside.
        require_free(self.path)
        with contextlib.ExitStack() as opened:
            opened.enter_context(RunDirectory(self.work))
            self._open()
            self._lock = opened.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.close()

    def check(self) -> None:
        """Refuse what entering would refuse, but for another process; nothing is written."""
        require_free(self.path)
        record = self._read()
        wrong = self._objection(record) if record else None
        if wrong and not self._replace:
            raise wrong

    def begin(self) -> None:
        """Take the folder for this result, or take up what was begun of it."""
        if self._replaced:
            self._remove(self._replaced)
        self._write({"state": BEGUN})

    def finish(self, result: Any) -> None:
        """Record the result with the checkpoint's files as they are now; what only served to go on is removed."""
        self.result, self.finished = result, True
        self._write({"state": FINISHED, "result": result, "files": self._hashes()})
        self._clear(keep_traces=True)

    def _open(self) -> None:
        self.check()
        record = self._read()
        if record and self._objection(record):
            self._replaced = record
        elif record and record["state"] == FINISHED:
            self.result, self.finished = record["result"], True
            # A kill may have come between the record and the removal.
            self._clear(keep_traces=True)

    def _objection(self, record: dict[str, Any]) -> OutputError | None:
        """Why what is there is neither this result nor a part of it."""
        if (record["station"], record["version"], record["inputs"]) != (self.station, VERSION, self.inputs):
            return self._other(record)
        if record["state"] == FINISHED and (changed := self._changed(record)):
            return OutputError(
                f"{self.path}: expected the finished result's files as they were made, got {_some(changed)} "
                "changed or gone. Do: choose another folder, or make it anew with --force."
            )
        return None

    def _changed(self, record: dict[str, Any]) -> list[str]:
        """Of the result's files; what somebody put beside them is not ours to judge."""
        found = self._hashes()
        return [name for name, sha256 in record["files"].items() if found.get(name) != sha256]

    def _other(self, record: dict[str, Any]) -> OutputError:
        ours = {"station": self.station, "version": VERSION, **_flat(self.inputs)}
        theirs = {"station": record["station"], "version": record["version"], **_flat(record["inputs"])}
        names = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
        shown = [f"{name} {_short(theirs.get(name))} there, {_short(ours.get(name))} here" for name in names]
        state = "a finished" if record["state"] == FINISHED else "an unfinished"
        return OutputError(
            f"{self.path}: expected a result of these very inputs, got {state} one of others ({_some(shown, '; ')}). "
            "Do: choose another folder, repeat the command that made it, or replace it with --force."
        )

    def _remove(self, record: dict[str, Any]) -> None:
        """The result and all that belongs to it; files that somebody added stay."""
        for name in record.get("files", {}):
            (self.path / name).unlink(missing_ok=True)
        self._clear(keep_traces=False)

    def _clear(self, *, keep_traces: bool) -> None:
        for one in self.work.iterdir():
            if one.name in (LOCK_FILE, RECORD_FILE) or one.match(SKIPPED_FILES):
                continue
            if not one.is_dir():
                one.unlink()
            elif not keep_traces:
                shutil.rmtree(one)
            else:
                _keep_events(one)

    def _hashes(self) -> dict[str, str]:
        """Of the checkpoint's files."""
        found = [path for path in self.path.rglob("*") if path.is_file() and self.work not in path.parents]
        return {str(path.relative_to(self.path)): sha256_of_file(path) for path in sorted(found)}

    def _write(self, record: dict[str, Any]) -> None:
        content = {"station": self.station, "version": VERSION, "inputs": self.inputs, **record}
        write_atomically(self.work / RECORD_FILE, (json.dumps(content, indent=2) + "\n").encode())

    def _read(self) -> dict[str, Any]:
        path = self.work / RECORD_FILE
        try:
            record = json.loads(path.read_bytes()) if path.exists() else {}
        except (OSError, ValueError) as error:
            raise OutputError(
                f"{path}: expected the record of a run, got '{error}'. Do: choose another folder, or delete "
                f"{self.work}."
            ) from error
        if record and not (isinstance(record, dict) and {"station", "version", "inputs", "state"} <= record.keys()):
            raise OutputError(f"{path}: expected the record of a run, got something else. Do: choose another folder.")
        return record


def _keep_events(folder: Path) -> None:
    """Remove all but training curves."""
    for one in sorted(folder.rglob("*"), key=lambda path: -len(path.parts)):
        if EVENTS_FOLDER in one.relative_to(folder.parent).parts:
            continue
        if one.is_dir():
            with contextlib.suppress(OSError):
                # Not empty where curves are below it.
                one.rmdir()
        else:
            one.unlink()
    with contextlib.suppress(OSError):
        folder.rmdir()


def _some(texts: Sequence[str], between: str = ", ") -> str:
    more = f"{between}{len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return between.join(texts[:SHOWN]) + more


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


def _flat(values: Any, name: str = "") -> dict[str, Any]:
    """Nested tables with dotted names; lists stay whole."""
    if not isinstance(values, dict):
        return {name: values}
    found: dict[str, Any] = {}
    for key, value in values.items():
        found.update(_flat(value, f"{name}.{key}" if name else key))
    return found
