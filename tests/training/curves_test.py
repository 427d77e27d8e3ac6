"""Curves as TensorBoard reads them: every step once, whatever was killed and resumed."""

import dataclasses
import errno
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from edgebert.errors import OutputError
from edgebert.keras import tf
from edgebert.progress import Progress
from edgebert.training.curves import FILE, FILES, STEPS_WRITTEN_TOGETHER, Curves
from edgebert.training.finetune import finetune
from edgebert.training.settings import EVENTS_FOLDER, CheckpointSettings, EpochResult
from tests.training.cases import SETTINGS, WITH_DROPOUT, fresh_model, learnable

TRAIN, DEV = learnable(40, seed=1, longest=20), learnable(16, seed=2)
STEPS, EPOCHS = 5, 3
Points = dict[str, list[tuple[int, float]]]


class StoppedError(Exception):
    """Stands for a kill that this process survives; tells which steps a kill would have found on disk."""


def points(folder: Path) -> Points:
    """Read by TensorBoard's own reader; of no folder, none."""
    if not folder.exists():
        return {}
    read = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}


def trained(folder: Path, stop_after: int | None = None, curves: bool = True) -> tuple[EpochResult, ...]:
    steps = []

    def report(progress: Progress) -> None:
        steps.append(progress)
        if stop_after is not None and len(steps) > stop_after:
            raise StoppedError([step for step, _ in points(folder / EVENTS_FOLDER).get("loss", [])])

    settings = dataclasses.replace(SETTINGS, epochs=EPOCHS)
    checkpoints = CheckpointSettings(every_steps=3, curves=curves)
    return finetune(fresh_model(config=WITH_DROPOUT), TRAIN, DEV, settings, report, folder, checkpoints)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[tuple[EpochResult, ...], Points]:
    """A run that nothing interrupted, and its curves."""
    folder = tmp_path_factory.mktemp("whole")
    return trained(folder), points(folder / EVENTS_FOLDER)


def test_every_step_and_every_dev_score_is_there_with_the_runs_own_numbers(whole) -> None:
    results, drawn = whole
    assert set(drawn) == {"loss", "loss/label", "learning_rate", "dev_score"}
    assert drawn["dev_score"] == [(STEPS * each.epoch, pytest.approx(each.dev_score)) for each in results]
    for tag in ("loss", "loss/label", "learning_rate"):
        assert [step for step, _ in drawn[tag]] == list(range(1, STEPS * EPOCHS + 1))
    for number, result in enumerate(results):
        of_epoch = [value for _, value in drawn["loss"][STEPS * number : STEPS * (number + 1)]]
        assert sum(of_epoch) / STEPS == pytest.approx(result.training_loss, rel=1e-6)
    # Warm-up over a tenth of 15 steps, rounded to 2, then down to the last of them.
    rates = [value for _, value in drawn["learning_rate"]]
    assert rates[:2] == pytest.approx([SETTINGS.learning_rate / 2, SETTINGS.learning_rate])
    assert rates[-1] == pytest.approx(SETTINGS.learning_rate / 13)


def test_interrupted_anywhere_the_curves_are_those_of_a_run_that_was_not(whole, tmp_path: Path) -> None:
    """Checkpoints are three steps apart: both interruptions lie beyond the last one, the second in another epoch."""
    for more_steps, on_disk in ((4, [1, 2, 3]), (6, list(range(1, 9)))):
        with pytest.raises(StoppedError) as stopped:
            trained(tmp_path, stop_after=more_steps)
        assert stopped.value.args[0] == on_disk
    trained(tmp_path)
    assert points(tmp_path / EVENTS_FOLDER) == whole[1]
    assert len(list((tmp_path / EVENTS_FOLDER).iterdir())) == 1


def test_no_curves_are_drawn_unless_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoppedError, match=r"\[\]"):
        trained(tmp_path, stop_after=4, curves=False)
    assert not (tmp_path / EVENTS_FOLDER).exists()


def drawn_by(folder: Path, first: int, last: int, value: float) -> None:
    with Curves(folder) as curves:
        curves.go_on_from(first - 1)
        for step in range(first, last + 1):
            curves.add_step(step, {"loss": value, "hidden_mse": value / 2}, 0.5)


def test_what_lies_beyond_the_checkpoint_is_dropped_and_a_record_cut_by_a_kill_too(tmp_path: Path) -> None:
    drawn_by(tmp_path, 1, 7, 1.0)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    drawn_by(tmp_path, 6, 8, 2.0)
    assert points(tmp_path)["loss/hidden_mse"] == [(step, 0.5 if step < 6 else 1.0) for step in range(1, 9)]


def test_a_kill_before_the_old_file_is_removed_leaves_no_step_twice(tmp_path: Path) -> None:
    drawn_by(tmp_path, 1, 4, 1.0)
    (old,) = tmp_path.iterdir()
    left = old.read_bytes()
    drawn_by(tmp_path, 3, 6, 2.0)
    old.write_bytes(left)
    drawn_by(tmp_path, 6, 6, 3.0)
    assert points(tmp_path)["loss"] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0), (5, 2.0), (6, 3.0)]


def test_steps_are_on_disk_in_batches_and_before_a_checkpoint(tmp_path: Path) -> None:
    curves = Curves(tmp_path)
    curves.go_on_from(0)
    for step in range(1, STEPS_WRITTEN_TOGETHER + 4):
        curves.add_step(step, {"loss": 1.0}, 0.5)
    assert len(points(tmp_path)["loss"]) == STEPS_WRITTEN_TOGETHER
    curves.flush()
    assert len(points(tmp_path)["loss"]) == STEPS_WRITTEN_TOGETHER + 3


def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "events.out.tfevents.host"
    other.write_bytes(b"something")
    drawn_by(tmp_path, 1, 2, 1.0)
    assert other.read_bytes() == b"something" and [path.name for path in tmp_path.glob(FILES)] == [FILE.format(1)]


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __init__(self, path: str):
            raise tf.errors.ResourceExhaustedError(None, None, f"{path}; No space left on device", errno.ENOSPC)

    monkeypatch.setattr("edgebert.training.curves.tf.io.TFRecordWriter", Full)
    with pytest.raises(OutputError, match=r"expected a place for training curves, got '.*No space left on device'"):
        Curves(tmp_path).go_on_from(0)
