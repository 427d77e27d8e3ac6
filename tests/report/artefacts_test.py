"""Errors of quantised weights, held to what LiteRT itself says of the tensors."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgebert.files import sha256_of_file
from edgebert.report.artefacts import inspect_artefact

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
