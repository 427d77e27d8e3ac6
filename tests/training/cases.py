"""A tiny model and a task that it learns in seconds, for the tests of training."""

import dataclasses

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import Encoded
from edgebert.keras import keras
from edgebert.models.task import TaskModel, build_model
from edgebert.training.settings import TrainingSettings

HEAD = HeadConfig(kind="classification", pooling="mean", labels=("low", "high"))
SETTINGS = TrainingSettings(epochs=4, batch_size=8, learning_rate=1e-2)
CONFIG = EncoderConfig(40, 16, 1, 2, 32, 16, dropout=0.0, attention_dropout=0.0, initializer_range=0.2)
WITH_DROPOUT = dataclasses.replace(CONFIG, dropout=0.2, attention_dropout=0.2)


def learnable(count: int, seed: int, longest: int = 12) -> EncodedDataset:
    """The class is whether token 7 occurs."""
    generator = np.random.default_rng(seed)
    encoded, targets = [], []
    for number in range(count):
        ids = generator.integers(8, 40, generator.integers(3, longest))
        if number % 2:
            ids[generator.integers(len(ids))] = 7
        encoded.append(Encoded(tuple(map(int, ids)), (1,) * len(ids), (0,) * len(ids)))
        targets.append(number % 2)
    return EncodedDataset(tuple(encoded), np.array(targets))


def fresh_model(head: HeadConfig = HEAD, config: EncoderConfig = CONFIG, seed: int = 11) -> TaskModel:
    keras.utils.set_random_seed(seed)
    return build_model(config, head)
