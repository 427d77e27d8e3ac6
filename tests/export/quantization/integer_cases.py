"""Small NoNorm students as training leaves them, for the tests of full-int8: gains and biases of their own."""

import dataclasses
import functools

import numpy as np

from edgebert.compression.quantizing.wrapping import rounded_tables
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.export.quantization.learnt import Start
from edgebert.export.quantization.learnt_integers import integer_start
from edgebert.export.quantization.marking import PlacedGraph, placed_graph
from edgebert.models.layers import NoNorm
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel, build_model
from tests.export.quantization.cases import BERT, CLASSIFIER, calibration, random_model

RELU = dataclasses.replace(BERT, normalization="no_norm", activation="relu", initializer_range=0.1)
GELU = dataclasses.replace(RELU, activation="gelu")
NARROW_TABLE = dataclasses.replace(RELU, embedding_width=16, projection="before_sum", segments=0)
FIRST = dataclasses.replace(CLASSIFIER, pooling="first", transform="tanh")
STUDENTS = {"relu": (RELU, CLASSIFIER), "gelu": (GELU, FIRST), "narrow": (NARROW_TABLE, CLASSIFIER)}


@functools.cache
def values_of(config: EncoderConfig, head: HeadConfig) -> dict[str, np.ndarray]:
    """Answers that differ: the last layer's are louder than a random one's."""
    values, random = dict(model_tensors(random_model(config, head))), np.random.default_rng(1)
    model = build_model(config, head)
    for name, old in model_tensors(model).items():
        if name.endswith("norm.gain"):
            values[name] = random.normal(1, 0.2, old.shape).astype(np.float32)
        elif name.endswith("norm.bias"):
            values[name] = random.normal(0, 0.2, old.shape).astype(np.float32)
    values["head.classifier.kernel"] = values["head.classifier.kernel"] * 8
    # Beyond the texts of the tests: a table's range is not that of its first rows.
    louder = np.where(np.arange(config.maximum_length) == 40, 3, 1)[:, None]
    values["encoder.embeddings.position.weight"] = values["encoder.embeddings.position.weight"] * np.float32(louder)
    return values


def student(config: EncoderConfig = RELU, head: HeadConfig = CLASSIFIER) -> TaskModel:
    """Fresh: it has not answered yet."""
    model = build_model(config, head)
    assert sum(isinstance(layer, NoNorm) for layer in model.submodules) == 2 * config.layers + 1
    assign_tensors(model, values_of(config, head))
    return model


@functools.cache
def placed(config: EncoderConfig = RELU, head: HeadConfig = CLASSIFIER) -> PlacedGraph:
    return placed_graph(student(config, head), None)


@functools.cache
def started(config: EncoderConfig = RELU, head: HeadConfig = CLASSIFIER) -> Start:
    tables = rounded_tables(student(config, head), 1)
    return integer_start(placed(config, head), values_of(config, head), calibration().inputs(None), tables)


def balanced(config: EncoderConfig = RELU, head: HeadConfig = CLASSIFIER) -> TaskModel:
    model = student(config, head)
    assign_tensors(model, values_of(config, head) | dict(started(config, head).balanced))
    return model
