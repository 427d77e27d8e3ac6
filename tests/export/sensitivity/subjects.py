"""Models with one layer that integers fit badly, and exams on texts that calibration did not see."""

import functools
import warnings

import numpy as np

from edgebert.export.graph import convert_graph
from edgebert.export.sensitivity.exam import Exam
from edgebert.models.task import TaskModel, build_model
from tests.export.quantization.cases import BERT, CLASSIFIER, answers, calibration_inputs, random_model, sentences

SILENT = 5


def accuracy(found: np.ndarray, targets: np.ndarray) -> float:
    return float(np.mean(found.argmax(axis=-1) == targets))


@functools.cache
def asked(count: int = 60) -> tuple:
    return tuple(calibration_inputs(sentences(count, seed=91)))


def exam(graph: bytes, count: int = 60) -> Exam:
    """Labelled with what the float32 graph answers: it scores 1."""
    inputs = asked(count)
    return Exam("classification", inputs, answers(graph, list(inputs)).argmax(axis=-1), accuracy)


def watching(content: bytes):
    """An interpreter that keeps every tensor, and warns that this takes memory."""
    from ai_edge_litert.interpreter import Interpreter

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=True)


def _copy() -> TaskModel:
    model = build_model(BERT, CLASSIFIER)
    model.set_weights(random_model(BERT, CLASSIFIER).get_weights())
    return model


def _graph(model: TaskModel) -> bytes:
    """With each label answered as often as the others, whatever the random weights prefer."""
    classifier = model.head.classifier
    logits = np.log(np.maximum(answers(convert_graph(model, None), list(asked())), 1e-30))
    classifier.bias.assign(classifier.bias.numpy() - np.median(logits, axis=0))
    return convert_graph(model, None)


@functools.cache
def wide_logits() -> bytes:
    """A label that is never answered makes int8's steps of the logits wider than what the others differ by.

    The layer is harmless where its output is float.
    """
    model = _copy()
    weights = model.head.classifier.kernel.numpy()
    weights[:, 2] = 0.0
    model.head.classifier.kernel.assign(weights)
    _graph(model)
    bias = model.head.classifier.bias.numpy()
    bias[2] = -2000.0
    model.head.classifier.bias.assign(bias)
    return convert_graph(model, None)


@functools.cache
def loud_weight() -> bytes:
    """One weight per label that always meets 0, and beside which int8 rounds the label's others away."""
    model = _copy()
    pooler = model.encoder.pooler
    kernel, bias = pooler.kernel.numpy(), pooler.bias.numpy()
    kernel[:, SILENT], bias[SILENT] = 0.0, 0.0
    pooler.kernel.assign(kernel)
    pooler.bias.assign(bias)
    weights = model.head.classifier.kernel.numpy()
    weights[SILENT] = 5000.0
    model.head.classifier.kernel.assign(weights)
    return _graph(model)


@functools.cache
def harmless() -> bytes:
    return _graph(_copy())
