"""The bounded reader says what LiteRT's own schema says, and turns every other file into one line of error."""

import contextlib
import os
import re
import signal
import struct
import tracemalloc

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from edgebert.errors import ArtefactError
from edgebert.export.bounded import Malformed, Reader
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import summarize
from edgebert.export.model import DTYPE_NAMES, OPERATOR_NAMES
from edgebert.export.operator_options import LAYOUTS
from tests.export.golden_models import GOLDEN, NAMES, golden
from tests.export.model_builder import Graph, append_zip, build, options, pack
from tests.export.mutations import mutate

ONE_LINE = re.compile(r"^[^\n]+: expected [^\n]+, got [^\n]+\. Do: [^\n]+\.$")
HANG_SECONDS = 20
MUTATED = ("plain_int8", "quantizer_int4", "packed")


def packed_model(metadata: bytes | None = None) -> bytes:
    """Signatures, two graphs, block-wise weights, tokenizer metadata and a zip behind it."""
    first, second = Graph(), Graph()
    scales = first.constant(np.full((4, 2), 0.5, np.float16))
    ids, row = first.add("int32", [3]), first.add("float32", [3, 64], signature=[-1, 64])
    table = first.add("int4", (4, 64), np.zeros((4, 64), np.int8), block_size=32, block_scales=scales)
    first.op("EMBEDDING_LOOKUP", [ids, table], [row], version=5)
    source, target = second.add("float32", [1, 4]), second.add("float32", [1, 4])
    second.op("SOFTMAX", [source], [target], options("Softmax", beta=1.0))
    content = build(
        [first, second],
        [[ids], [source]],
        [[row], [target]],
        signatures=[("embed", 0, {"ids": ids}, {"row": row}), ("score", 1, {"x": source}, {"y": target})],
        metadata={"TFLITE_METADATA": metadata or tokenizer_metadata(), "note": b"hello"},
    )
    return append_zip(content, ["vocab.txt", "labels.txt"])


def tokenizer_metadata(*, in_tokenizer: bool = True, as_vocabulary: bool = True) -> bytes:
    """tflite-support's metadata: a vocabulary of a BertTokenizer, or only by its type, and labels of the output."""
    from tensorflow_lite_support.metadata import metadata_schema_py_generated as metadata

    def file(name: str, kind: int):
        entry = metadata.AssociatedFileT()
        entry.name, entry.type = name, kind
        return entry

    kinds = metadata.AssociatedFileType
    vocabulary = file("vocab.txt", kinds.VOCABULARY if as_vocabulary else kinds.UNKNOWN)
    graph, output, model = metadata.SubGraphMetadataT(), metadata.TensorMetadataT(), metadata.ModelMetadataT()
    if in_tokenizer:
        unit = metadata.ProcessUnitT()
        unit.optionsType = metadata.ProcessUnitOptions.BertTokenizerOptions
        unit.options = metadata.BertTokenizerOptionsT()
        unit.options.vocabFile = [vocabulary]
        graph.inputProcessUnits = [unit]
    else:
        model.associatedFiles = [vocabulary]
    output.associatedFiles = [file("labels.txt", kinds.TENSOR_AXIS_LABELS)]
    graph.outputTensorMetadata, model.subgraphMetadata = [output], [graph]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), file_identifier=b"M001")
    return bytes(builder.Output())


@pytest.fixture(scope="module")
def seeds() -> dict[str, bytes]:
    return {name: packed_model() if name == "packed" else golden(name) for name in MUTATED}


def listed(vector) -> list:
    return [] if vector is None else np.asarray(vector).tolist()


@pytest.mark.parametrize("name", NAMES)
def test_reads_what_the_generated_schema_reads(name):
    content = golden(name)
    ours, theirs = read_model(content), schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    assert [len(ours.buffer(index)) for index in range(len(ours.buffers))] == [
        0 if buffer.data is None else len(buffer.data) for buffer in theirs.buffers
    ]
    for graph, other in zip(ours.subgraphs, theirs.subgraphs, strict=True):
        assert (listed(other.inputs), listed(other.outputs)) == (list(graph.inputs), list(graph.outputs))
        for tensor, entry in zip(graph.tensors, other.tensors, strict=True):
            assert (tensor.name, tensor.dtype) == (entry.name.decode(), DTYPE_NAMES[entry.type])
            assert list(tensor.shape) == listed(entry.shape)
            assert tensor.buffer == entry.buffer
            assert list(tensor.shape_signature) == (listed(entry.shapeSignature) or listed(entry.shape))
            quantization = entry.quantization
            if quantization is None or quantization.scale is None:
                assert tensor.quantization is None
            else:
                assert tensor.quantization.scales.tolist() == listed(quantization.scale)
                assert tensor.quantization.zero_points.tolist() == listed(quantization.zeroPoint)
                assert tensor.quantization.axis == quantization.quantizedDimension
        for operator, entry in zip(graph.operators, other.operators, strict=True):
            code = theirs.operatorCodes[entry.opcodeIndex]
            assert operator.name == OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
            assert operator.version == code.version
            assert (list(operator.inputs), list(operator.outputs)) == (listed(entry.inputs), listed(entry.outputs))
    for signature, entry in zip(ours.signatures, theirs.signatureDefs, strict=True):
        assert signature.key == entry.signatureKey.decode()
        assert signature.inputs == {item.name.decode(): item.tensorIndex for item in entry.inputs}
    # TensorFlow's quantiser notes the runtime twice.
    assert list(ours.metadata) == list(dict.fromkeys(entry.name.decode() for entry in theirs.metadata))


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_options_have_the_schemas_field_numbers(name):
    """Every option is set to a value of its own and must come back under its name."""
    table = getattr(schema, f"{LAYOUTS[name].union_name}T")()
    wanted = {}
    for number, (option, (_, kind)) in enumerate(LAYOUTS[name].fields.items(), start=1):
        value = {"bool": True, "float32": number / 4, "vector": [3, -1]}.get(kind, number)
        spelled = "fusedActivationFunction" if option == "activation" else camel(option)
        assert hasattr(table, spelled)
        setattr(table, spelled, value)
        wanted[option] = tuple(value) if kind == "vector" else value
    graph = Graph()
    source, target = graph.add("float32", [1, 4]), graph.add("float32", [1, 4])
    graph.op(name, [source], [target], table)
    (operator,) = read_model(graph.build([source], [target])).subgraphs[0].operators
    assert operator.options == wanted


def camel(option: str) -> str:
    first, *rest = option.split("_")
    return first + "".join(word.title() for word in rest)


def test_missing_and_foreign_options_read_as_zeros():
    for table in (None, options("Add", fusedActivationFunction=1)):
        graph = Graph()
        source, target = graph.add("float32", [1, 4]), graph.add("float32", [1, 4])
        graph.op("SOFTMAX", [source], [target], table)
        (operator,) = read_model(graph.build([source], [target])).subgraphs[0].operators
        assert operator.options == {"beta": 0}


def matrix_model(**rest) -> tuple[bytes, np.ndarray]:
    graph = Graph()
    values = np.arange(-12, 12, dtype=np.float32).reshape(4, 6)
    source, weights, target = graph.add("float32", [1, 6]), graph.constant(values), graph.add("float32", [1, 4])
    graph.op("FULLY_CONNECTED", [source, weights], [target], options("FullyConnected"))
    return graph.build([source], [target], **rest), values


@pytest.mark.parametrize("out_of_line", [False, True])
def test_constants_inside_and_behind_the_flatbuffer(out_of_line):
    content, values = matrix_model(out_of_line=out_of_line)
    model = read_model(content)
    tensor = model.subgraphs[0].tensors[1]
    np.testing.assert_array_equal(model.values(tensor), values)
    assert bool(model.outside_buffers) is out_of_line
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    np.testing.assert_array_equal(interpreter.get_tensor(1), values)


def test_content_beyond_four_gigabytes_is_found_without_being_loaded(tmp_path):
    """A sparse file: the weights lie where 32 bits do not reach."""
    content, values = matrix_model(out_of_line=True)
    editable = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    held = next(buffer for buffer in editable.buffers if buffer.size)
    start = 5 << 30
    held.offset = start
    path = tmp_path / "large.tflite"
    with path.open("wb") as file:
        file.write(pack(editable))
        file.seek(start)
        file.write(values.tobytes())
    tracemalloc.start()
    model = read_model(path)
    found = model.values(model.subgraphs[0].tensors[1])
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(found, values)
    assert model.size_bytes > start
    assert peak_bytes < 1 << 20


@pytest.mark.parametrize("shape", [(3, 5), (4,), (2, 2)])
def test_four_bit_integers_are_unpacked_as_litert_unpacks_them(shape):
    values = np.resize(np.arange(-8, 8, dtype=np.int8), shape)
    graph = Graph()
    source = graph.add("int4", shape, values, scales=[0.5])
    target, unused = graph.add("float32", shape), graph.add("float32", [1])
    copied = graph.add("float32", [1])
    graph.op("DEQUANTIZE", [source], [target], options("Dequantize"), version=6)
    graph.op("NEG", [unused], [copied], options("Neg"))
    content = graph.build([unused], [target, copied])
    model = read_model(content)
    np.testing.assert_array_equal(model.values(model.subgraphs[0].tensors[source]), values)
    interpreter = Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(unused, np.zeros(1, np.float32))
    interpreter.invoke()
    np.testing.assert_array_equal(interpreter.get_tensor(target) * 2, values)


@pytest.mark.parametrize(("in_tokenizer", "as_vocabulary"), [(True, True), (True, False), (False, True)])
def test_packed_files_and_what_they_are_for(in_tokenizer, as_vocabulary):
    metadata = tokenizer_metadata(in_tokenizer=in_tokenizer, as_vocabulary=as_vocabulary)
    model = read_model(packed_model(metadata))
    assert [file.name for file in model.archive.files] == ["vocab.txt", "labels.txt"]
    assert model.named_files.vocabulary == ("vocab.txt",)
    assert model.named_files.labels == ("labels.txt",)
    assert bytes(model.content[model.archive.start :])[:4] == b"PK\x03\x04"
    assert {signature.key: dict(signature.inputs) for signature in model.signatures} == {
        "embed": {"ids": 1},
        "score": {"x": 0},
    }
    assert model.subgraphs[0].tensors[2].has_free_length


def test_a_zip_moved_by_a_repacking_tool_is_still_found():
    """Its offsets then count from where it used to begin."""
    content, archive = golden("plain_float32"), append_zip(b"", ["vocab.txt"])
    model = read_model(content + archive)
    assert model.archive.start == len(content)


def test_names_that_would_garble_a_terminal_are_escaped():
    graph = Graph()
    source = graph.add("float32", [1], name="a\nb\x1b[31m")
    target = graph.add("float32", [1])
    graph.op("NEG", [source], [target], options("Neg"))
    assert read_model(graph.build([source], [target])).subgraphs[0].tensors[0].name == "a\\nb\\x1b[31m"


def corrupted(change) -> bytes:
    content, _ = matrix_model()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    change(model)
    return pack(model)


def set_version(model):
    model.version = 2


def set_buffer(model):
    model.subgraphs[0].tensors[1].buffer = 99


def set_external(model):
    model.subgraphs[0].tensors[0].externalBuffer = 1


def set_type(model):
    model.subgraphs[0].tensors[0].type = 99


def set_shape(model):
    model.subgraphs[0].tensors[1].shape = [5, 6]


def set_rank(model):
    """The number of its elements would have a million digits."""
    model.subgraphs[0].tensors[0].shape = [2_000_000_000] * 100_000


def set_name(model):
    model.subgraphs[0].tensors[1].name = "x" * 100_000
    set_shape(model)


def set_input(model):
    model.subgraphs[0].operators[0].inputs = [0, 77]


def set_code(model):
    model.subgraphs[0].operators[0].opcodeIndex = 3


def set_offset(model):
    model.buffers[1].data, model.buffers[1].offset, model.buffers[1].size = None, 1 << 40, 1 << 40


def set_scales(model):
    quantization = model.subgraphs[0].tensors[1].quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [0.5, 0.5, 0.5], [0, 0, 0]


def set_zero_points(model):
    quantization = model.subgraphs[0].tensors[1].quantization = schema.QuantizationParametersT()
    quantization.scale, quantization.zeroPoint = [0.5], None


def set_block_scales(model):
    quantization = model.subgraphs[0].tensors[1].quantization = schema.QuantizationParametersT()
    quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
    quantization.details = schema.BlockwiseQuantizationT()
    quantization.details.scales, quantization.details.blockSize = -1, 32


def no_graph(model):
    model.subgraphs = []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (set_version, "schema version 2"),
        (set_buffer, "buffer number 99"),
        (set_external, "another file"),
        (set_type, "tensor type 99"),
        (set_shape, "96 bytes for tensor 'tensor_1', float32 [5, 6]"),
        (set_rank, "a tensor of 100,000 dimensions"),
        (set_name, "x ..."),
        (set_input, "an input of FULLY_CONNECTED outside the 3 tensors"),
        (set_code, "code number 3 of 1"),
        (set_offset, "an offset to bytes"),
        (set_scales, "3 scales along axis 0 of tensor 'tensor_1', [4, 6]"),
        (set_zero_points, "1 scales and 0 zero points"),
        (set_block_scales, "the scales of 'tensor_1' number -1 of 3"),
        (no_graph, "without a graph"),
    ],
)
def test_inconsistent_files_are_named_for_what_is_wrong(change, said):
    with no_longer_than(HANG_SECONDS), pytest.raises(ArtefactError, match=re.escape(said)) as caught:
        read_model(corrupted(change))
    assert ONE_LINE.match(str(caught.value))
    assert len(str(caught.value)) < 500


def write_nothing(path):
    path.write_bytes(b"")


def write_text(path):
    path.write_text("This is not a model, but it is longer than eight bytes.\n")


def write_half(path):
    content = golden("plain_float32")
    path.write_bytes(content[: len(content) // 2])


def write_zip(path):
    path.write_bytes(append_zip(b"", ["vocab.txt"]))


def make_folder(path):
    path.mkdir()


def make_pipe(path):
    os.mkfifo(path)


def leave_absent(path):
    pass


@pytest.mark.parametrize(
    "make", [write_nothing, write_text, write_half, write_zip, make_folder, make_pipe, leave_absent]
)
def test_what_is_no_model_is_one_line(make, tmp_path):
    path = tmp_path / "model.tflite"
    make(path)
    with no_longer_than(HANG_SECONDS), pytest.raises(ArtefactError) as caught:
        read_model(path)
    assert ONE_LINE.match(str(caught.value))
    assert str(path) in str(caught.value)


def table_bomb(width: int) -> bytes:
    """A model whose graphs all are one graph and whose tensors all are one tensor: few bytes, width squared tables."""
    root_fields, root, one_field, no_field, graphs = 8, 24, 40, 48, 52
    graph = graphs + 4 + 4 * width
    tensors = graph + 8
    tensor = tensors + 4 + 4 * width
    buffers = tensor + 4
    buffer = buffers + 8
    content = bytearray(buffer + 4)
    struct.pack_into("<I4s", content, 0, root, b"TFL3")
    struct.pack_into("<7H", content, root_fields, 14, 16, 4, 0, 8, 0, 12)
    struct.pack_into("<iIII", content, root, root - root_fields, 3, graphs - (root + 8), buffers - (root + 12))
    struct.pack_into("<3H", content, one_field, 6, 8, 4)
    struct.pack_into("<2H", content, no_field, 4, 4)
    struct.pack_into("<iI", content, graph, graph - one_field, tensors - (graph + 4))
    struct.pack_into("<i", content, tensor, tensor - no_field)
    struct.pack_into("<IIi", content, buffers, 1, buffer - (buffers + 4), buffer - no_field)
    for vector, target in ((graphs, graph), (tensors, tensor)):
        struct.pack_into("<I", content, vector, width)
        for slot in range(vector + 4, vector + 4 + 4 * width, 4):
            struct.pack_into("<I", content, slot, target - slot)
    return bytes(content)


def test_tables_that_share_tables_cost_no_more_than_the_file_can_hold():
    content = table_bomb(2000)
    assert Reader(memoryview(content)).tables_left < 2000 * 2000 / 100
    with pytest.raises(ArtefactError, match="2,000 tables in a file of"):
        read_model(content)


def test_a_reader_stops_at_its_ration():
    reader = Reader(memoryview(bytes(64)))
    with pytest.raises(Malformed, match="more tables"):
        for _ in range(1000):
            reader.spend_table()
    with pytest.raises(Malformed, match="over and over"):
        reader.spend_bytes(1 << 30)


def test_every_cut_of_a_small_file_is_refused_or_read():
    """Truncation at each of the first bytes and then everywhere in steps."""
    content = packed_model()
    for length in [*range(64), *range(64, len(content), 37)]:
        attempt(content[:length])


@contextlib.contextmanager
def no_longer_than(seconds: int):
    """Turns a hang into a failure."""

    def stop(*_):
        raise AssertionError(f"still reading after {seconds} seconds")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)


def attempt(content: bytes) -> bool:
    """Whether it can be inspected; anything but a one-line ArtefactError propagates and fails the test."""
    with no_longer_than(HANG_SECONDS):
        try:
            summarize(content)
        except ArtefactError as error:
            assert ONE_LINE.match(str(error)), str(error)
            assert len(str(error)) < 500
            return False
    return True


def fuzz(seeds: dict[str, bytes], count: int, first_seed: int) -> tuple[int, int]:
    outcomes = [
        attempt(mutate(seeds[MUTATED[seed % len(MUTATED)]], seed)) for seed in range(first_seed, first_seed + count)
    ]
    return sum(outcomes), len(outcomes)


def test_damaged_files_are_read_or_refused(seeds):
    read, tried = fuzz(seeds, 300, first_seed=0)
    # Both must happen, or the damage is too gentle or too rough to test anything.
    assert 0 < read < tried


@pytest.mark.long
def test_thousands_of_damaged_files_are_read_or_refused(seeds):
    read, tried = fuzz(seeds, 6000, first_seed=1_000_000)
    assert 0 < read < tried


def test_golden_files_are_all_there():
    assert {path.suffix for path in GOLDEN.iterdir()} == {".tflite", ".json"}
    assert len(NAMES) == 7
