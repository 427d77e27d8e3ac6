"""What every command does alike: one line for what a user got wrong, exit codes, and a stdout that may close."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.cli import COMMANDS, build_parser, main
from tests.conftest import GOLDEN

REFERENCE = GOLDEN / "reference"
TINY_MODEL = GOLDEN / "tiny_dynamic_length.tflite"
ONE_LINE = re.compile(r"edgebert( \w+)?: .+: expected .+, got .+\. Do: .+\.\n")


def run(*arguments: object, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        code = exit_.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["convert", "minilm"], ["compress", "--epochs", "x"]])
def test_wrong_flags_are_one_line_and_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(*arguments, capsys=capsys)
    assert (code, out) == (2, "")
    assert re.fullmatch(r"edgebert( \w+)?: expected flags as in --help, got: .+\. Do: see edgebert.* --help\.\n", err)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_teaches_with_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(command, "--help", capsys=capsys)
    assert code == 0 and "examples:" in out and f"edgebert {command}" in out


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--precision", "float32,int9"], "precision: expected float32, float16, dynamic, hybrid, "),
        (["--length", "0"], "length: expected 2 to 128"),
        (["--length", "100000"], "length: expected 2 to 128"),
        (["--compatible-with", "abacus"], "compatible_with: expected task-library, tflite-android, "),
        (
            ["--compatible-with", "task-library", "--precision", "dynamic,hybrid"],
            "can run (float32, float16, dynamic, static, full-int8), got hybrid, which needs runtime 2.18. Do:",
        ),
        (
            ["--compatible-with", "litert-android", "--precision", "int4-embedding"],
            "got int4-embedding, which needs runtime LiteRT 2.1. Do:",
        ),
        (
            ["--precision", "float32,static"],
            "static: expected texts to calibrate its ranges with, got none. Do: give --",
        ),
        (["--precision", "static", "--calibration", "/nowhere.txt"], "/nowhere.txt: expected a readable file, got "),
        (["--precision", "static", "--calibration", "snips", "--calibration-texts", "0"], "expected 1 or more, got 0"),
        # Of a dataset with several splits it is the training texts.
        (["--precision", "static", "--calibration", "snips"], "snips: expected words, got 3.3 pieces a word. Do:"),
        (
            ["--precision", "static", "--calibration", "snips", "--calibration-split", "dew"],
            "snips: expected the name of a split, got 'dew'. Do: choose the split among train, validate.",
        ),
    ],
)
def test_convert_refuses_before_it_starts(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run("convert", REFERENCE / "bert", "--out", tmp_path, *flags, capsys=capsys)
    assert (code, out) == (2, "")
    assert says in err and ONE_LINE.fullmatch(err) and not list(tmp_path.iterdir())


def test_the_list_of_precisions_has_a_paragraph_on_each(capsys: pytest.CaptureFixture[str]) -> None:
    from edgebert.export.precisions import PRECISIONS

    code, out, err = run("convert", "--list-precisions", capsys=capsys)
    assert (code, err) == (0, "")
    assert [line for line in out.splitlines() if not line.startswith(" ")] == list(PRECISIONS)
    for name, each in PRECISIONS.items():
        paragraph = out.partition(f"{name}\n")[2]
        assert len(each.description) > 100 and each.description[:40] in paragraph
        # Which runtime, for everybody who asks.
        assert "2." in each.description


@pytest.mark.parametrize("flags", [["--precision", ""], ["--precision", "float32,float32"], ["--name", "a/b"]])
def test_convert_refuses_malformed_flags(flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run("convert", REFERENCE / "bert", "--out", tmp_path, *flags, capsys=capsys)
    assert code == 2 and err.count("\n") == 1 and "expected" in err


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--max-examples", "0"], "--max-examples: expected 1 or more, got 0"),
        (["--epochs", "-1"], "training epochs: expected 1 or more, got -1"),
        (["--batch-size", "0"], "training batch_size: expected 1 or more, got 0"),
        (["--learning-rate", "0"], "training learning_rate: expected a number above 0, got 0.0"),
        (["--precision", "int9"], "precision: expected float32, float16, dynamic"),
        (["--training-length", "1"], "length: expected 2 to 128"),
    ],
)
def test_compress_refuses_before_it_trains(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--teacher", REFERENCE / "bert", "--data", "snips", "--run", tmp_path / "run"]
    code, out, err = run("compress", *given, *flags, capsys=capsys)
    assert (code, out) == (2, "")
    last = err.splitlines(keepends=True)[-1]
    assert says in last and ONE_LINE.fullmatch(last)
    assert not list((tmp_path / "run").glob("*/"))


def test_half_a_vocabulary_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "half"
    folder.mkdir()
    for file in (REFERENCE / "bert").iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    pieces = (folder / "vocab.txt").read_text().splitlines()
    (folder / "vocab.txt").write_text("\n".join(pieces[: len(pieces) // 2]) + "\n")
    code, _, err = run("convert", folder, "--out", tmp_path / "out", capsys=capsys)
    assert code == 2 and "expected about 120 pieces" in err and ONE_LINE.fullmatch(err)


def test_a_reader_that_stops_reading_is_no_error() -> None:
    command = f"{sys.executable} -m edgebert.cli inspect {TINY_MODEL} --nodes | true; exit ${{PIPESTATUS[0]}}"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert ran.returncode in (0, 141) and ran.stderr == ""


def test_a_full_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "edgebert.cli", "inspect", str(TINY_MODEL)]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ran.returncode == 2 and ONE_LINE.fullmatch(ran.stderr), ran.stderr


@pytest.mark.parametrize(
    "needed",
    [
        ["trim", "--model", "m", "--data", "snips"],
        ["factorise", "--model", "m", "--rank", "8"],
        ["prune", "--student", "s", "--data", "snips"],
    ],
    ids=lambda needed: needed[0],
)
def test_files_are_compared_in_one_precision_or_not_at_all(
    needed: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    parse = build_parser().parse_args
    asked = [*needed, "--output", "o"]
    assert parse(asked).precision == "dynamic"
    assert parse([*asked, "--no-files"]).precision is None
    with pytest.raises(SystemExit):
        parse([*asked, "--no-files", "--precision", "float32"])
    assert "not allowed with" in capsys.readouterr().err
