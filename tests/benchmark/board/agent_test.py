"""The board's end alone, as a process of its own: what it keeps, what it removes, and that it leaves nothing behind."""

import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgebert.benchmark.board import agent

FULL = """
import os, sys
whole = os.fsync
def full(descriptor):
    raise OSError(28, os.strerror(28))
os.fsync = full
"""


class Process:
    def __init__(self, home: Path, *before: str) -> None:
        program = Path(agent.__file__).read_text()
        # As the connection starts it: Python's first place to look is not where the login begins.
        before = ("import sys", "sys.path[:] = [path for path in sys.path if path]", *before)
        code = "\n".join([*before, f"exec(compile({program!r}, 'agent', 'exec'))"])
        variables = {"HOME": str(home), "PATH": os.environ["PATH"]}
        self.process = subprocess.Popen([sys.executable, "-c", code], env=variables, stdin=-1, stdout=-1)
        assert self.answer() == {}

    def answer(self) -> dict[str, Any]:
        return json.loads(self.process.stdout.readline())

    def ask(self, question: str, payload: bytes = b"", **arguments: object) -> dict[str, Any]:
        self.process.stdin.write(json.dumps({"question": question, **arguments}).encode() + b"\n" + payload)
        self.process.stdin.flush()
        return self.answer()

    def store(self, kind: str, content: bytes, sha256: str | None = None, size: int | None = None) -> dict[str, Any]:
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        is_zip = kind == "trees"
        name = f"{kind}/{sha256}{'' if is_zip else '.tflite'}"
        return self.ask("store", content, name=name, sha256=sha256, is_zip=is_zip, size_bytes=size or len(content))

    def end(self) -> int:
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(20)
        self.process.stdout.close()
        return status


Start = Callable[..., Process]


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    started: list[Process] = []

    def process(*before: str) -> Process:
        started.append(Process(home, *before))
        return started[-1]

    yield process
    for one in started:
        one.end()


@pytest.fixture
def cache(home: Path) -> Path:
    return home / ".cache/edgebert-board"


def zipped(**files: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{name}.py", text)
    return content.getvalue()


def entry(name: str) -> dict[str, str]:
    return {"name": name, "sha256": Path(name).stem}


def names(cache: Path) -> set[str]:
    return {str(path.relative_to(cache)) for path in cache.glob("*/*")} | {path.name for path in cache.glob(".*")}


def test_what_is_stored_is_there_next_time(start: Start, cache: Path) -> None:
    first = start()
    tree, model = zipped(module="value = 7"), b"model" * 50_000
    assert first.store("trees", tree) == first.store("models", model) == {}
    assert first.end() == 0
    second = start()
    kept = sorted(names(cache))
    assert second.ask("missing", entries=[entry(name) for name in kept]) == {"names": []}
    assert (cache / kept[0]).read_bytes() == model
    assert (cache / kept[1] / "module.py").read_text() == "value = 7"


def test_a_file_that_the_card_forgot_is_sent_again(start: Start, cache: Path) -> None:
    board = start()
    board.store("models", b"model")
    (name,) = names(cache)
    (cache / name).write_bytes(b"modem")
    assert board.ask("missing", entries=[entry(name)]) == {"names": [name]}
    board.store("models", b"model")
    assert board.ask("missing", entries=[entry(name)]) == {"names": []}


@pytest.mark.parametrize("kind", ["models", "trees"])
def test_what_does_not_arrive_whole_is_not_kept(start: Start, cache: Path, kind: str) -> None:
    board = start()
    answer = board.store(kind, b"changed on its way", sha256="0" * 64)
    assert answer == {"error": "its hash is another one", "kind": "damaged"}
    assert names(cache) == set()
    assert board.ask("cpu_time")["own_cpu_ns"] > 0


def test_a_tree_that_is_no_zip_is_not_kept(start: Start, cache: Path) -> None:
    board = start()
    assert board.store("trees", b"no zip")["kind"] == "damaged"
    assert names(cache) == set()


def test_a_connection_that_ends_in_the_middle_leaves_no_part(start: Start, cache: Path) -> None:
    board = start()
    question = {"question": "store", "name": "models/x", "sha256": "0" * 64, "is_zip": False, "size_bytes": 10_000}
    board.process.stdin.write(json.dumps(question).encode() + b"\n" + b"half" * 100)
    assert board.end() == 0
    assert names(cache) == set()


def test_a_full_disk_is_told_and_the_next_question_answered(start: Start, cache: Path) -> None:
    board = start(FULL)
    answer = board.store("models", b"m" * 300_000)
    assert answer == {"error": "No space left on device", "kind": "full"}
    assert names(cache) == set()
    assert board.ask("cpu_time")["own_cpu_ns"] > 0


def test_a_place_that_cannot_be_written_is_told(start: Start, home: Path) -> None:
    (home / ".cache").write_text("a file, not a folder")
    board = start()
    # More bytes than a pipe holds: all are taken in, though none is kept, and the next question is understood.
    assert board.store("models", b"m" * 300_000) == {"error": "Not a directory", "kind": "storage"}
    assert board.ask("cpu_time")["own_cpu_ns"] > 0


def test_what_was_not_used_for_longest_goes_first(start: Start, cache: Path) -> None:
    board = start()
    contents = [bytes([number]) * 100_000 for number in range(4)]
    for content in contents:
        board.store("models", content)
    board.store("trees", zipped(module="#" * 100_000))
    stored = [f"models/{hashlib.sha256(content).hexdigest()}.tflite" for content in contents]
    for age, name in enumerate([stored[2], stored[0], stored[1], stored[3]]):
        os.utime(cache / name, (1e9 + age, 1e9 + age))
    # Asked for, and so used: it is the newest now.
    board.ask("missing", entries=[entry(stored[0])])
    pruned = board.ask("prune", limit_bytes=350_000, keep=[stored[2]])
    assert pruned["removed"] == [stored[1], stored[3]]
    assert pruned["free_bytes"] > 0
    assert {stored[0], stored[2]} <= names(cache) and len(names(cache)) == 3


def test_leftovers_of_a_power_cut_go_when_they_are_old(start: Start, cache: Path) -> None:
    (cache / ".partial-old.tree").mkdir(parents=True)
    (cache / ".partial-new").write_text("of another connection")
    os.utime(cache / ".partial-old.tree", (1e9, 1e9))
    start().ask("prune", limit_bytes=10**9, keep=[])
    assert names(cache) == {".partial-new"}


def test_an_empty_cache_can_be_pruned(start: Start) -> None:
    pruned = start().ask("prune", limit_bytes=0, keep=[])
    assert pruned["removed"] == [] and pruned["free_bytes"] > 0


WORKER = """
import os, signal, sys, time
print("INFO: Created TensorFlow Lite XNNPACK delegate for CPU.", file=sys.stderr, flush=True)
for line in sys.stdin:
    if line == "die\\n":
        os.kill(os.getpid(), signal.SIGSEGV)
    if line == "sleep\\n":
        open(os.path.expanduser("~/sleeping"), "w").write(str(os.getpid()))
        time.sleep(600)
    print("answer to", line, end="", flush=True)
"""


@pytest.fixture
def worker(start: Start, cache: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    """An agent with a worker 0, in the home folder as after a login; a module of the user's there is not taken."""
    monkeypatch.chdir(home)
    (home / "signal.py").write_text("raise SystemExit('not Python\\'s own signal')")
    board = start()
    tree = zipped(the_worker=WORKER)
    board.store("trees", tree)
    started = board.ask("start", module="the_worker", trees=[f"trees/{hashlib.sha256(tree).hexdigest()}"])
    assert started == {"worker": 0}
    return board


def test_questions_pass_through_to_a_worker(worker: Process) -> None:
    assert worker.ask("ask", worker=0, line="one") == {"line": "answer to one\n"}
    assert "XNNPACK" in worker.ask("log", worker=0)["log"]
    assert worker.ask("ask", worker=0, line="two") == {"line": "answer to two\n"}
    assert worker.ask("stop", worker=0) == {}


def test_how_a_worker_died_is_known(worker: Process) -> None:
    assert worker.ask("ask", worker=0, line="die") == {"ended": -11}


def test_a_worker_ends_with_the_connection_even_while_it_computes(worker: Process, home: Path) -> None:
    worker.process.stdin.write(json.dumps({"question": "ask", "worker": 0, "line": "sleep"}).encode() + b"\n")
    worker.process.stdin.flush()
    told = home / "sleeping"
    while not told.exists() or not told.read_text():
        time.sleep(0.02)
    assert worker.end() == 0
    assert not Path("/proc", told.read_text()).exists()


def test_an_agent_that_nobody_asks_any_more_ends(start: Start) -> None:
    """As after a pulled plug, of which sshd hears nothing."""
    program = Path(agent.__file__).read_text().replace("_IDLE_SECONDS = 900.0", "_IDLE_SECONDS = 0.2")
    process = subprocess.Popen([sys.executable, "-c", program], stdin=-1, stdout=-1)
    assert process.stdout.readline() == b"{}\n"
    assert process.wait(20) == 0
    process.stdin.close()
    process.stdout.close()


def test_the_board_is_described(start: Start, home: Path) -> None:
    facts = start().ask("describe")
    assert facts["folder"] == str(home / ".cache/edgebert-board")
    assert (facts["system"], facts["bits"]) == ("Linux", 64)
    assert facts["machine"] == os.uname().machine
    assert facts["packages"]["numpy"].startswith("2.")
