"""What accompanies a training: told when, stored, resumed, and ending with the values of the epoch that is kept."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel, named_variables
from edgebert.progress import Progress, silent
from edgebert.training.finetune import finetune
from edgebert.training.settings import CheckpointSettings
from tests.training.cases import SETTINGS, fresh_model, learnable

TRAIN, DEV = learnable(40, seed=1, longest=20), learnable(16, seed=2)
EPOCHS, STEPS_PER_EPOCH = 3, 5


class Halving:
    """Keeps a mask that covers another row of a matrix with every step, and holds what is covered at zero."""

    def __init__(self, model: TaskModel, first_kept_epoch: int = 1):
        self.description = {"kind": "test"}
        names = named_variables(model)
        name = next(name for name in names if "up" in name and "kernel" in name)
        self.kernel, self.first_kept_epoch = names[name], first_kept_epoch
        self.mask = tf.Variable(tf.ones_like(self.kernel))
        self.begun_at = tf.Variable(-1.0)
        self.planned: list[tuple[int, int]] = []

    @property
    def variables(self) -> dict[str, tf.Variable]:
        return {"mask": self.mask, "begun_at": self.begun_at}

    def plan(self, steps_per_epoch: int, epochs: int) -> int:
        self.planned.append((steps_per_epoch, epochs))
        return self.first_kept_epoch

    def begin_step(self, steps_taken: tf.Tensor) -> None:
        self.begun_at.assign(tf.cast(steps_taken, tf.float32))

    def end_step(self, steps_taken: tf.Tensor) -> None:
        covered = tf.cast(tf.range(self.mask.shape[0], dtype=tf.int64) <= steps_taken, tf.float32)
        self.mask.assign(tf.ones_like(self.mask) * (1 - covered)[:, None])
        self.kernel.assign(self.kernel * self.mask)


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def trained(folder: Path | None = None, stop_after: int | None = None, first_kept_epoch: int = 1, **changes):
    model, seen = fresh_model(), []
    companion = Halving(model, first_kept_epoch)

    def report(progress: Progress) -> None:
        seen.append(progress)
        if stop_after is not None and len(seen) > stop_after:
            raise StoppedError

    settings = dataclasses.replace(SETTINGS, **{"epochs": EPOCHS, "patience": EPOCHS, **changes})
    often = CheckpointSettings(every_steps=2)
    results = finetune(model, TRAIN, DEV, settings, report if stop_after else silent, folder, often, companion)
    return results, model_tensors(model), companion


def test_is_told_of_every_step_before_and_behind_the_update() -> None:
    results, _, companion = trained(first_kept_epoch=EPOCHS)
    assert companion.planned == [(STEPS_PER_EPOCH, EPOCHS)]
    assert float(companion.begun_at) == EPOCHS * STEPS_PER_EPOCH - 1
    zeros = (companion.kernel.numpy() == 0).all(axis=1)
    assert zeros.tolist() == [row < EPOCHS * STEPS_PER_EPOCH for row in range(len(zeros))]
    assert [result.may_be_kept for result in results] == [False, False, True]


def test_an_epoch_before_its_end_is_kept_by_no_score() -> None:
    """With the masks of the epoch that is kept, whichever scored best."""
    _, _, companion = trained(first_kept_epoch=2, epochs=2)
    assert (companion.mask.numpy()[: 2 * STEPS_PER_EPOCH] == 0).all()
    # Nothing is learnt: the first epoch that may be kept is the best of equal ones.
    _, tensors, companion = trained(first_kept_epoch=2, learning_rate=1e-9)
    hidden = companion.mask.numpy().min(axis=1) == 0
    assert hidden.sum() == 2 * STEPS_PER_EPOCH
    kernel = companion.kernel.numpy()
    assert ((kernel == 0).all(axis=1) == hidden).all()
    assert any(np.array_equal(value, kernel) or np.array_equal(value, kernel.T) for value in tensors.values())


def test_no_patience_ends_a_run_before_its_companion() -> None:
    results, _, _ = trained(first_kept_epoch=3, patience=1, learning_rate=1e-9)
    assert len(results) == 3


def test_resumed_at_several_moments_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    results, tensors, companion = trained(first_kept_epoch=2)
    for more_steps in (1, 4, 6):
        with pytest.raises(StoppedError):
            trained(tmp_path, stop_after=more_steps, first_kept_epoch=2)
    again, values, resumed = trained(tmp_path, first_kept_epoch=2)
    assert again == results
    for name, state in companion.variables.items():
        np.testing.assert_array_equal(resumed.variables[name].numpy(), state.numpy(), err_msg=name)
    for name, value in tensors.items():
        np.testing.assert_array_equal(values[name], value, err_msg=name)
    # A finished run is only loaded, its companion too.
    _, _, loaded = trained(tmp_path, first_kept_epoch=2)
    np.testing.assert_array_equal(loaded.mask.numpy(), companion.mask.numpy())


def test_another_companion_is_another_run(tmp_path: Path) -> None:
    trained(tmp_path)
    model = fresh_model()
    other = Halving(model)
    other.description = {"kind": "test", "block": 4}
    settings = dataclasses.replace(SETTINGS, epochs=EPOCHS, patience=EPOCHS)
    with pytest.raises(TrainingError, match="expected a checkpoint of this very run"):
        finetune(model, TRAIN, DEV, settings, folder=tmp_path, companion=other)


def test_averaged_weights_are_refused() -> None:
    with pytest.raises(TrainingError, match=r"training averaging: expected 0 while masks or ranges change, got 0\.9"):
        trained(averaging=0.9)
