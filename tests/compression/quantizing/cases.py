"""A tiny model, the ranges that calibration gives it, and what int8 kernels compute, in numpy."""

import dataclasses
import functools

import numpy as np

from edgebert.compression.quantizing.wrapping import QuantizedModel, rounded_tables, wrap
from edgebert.config import HeadConfig
from edgebert.data.batches import INPUT_NAMES, EncodedDataset
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.learnt import Start, calibrated_start
from edgebert.keras import tf
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel
from tests.training.cases import CONFIG, HEAD, fresh_model, learnable

TRAIN, DEV = learnable(48, seed=1, longest=20), learnable(24, seed=2)
FIRST = dataclasses.replace(HEAD, pooling="first")


def inputs_of(data: EncodedDataset) -> list[dict[str, np.ndarray]]:
    return [{name: np.array([getattr(one, name)], np.int32) for name in INPUT_NAMES} for one in data.encoded]


@functools.cache
def start(head: HeadConfig = HEAD, **changes) -> Start:
    model = fresh_model(head, dataclasses.replace(CONFIG, **changes))
    return calibrated_start(convert_graph(model, None), model_tensors(model), inputs_of(TRAIN), rounded_tables(model))


def even_model(head: HeadConfig = HEAD, **changes) -> TaskModel:
    """The model that the ranges are for, fresh: it has not answered yet."""
    model = fresh_model(head, dataclasses.replace(CONFIG, **changes))
    assign_tensors(model, model_tensors(model) | dict(start(head, **changes).balanced))
    return model


def quantized(head: HeadConfig = HEAD, **changes) -> QuantizedModel:
    return wrap(even_model(head, **changes), start(head, **changes).ranges)


def answer(model: TaskModel, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return model({name: tf.constant(tokens) for name, tokens in inputs.items()}, training=False).numpy()


def int8_round_trip(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """As LiteRT quantises and dequantises with the scale and zero point of a range."""
    scale = np.float64(high - low) / 255
    zero_point = np.rint(-128 - low / scale)
    steps = np.clip(np.rint(values / scale) + zero_point, -128, 127)
    return ((steps - zero_point) * scale).astype(np.float32)


def int8_channels(weights: np.ndarray) -> np.ndarray:
    """Symmetric, a scale a column."""
    peaks = np.abs(weights).max(axis=0)
    scales = np.where(peaks > 0, peaks / 127, 1)
    return (np.rint(weights / scales) * scales).astype(np.float32)
