"""Do the emulated core's answers agree with this machine's? If not, something else was counted than what is used.

Tolerances are the largest differences seen between x86-64 and emulated ARM64 with LiteRT 2.3, on answers around 1:
both sides round differently, and where activations are quantised, a rounding can move a value by a whole step.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.benchmark.emulated.running import ANSWERS
from edgebert.errors import MeasurementError
from edgebert.measurement import Agreement

TOLERANCES = {
    "float": 2.7e-6,
    "dynamic-range int8": 8.5e-3,
    # Six steps of a byte.
    "int8 activations": 6 / 256,
}
# The operators that do the arithmetic, and where their activation and their weight stand.
_PRODUCTS = {"FULLY_CONNECTED": (0, 1), "BATCH_MATMUL": (0, 1), "CONV_2D": (0, 1), "DEPTHWISE_CONV_2D": (0, 1)}
_QUANTIZED_TYPES = ("int8", "int16", "uint8", "int4")


def name_precision(nodes: Sequence[Mapping[str, Any]], tensor_types: Mapping[str, str]) -> str:
    """One of TOLERANCES: what the products compute with. `tensor_types` has tensors' numbers as text, as JSON does."""
    operands = [
        tuple(tensor_types.get(str(node["inputs"][place])) for place in places)
        for node in nodes
        if (places := _PRODUCTS.get(node["op_name"])) is not None
    ]
    if any(activation in _QUANTIZED_TYPES for activation, _ in operands):
        return "int8 activations"
    if any(weight in _QUANTIZED_TYPES for _, weight in operands):
        return "dynamic-range int8"
    return "float"


def read_answers(folder: Path, answer: Mapping[str, Any]) -> np.ndarray:
    """All outputs for all inputs, in the order they were written, as one row of real numbers."""
    content, values, offset = (folder / ANSWERS).read_bytes(), [], 0
    for written in answer["answers"]:
        dtype = np.dtype(written["dtype"])
        size = dtype.itemsize * int(np.prod(written["shape"]))
        raw = np.frombuffer(content[offset : offset + size], dtype).astype(np.float64)
        values.append((raw - written["zero_point"]) * written["scale"] if written["scale"] else raw)
        offset += size
    return np.concatenate(values)


def compare_answers(model: str, core: str, ours: np.ndarray, theirs: np.ndarray, precision: str) -> Agreement:
    """`theirs` is the emulated core's."""
    if ours.shape != theirs.shape:
        raise MeasurementError(
            f"{model} on {core}: expected {ours.size:,} output values as on this machine, got {theirs.size:,}. "
            "Do: check that the file did not change meanwhile, then run the command again."
        )
    is_number = np.isfinite(ours) & np.isfinite(theirs)
    difference, largest = (
        (float(np.max(np.abs(ours - theirs))), float(np.max(np.abs(ours)))) if is_number.all() else (None, None)
    )
    return Agreement(ours.size, difference, largest, precision, TOLERANCES[precision])


def agrees(agreement: Agreement) -> bool:
    if agreement.largest_difference is None:
        return False
    return agreement.largest_difference <= agreement.tolerance * max(1.0, agreement.largest_value)
