"""The command: files written, results to stdout, refusals in one line, and nothing heavy loaded."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.cli import main
from tests.report.runs import STUDENT, TEACHER, make_run

FILES = {"README.md", "report.html", "report.json", "report.md"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "tiny")


@pytest.fixture
def run_folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "tiny"))


def test_the_files_stand_in_the_runs_folder_and_the_table_on_stdout(
    run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in run_folder.rglob("*") if path.is_file()}
    assert main(["report", str(run_folder), "--explain", "a good film", "--second", "the order", "--quiet"]) == 0
    said = capsys.readouterr()
    assert TEACHER in said.out and STUDENT in said.out and "accuracy" in said.out
    assert {path.name for path in run_folder.iterdir() if path.is_file() and path.name != ".lock"} == FILES
    assert all(f"wrote {run_folder / name}" in said.err for name in FILES)
    assert "a good film ⏐ the order" in (run_folder / "report.html").read_text()
    # What stages made is as it was.
    assert all(path.read_bytes() == content for path, content in before.items())


def test_json_alone_goes_to_stdout_and_nothing_is_written(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run_folder), "--json", "--quiet", "--without-texts"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "edgebert-report"
    assert {row["name"] for row in document["rows"]} > {TEACHER, STUDENT}
    assert not (run_folder / "report.json").exists()


@pytest.mark.parametrize(("flag", "value"), [("--output", ["elsewhere"]), ("--replace-card", [])])
def test_json_is_refused_beside_what_is_about_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, flag: str, value: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # Before the folder is looked at.
    assert main(["report", "no-such-run", "--json", flag, *value, "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and f"{flag}: expected it without --json" in said.err and said.err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_seconds_without_firsts_are_refused(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run_folder), "--second", "alone", "--quiet"]) == 2
    assert "--second: expected one for each --explain (0), got 1" in capsys.readouterr().err


def test_several_runs_need_a_place_of_their_own(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = str(make_run(tmp_path / "other"))
    assert main(["report", str(run_folder), other, "--quiet"]) == 2
    assert "--output: expected a folder for a report on several runs" in capsys.readouterr().err
    both = tmp_path / "both"
    assert main(["report", str(run_folder), other, "--output", str(both), "--quiet"]) == 0
    assert {path.name for path in both.iterdir()} == FILES - {"README.md"}
    assert f"tiny: {TEACHER}" in capsys.readouterr().out


def test_an_edited_card_is_kept_and_said_to_be(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run_folder / "README.md").write_text("mine")
    assert main(["report", str(run_folder), "--quiet"]) == 0
    assert "README.md was edited by somebody and is kept" in capsys.readouterr().err
    assert (run_folder / "README.md").read_text() == "mine"


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda folder: folder / "none", "expected a run folder"),
        (lambda folder: (folder / "file").write_text("x") and folder / "file", "expected a run folder"),
    ],
)
def test_what_is_no_run_is_refused_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], make, named) -> None:
    assert main(["report", str(make(tmp_path)), "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and named in said.err and said.err.count("\n") == 1


def test_no_tensorflow_is_loaded(run_folder: Path) -> None:
    code = f"""
import sys
from edgebert.cli import main
main(["report", {str(run_folder)!r}, "--quiet"])
heavy = ("tensorflow", "tf_keras", "transformers", "tokenizers", "pyarrow")
print([name for name in heavy if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr
