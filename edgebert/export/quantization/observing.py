"""What a float graph's activations are on calibration texts, tensor by tensor."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.export.flatbuffer import read_model
from edgebert.progress import Progress, Report, silent
from edgebert.quiet import quiet_native_output

Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Observed:
    """Over all texts: the tensor's smallest and largest value, and the largest magnitude of each of its channels."""

    minimum: float
    maximum: float
    channel_peaks: np.ndarray  # [W], along the last axis; [0] where the last axis has no fixed width


def observe(graph: bytes, texts: Sequence[Inputs], report: Report = silent) -> dict[int, Observed]:
    """Every computed float32 tensor of the first subgraph, by its number."""
    subgraph = read_model(graph).subgraphs[0]
    watched = [
        index
        for operator in subgraph.operators
        for index in operator.outputs
        if subgraph.tensors[index].dtype == "float32"
    ]
    free = {index for index in watched if subgraph.tensors[index].shape_signature[-1:] in ((-1,), ())}
    found: dict[int, Observed] = {}
    interpreter = _interpreter(graph)
    with quiet_native_output():
        run = interpreter.get_signature_runner()
        if texts:
            # The delegate announces itself with the first answer.
            run(**texts[0])
    for done, inputs in enumerate(texts, 1):
        run(**inputs)
        for index in watched:
            seen = _summary(interpreter.get_tensor(index), index in free)
            found[index] = _merged(found[index], seen) if index in found else seen
        report(Progress("calibrate", done, len(texts)))
    return found


def _interpreter(graph: bytes):
    from ai_edge_litert.interpreter import Interpreter

    with quiet_native_output(), warnings.catch_warnings():
        # It warns about the memory that intermediate tensors take, which are what is asked for.
        warnings.simplefilter("ignore", UserWarning)
        return Interpreter(model_content=graph, num_threads=1, experimental_preserve_all_tensors=True)


def _summary(values: np.ndarray, is_free: bool) -> Observed:
    if is_free:
        return Observed(float(values.min()), float(values.max()), np.zeros(0, np.float32))
    rows = values.reshape(-1, values.shape[-1])
    lowest, highest = rows.min(axis=0), rows.max(axis=0)
    return Observed(float(lowest.min()), float(highest.max()), np.maximum(-lowest, highest))


def _merged(one: Observed, other: Observed) -> Observed:
    return Observed(
        min(one.minimum, other.minimum),
        max(one.maximum, other.maximum),
        np.maximum(one.channel_peaks, other.channel_peaks),
    )
