"""The board's end of the connection. Sent there as text and run by its Python, 3.10 or newer: standard library only.

One JSON object a line, question and answer; what is to be stored follows its question as bytes. An answer with the key
`error` says what went wrong. When its input ends, it kills its workers and ends: nothing stays behind on a board whose
connection was lost.

What is stored has its SHA-256 in its name and appears under that name when it is complete and checked.
"""

import contextlib
import errno
import hashlib
import importlib.metadata
import json
import os
import platform
import secrets
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STANDARD_INPUT = 0
_READ_BYTES = 1 << 16
# Without questions for so long, the other end is taken for gone: a pulled plug is not told to sshd for hours.
_IDLE_SECONDS = 900.0
_SECONDS_TO_END = 5.0
_PACKAGES = ("ai-edge-litert", "numpy")
_PARTIAL = ".partial-"
# Leftovers of a power cut; a younger one may be another connection's.
_PARTIAL_KEPT_SECONDS = 3600.0
_FULL = (errno.ENOSPC, errno.EDQUOT)
_LOG_BYTES = 1 << 20

Answer = dict[str, Any]


class _EndedError(Exception):
    """The connection is gone."""


class _DamagedError(Exception):
    """What arrived is not what was announced."""


class _Questions:
    """Standard input, read from its descriptor: what waits for a worker's answer must see that it ended."""

    def __init__(self) -> None:
        self._rest = b""

    def line(self) -> bytes:
        while b"\n" not in self._rest:
            self._read()
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def payload(self, size_bytes: int) -> Iterator[bytes]:
        while size_bytes:
            if not self._rest:
                self._read()
            part, self._rest = self._rest[:size_bytes], self._rest[size_bytes:]
            size_bytes -= len(part)
            yield part

    def _read(self) -> None:
        ready, _, _ = select.select([STANDARD_INPUT], [], [], _IDLE_SECONDS)
        data = os.read(STANDARD_INPUT, _READ_BYTES) if ready else b""
        if not data:
            raise _EndedError
        self._rest += data


class _Store:
    """Files and trees under the cache folder: `models/SHA256.tflite`, `trees/SHA256`."""

    def __init__(self) -> None:
        shared = os.environ.get("XDG_CACHE_HOME", "")
        self.folder = (Path(shared) if shared.startswith("/") else Path.home() / ".cache") / "edgebert-board"

    def path(self, name: str) -> Path:
        return self.folder / name

    def has(self, name: str, sha256: str) -> bool:
        """Whether it is there and whole. A file is read: cards forget, and a load is timed with the file cached."""
        path = self.path(name)
        if not path.exists() or (path.is_file() and _sha256(path) != sha256):
            return False
        os.utime(path)
        return True

    def put(self, name: str, sha256: str, is_zip: bool, parts: Iterator[bytes]) -> None:
        target = self.path(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = self.folder / f"{_PARTIAL}{secrets.token_hex(8)}"
        tree = partial.with_suffix(".tree")
        try:
            with partial.open("wb") as file:
                for part in parts:
                    file.write(part)
                file.flush()
                os.fsync(file.fileno())
            if _sha256(partial) != sha256:
                raise _DamagedError("its hash is another one")
            if is_zip:
                with zipfile.ZipFile(partial) as archive:
                    archive.extractall(tree)
                os.sync()
            if target.is_file():
                target.unlink()
            (tree if is_zip else partial).rename(target)
        finally:
            shutil.rmtree(tree, ignore_errors=True)
            partial.unlink(missing_ok=True)

    def prune(self, limit_bytes: int, keep: list[str]) -> list[str]:
        """Remove what was not used for longest until the rest is within the limit; and leftovers."""
        for left in self.folder.glob(f"{_PARTIAL}*"):
            if time.time() - left.stat().st_mtime > _PARTIAL_KEPT_SECONDS:
                _remove(left)
        found = [path for kind in ("models", "trees") for path in self.folder.glob(f"{kind}/*")]
        size_bytes = {path: _size_bytes(path) for path in sorted(found, key=lambda path: path.stat().st_mtime)}
        excess_bytes = sum(size_bytes.values()) - limit_bytes
        removed = []
        for path, size in size_bytes.items():
            name = str(path.relative_to(self.folder))
            if excess_bytes > 0 and name not in keep:
                _remove(path)
                removed.append(name)
                excess_bytes -= size
        return removed

    def free_bytes(self) -> int:
        folder = self.folder
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free


class _Worker:
    """A process with one model; its log in a file that has no name."""

    def __init__(self, module: str, trees: list[str]) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long-lived as the worker
        paths = [*trees, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            # By the name that the login found this Python by.
            [shutil.which("python3") or sys.executable, "-m", module],
            # Where Python looks first: not the home folder, which may hold anything.
            cwd=trees[0],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def ask(self, line: str) -> Answer:
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return {"ended": self._process.wait()}
        answers = self._process.stdout.fileno()
        answered = b""
        while not answered.endswith(b"\n"):
            ready, _, _ = select.select([STANDARD_INPUT, answers], [], [])
            if STANDARD_INPUT in ready:
                # Nothing is sent before an answer has come: it can only be the end.
                raise _EndedError
            part = os.read(answers, _READ_BYTES)
            if not part:
                return {"ended": self._process.wait()}
            answered += part
        return {"line": answered.decode()}

    def log(self) -> str:
        return os.pread(self._log.fileno(), _LOG_BYTES, 0).decode(errors="replace")

    def stop(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(_SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Agent:
    """The answers; a method for each question."""

    def __init__(self, questions: _Questions) -> None:
        self._questions, self._store = questions, _Store()
        self._workers: list[_Worker] = []

    def describe(self) -> Answer:
        return {
            "system": platform.system(),
            "machine": platform.machine(),
            "bits": 8 * struct.calcsize("P"),
            "libc": list(platform.libc_ver()),
            "python_version": platform.python_version(),
            "packages": {name: _installed(name) for name in _PACKAGES},
            "folder": str(self._store.folder),
        }

    def missing(self, entries: list[dict[str, str]]) -> Answer:
        names = [entry["name"] for entry in entries if not self._store.has(entry["name"], entry["sha256"])]
        return {"names": names}

    def prune(self, limit_bytes: int, keep: list[str]) -> Answer:
        return {"removed": self._store.prune(limit_bytes, keep), "free_bytes": self._store.free_bytes()}

    def store(self, name: str, sha256: str, is_zip: bool, size_bytes: int) -> Answer:
        parts = self._questions.payload(size_bytes)
        try:
            self._store.put(name, sha256, is_zip, parts)
        finally:
            # What was not written must be read all the same: the next question comes after it.
            for _ in parts:
                pass
        return {}

    def start(self, module: str, trees: list[str]) -> Answer:
        self._workers.append(_Worker(module, [str(self._store.path(tree)) for tree in trees]))
        return {"worker": len(self._workers) - 1}

    def ask(self, worker: int, line: str) -> Answer:
        return self._workers[worker].ask(line)

    def log(self, worker: int) -> Answer:
        return {"log": self._workers[worker].log()}

    def stop(self, worker: int) -> Answer:
        self._workers[worker].stop()
        return {}

    def cpu_time(self) -> Answer:
        return {"own_cpu_ns": time.process_time_ns()}

    def kill_all(self) -> None:
        for worker in self._workers:
            worker.kill()


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            digest.update(part)
    return digest.hexdigest()


def _size_bytes(path: Path) -> int:
    return sum(file.lstat().st_size for file in (path, *path.rglob("*")))


def _remove(path: Path) -> None:
    """Under another name first, so that half of it is never taken for the whole."""
    if path.is_dir():
        doomed = path.parent.parent / f"{_PARTIAL}{secrets.token_hex(8)}"
        path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _answer(agent: Agent, question: dict[str, Any]) -> Answer:
    try:
        return getattr(agent, question.pop("question"))(**question)
    except OSError as error:
        kind = "full" if error.errno in _FULL else "storage"
        return {"error": error.strerror or str(error), "kind": kind}
    except (_DamagedError, zipfile.BadZipFile) as error:
        return {"error": str(error), "kind": "damaged"}


def main() -> None:
    questions = _Questions()
    agent = Agent(questions)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # Whatever else is printed goes where errors go.
    os.dup2(2, 1)
    try:
        # An empty line for an answer to nothing: the program has arrived.
        answer: Answer = {}
        while True:
            answers.write(json.dumps(answer) + "\n")
            answers.flush()
            answer = _answer(agent, json.loads(questions.line()))
    except (_EndedError, BrokenPipeError):
        pass
    finally:
        agent.kill_all()


if __name__ == "__main__":
    main()
