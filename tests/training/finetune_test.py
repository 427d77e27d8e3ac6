import dataclasses

import numpy as np
import pytest

from edgebert.config import HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.errors import DataError, TrainingError
from edgebert.models.loading import model_tensors
from edgebert.training.finetune import FinetuneSettings, finetune
from edgebert.training.scoring import predict, score
from tests.training.cases import HEAD, SETTINGS, fresh_model, learnable


def test_learns_keeps_the_best_epoch_and_repeats_to_the_bit() -> None:
    train, dev = learnable(256, seed=1), learnable(64, seed=2)
    first, second = fresh_model(), fresh_model()
    results = finetune(first, train, dev, SETTINGS)
    again = finetune(second, train, dev, SETTINGS)
    best = max(result.dev_score for result in results)
    assert best > 0.9
    assert score(HEAD, predict(first, dev), dev.targets) == best
    assert results == again
    for (name, ours), theirs in zip(model_tensors(first).items(), model_tensors(second).values(), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_another_seed_gives_another_model() -> None:
    train, dev = learnable(64, seed=1), learnable(16, seed=2)
    first, second = fresh_model(), fresh_model()
    finetune(first, train, dev, dataclasses.replace(SETTINGS, epochs=1))
    finetune(second, train, dev, dataclasses.replace(SETTINGS, epochs=1, seed=1))
    assert not np.array_equal(
        model_tensors(first)["head.classifier.kernel"], model_tensors(second)["head.classifier.kernel"]
    )


def test_stops_when_dev_does_not_improve() -> None:
    settings = FinetuneSettings(epochs=9, batch_size=16, learning_rate=1e-12, patience=2)
    results = finetune(fresh_model(), learnable(32, seed=1), learnable(16, seed=2), settings)
    assert len(results) == 3


def test_progress_counts_every_step_and_ends_with_the_score() -> None:
    seen = []
    (epoch,) = finetune(
        fresh_model(), learnable(40, seed=1), learnable(8, seed=2), dataclasses.replace(SETTINGS, epochs=1), seen.append
    )
    assert seen[-1].remark == f"mean loss {epoch.training_loss:.4f}, dev score {epoch.dev_score:.4f}"
    assert [(progress.done, progress.total) for progress in seen] == [(step, 5) for step in range(1, 6)]


def test_a_diverging_run_says_so() -> None:
    data = learnable(64, seed=1)
    with pytest.raises(TrainingError, match=r"expected a finite loss, got nan\. Do: lower the learning rate"):
        finetune(fresh_model(), data, data, dataclasses.replace(SETTINGS, learning_rate=1e38))


def test_a_run_that_diverges_to_numbers_says_so() -> None:
    """No loss of it is infinite, nor a hundred times its first; every answer is wrong with conviction."""
    train, dev = learnable(512, seed=1), learnable(32, seed=2)
    with pytest.raises(TrainingError, match=r"fine-tune \d/9, step .*: expected a loss near 0\.6931, that of guessing"):
        finetune(fresh_model(), train, dev, dataclasses.replace(SETTINGS, epochs=9, learning_rate=3.0))


def test_unlabelled_or_empty_data_is_refused() -> None:
    data = learnable(8, seed=1)
    for train, dev in ((dataclasses.replace(data, targets=None), data), (data, EncodedDataset((), np.array([])))):
        with pytest.raises(DataError, match="expected labelled examples"):
            finetune(fresh_model(), train, dev, SETTINGS)


def test_regression_learns_the_targets() -> None:
    head = HeadConfig(kind="regression", pooling="mean")
    train, dev = (
        dataclasses.replace(data, targets=data.targets.astype(np.float32))
        for data in (learnable(256, 1), learnable(64, 2))
    )
    results = finetune(fresh_model(head), train, dev, SETTINGS)
    assert max(result.dev_score for result in results) > 0.8
