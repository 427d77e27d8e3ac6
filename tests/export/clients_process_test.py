"""Whatever a client's process does, the one that started it goes on and knows what happened."""

import json
import sys
from pathlib import Path

import pytest

from edgebert.export.clients.process import Answer, ask_version, run_client
from edgebert.export.clients.registry import Client

PYTHON = Path(sys.executable)


def client(folder: Path, code: str, takes_tokens: bool = False) -> Client:
    runner = folder / "runner.py"
    runner.write_text("import json, os, signal, sys, time\nrequest = json.load(sys.stdin)\n" + code)
    return Client("fake", "A fake", "fake", str(runner), takes_tokens)


def run(folder: Path, code: str, texts=("a", "b"), **options):
    return run_client(client(folder, code), PYTHON, Path("model.tflite"), "classification", texts, **options)


def test_a_request_goes_in_and_answers_come_out(tmp_path: Path) -> None:
    code = """
answers = [{"values": [len(text), 0.5], "names": ["x", None]} for text in request["texts"]]
json.dump({"version": "1.2", "answers": answers, "refusal": None}, sys.stdout)
"""
    reply = run(tmp_path, code, ["a", "été", "\ud800", "\x00\u2028"])
    assert reply.version == "1.2" and reply.refusal is None and reply.failure is None
    assert reply.answers == tuple(Answer((n, 0.5), ("x", "")) for n in (1, 3, 1, 2))


def test_an_interpreter_is_given_tokens(tmp_path: Path) -> None:
    code = 'json.dump({"version": request["task"], "answers": [{"values": request["tokens"][0]}]}, sys.stdout)'
    reply = run_client(client(tmp_path, code, True), PYTHON, Path("m"), "embedding", [[1, 2]])
    assert (reply.version, reply.answers) == ("embedding", (Answer((1, 2)),))


def test_a_crash_is_named_by_its_signal(tmp_path: Path) -> None:
    reply = run(tmp_path, "os.kill(os.getpid(), signal.SIGSEGV)")
    assert reply.failure == "crashed (SIGSEGV)" and reply.answers == ()


def test_a_process_that_hangs_is_stopped(tmp_path: Path) -> None:
    reply = run(tmp_path, "time.sleep(60)", timeout_seconds=0.5)
    assert "no answer within" in reply.failure


def test_a_traceback_over_there_is_one_line_here(tmp_path: Path) -> None:
    reply = run(tmp_path, "import no_such_module")
    assert reply.failure == "failed: ModuleNotFoundError: No module named 'no_such_module'"


def test_an_exit_without_a_word_is_a_failure(tmp_path: Path) -> None:
    assert run(tmp_path, "sys.exit(3)").failure == "failed: exit code 3"


@pytest.mark.parametrize("written", ["", "hello", "[1"])
def test_something_else_than_an_answer_is_a_failure(tmp_path: Path, written: str) -> None:
    assert "instead of an answer" in run(tmp_path, f"print({written!r}, end='')").failure


def test_a_missing_python_is_a_failure(tmp_path: Path) -> None:
    reply = ask_version(client(tmp_path, ""), tmp_path / "bin" / "python")
    assert "could not be started" in reply.failure


def test_what_native_code_says_is_kept(tmp_path: Path) -> None:
    code = 'sys.stderr.write("x\\n" * 500 + "gather index out of bounds\\n"); json.dump({"version": "1"}, sys.stdout)'
    log = run(tmp_path, code).log
    assert log.endswith("gather index out of bounds") and log.count("\n") < 50


def test_the_process_sees_neither_pythonpath_nor_this_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(tmp_path, 'json.dump({"version": "1", "answers": []}, sys.stdout)').failure is None


@pytest.mark.parametrize("noise", ["os.write(1, b'native noise')", "print('noise', flush=True)"])
@pytest.mark.parametrize("runner", ["interpreter.py"])
def test_a_runner_keeps_its_answer_apart_from_noise(tmp_path: Path, runner: str, noise: str) -> None:
    """The real runner, with a library that prints on stdout."""
    from edgebert.export.clients.registry import RUNNERS

    source = (RUNNERS / runner).read_text()
    fake = f"""
def load(library):
    {noise}
    return "1", None
def signature_runner(module, model, kernels):
    raise ValueError("no model")
"""
    code = source.replace('if __name__ == "__main__":\n    main()', fake + "main()")
    path = tmp_path / "noisy.py"
    path.write_text("import os\n" + code)
    fake_client = Client("fake", "A fake", "fake", str(path), True, options=("litert", "default"))
    reply = run_client(fake_client, PYTHON, Path("m"), "classification", [])
    assert (reply.version, reply.refusal, reply.failure) == ("1", "no model", None)
    assert "noise" in reply.log


def test_answers_are_json_numbers_exactly(tmp_path: Path) -> None:
    value = 0.1 + 0.2
    code = f'json.dump({{"version": "1", "answers": [{{"values": [{value!r}]}}]}}, sys.stdout)'
    assert run(tmp_path, code).answers == (Answer((value,)),)
    assert json.loads(json.dumps(value)) == value
