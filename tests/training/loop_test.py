"""The loop's own promises: one trace, a watch over the loss, dropout that depends on seed and step alone."""

import math

import numpy as np
import pytest

from edgebert.data.batches import EncodedDataset
from edgebert.errors import TrainingError
from edgebert.keras import keras, tf
from edgebert.models.task import named_variables
from edgebert.training.dropout import StepwiseDropout
from edgebert.training.feed import Feed
from edgebert.training.loop import Trainee, train
from edgebert.training.settings import TrainingSettings
from edgebert.training.watching import DIVERGED_FACTOR, FIRST_STEPS, Watch
from tests.training.cases import fresh_model, learnable


def shapes(feed: Feed, epochs: int) -> set[tuple[int, ...]]:
    return {inputs["input_ids"].shape for epoch in range(epochs) for inputs, _ in feed.epoch(epoch)}


def test_the_step_is_traced_once_whatever_shapes_come() -> None:
    model, data = fresh_model(), learnable(30, seed=1, longest=16)
    longest_first = EncodedDataset(data.encoded[::-1], data.targets[::-1])
    feed, traces = Feed(longest_first, 4, seed=0), []
    assert len(shapes(feed, epochs=2)) >= 3

    def losses(inputs, targets):
        # Runs where the step is traced, and nowhere else.
        traces.append(inputs["input_ids"].shape)
        return {"label": tf.reduce_mean(tf.square(model(inputs, training=True)))}

    trainee = Trainee(model, named_variables(model), losses, {})
    train("test", trainee, feed, lambda: 0.0, TrainingSettings(epochs=2, batch_size=4))
    assert len(traces) == 1


def test_progress_tells_the_steps_of_the_epochs_to_come() -> None:
    model, told = fresh_model(), []
    feed = Feed(learnable(12, seed=1), 4, seed=0)

    def losses(inputs, targets):
        return {"label": tf.reduce_mean(tf.square(model(inputs, training=True)))}

    trainee = Trainee(model, named_variables(model), losses, {})
    train("test", trainee, feed, lambda: 0.0, TrainingSettings(epochs=2, batch_size=4), told.append)
    assert [(one.task, one.done, one.later) for one in told if one.done < one.total] == [
        ("test 1/2", 1, 3),
        ("test 1/2", 2, 3),
        ("test 2/2", 1, 0),
        ("test 2/2", 2, 0),
    ]


def test_shapes_of_batches_are_multiples_of_eight_and_one_smaller_batch() -> None:
    found = shapes(Feed(learnable(30, seed=1, longest=40), 8, seed=0), epochs=5)
    assert {batch for batch, _ in found} == {8, 6}
    assert {tokens % 8 for _, tokens in found} == {0}


def test_an_epoch_taken_up_in_its_middle_gives_the_batches_that_were_left() -> None:
    feed = Feed(learnable(30, seed=1), 4, seed=7)
    whole, rest = list(feed.epoch(3)), list(feed.epoch(3, skipped=5))
    assert len(whole) == feed.steps == 8
    assert len(rest) == 3
    for expected, got in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(got[0]["input_ids"], expected[0]["input_ids"])
        np.testing.assert_array_equal(got[1], expected[1])


def masks(seed: int, step: int) -> list[np.ndarray]:
    """Of two Dropout layers, each called twice in a step, as a block that two layers share."""
    model = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)])
    model(tf.ones([8, 16]))
    dropout = StepwiseDropout(seed, tf.Variable(step, dtype=tf.int64))
    with dropout.installed(model):
        dropout.begin_step()
        layers = [*model.layers, *model.layers]
        return [layer(tf.ones([8, 16]), training=True).numpy() for layer in layers]


def test_dropout_depends_on_seed_step_and_draw_and_on_nothing_else() -> None:
    first = masks(1, 5)
    tf.random.uniform([3])
    for ours, again in zip(first, masks(1, 5), strict=True):
        np.testing.assert_array_equal(ours, again)
    different = {mask.tobytes() for each in (first, masks(1, 6), masks(2, 5)) for mask in each}
    assert len(different) == 12
    assert set(np.unique(first)) == {0.0, 2.0}


def test_keras_own_generator_is_put_back() -> None:
    layer = keras.layers.Dropout(0.5)
    model = keras.Sequential([layer])
    before = layer._random_generator
    with StepwiseDropout(0, tf.Variable(0)).installed(model):
        assert layer._random_generator is not before
    assert layer._random_generator is before


def watched(*losses: float, guessing: float | None = None) -> Watch:
    watch = Watch()
    for step, loss in enumerate(losses):
        watch = watch.seen(f"step {step}", loss, guessing)
    return watch


def test_a_loss_that_leaves_every_measure_is_told_and_one_that_fluctuates_is_not() -> None:
    began = [1.0] * FIRST_STEPS
    watched(*began, *([DIVERGED_FACTOR / 2] * 200))
    with pytest.raises(TrainingError, match=r"expected a loss near 1 or below, got .* Do: lower the learning rate"):
        watched(*began, *([DIVERGED_FACTOR * 2] * 200))
    # A copy of the teacher begins at nothing; what rises to next to nothing has not diverged.
    watched(*([1e-12] * FIRST_STEPS), *([1e-4] * 200))


def test_a_loss_that_is_worse_than_guessing_by_far_is_told_however_it_began() -> None:
    guessing = {"guessing": math.log(2)}
    with pytest.raises(TrainingError, match=r"expected a loss near 0\.6931, that of guessing.* got 9.* Do: lower the"):
        watched(*([9.0] * 200), **guessing)
    # Wrong for a while, or a student cut to pieces that knew all before, heals.
    watched(*([0.001] * FIRST_STEPS), *([2.0] * 200), **guessing)


def test_a_loss_that_is_no_number_is_told_at_once() -> None:
    with pytest.raises(TrainingError, match="step 1: expected a finite loss, got inf"):
        watched(1.0, float("inf"))
