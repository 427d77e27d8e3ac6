"""Interrupted at any moment, a run ends with the bits of one that was not."""

import dataclasses
import errno
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest

from edgebert.errors import OutputError, TrainingError
from edgebert.models.loading import model_tensors
from edgebert.progress import Progress
from edgebert.training import storage
from edgebert.training.finetune import finetune
from edgebert.training.settings import CheckpointSettings, EpochResult
from tests.training.cases import SETTINGS, WITH_DROPOUT, fresh_model, learnable
from tests.training.killing import Killed

TRAIN, DEV = learnable(40, seed=1, longest=20), learnable(16, seed=2)
THREE_EPOCHS = dataclasses.replace(SETTINGS, epochs=3)
EVERY_THIRD_STEP = CheckpointSettings(every_steps=3)
Ended = tuple[tuple[EpochResult, ...], dict[str, np.ndarray]]


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def trained(folder: Path | None, stop_after: int | None = None, **changes) -> Ended:
    model, steps = fresh_model(config=WITH_DROPOUT), []

    def report(progress: Progress) -> None:
        steps.append(progress)
        if stop_after is not None and len(steps) > stop_after:
            raise StoppedError

    settings = dataclasses.replace(THREE_EPOCHS, **changes)
    return finetune(model, TRAIN, DEV, settings, report, folder, EVERY_THIRD_STEP), model_tensors(model)


@pytest.fixture(scope="module")
def uninterrupted() -> Ended:
    return trained(None)


def assert_same(ended: Ended, expected: Ended) -> None:
    assert ended[0] == expected[0]
    for name, values in expected[1].items():
        np.testing.assert_array_equal(ended[1][name], values, err_msg=name)


def test_goes_on_from_several_moments_and_ends_with_the_same_bits(uninterrupted: Ended, tmp_path: Path) -> None:
    """Five steps an epoch: before the first checkpoint, within epochs, and at an epoch's last step."""
    for more_steps in (1, 4, 5):
        with pytest.raises(StoppedError):
            trained(tmp_path, stop_after=more_steps)
    assert_same(trained(tmp_path), uninterrupted)


def test_averaged_weights_survive_and_are_others_than_the_last(uninterrupted: Ended, tmp_path: Path) -> None:
    averaged = trained(None, averaging=0.5)
    with pytest.raises(StoppedError):
        trained(tmp_path, stop_after=7, averaging=0.5)
    assert_same(trained(tmp_path, averaging=0.5), averaged)
    # The steps are the same, what is kept of them is not.
    assert [result.training_loss for result in averaged[0]] == [result.training_loss for result in uninterrupted[0]]
    assert any(not np.array_equal(values, uninterrupted[1][name]) for name, values in averaged[1].items())


def test_a_finished_run_is_loaded_and_takes_no_step(uninterrupted: Ended, tmp_path: Path) -> None:
    trained(tmp_path)
    assert_same(trained(tmp_path, stop_after=0), uninterrupted)
    assert len(list(tmp_path.iterdir())) == 2


def test_dropout_is_on_and_depends_on_seed_and_step(uninterrupted: Ended) -> None:
    """Else the tests above would hold of a run without anything random in it."""
    plain = finetune(fresh_model(), TRAIN, DEV, THREE_EPOCHS)
    assert plain[0].training_loss != uninterrupted[0][0].training_loss


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(tmp_path, stop_after=4)
    with pytest.raises(TrainingError, match="expected a checkpoint of this very run"):
        trained(tmp_path, learning_rate=2e-2)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    kept = storage.Storage(tmp_path, "key")
    kept.save(storage.Standing(step=1), {"a": np.ones(4)})
    path = tmp_path / storage.STATE_FILE
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(TrainingError, match=r"bytes of data.*Do: delete .* to start anew"):
        kept.load()


def test_a_full_disk_is_told_and_leaves_the_last_checkpoint(
    uninterrupted: Ended, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, calls = os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("edgebert.files.os.fsync", full)
        with pytest.raises(OutputError, match="No space left on device"):
            trained(tmp_path)
    assert not list(tmp_path.glob(".*"))
    assert_same(trained(tmp_path), uninterrupted)


def test_what_a_killed_write_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".state.safetensors.0a1b2c3d.partial").write_bytes(b"half")
    storage.Storage(tmp_path, "key")
    assert not list(tmp_path.iterdir())


def test_values_that_are_no_numbers_never_become_the_last_good_checkpoint(tmp_path: Path) -> None:
    kept = storage.Storage(tmp_path, "key")
    kept.save(storage.Standing(step=1), {"a": np.ones(2)})
    with pytest.raises(TrainingError, match="a: expected finite values"):
        kept.save(storage.Standing(step=2), {"a": np.array([1, np.nan])})
    standing, values = kept.load()
    assert standing.step == 1
    np.testing.assert_array_equal(values["a"], np.ones(2, np.float32))


@pytest.mark.long
def test_killed_by_the_kernel_at_any_moment_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    """Processes of their own, SIGKILL after so many lines of progress and so long a pause, while it writes included."""
    with Killed("tests.training.killed_finetune") as killed:
        whole = killed.run(tmp_path / "whole")
        folder = tmp_path / "killed"
        for lines, pause_seconds in ((1, 0.0), (3, 0.001), (4, 0.004), (2, 0.01), (5, 0.002), (3, 0.007), (6, 0.0)):
            assert killed.run(folder, lines, pause_seconds) == -signal.SIGKILL
        assert killed.run(folder) == whole == 0
    result, expected = (np.load(tmp_path / name / "result.npz") for name in ("killed", "whole"))
    for name in expected.files:
        np.testing.assert_array_equal(result[name], expected[name], err_msg=name)
    shutil.rmtree(folder)
