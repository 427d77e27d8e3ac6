"""Killed by the kernel in one stage after the other, and a disk that fills up: the same command goes on."""

import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.models.checkpoint import load_checkpoint
from edgebert.pipeline.config_file import to_toml
from edgebert.pipeline.request import prepare
from edgebert.pipeline.standings import standings
from tests.data.house_form import assert_house_form
from tests.pipeline.conftest import result_of

pytestmark = pytest.mark.long
EDGEBERT = [sys.executable, "-m", "edgebert.cli"]


@pytest.fixture
def command(place: Path, configure, tmp_path: Path) -> list[str]:
    (tmp_path / "run.toml").write_text(to_toml(configure()))
    flags = ["--run", str(tmp_path / "run"), "--quiet"]
    return ["compress", str(tmp_path / "run.toml"), *flags]


def assert_same(ours: Path, theirs: Path) -> None:
    for name in ("finetune", "distill"):
        one, other = (load_checkpoint(folder / name / "checkpoint").tensors for folder in (ours, theirs))
        for tensor, values in other.items():
            np.testing.assert_array_equal(one[tensor], values, err_msg=tensor)
    for file in (theirs / "convert").glob("*.tflite"):
        assert (ours / "convert" / file.name).stat().st_size == file.stat().st_size
    assert result_of(ours, "score") == result_of(theirs, "score")


def test_killed_in_every_stage_it_ends_with_the_same_bits(
    made, place: Path, command: list[str], tmp_path: Path, commands
) -> None:
    folder = tmp_path / "run"
    for moment in (
        "finetune/stage.json",
        "finetune/checkpoint/training/state.safetensors",
        "distill/checkpoint/training/start",
        "distill/checkpoint/training/step-1-logits_only/state.safetensors",
        "convert/teacher-float32.tflite",
        "score/stage.json",
        "verify/stage.json",
        "benchmark/stage.json",
    ):
        commands.kill(command, (folder / moment).exists)
    assert main(command) == 0
    assert_same(folder, place / "run")


def test_interrupted_it_says_how_to_go_on(command: list[str], configure, tmp_path: Path) -> None:
    process = subprocess.Popen([*EDGEBERT, *command], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    state = tmp_path / "run" / "finetune" / "checkpoint" / "training" / "state.safetensors"
    while not state.exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert process.returncode == 130 and out == ""
    assert err.splitlines()[-1] == "edgebert compress: interrupted; the same command goes on from here"
    assert "Traceback" not in err
    assert standings(prepare(configure()), tmp_path / "run")["finetune"] != "to do"


def test_a_disk_that_fills_up_is_one_line_and_no_loss(made, place: Path, command: list[str], tmp_path: Path) -> None:
    """No file may grow beyond the limit: the kernel answers a write as it does on a full disk, with an OSError. It
    stops the run early, then where some room was made; then there is enough."""
    for limit_bytes in (20_000, 400_000):

        def limit(limit_bytes: int = limit_bytes) -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, resource.RLIM_INFINITY))

        ran = subprocess.run([*EDGEBERT, *command], capture_output=True, text=True, preexec_fn=limit)
        assert ran.returncode == 2 and ran.stdout == "", ran.stderr
        assert_house_form(ran.stderr.splitlines()[-1])
    assert main(command) == 0
    assert_same(tmp_path / "run", place / "run")


def test_a_folder_that_cannot_be_written_is_one_line(command: list[str]) -> None:
    ran = subprocess.run([*EDGEBERT, *command, "--run", "/proc/run"], capture_output=True, text=True)
    assert ran.returncode == 2 and ran.stdout == ""
    assert_house_form(ran.stderr.splitlines()[-1])
