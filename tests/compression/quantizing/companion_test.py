"""Training beside the companion: frozen ranges stand still, zeros stay, and a killed run ends with the same bits."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.quantizing.companion import RangesCompanion
from edgebert.compression.quantizing.freezing import frozen_from
from edgebert.compression.quantizing.wrapping import QuantizedModel, wrap
from edgebert.distill.published import published
from edgebert.distill.stages import distil_task
from edgebert.errors import TrainingError
from edgebert.models.loading import model_tensors
from edgebert.models.task import named_variables
from edgebert.progress import Progress, Report, silent
from edgebert.training.finetune import finetune
from edgebert.training.settings import CheckpointSettings
from tests.compression.quantizing.cases import DEV, TRAIN, even_model, quantized, start
from tests.training.cases import HEAD, SETTINGS, fresh_model

EPOCHS = 2
DROPOUT = {"dropout": 0.1, "attention_dropout": 0.1}


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def stopping(after: int | None) -> Report:
    seen = []

    def report(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) > after:
            raise StoppedError

    return report if after else silent


def trained(ours: QuantizedModel, folder: Path | None = None, stop_after: int | None = None, share=0.5, **changes):
    settings = dataclasses.replace(SETTINGS, **{"epochs": EPOCHS, "patience": EPOCHS, **changes})
    companion, often = RangesCompanion(ours, share), CheckpointSettings(every_steps=2)
    return finetune(ours.model, TRAIN, DEV, settings, stopping(stop_after), folder, often, companion)


def taught(ours: QuantizedModel, folder: Path, stop_after: int | None = None):
    """By a teacher and labels at once."""
    settings = dataclasses.replace(SETTINGS, epochs=EPOCHS, patience=EPOCHS)
    step = [(published("distilbert_task", HEAD.kind), settings)]
    how = {"checkpoints": CheckpointSettings(every_steps=2), "companion": RangesCompanion(ours, 0.5)}
    teacher = fresh_model(seed=4)
    return distil_task(ours.model, teacher, TRAIN, DEV, step, folder, stopping(stop_after), **how).steps[0].epochs


def ends(ours: QuantizedModel) -> dict[str, float]:
    return {name: float(variable) for name, variable in ours.variables.items()}


def test_it_learns_and_its_ranges_move_until_they_are_frozen() -> None:
    ours = quantized()
    before, values = ends(ours), model_tensors(ours.model)
    results = trained(ours)
    after = ends(ours)
    assert {name for name in before if before[name] == after[name]} == set()
    assert [result.may_be_kept for result in results] == [False, True]
    kernels = [name for name in values if name.endswith("kernel") and "pooler" not in name]
    now = model_tensors(ours.model)
    assert len(kernels) == 7
    assert not any(np.array_equal(now[name], values[name]) for name in kernels)


def test_frozen_from_the_first_step_nothing_moves() -> None:
    ours = quantized()
    before = ends(ours)
    results = trained(ours, share=1.0)
    assert ends(ours) == before
    assert all(result.may_be_kept for result in results)


def test_a_later_freeze_is_another_result() -> None:
    early, late = quantized(), quantized()
    trained(early, share=1 - 3 / 6, epochs=1)
    trained(late, share=1 - 4 / 6, epochs=1)
    sooner, later = ends(early), ends(late)
    # A few ends may stand where one more batch does not move them.
    assert sum(sooner[name] != later[name] for name in sooner) > 0.8 * len(sooner)


def test_the_step_that_freezes() -> None:
    assert (frozen_from(6, 0.5), frozen_from(6, 1 - 4 / 6), frozen_from(6, 1.0)) == (3, 4, 0)
    # In the last step ranges stand still, however small the share.
    assert (frozen_from(6, 1e-9), frozen_from(1, 0.3)) == (5, 0)


def test_zeros_stay_and_others_learn() -> None:
    model = even_model()
    pruned = {}
    for name, variable in named_variables(model).items():
        if "blocks" in name and name.endswith("kernel"):
            keep = np.random.default_rng(1).random(variable.shape) > 0.5
            variable.assign(np.where(keep, variable.numpy(), 0))
            pruned[name] = keep
    ours = wrap(model, start().ranges)
    trained(ours)
    values = model_tensors(ours.strip())
    assert len(pruned) == 6
    for name, keep in pruned.items():
        assert (values[name] == 0).tolist() == (~keep).tolist()
        assert not np.signbit(values[name][~keep]).any(), "-0.0 is no zero byte"


@pytest.mark.parametrize("run", [trained, taught])
def test_resumed_at_several_moments_it_ends_with_the_same_bits(run, tmp_path: Path) -> None:
    whole = quantized(**DROPOUT)
    expected = run(whole, tmp_path / "whole")
    # Before and behind the moment that ranges are frozen at.
    for more_reports in (5, 5):
        with pytest.raises(StoppedError):
            run(quantized(**DROPOUT), tmp_path / "killed", more_reports)
    resumed = quantized(**DROPOUT)
    assert run(resumed, tmp_path / "killed") == expected
    assert ends(resumed) == ends(whole)
    values = model_tensors(whole.model)
    for name, value in model_tensors(resumed.model).items():
        np.testing.assert_array_equal(value, values[name], err_msg=name)


def test_the_ranges_at_the_start_are_part_of_what_a_run_is(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        trained(quantized(), tmp_path, stop_after=4)
    with pytest.raises(TrainingError, match="expected a checkpoint of this very run"):
        trained(quantized(), tmp_path, share=0.4)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_an_impossible_share_is_refused(share: float) -> None:
    with pytest.raises(TrainingError, match=r"freeze share: expected a share of the steps above 0 and up to 1"):
        RangesCompanion(quantized(), share)
