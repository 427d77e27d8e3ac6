"""Workers that fail: each kind of end is one line that says how it ended and what to do."""

import sys
from collections.abc import Iterator

import pytest

from edgebert.benchmark.process import WorkerProcess
from edgebert.errors import MeasurementError
from tests.benchmark.conftest import DYNAMIC
from tests.data.house_form import assert_house_form


@pytest.fixture
def start() -> Iterator:
    workers = []

    def started(*code: str) -> WorkerProcess:
        command = (sys.executable, "-c", "\n".join(code)) if code else ()
        workers.append(WorkerProcess("m.tflite", command) if code else WorkerProcess("m.tflite"))
        return workers[-1]

    yield started
    for worker in workers:
        worker.close()


def message(worker: WorkerProcess, question: str = "run") -> str:
    with pytest.raises(MeasurementError) as caught:
        worker.ask(question)
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_a_worker_tells_the_machine_and_the_delegate(start) -> None:
    worker = start()
    started = worker.ask("start", cores=[0])
    assert started["affinity"] == [0]
    assert started["runtime"]["name"] == "LiteRT"
    assert worker.delegate_name() is None
    described = worker.ask("open", path=str(DYNAMIC), threads=1)
    tensors = [detail["tensor"] for detail in described["inputs"]]
    worker.ask("prepare", tensors=tensors, dtypes=["int32"] * 3, arrays=[[[1] * 8] * 3])
    assert worker.delegate_name() == "XNNPACK"
    memory = worker.ask("memory")
    assert 0 < memory["before_load_bytes"] < memory["after_load_bytes"] <= memory["peak_bytes"]


def test_what_the_runtime_refuses_is_its_own_words(start) -> None:
    worker = start()
    worker.ask("start", cores=None)
    with pytest.raises(MeasurementError, match="expected the runtime to load the file, got 'Could not open"):
        worker.ask("open", path="/no/such.tflite", threads=1)


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "a dead process (SIGSEGV)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "a dead process (SIGKILL (out of memory?))"),
        ("raise SystemExit(3)", "a dead process (exit status 3)"),
        ("import sys; print('INFO: x\\nbad\\nINFO: y', file=sys.stderr)", "(exit status 0); its last words: bad."),
        ("input(); print('half an answer', end='')", "a dead process (exit status 0)"),
    ],
)
def test_a_dead_worker_says_how_it_died(start, code: str, named: str) -> None:
    assert named in message(start(code))


def test_missing_litert_names_the_extra(start) -> None:
    hidden = (
        "import sys; sys.modules['ai_edge_litert'] = None",
        "from edgebert.benchmark.worker import Worker, serve; serve(Worker())",
    )
    worker = start(*hidden)
    with pytest.raises(MeasurementError, match=r"expected LiteRT to be installed.*pip install '\.\[benchmark\]'"):
        worker.ask("start", cores=None)


def test_what_a_runtime_prints_is_no_answer(start) -> None:
    """LiteRT logs to file descriptor 1 or 2 as it likes; here everything is printed before and between answers."""
    noisy = (
        "import os",
        "from edgebert.benchmark import worker",
        "class Noisy(worker.Worker):",
        "    def cpu_time(self):",
        "        os.write(1, b'noise on stdout\\n')",
        "        print('more noise', flush=True)",
        "        return super().cpu_time()",
        "worker.serve(Noisy())",
    )
    worker = start(*noisy)
    assert worker.ask("cpu_time")["own_cpu_ns"] > 0
    assert worker.ask("cpu_time")["own_cpu_ns"] > 0
