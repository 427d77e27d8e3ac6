"""The phones' clients themselves, installed and run: what they load, answer and refuse."""

from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.data.batches import INPUT_NAMES
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import WordPiece
from edgebert.export.clients.environments import environment
from edgebert.export.clients.judging import judge
from edgebert.export.clients.process import run_client
from edgebert.export.clients.refusals import TASK_LIBRARY_RUNTIME, highest_version
from edgebert.export.clients.registry import CLIENTS, MEDIAPIPE, TASK_LIBRARY
from edgebert.export.clients.verification import AGREES, DISAGREES, FAILS, REFUSES, ClientReport, verify
from edgebert.export.flatbuffer import read_model
from edgebert.export.precisions import quantize
from edgebert.export.quantization.integer_output import with_integer_outputs
from tests.export.client_models import (  # noqa: F401, the first is a fixture
    LABELS,
    TEXTS,
    VOCABULARY,
    client_cache,
    graph,
    pack,
    repack,
)

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("client_cache")]

STRING_CLIENTS = (TASK_LIBRARY, MEDIAPIPE)
OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tmp_path / "model.tflite"


def reports(model: Path, content: bytes, texts=TEXTS, **options) -> dict[str, ClientReport]:
    model.write_bytes(content)
    return {report.client.name: report for report in verify(model, texts, **options).reports}


def without_versions(content: bytes) -> bytes:
    """As ai-edge-quantizer writes it: the versions of the float file."""
    edited = flatbuffer_utils.read_model_from_bytearray(content)
    for code in edited.operatorCodes:
        code.version = 1
    return bytes(flatbuffer_utils.convert_object_to_bytearray(edited))


@pytest.mark.parametrize("length", [None, 32])
def test_every_client_agrees_about_a_float_file(model: Path, length: int | None) -> None:
    found = reports(model, pack(graph(length)))
    assert {name: (report.status, report.reason) for name, report in found.items()} == {
        client.name: (AGREES, None) for client in CLIENTS
    }
    for report in found.values():
        assert report.agreement.same_labels == len(TEXTS)
        assert report.agreement.largest_difference < 1e-5
    assert all(found[client.name].token_differences == () for client in STRING_CLIENTS)


@pytest.mark.parametrize("length", [None, 32])
def test_int8_weights_per_channel_are_refused_by_task_library_alone(model: Path, length: int | None) -> None:
    found = reports(model, pack(quantize(graph(length), "dynamic"), precision="dynamic"))
    assert {name: report.status for name, report in found.items()} == {
        "task-library": REFUSES,
        "mediapipe": AGREES,
        "litert": AGREES,
        "tensorflow": AGREES,
    }
    assert found["task-library"].reason == (
        "this runtime is from 2023 and knows FULLY_CONNECTED up to version 10, the file has version 12; "
        "export with --compatible-with task-library"
    )


@pytest.mark.parametrize("length", [None, 32])
def test_int8_weights_per_tensor_agree_everywhere(model: Path, length: int | None) -> None:
    found = reports(model, pack(quantize(graph(length), "dynamic", per_tensor=True), precision="dynamic"))
    assert {report.status for report in found.values()} == {AGREES}


def test_an_answer_of_int8_is_read_by_all_but_mediapipe(model: Path) -> None:
    """Which inspect and convert say without running it (edgebert.export.generations)."""
    encoded = [WordPiece(VOCABULARY, TokenizerSettings()).encode(text, length=32) for text in TEXTS]
    texts = [{name: np.array([getattr(each, name)], np.int32) for name in INPUT_NAMES} for each in encoded]
    content = with_integer_outputs(quantize(graph(), "full-int8", texts=texts))
    found = reports(model, pack(content, precision="full-int8"))
    assert {name: report.status for name, report in found.items()} == {
        "task-library": AGREES,
        "mediapipe": REFUSES,
        "litert": AGREES,
        "tensorflow": AGREES,
    }
    assert found["mediapipe"].reason.startswith("this client reads no answers of int8")


def test_a_file_with_dishonest_versions_is_caught_answering_nonsense(model: Path) -> None:
    found = reports(model, pack(without_versions(quantize(graph(), "dynamic")), precision="dynamic"))
    assert found["task-library"].status == DISAGREES
    assert "loads the file and answers nonsense" in found["task-library"].reason
    assert found["mediapipe"].status == AGREES


def test_labels_in_another_order_are_caught_in_both(model: Path) -> None:
    found = reports(
        model, repack(pack(graph()), labels_txt="\n".join(reversed(LABELS)).encode()), clients=STRING_CLIENTS
    )
    for report in found.values():
        assert report.status == DISAGREES and "under other labels" in report.reason


def test_a_wrong_vocabulary_is_caught_in_both(model: Path) -> None:
    wrong = [*VOCABULARY[:5], *reversed(VOCABULARY[5:])]
    content = repack(pack(graph()), vocab_txt="\n".join(wrong).encode())
    found = reports(model, content, vocabulary=VOCABULARY, clients=STRING_CLIENTS)
    for report in found.values():
        assert report.status == DISAGREES and "tokens are others" in report.reason
        # The empty text alone has no piece that could be wrong.
        assert len(report.token_differences) == len(TEXTS) - 1
    assert not judge(verify(model, TEXTS, clients=STRING_CLIENTS)).passed


def test_accents_are_named_with_both_cuts(model: Path) -> None:
    found = reports(model, pack(graph()), ["the gööd film", *TEXTS], clients=STRING_CLIENTS)
    for report in found.values():
        (difference,) = report.token_differences
        assert difference.text_number == 0
        assert difference.ours == ("[CLS]", "the", "good", "film", "[SEP]")
        assert difference.theirs == ("[CLS]", "the", "[UNK]", "film", "[SEP]")


def test_a_client_that_crashes_is_reported_so(model: Path) -> None:
    """Task Library 0.4.4 ends in a segfault where there are fewer labels than outputs."""
    found = reports(model, repack(pack(graph()), labels_txt=b"one"), clients=STRING_CLIENTS)
    assert (found["task-library"].status, found["task-library"].reason) == (FAILS, "'crashed (SIGSEGV)'")
    assert found["mediapipe"].status == DISAGREES
    assert "num_classes == GetLabelMap(cc).size()" in found["mediapipe"].reason


def test_a_text_beyond_the_positions_of_a_dynamic_file_is_explained(model: Path) -> None:
    """Where the length is dynamic, the clients cut nothing; the tiny graph has 512 positions and does not either."""
    found = reports(model, pack(graph()), ["the film", "the film " * 300, "good"], clients=STRING_CLIENTS)
    for report in found.values():
        assert report.status == DISAGREES
        assert [each.text_number for each in report.agreement.differences] == [1]
        assert [each.text_number for each in report.token_differences] == [1]
        assert "more tokens than the encoder has positions" in report.reason


@pytest.mark.parametrize("length", [None, 32])
def test_a_sentence_embedder_agrees_everywhere(model: Path, length: int | None) -> None:
    """The tiny graph's two outputs taken as an embedding."""
    found = reports(model, pack(graph(length), task="embedding", labels=None, pooling="mean"))
    assert {name: (report.status, report.reason) for name, report in found.items()} == {
        client.name: (AGREES, None) for client in CLIENTS
    }


def test_a_regression_agrees_everywhere(model: Path) -> None:
    found = reports(model, pack(one_output(), task="regression", labels=None))
    assert {name: (report.status, report.reason) for name, report in found.items()} == {
        client.name: (AGREES, None) for client in CLIENTS
    }


def one_output() -> bytes:
    """The tiny graph with the first of its two scores as its only output."""
    edited = flatbuffer_utils.read_model_from_bytearray(graph())
    subgraph = edited.subgraphs[0]

    def constant(values: list[int]) -> int:
        import numpy as np

        buffer, tensor = schema.BufferT(), schema.TensorT()
        buffer.data = np.array(values, np.int32).view(np.uint8)
        edited.buffers.append(buffer)
        tensor.name, tensor.type, tensor.shape = b"slice", schema.TensorType.INT32, [len(values)]
        tensor.buffer = len(edited.buffers) - 1
        subgraph.tensors.append(tensor)
        return len(subgraph.tensors) - 1

    output = schema.TensorT()
    output.name, output.type, output.shape = b"score", schema.TensorType.FLOAT32, [1, 1]
    subgraph.tensors.append(output)
    score = len(subgraph.tensors) - 1
    code, operator = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.SLICE
    code.version = 1
    edited.operatorCodes.append(code)
    operator.opcodeIndex = len(edited.operatorCodes) - 1
    operator.inputs, operator.outputs = [subgraph.outputs[0], constant([0, 0]), constant([1, 1])], [score]
    operator.builtinOptionsType = schema.BuiltinOptions.SliceOptions
    operator.builtinOptions = schema.SliceOptionsT()
    subgraph.operators.append(operator)
    subgraph.outputs = [score]
    edited.signatureDefs[0].outputs[0].tensorIndex = score
    return bytes(flatbuffer_utils.convert_object_to_bytearray(edited))


def test_task_library_has_the_operator_versions_of_its_runtime(tmp_path: Path) -> None:
    """Each operator of the tiny graph, raised to the newest version it should know and to the next."""
    wrong = []
    for name in sorted({operator.name for operator in read_model(graph()).subgraphs[0].operators}):
        known = highest_version(name, TASK_LIBRARY_RUNTIME)
        for version, loads in ((known, True), (known + 1, False)):
            edited = flatbuffer_utils.read_model_from_bytearray(graph())
            for code in edited.operatorCodes:
                if OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)] == name:
                    code.version = version
            path = tmp_path / f"{name}{version}.tflite"
            path.write_bytes(pack(bytes(flatbuffer_utils.convert_object_to_bytearray(edited))))
            reply = run_client(TASK_LIBRARY, environment(TASK_LIBRARY).python, path, "classification", ["the film"])
            if (reply.refusal is None) != loads or reply.failure is not None:
                wrong.append((name, version, reply.refusal, reply.failure))
    assert wrong == []
