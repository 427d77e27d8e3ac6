"""An answer that stays int8 says the same as one that is handed over as float32, and says how it is read."""

from pathlib import Path

import numpy as np
import pytest

from edgebert.cli.inspect import _calls
from edgebert.errors import ArtefactError
from edgebert.export.answering import AnsweringModel
from edgebert.export.clients.refusals import explain
from edgebert.export.clients.registry import MEDIAPIPE
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.flatbuffer import read_model
from edgebert.export.generations import judge_clients
from edgebert.export.inspect import require, summarize
from edgebert.export.precisions import PRECISIONS
from edgebert.export.quantization import integer_graph
from edgebert.export.quantization.integer_output import with_integer_outputs
from tests.export.quantization.cases import (
    CLASSIFIER,
    answers,
    calibration,
    calibration_inputs,
    float_graph,
    random_model,
    sentences,
    tokenizer,
)
from tests.export.quantization.full_int8_test import NO_NORM_AND_RELU

TEXTS = sentences(12, seed=5)


@pytest.fixture(scope="module")
def exporter() -> Exporter:
    return Exporter(random_model(NO_NORM_AND_RELU, CLASSIFIER), tokenizer(), {}, calibration())


@pytest.fixture(scope="module")
def files(exporter: Exporter, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("files")
    made = {}
    for name, request in (
        ("float32", ExportRequest("full-int8")),
        ("int8", ExportRequest("full-int8", integer_output=True)),
        ("int8 of 24", ExportRequest("full-int8", 24, integer_output=True)),
    ):
        made[name] = folder / f"{name}.tflite"
        made[name].write_bytes(exporter.export(request))
    return made


def test_what_is_read_is_the_same_to_the_last_bit(files: dict[str, Path]) -> None:
    pairs = [(text, None) for text in TEXTS]
    ours, theirs = (AnsweringModel(files[name]).answer_all(pairs) for name in ("int8", "float32"))
    assert ours.dtype == np.float32 and len(np.unique(theirs)) > 5
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["int8", "int8 of 24"])
def test_no_tensor_of_the_file_is_float(files: dict[str, Path], name: str) -> None:
    subgraph = read_model(files[name]).subgraphs[0]
    used = {index for operator in subgraph.operators for index in (*operator.inputs, *operator.outputs) if index >= 0}
    assert {subgraph.tensors[index].dtype for index in used} == {"int8", "int32"}
    require(summarize(files[name]), precision="full-int8", integer_output=True)


def test_a_file_that_hands_floats_over_is_no_integer_output(files: dict[str, Path]) -> None:
    with pytest.raises(ArtefactError, match=r"expected int8 with a scale for the output probabilities, got float32"):
        require(summarize(files["float32"]), integer_output=True)


def test_the_file_says_how_its_numbers_are_read(files: dict[str, Path]) -> None:
    summary = summarize(files["int8"])
    (port,) = summary.calls[0].outputs
    assert (port.dtype, port.quantization) == ("int8", (1 / 256, -128))
    assert "(integer +128) x 0.00390625" in _calls(summary)
    assert "stands for" not in _calls(summarize(files["float32"]))
    assert b"Score of each label: (integer - -128) x 0.00390625." in files["int8"].read_bytes()
    assert b"Score of each label.\0" in files["float32"].read_bytes()


@pytest.mark.parametrize("precision", [name for name in PRECISIONS if name != "full-int8"])
def test_schemes_whose_answer_is_float_are_refused(precision: str) -> None:
    with pytest.raises(ArtefactError, match=rf"answer in integers \(full-int8\), got {precision}, whose answer is flo"):
        ExportRequest(precision, integer_output=True)
    with pytest.raises(ArtefactError, match=r"integer output: expected a DEQUANTIZE behind 'Stateful"):
        with_integer_outputs(float_graph(NO_NORM_AND_RELU, CLASSIFIER))


def test_clients_that_read_no_integers_are_told_beforehand(files: dict[str, Path]) -> None:
    with pytest.raises(ArtefactError, match=r"expected a client that reads answers of int8, got MediaPipe Tasks"):
        ExportRequest("full-int8", compatible_with="mediapipe", integer_output=True)
    ExportRequest("full-int8", compatible_with="task-library", integer_output=True)
    verdicts = {name: {one.name: one for one in judge_clients(read_model(files[name]))} for name in files}
    assert all(verdict.can_run for verdict in verdicts["float32"].values())
    assert [name for name, one in verdicts["int8"].items() if not one.can_run] == ["mediapipe"]
    assert verdicts["int8"]["mediapipe"].reason == "it reads answers of float32, this one's are int8"


def test_a_client_that_refuses_integers_is_understood() -> None:
    said = "Expected output tensor at index 0 to have type UINT8 or FLOAT32 or BOOL, found INT8 instead."
    assert explain(MEDIAPIPE, said).startswith("this client reads no answers of int8; convert without --integer-output")


def test_an_operator_that_is_left_in_float_is_named_and_no_file_is_made(
    exporter: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a quantiser that has no integer TANH: the DEQUANTIZE in front of it is one too many as well."""

    def but_tanh(subgraph):
        return [operator for operator in every(subgraph) if operator.name != "TANH"]

    every = integer_graph.float_operators
    monkeypatch.setattr(integer_graph, "float_operators", but_tanh)
    with pytest.raises(ArtefactError, match=r"integer operators only in full-int8, got .*TANH x 1") as refused:
        exporter.export(ExportRequest("full-int8"))
    assert "DEQUANTIZE x 2" in str(refused.value)


def test_answers_of_int8_are_what_the_kernel_returns(files: dict[str, Path]) -> None:
    texts = calibration_inputs(TEXTS[:3])
    raw, floats = (answers(files[name].read_bytes(), texts) for name in ("int8", "float32"))
    assert raw.dtype == np.int8
    np.testing.assert_array_equal((raw.astype(np.float32) + 128) / 256, floats)
