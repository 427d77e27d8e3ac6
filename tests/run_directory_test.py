import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.errors import OutputError
from edgebert.run_directory import RECORD_FILE, RunDirectory


def run_stage(path: Path, inputs: dict, content: bytes = b"made") -> bool:
    """Whether the stage had to be run."""
    with RunDirectory(path) as run:
        stage = run.stage("make", inputs)
        if stage.finished:
            assert stage.result == {"made": True}
            return False
        (stage.folder / "out.bin").write_bytes(content)
        stage.finish({"made": True})
        return True


def test_a_finished_stage_is_skipped_while_its_inputs_stay(tmp_path: Path) -> None:
    assert run_stage(tmp_path, {"seed": 1})
    assert not run_stage(tmp_path, {"seed": 1})
    assert run_stage(tmp_path, {"seed": 2})
    assert run_stage(tmp_path, {"seed": 1})


def test_a_changed_or_lost_file_makes_the_stage_run_again(tmp_path: Path) -> None:
    for damage in (
        lambda folder: (folder / "out.bin").write_bytes(b"other"),
        lambda folder: (folder / "out.bin").unlink(),
        lambda folder: (folder / RECORD_FILE).write_text('{"key": '),
    ):
        run_stage(tmp_path, {})
        assert not run_stage(tmp_path, {})
        damage(tmp_path / "make")
        assert run_stage(tmp_path, {})


def test_what_somebody_puts_beside_a_stages_files_costs_no_stage(tmp_path: Path) -> None:
    run_stage(tmp_path, {})
    (tmp_path / "make" / "notes.txt").write_text("mine")
    assert not run_stage(tmp_path, {})
    assert (tmp_path / "make" / "notes.txt").read_text() == "mine"


def test_nothing_is_removed_that_is_no_stage(tmp_path: Path) -> None:
    (tmp_path / "make").mkdir()
    (tmp_path / "make" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"make: expected a stage of the run, got mine\.txt in it and no stage\.json"):
        run_stage(tmp_path, {})
    with RunDirectory(tmp_path) as run, pytest.raises(OutputError, match="expected a stage of the run"):
        run.forget("make")
    assert (tmp_path / "make" / "mine.txt").read_text() == "mine"


def test_a_removal_that_was_killed_goes_on(tmp_path: Path, monkeypatch) -> None:
    """Whatever was removed last, the record was there longer."""
    run_stage(tmp_path, {})
    (tmp_path / "make" / "deep").mkdir()

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, RunDirectory(tmp_path) as run:
        patched.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            run.forget("make")
    assert (tmp_path / "make" / RECORD_FILE).exists()
    assert run_stage(tmp_path, {})


def test_a_folder_of_something_else_is_no_runs_folder(tmp_path: Path) -> None:
    for folder in ("new", "empty", "run"):
        RunDirectory.check(tmp_path / folder)
        (tmp_path / folder).mkdir()
        RunDirectory.check(tmp_path / folder)
    run_stage(tmp_path / "run", {})
    RunDirectory.check(tmp_path / "run")
    with pytest.raises(OutputError, match="expected a new or empty folder, or that of a run, got one with something"):
        RunDirectory.check(tmp_path)


def test_an_interrupted_stage_finds_its_folder_again_but_not_that_of_other_inputs(tmp_path: Path) -> None:
    with RunDirectory(tmp_path) as run:
        (run.stage("make", {"seed": 1}).folder / "half.bin").write_bytes(b"half")
    with RunDirectory(tmp_path) as run:
        assert (run.stage("make", {"seed": 1}).folder / "half.bin").exists()
        assert not run.stage("make", {"seed": 1}).finished
        assert not (run.stage("make", {"seed": 2}).folder / "half.bin").exists()


def test_a_moved_folder_still_counts(tmp_path: Path) -> None:
    run_stage(tmp_path / "here", {})
    shutil.move(tmp_path / "here", tmp_path / "there")
    assert not run_stage(tmp_path / "there", {})


def test_forgetting_runs_anew(tmp_path: Path) -> None:
    run_stage(tmp_path, {})
    with RunDirectory(tmp_path) as run:
        run.forget("make")
    assert run_stage(tmp_path, {})


def test_a_second_process_is_refused_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from edgebert.run_directory import RunDirectory\n"
        "with RunDirectory(sys.argv[1]):\n print('locked', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "locked\n"
        with pytest.raises(OutputError, match=f"in use by process {other.pid}"), RunDirectory(tmp_path):
            pass
    finally:
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
        other.stdout.close()
    assert run_stage(tmp_path, {})


def test_the_record_says_what_the_stage_was_made_from(tmp_path: Path) -> None:
    run_stage(tmp_path, {"data_sha256": "ab", "epochs": 3})
    record = json.loads((tmp_path / "make" / RECORD_FILE).read_text())
    assert record["inputs"] == {"data_sha256": "ab", "epochs": 3}
    assert set(record["files"]) == {"out.bin"}


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="expected a folder that can be created"):
        RunDirectory(tmp_path / "file" / "run")
