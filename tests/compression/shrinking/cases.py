"""A tiny model with values that are not those of a start, and texts for it."""

import dataclasses

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset, batches
from edgebert.data.wordpiece import Encoded
from edgebert.keras import keras, tf
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel, build_model, named_variables

HEAD = HeadConfig(kind="classification", pooling="mean", labels=("a", "b", "c"))
BIG = EncoderConfig(60, 16, 3, 4, 24, 16, maximum_length=32, initializer_range=0.3)


def model(config: EncoderConfig = BIG, head: HeadConfig = HEAD, seed: int = 1) -> TaskModel:
    keras.utils.set_random_seed(seed)
    built, generator = build_model(config, head), np.random.default_rng(seed)
    for name, variable in named_variables(built).items():
        if name.endswith((".bias", ".gain")):
            variable.assign_add(generator.normal(0, 0.2, variable.shape))
    return built


def texts(count: int = 24) -> EncodedDataset:
    generator = np.random.default_rng(5)
    encoded = []
    for _ in range(count):
        ids = tuple(map(int, generator.integers(5, 60, generator.integers(4, 12))))
        encoded.append(Encoded(ids, (1,) * len(ids), (0,) * len(ids)))
    return EncodedDataset(tuple(encoded), generator.integers(0, 3, count))


def filled(config: EncoderConfig, tensors: dict, head: HeadConfig = HEAD) -> TaskModel:
    made = build_model(config, head)
    assert set(named_variables(made)) == set(tensors)
    assign_tensors(made, tensors)
    return made


def outputs(of: TaskModel, data: EncodedDataset) -> np.ndarray:
    """In the dataset's order."""
    found = np.zeros((len(data), of.head_config.outputs), np.float32)
    for positions, inputs in batches(data, 8):
        found[positions] = of({name: tf.constant(values) for name, values in inputs.items()}, training=False).numpy()
    return found


def changed(of: TaskModel, change) -> TaskModel:
    """A copy with the values that `change(name, array)` returns."""
    values = {name: np.array(change(name, array.copy())) for name, array in model_tensors(of).items()}
    return filled(dataclasses.replace(of.config), values, of.head_config)


def loss(of: TaskModel, data: EncodedDataset, config: EncoderConfig | None = None) -> np.ndarray:
    """Cross-entropy of each example."""
    logits = outputs(of, data).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(data)), data.targets]
