"""What the killed process of resume_test runs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from edgebert.models.loading import model_tensors
from edgebert.training.finetune import finetune
from edgebert.training.settings import CheckpointSettings, TrainingSettings
from tests.training.cases import WITH_DROPOUT, fresh_model, learnable

SETTINGS = TrainingSettings(epochs=3, batch_size=4, learning_rate=1e-2)


def run(folder: Path, say: Callable[[str], None]) -> None:
    model = fresh_model(config=WITH_DROPOUT)
    train, dev = learnable(40, seed=1, longest=20), learnable(16, seed=2)
    finetune(model, train, dev, SETTINGS, lambda step: say(step.task), folder, CheckpointSettings(every_steps=2))
    np.savez(folder / "result.npz", **model_tensors(model))
