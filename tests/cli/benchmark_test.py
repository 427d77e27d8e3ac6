"""The command as a board runs it: nothing but numpy and LiteRT can be imported, in it and in its workers."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.measurement_file import read_record
from tests.benchmark.conftest import DYNAMIC, FIXED, VOCABULARY, packed
from tests.data.house_form import assert_house_form

__all__ = ["packed"]

# What `pip install '.[benchmark]'` does not bring. The file runs in every Python process below this folder's path.
HIDDEN = (
    *("tensorflow", "tf_keras", "keras", "tensorflow_model_optimization", "tflite_support", "tensorflow_lite_support"),
    *("transformers", "tokenizers", "safetensors", "torch", "pyarrow", "ai_edge_quantizer", "huggingface_hub"),
)
HIDE = f"import sys\nfor name in {HIDDEN!r}:\n    sys.modules[name] = None\n"
COMMAND = (sys.executable, "-m", "edgebert.cli", "benchmark")
QUICK = ("--runs", "10", "--min-seconds", "0", "--texts", "5")


@pytest.fixture
def board(tmp_path: Path) -> dict[str, str]:
    """The environment of a machine that has numpy and LiteRT only."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDE)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}


def run(board: dict[str, str], *arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run([*COMMAND, *map(str, arguments)], env=board, capture_output=True, text=True)


def test_the_board_has_none_of_it(board: dict[str, str]) -> None:
    """The fixture itself: were its file not read, the tests below would prove nothing."""
    code = "import importlib, sys\nfor name in sys.argv[1:]:\n  try: importlib.import_module(name)\n"
    code += "  except ModuleNotFoundError: print(name)"
    ran = subprocess.run([sys.executable, "-c", code, *HIDDEN], env=board, capture_output=True, text=True)
    assert ran.stdout.split() == list(HIDDEN)


def test_a_packed_file_needs_nothing_else(board: dict[str, str], packed: Path, tmp_path: Path) -> None:
    ran = run(board, packed, *QUICK, "--json", tmp_path / "out.json")
    assert ran.returncode == 0, ran.stderr
    assert "packed.tflite" in ran.stdout and "inputs: 5 of 20 from built-in English sentences" in ran.stdout
    record = read_record(tmp_path / "out.json")
    assert record.complete and record.cases[0].inputs.tokenizer == "WordPiece with the packed vocabulary"
    shown = run(board, "--show", tmp_path / "out.json")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, ran.stdout, "")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("texts.txt", "one\ntwo\n"),
        ("texts.csv", "text,label\none,a\ntwo,b\n"),
        ("texts.jsonl", '{"text": "one"}\n{"text": "two"}\n'),
    ],
)
def test_texts_from_a_file(board: dict[str, str], tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    ran = run(board, DYNAMIC, "--vocab", VOCABULARY, *QUICK, "--data", tmp_path / name)
    assert ran.returncode == 0, ran.stderr
    assert f"inputs: 2 of 2 from {name}" in ran.stdout


def test_json_on_stdout_is_all_of_stdout(board: dict[str, str]) -> None:
    ran = run(board, DYNAMIC, FIXED, "--vocab", VOCABULARY, *QUICK, "--threads", "1,2", "--json", "-")
    document = json.loads(ran.stdout)
    assert [case["threads"] for case in document["cases"]] == [1, 1, 2, 2]
    assert document["derived"]["cases"][1]["compared_with_case"] == 0
    assert document["provenance"]["command_line"][1:3] == ["benchmark", DYNAMIC.name]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "models: expected at least one .tflite"),
        (("gone.tflite",), "gone.tflite: expected a .tflite file that can be read"),
        ((VOCABULARY,), "tiny_vocab.txt: expected a whole .tflite file"),
        ((DYNAMIC,), "expected a vocabulary packed in the file, got none"),
        ((DYNAMIC, "--synthetic-ids"), "expected a length for synthetic ids"),
        ((DYNAMIC, "--vocab", "gone.txt"), "gone.txt: expected a vocabulary that can be read"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--data", "gone.txt"), "gone.txt: expected a readable file"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--threads", "0"), "--threads: expected 1 or more, got 0"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--threads", "all"), "--threads: expected numbers with commas between"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--texts", "0"), "--texts: expected 1 or more, got 0"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--seed", "-1"), "--seed: expected 0 or more, got -1"),
        (
            (DYNAMIC, "--vocab", VOCABULARY, "--length", "600"),
            "expected the runtime to allocate and run the model once",
        ),
        ((FIXED, "--vocab", VOCABULARY, "--length", "16"), "expected --length 32 (its inputs are fixed), got 16"),
        ((DYNAMIC, "--vocab", VOCABULARY, "--json", "gone/out.json"), "gone/out.json: expected a file in an existing"),
        (("--show", "gone.json"), "gone.json: expected a measurement, got"),
        (("--show", VOCABULARY), "expected a measurement, got no JSON"),
        ((DYNAMIC, "--show", "gone.json"), "--show: expected no model beside it"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, named: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["benchmark", *map(str, arguments)]) == 2
    printed = capsys.readouterr()
    told = printed.err.strip().splitlines()
    assert printed.out == "" and len([line for line in told if "expected" in line]) == 1
    assert named in told[-1]
    assert_house_form(told[-1].removeprefix("edgebert benchmark: "))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_stopped_run_keeps_its_samples(
    board: dict[str, str], tmp_path: Path, number: signal.Signals, status: int
) -> None:
    out = tmp_path / "out.json"
    arguments = [*COMMAND, DYNAMIC, "--vocab", VOCABULARY, "--min-seconds", "600", "--json", out]
    process = subprocess.Popen(list(map(str, arguments)), env=board, stdout=-1, stderr=subprocess.PIPE, text=True)
    while not process.stderr.readline().startswith("warm up"):
        assert process.poll() is None
    # What follows is measured at once, and told after a quarter of a minute.
    time.sleep(0.5)
    process.send_signal(number)
    told, _ = process.communicate(timeout=60)
    assert process.returncode == status
    record = read_record(out)
    assert (record.complete, record.incomplete_reason) == (False, "interrupted")
    assert len(record.cases[0].samples) > 0
    assert "the run did not finish: interrupted" in told
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_full_place_loses_no_figures(board: dict[str, str], tmp_path: Path) -> None:
    """Files may have 2,000 bytes here, too few for the record; the tables are printed before it is written."""
    limit = (2000, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    arguments = [*COMMAND, DYNAMIC, "--vocab", VOCABULARY, *QUICK, "--json", tmp_path / "out.json"]
    ran = subprocess.run(
        list(map(str, arguments)),
        env=board,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
    )
    assert ran.returncode == 2
    assert "tiny_dynamic_length.tflite" in ran.stdout
    message = ran.stderr.strip().splitlines()[-1].removeprefix("edgebert benchmark: ")
    assert_house_form(message)
    assert "expected a place that can hold" in message
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []
