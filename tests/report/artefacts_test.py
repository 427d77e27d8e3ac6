"""Errors of quantised weights, held to what LiteRT itself says of the tensors."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgebert.export.model import Quantization, Tensor
from edgebert.files import sha256_of_file
from edgebert.report.artefacts import inspect_artefact, real_values

GOLDEN = Path(__file__).parent.parent / "export" / "golden"


def dequantised(path: Path) -> dict[str, np.ndarray]:
    """Constants by name, by the runtime's own reader of tensors and of their scales."""
    interpreter = Interpreter(str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    interpreter.allocate_tensors()
    found = {}
    for details in interpreter.get_tensor_details():
        try:
            with np.errstate(invalid="ignore"):  # tensors that are computed hold whatever was in memory
                values = interpreter.get_tensor(details["index"]).astype(np.float64)
        except ValueError:
            continue
        scales = details["quantization_parameters"]["scales"]
        if len(scales):
            axis = details["quantization_parameters"]["quantized_dimension"]
            shape = [-1 if dimension == axis else 1 for dimension in range(values.ndim)]
            zeros = details["quantization_parameters"]["zero_points"]
            values = (values - zeros.reshape(shape)) * scales.reshape(shape)
        found[details["name"]] = values
    return found


@pytest.mark.parametrize("precision", ["dynamic", "float16", "int4"])
def test_errors_are_what_the_runtime_reads(precision: str) -> None:
    base, path = GOLDEN / "plain_float32.tflite", GOLDEN / f"quantizer_{precision}.tflite"
    artefact = inspect_artefact(path, sha256_of_file(path)).compared_with(base)
    errors = [layer.relative_error for layer in artefact.layers if layer.relative_error is not None]
    ours, theirs = dequantised(path), dequantised(base)
    expected = [
        float(np.linalg.norm(ours[name] - theirs[name]) / np.linalg.norm(theirs[name]))
        for name in ours
        if name in theirs
        and ours[name].shape == theirs[name].shape
        and ours[name].size >= 512
        and theirs[name].ndim > 1
    ]
    assert errors
    for error in errors:
        assert min(abs(error - one) for one in expected) < 1e-6
    assert 0 < max(errors) < 0.1


def test_matrices_of_another_graph_have_no_error_though_they_are_called_alike() -> None:
    path = GOLDEN / "plain_float16.tflite"
    artefact = inspect_artefact(path, sha256_of_file(path)).compared_with(GOLDEN / "plain_float32.tflite")
    assert {layer.relative_error for layer in artefact.layers} == {None}


def test_a_file_has_no_error_against_itself() -> None:
    path = GOLDEN / "plain_float32.tflite"
    artefact = inspect_artefact(path, sha256_of_file(path))
    assert artefact.compared_with(path) is artefact
    assert artefact.compared_with(None) is artefact
    assert all(layer.relative_error is None for layer in artefact.layers)


class Stored:
    """A file's constants; only `values` is asked of it."""

    def __init__(self, numbers: np.ndarray):
        self._numbers = numbers

    def values(self, tensor: Tensor) -> np.ndarray:
        return self._numbers


@pytest.mark.parametrize(
    ("axis", "scales", "zero_points", "expected"),
    [
        (0, [0.5], [3], [[-1.0, -0.5, 0.0], [0.5, 1.0, 1.5]]),
        (0, [1.0, 2.0], [0, 4], [[1.0, 2.0, 3.0], [0.0, 2.0, 4.0]]),
        (1, [1.0, 2.0, 3.0], [1, 1, 1], [[0.0, 2.0, 6.0], [3.0, 8.0, 15.0]]),
        (0, [2.0, 2.0], [], [[2.0, 4.0, 6.0], [8.0, 10.0, 12.0]]),
    ],
)
def test_stored_numbers_stand_for_their_distance_to_zero_times_the_scale(
    axis: int, scales: list[float], zero_points: list[int], expected: list[list[float]]
) -> None:
    quantization = Quantization(np.array(scales, np.float32), np.array(zero_points, np.int64), axis, block_size=0)
    tensor = Tensor(0, "matrix", "int8", (2, 3), (2, 3), quantization, 0, 6, True, False, False)
    stored = Stored(np.arange(1, 7, dtype=np.int8).reshape(2, 3))
    assert real_values(stored, tensor).tolist() == expected
    blockwise = dataclasses.replace(tensor, quantization=dataclasses.replace(quantization, block_size=3))
    assert real_values(stored, blockwise) is None
