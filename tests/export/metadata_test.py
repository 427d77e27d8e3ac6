"""Packing changes nothing but what it adds, and what it adds is what the clients look for."""

import itertools
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.errors import ArtefactError, DataError, TokenizerError
from edgebert.export.flatbuffer import read_model
from edgebert.export.metadata import BUFFER_ALIGNMENT_BYTES, METADATA_NAME, Title
from edgebert.export.packed_files import NamedFiles, read_named_files
from edgebert.export.precisions import quantize
from tests.conftest import GOLDEN
from tests.export.client_models import VOCABULARY, graph, pack

METADATA = METADATA_NAME.decode()


def serialize(model) -> bytes:
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def with_fields_younger_than_the_clients() -> bytes:
    """Block-wise scales and operator options of the second kind: the schema of 2023 has neither."""
    model = flatbuffer_utils.read_model_from_bytearray(quantize(graph(), "dynamic"))
    quantized = next(
        each for each in model.subgraphs[0].tensors if each.quantization and each.quantization.scale is not None
    )
    blocks = schema.BlockwiseQuantizationT()
    blocks.scales, blocks.blockSize = 3, 32
    quantized.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    quantized.quantization.details = blocks
    operator = model.subgraphs[0].operators[0]
    operator.builtinOptions2Type = schema.BuiltinOptions2.StablehloPadOptions
    operator.builtinOptions2 = schema.StablehloPadOptionsT()
    operator.builtinOptions2.edgePaddingLow = [1, 2]
    return serialize(model)


def with_content_behind_the_flatbuffer() -> bytes:
    """As files near 2 GB and ai-edge-quantizer have it."""
    model = flatbuffer_utils.read_model_from_bytearray(graph())
    largest = max((each for each in model.buffers if each.data is not None), key=lambda each: len(each.data))
    content, largest.data = bytes(largest.data), None
    largest.offset, largest.size = 2, len(content)
    largest.offset = len(serialize(model))
    return serialize(model) + content


MODELS = {
    "float32": graph,
    "fixed length": lambda: graph(32),
    "float16": lambda: quantize(graph(), "float16"),
    "dynamic": lambda: quantize(graph(), "dynamic"),
    "young fields": with_fields_younger_than_the_clients,
    "content behind": with_content_behind_the_flatbuffer,
}


def as_plain(value: object) -> object:
    """The generated schema's objects as plain values, to be compared."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [as_plain(each) for each in value]
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return {name: as_plain(each) for name, each in vars(value).items()} if hasattr(value, "__dict__") else value


def without_our_metadata(content: bytes) -> object:
    model = flatbuffer_utils.read_model_from_bytearray(content)
    ours = {entry.buffer for entry in model.metadata if entry.name == METADATA_NAME}
    model.metadata = [entry for entry in model.metadata if entry.name != METADATA_NAME]
    model.buffers = [each for number, each in enumerate(model.buffers) if number not in ours]
    for buffer in model.buffers:
        buffer.data = None if buffer.data is None else bytes(buffer.data)
    return as_plain(model)


def metadata_of(packed: bytes) -> dict:
    """The metadata as tflite-support's own displayer shows it."""
    pack(graph())  # loads libusb, which the displayer's library links
    from tensorflow_lite_support.metadata.python.metadata import MetadataDisplayer

    return json.loads(MetadataDisplayer.with_model_buffer(packed).get_metadata_json())


@pytest.mark.parametrize("name", MODELS)
def test_the_graph_is_the_same_afterwards(name: str) -> None:
    model = MODELS[name]()
    packed = pack(model)
    assert without_our_metadata(packed) == without_our_metadata(model)
    assert METADATA in read_model(packed).metadata


@pytest.mark.parametrize("name", ["float32", "fixed length", "dynamic", "content behind"])
def test_the_answers_are_the_same_bits_afterwards(name: str) -> None:
    model = MODELS[name]()
    length = 32 if name == "fixed length" else 7
    tokens = {
        "input_ids": np.arange(length, dtype=np.int32)[None] + 5,
        "input_mask": np.ones((1, length), np.int32),
        "segment_ids": np.zeros((1, length), np.int32),
    }
    answers = [Interpreter(model_content=each).get_signature_runner()(**tokens) for each in (model, pack(model))]
    assert answers[0]["probabilities"].tobytes() == answers[1]["probabilities"].tobytes()


def test_constants_lie_as_the_schema_wants_them() -> None:
    packed = pack(graph())
    starts = {start % BUFFER_ALIGNMENT_BYTES for start, size_bytes in read_model(packed).buffers if size_bytes}
    assert starts == {0}


def test_the_same_model_and_vocabulary_are_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = pack(graph())
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert pack(graph()) == now


def test_packing_again_replaces_what_was_packed() -> None:
    once = pack(graph(), labels=("old", "labels"), title=Title("old"))
    assert pack(once) == pack(graph())


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_inputs_are_named_whatever_their_order(order: tuple[int, ...]) -> None:
    model = flatbuffer_utils.read_model_from_bytearray(graph())
    subgraph = model.subgraphs[0]
    subgraph.inputs = [subgraph.inputs[position] for position in order]
    # Neither the names' alphabet nor the signature's order may help.
    for position, index in zip(order, sorted(subgraph.inputs), strict=True):
        subgraph.tensors[index].name = f"tensor {position}".encode()
    bound = model.signatureDefs[0].inputs
    model.signatureDefs[0].inputs = [bound[position] for position in order]
    expected = {"input_ids": "ids", "input_mask": "mask", "segment_ids": "segment_ids"}
    names = {entry.tensorIndex: expected[entry.name.decode()] for entry in model.signatureDefs[0].inputs}
    described = metadata_of(pack(serialize(model)))["subgraph_metadata"][0]["input_tensor_metadata"]
    assert [each["name"] for each in described] == [names[index] for index in subgraph.inputs]


def test_the_clients_find_tokenizer_labels_and_scores() -> None:
    packed = pack(graph(), title=Title("Mood", "Good or bad.", "Apache-2.0"))
    described = metadata_of(packed)
    assert (described["name"], described["description"], described["license"]) == ("Mood", "Good or bad.", "Apache-2.0")
    (subgraph,) = described["subgraph_metadata"]
    (unit,) = subgraph["input_process_units"]
    assert unit["options_type"] == "BertTokenizerOptions"
    assert [each["name"] for each in unit["options"]["vocab_file"]] == ["vocab.txt"]
    (output,) = subgraph["output_tensor_metadata"]
    assert output["name"] == "probability"
    assert [(each["name"], each["type"]) for each in output["associated_files"]] == [
        ("labels.txt", "TENSOR_AXIS_LABELS")
    ]
    model = read_model(packed)
    named = read_named_files(model.buffer(model.metadata[METADATA]))
    assert named == NamedFiles(vocabulary=("vocab.txt",), labels=("labels.txt",))
    assert [each.name for each in model.archive.files] == ["vocab.txt", "labels.txt", "edgebert.json"]


def test_an_embedder_has_no_labels() -> None:
    packed = pack(graph(), task="embedding", labels=None)
    (output,) = metadata_of(packed)["subgraph_metadata"][0]["output_tensor_metadata"]
    assert output["name"] == "embedding" and "associated_files" not in output
    assert [each.name for each in read_model(packed).archive.files] == ["vocab.txt", "edgebert.json"]


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (None, "got none"),
        ((), "got none"),
        (("a",), "got 1"),
        (("a", "b", "c"), "got 3"),
        (("a", "a"), "'a'"),
        (("a", ""), "''"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels: tuple[str, ...] | None, said: str) -> None:
    with pytest.raises(DataError, match=f"labels: expected .*{said}.* Do: "):
        pack(graph(), labels=labels)


def test_a_label_of_two_lines_is_refused() -> None:
    with pytest.raises(DataError, match="one line"):
        pack(graph(), labels=("a\nb", "c"))


@pytest.mark.parametrize(
    ("vocabulary", "settings"),
    [
        (VOCABULARY[:2] + VOCABULARY[3:], {}),
        ((*VOCABULARY, ""), {}),
        ((*VOCABULARY, "a\nb"), {}),
        ((*VOCABULARY, "a\r"), {}),
        ((*VOCABULARY, "<s>"), {"classify_token": "<s>"}),
        (VOCABULARY, {"continuation_prefix": "@@"}),
        (VOCABULARY, {"unknown_token": "a"}),
    ],
    ids=["no [CLS]", "empty piece", "newline", "carriage return", "<s>", "@@", "unknown"],
)
def test_what_clients_would_read_otherwise_is_refused(vocabulary: tuple[str, ...], settings: dict) -> None:
    with pytest.raises(TokenizerError, match=r": expected .* Do: "):
        pack(graph(), vocabulary=vocabulary, tokenizer=TokenizerSettings(**settings))


def test_inputs_of_other_names_are_refused() -> None:
    with pytest.raises(ArtefactError, match="input_ids, input_mask, segment_ids, got ids, mask, segment_ids"):
        pack((GOLDEN / "tiny_fixed_length.tflite").read_bytes())


def test_tensorflow_is_not_loaded_for_it() -> None:
    code = (
        "import sys; from tests.export.client_models import graph, pack; pack(graph()); "
        "print('tensorflow' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=GOLDEN.parent.parent
    )
    assert ran.stdout.strip() == "False"
