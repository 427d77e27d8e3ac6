"""The masks of a training: as many zeros as asked for, where numpy would put them, and there they stay."""

import dataclasses
import functools
import itertools
import signal
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.pruning.counting import count_zeros, with_plain_zeros
from edgebert.compression.pruning.masks import MagnitudeMasks
from edgebert.compression.pruning.patterns import SINGLE, Blocks, Groups, Pattern
from edgebert.compression.pruning.policy import CLASSES, Policy, choose_matrices
from edgebert.compression.pruning.schedule import CONSTANT, Schedule
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel
from edgebert.progress import silent
from edgebert.training.arithmetic import has_fast_bfloat16
from edgebert.training.finetune import finetune
from edgebert.training.loop import begin
from edgebert.training.settings import CheckpointSettings
from tests.compression.pruning.reference import cut, groups_cut
from tests.training.cases import SETTINGS, WITH_DROPOUT, fresh_model, learnable
from tests.training.killing import Killed

TRAIN, DEV = learnable(40, seed=1, longest=20), learnable(16, seed=2)
EPOCHS, STEPS = 4, 20
ENCODER = ("attention", "feed_forward")
USUAL, RAMP = Schedule(), Schedule(begin=0.2, end=0.6)


def policy(sparsity: float = 0.5, classes=ENCODER, pattern: Pattern = SINGLE, excluded=()) -> Policy:
    return Policy(dict.fromkeys(classes, sparsity), pattern, excluded)


def masks_for(model: TaskModel, asked: Policy, schedule: Schedule = USUAL) -> MagnitudeMasks:
    return MagnitudeMasks(model, choose_matrices(asked, model.config, model.head_config), schedule)


def trained(asked: Policy, schedule: Schedule = USUAL, folder: Path | None = None, report=silent, **changes):
    model = fresh_model(config=WITH_DROPOUT)
    masks = masks_for(model, asked, schedule)
    settings = dataclasses.replace(SETTINGS, **{"epochs": EPOCHS, "patience": EPOCHS, **changes})
    often = CheckpointSettings(every_steps=2)
    results = finetune(model, TRAIN, DEV, settings, report, folder, often, masks)
    return results, model_tensors(model), masks


@functools.cache
def whole(pattern: Pattern, schedule: Schedule):
    """A run that nothing interrupted; to be looked at only."""
    return trained(policy(pattern=pattern), schedule)


def chosen_once(model: TaskModel, asked: Policy) -> MagnitudeMasks:
    """Without a step of training."""
    masks = masks_for(model, asked, Schedule(CONSTANT, end=None))
    masks.plan(1, 1)
    tf.function(masks.begin_step)(tf.constant(0, tf.int64))
    return masks


def as_in_a_file(name: str, values: np.ndarray) -> np.ndarray:
    return values if name.endswith(".weight") else values.T


@pytest.mark.parametrize(
    ("pattern", "sparsity"),
    [(SINGLE, 0.5), (SINGLE, 0.999), (Blocks(1, 4), 0.3), (Blocks(4, 1), 0.5), (Blocks(2, 8), 0.9)],
    ids=str,
)
def test_cuts_what_numpy_would_cut(pattern: Pattern, sparsity: float) -> None:
    """Tables and dense layers, in rows and columns of the file."""
    model = fresh_model()
    before = model_tensors(model)
    asked = policy(sparsity, ("embeddings", *ENCODER), pattern)
    chosen_once(model, asked)
    after = model_tensors(model)
    pruned = {matrix.name for matrix in choose_matrices(asked, model.config, model.head_config)}
    assert len(pruned) == 7
    for name, values in before.items():
        expected = as_in_a_file(name, values)
        if name in pruned:
            expected = cut(expected, sparsity, pattern.rows, pattern.columns)
        np.testing.assert_array_equal(as_in_a_file(name, after[name]), expected, err_msg=name)


@pytest.mark.parametrize("pattern", [Groups(2, 4), Groups(5, 8)], ids=str)
def test_every_group_loses_its_smallest(pattern: Groups) -> None:
    model = fresh_model()
    before = model_tensors(model)
    masks = chosen_once(model, policy(pattern.sparsity, ENCODER, pattern))
    after = model_tensors(model)
    assert len(masks.variables) == 2 * 6
    for name, values in before.items():
        expected = values
        if f"{name}.mask" in masks.variables:
            expected = groups_cut(values.T, pattern.zeros, pattern.size).T
        np.testing.assert_array_equal(after[name], expected, err_msg=name)


def test_of_equal_weights_no_more_are_kept_than_asked_for() -> None:
    """Stored in 16 bits, or quantised before: TF-MOT itself would keep all that are as large as the threshold."""
    model = fresh_model()
    assign_tensors(model, {name: np.sign(values) * 0.5 for name, values in model_tensors(model).items()})
    asked = policy(0.5)
    chosen_once(model, asked)
    matrices = choose_matrices(asked, model.config, model.head_config)
    assert {layer.zero_share for layer in count_zeros(model_tensors(model), matrices)} == {0.5}


@pytest.mark.parametrize(
    ("schedule", "pattern"),
    [
        (RAMP, SINGLE),
        (Schedule(CONSTANT, 0.3, None), Blocks(1, 4)),
        (Schedule(CONSTANT, 0.3, None), Groups(2, 4)),
    ],
    ids=str,
)
def test_a_training_ends_with_the_asked_sparsity_and_the_rest_trained(schedule: Schedule, pattern: Pattern) -> None:
    asked = policy(pattern=pattern)
    results, tensors, masks = whole(asked.pattern, schedule)
    assert [result.may_be_kept for result in results][-1]
    start = model_tensors(fresh_model(config=WITH_DROPOUT))
    for name, values in tensors.items():
        if f"{name}.mask" in masks.variables:
            mask = masks.variables[f"{name}.mask"].numpy()
            assert set(np.unique(mask)) == {0.0, 1.0} and mask.mean() == 0.5
            np.testing.assert_array_equal(values == 0, mask == 0, err_msg=name)
            assert not np.array_equal(values, start[name] * mask)
        elif values.ndim == 2:
            assert np.count_nonzero(values) == values.size, name
    if isinstance(pattern, Groups):
        for matrix in choose_matrices(asked, WITH_DROPOUT, fresh_model().head_config):
            groups = tensors[matrix.name].T.reshape(-1, 4)
            assert ((groups == 0).sum(axis=1) == 2).all()


def test_no_epoch_is_kept_before_the_last_cut() -> None:
    """Though its score is the best: nothing is learnt here, and every cut costs."""
    results, tensors, masks = trained(policy(0.9), Schedule(end=0.8), learning_rate=1e-9)
    assert [result.may_be_kept for result in results] == [False, False, False, True]
    for name, mask in masks.variables.items():
        if name.endswith(".mask"):
            assert np.count_nonzero(tensors[name.removesuffix(".mask")]) == np.count_nonzero(mask.numpy())
            assert mask.numpy().mean() == pytest.approx(0.1, abs=0.5 / mask.numpy().size)


def test_what_is_cut_stays_cut_and_the_ramp_only_rises() -> None:
    """Adam moves a weight that is held at zero in every step."""
    model, shares = fresh_model(), []
    begin(0)
    masks = masks_for(model, policy(0.8), Schedule(end=0.75))
    masks.plan(STEPS, 1)
    weight = next(iter(masks.weights.values()))
    gone = np.zeros(weight.shape, bool)

    @tf.function
    def step(number):
        masks.begin_step(number)
        for value in masks.weights.values():
            value.assign_add(tf.random.stateless_normal(value.shape, [1, tf.cast(number, tf.int32)], stddev=0.02))
        masks.end_step(number)

    for number in range(STEPS):
        step(tf.constant(number, tf.int64))
        zeros = weight.numpy() == 0
        assert zeros[gone].all()
        gone = zeros
        shares.append(zeros.mean())
    assert shares == sorted(shares) and shares[0] == 0 and len(set(shares)) > 10
    assert shares[15:] == [pytest.approx(0.8, abs=0.5 / gone.size)] * 5
    # Cubic: half of the way is seven eighths of the cut.
    assert shares[8] == pytest.approx(0.8 * (1 - (1 - 8 / 15) ** 3), abs=0.01)


def test_excluded_layers_are_trained_like_any_other() -> None:
    asked = policy(0.5, CLASSES, excluded=("blocks.0.query", "head"))
    _, tensors, masks = trained(asked)
    for name in ("encoder.blocks.0.query.kernel", "head.classifier.kernel", "encoder.embeddings.position.weight"):
        assert np.count_nonzero(tensors[name]) == tensors[name].size
        assert f"{name}.mask" not in masks.variables
    assert np.count_nonzero(tensors["encoder.embeddings.word.weight"]) * 2 == 40 * 16


def test_masks_leave_names_and_variables_of_the_model_alone() -> None:
    model = fresh_model()
    before = model_tensors(model)
    variables = len(model.variables)
    masks_for(model, policy())
    assert model_tensors(model).keys() == before.keys() and len(model.variables) == variables


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


@pytest.mark.parametrize("pattern", [SINGLE, pytest.param(Groups(2, 4), marks=pytest.mark.long)], ids=str)
def test_resumed_within_the_ramp_and_behind_it_it_ends_with_the_same_bits(pattern: Pattern, tmp_path: Path) -> None:
    def stopping(after: int):
        seen = []

        def report(progress) -> None:
            seen.append(progress)
            if len(seen) > after:
                raise StoppedError

        return report

    results, tensors, masks = whole(pattern, RAMP)
    # Before the first cut, within the ramp and behind it.
    for more_steps in (2, 5, 6):
        with pytest.raises(StoppedError):
            trained(policy(pattern=pattern), RAMP, tmp_path, stopping(more_steps))
    again, values, resumed = trained(policy(pattern=pattern), RAMP, tmp_path)
    assert again == results
    for name, expected in tensors.items():
        np.testing.assert_array_equal(values[name], expected, err_msg=name)
    for name, state in masks.variables.items():
        np.testing.assert_array_equal(resumed.variables[name].numpy(), state.numpy(), err_msg=name)


def run(folder: Path, say) -> None:
    """What the killed process runs."""
    tensors = trained(policy(), RAMP, folder, lambda step: say(step.task))[1]
    np.savez(folder.with_suffix(".npz"), **tensors)


@pytest.mark.long
def test_killed_by_the_kernel_at_any_moment_it_ends_with_the_same_bits(tmp_path: Path) -> None:
    with Killed("tests.compression.pruning.masks_test") as killed:
        assert killed.run(tmp_path / "whole") == 0
        for lines, pause_seconds in ((1, 0.0), (3, 0.002), (4, 0.004), (5, 0.001), (3, 0.0)):
            assert killed.run(tmp_path / "killed", lines, pause_seconds) == -signal.SIGKILL
        assert killed.run(tmp_path / "killed") == 0
    result, expected = (np.load(tmp_path / f"{name}.npz") for name in ("killed", "whole"))
    for name in expected.files:
        np.testing.assert_array_equal(result[name], expected[name], err_msg=name)


def test_everything_that_decides_is_in_the_description() -> None:
    model = fresh_model()
    asked = [
        (policy(), Schedule()),
        (policy(0.6), Schedule()),
        (policy(), Schedule(end=0.6)),
        (policy(pattern=Blocks(1, 2)), Schedule()),
        (policy(excluded=("blocks.0.query",)), Schedule()),
    ]
    descriptions = [masks_for(model, *one).description for one in asked]
    assert all(one != other for one, other in itertools.combinations(descriptions, 2))
    assert masks_for(fresh_model(seed=3), *asked[0]).description == descriptions[0]


@pytest.mark.long
@pytest.mark.skipif(not has_fast_bfloat16(), reason="this processor has no bfloat16")
def test_masks_are_exact_where_products_are_computed_in_bfloat16() -> None:
    _, tensors, masks = trained(policy(), arithmetic="bfloat16")
    for name, weight in masks.weights.items():
        assert np.count_nonzero(tensors[name]) * 2 == tensors[name].size
        # Not rounded on their way through the mask.
        assert (weight.numpy().view(np.uint32) & 0xFFFF).any()


def test_averages_of_weights_are_refused() -> None:
    with pytest.raises(TrainingError, match="training averaging: expected 0"):
        trained(policy(), averaging=0.9)


def test_a_schedule_without_room_is_refused_before_the_first_step() -> None:
    with pytest.raises(TrainingError, match="no room for it in 5 training steps"):
        trained(policy(), Schedule(begin=0.75, end=0.76), epochs=1)


def test_zeros_that_are_written_have_no_sign() -> None:
    plain = with_plain_zeros({"kernel": np.float32([-0.0, 0.0, -2.0])})["kernel"]
    assert plain.tobytes() == np.float32([0, 0, -2]).tobytes()
