"""Distillation interrupted in any of its steps ends with the bits of one that was not."""

import dataclasses
import signal
from pathlib import Path

import numpy as np
import pytest

from edgebert.distill.stages import Distillation, distil_task, tinybert_steps
from edgebert.keras import keras
from edgebert.models.loading import model_tensors
from edgebert.progress import Progress
from edgebert.training.settings import CheckpointSettings, TrainingSettings
from tests.training.cases import CONFIG, HEAD, WITH_DROPOUT, fresh_model, learnable
from tests.training.killing import Killed

TRAIN, DEV = learnable(20, seed=1), learnable(16, seed=2)
FAST = TrainingSettings(epochs=2, batch_size=4, learning_rate=1e-2)
STUDENT = dataclasses.replace(WITH_DROPOUT, width=8, embedding_width=8, feed_forward_width=16)


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def distilled(folder: Path, stop_after: int | None = None, say=None) -> tuple[Distillation, dict[str, np.ndarray]]:
    student, seen = fresh_model(HEAD, STUDENT, seed=5), []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if say:
            say(progress.task)
        if stop_after is not None and len(seen) > stop_after:
            raise StoppedError

    steps = tinybert_steps(intermediate=FAST, prediction=FAST)
    teacher = fresh_model(config=CONFIG)
    # Another process stands elsewhere in its random numbers; what is made of them here must not notice.
    keras.utils.set_random_seed(17 if stop_after is None else stop_after)
    done = distil_task(
        student, teacher, TRAIN, DEV, steps, folder, report, checkpoints=CheckpointSettings(every_steps=2)
    )
    return done, model_tensors(student)


def run(folder: Path, say) -> None:
    """What the killed process runs."""
    np.savez(folder.with_suffix(".npz"), **distilled(folder, say=say)[1])


def test_goes_on_within_either_step_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    whole = distilled(tmp_path / "whole")
    for more_reports in (0, 4, 12):
        with pytest.raises(StoppedError):
            distilled(tmp_path / "stopped", more_reports)
    stopped = distilled(tmp_path / "stopped")
    assert stopped[0] == whole[0]
    for name, values in whole[1].items():
        np.testing.assert_array_equal(stopped[1][name], values, err_msg=name)


@pytest.mark.long
def test_killed_by_the_kernel_at_any_moment_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    with Killed("tests.distill.resume_test") as killed:
        assert killed.run(tmp_path / "whole") == 0
        for lines, pause_seconds in ((1, 0.0), (2, 0.002), (4, 0.004), (5, 0.001), (3, 0.0), (6, 0.003)):
            assert killed.run(tmp_path / "killed", lines, pause_seconds) == -signal.SIGKILL
        assert killed.run(tmp_path / "killed") == 0
    result, expected = (np.load(tmp_path / f"{name}.npz") for name in ("killed", "whole"))
    for name in expected.files:
        np.testing.assert_array_equal(result[name], expected[name], err_msg=name)
