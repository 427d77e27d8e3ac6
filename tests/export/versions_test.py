"""The table agrees with real runtimes; honest versions change what a file says and nothing that it answers."""

import itertools
import json

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.runtime_versions import FIRST_RUNTIMES
from edgebert.export.versions import (
    NEWEST_KNOWN,
    Runtime,
    first_runtime,
    honest_versions,
    minimum_runtime,
    understatements,
)
from tests.export.golden_models import GOLDEN, NAMES, golden
from tests.export.make_registered_versions import naming
from tests.export.model_builder import Graph, append_zip, options

REGISTERED = json.loads((GOLDEN / "registered_versions.json").read_text())


def newest_version(operator: str, runtime: Runtime) -> int:
    """As the table has it: the newest version that this runtime or an older one brought."""
    versions = range(1, len(FIRST_RUNTIMES[operator].split()) + 1)
    brought = [version for version in versions if (first := first_runtime(operator, version)) and first <= runtime]
    return max(brought, default=0)


@pytest.mark.parametrize("column", range(len(REGISTERED["runtimes"])), ids=REGISTERED["runtimes"])
def test_the_table_agrees_with_what_runtimes_register(column):
    runtime = Runtime.parse(REGISTERED["runtimes"][column])
    expected = {operator: newest[column] for operator, newest in REGISTERED["newest"].items()}
    assert {operator: newest_version(operator, runtime) for operator in expected} == expected


def registers(operator: str, version: int) -> bool:
    """Whether the installed LiteRT has it."""
    try:
        Interpreter(model_content=naming(operator, version))
    except ValueError as refusal:
        assert "Didn't find op" in str(refusal)
        return False
    return True


def test_the_table_ends_where_the_installed_litert_does():
    wrong = {
        operator: releases
        for operator, releases in FIRST_RUNTIMES.items()
        if not registers(operator, len(releases.split())) or registers(operator, len(releases.split()) + 1)
    }
    assert not wrong


def test_runtimes_are_ordered_by_number_and_litert_comes_last():
    in_order = ["1.5", "1.14", "2.2", "2.10", "2.20", "L2.0", "L2.3"]
    runtimes = [Runtime.parse(text) for text in in_order]
    assert all(older < newer for older, newer in itertools.pairwise(runtimes))
    assert [str(runtime) for runtime in runtimes[-3:]] == ["2.20", "LiteRT 2.0", "LiteRT 2.3"]
    assert runtimes[-1] == NEWEST_KNOWN


def test_versions_that_do_not_exist_have_no_runtime():
    assert first_runtime("FULLY_CONNECTED", 99) is None
    assert first_runtime("FULLY_CONNECTED", 0) is None
    assert first_runtime("NO_SUCH_OPERATOR", 1) is None
    assert first_runtime("BROADCAST_TO", 1) is None


def one_operator(name: str, left: str, right: tuple, table=None, version: int = 1, target: str | None = None) -> bytes:
    """An operator of two inputs: a computed one and a constant (dtype, values, scales...) ."""
    graph = Graph()
    dtype, values, rest = right
    first = graph.add(left, [3] if left == "int32" else [1, 64])
    second = graph.constant(values, dtype, **rest)
    rows = len(values) if name == "FULLY_CONNECTED" else 3
    output = graph.add(target or ("float32" if left == "int32" else left), [rows, 64] if left == "int32" else [1, rows])
    graph.op(name, [first, second], [output], table, version)
    return graph.build([first], [output])


FC = options("FullyConnected")
EIGHT = np.resize(np.arange(-127, 127), (8, 64)).astype(np.int8)
FOUR = np.resize(np.arange(-7, 8), (8, 64)).astype(np.int8)
PER_CHANNEL = {"scales": [0.01] * 8}
PER_TENSOR = {"scales": [0.01]}
BLOCKS = {"block_size": 32, "block_scales": 0}
HYBRID_PRODUCT = ("int8", np.ones((64, 3), np.int8), {"scales": [0.1] * 3, "axis": 1})

NEEDS = {
    "dense per channel": (one_operator("FULLY_CONNECTED", "float32", ("int8", EIGHT, PER_CHANNEL), FC), 12, "2.17"),
    "dense per tensor": (one_operator("FULLY_CONNECTED", "float32", ("int8", EIGHT, PER_TENSOR), FC), 3, "1.14"),
    "dense static": (one_operator("FULLY_CONNECTED", "int8", ("int8", EIGHT, PER_CHANNEL), FC), 4, "1.14"),
    "dense int4": (one_operator("FULLY_CONNECTED", "float32", ("int4", FOUR, PER_CHANNEL), FC), 10, "2.11"),
    "dense int4 in blocks": (
        one_operator("FULLY_CONNECTED", "float32", ("int4", FOUR, BLOCKS), FC),
        14,
        "LiteRT 2.1",
    ),
    "dense float": (
        one_operator("FULLY_CONNECTED", "float32", ("float32", EIGHT.astype(np.float32), {}), FC),
        1,
        "1.5",
    ),
    "look-up per row": (one_operator("EMBEDDING_LOOKUP", "int32", ("int8", EIGHT, PER_CHANNEL)), 4, "2.18"),
    "look-up per tensor": (one_operator("EMBEDDING_LOOKUP", "int32", ("int8", EIGHT, PER_TENSOR)), 1, "1.13"),
    "look-up int4": (one_operator("EMBEDDING_LOOKUP", "int32", ("int4", FOUR, PER_TENSOR)), 4, "2.18"),
    "look-up int4 in blocks": (one_operator("EMBEDDING_LOOKUP", "int32", ("int4", FOUR, BLOCKS)), 5, "LiteRT 2.1"),
    # No version of BATCH_MATMUL announces it; the runtime is known all the same.
    "hybrid product per channel": (
        one_operator("BATCH_MATMUL", "float32", HYBRID_PRODUCT, options("BatchMatMul")),
        1,
        "2.20",
    ),
}


@pytest.mark.parametrize(("content", "needed", "runtime"), NEEDS.values(), ids=NEEDS.keys())
def test_needed_versions_and_runtimes(content, needed, runtime):
    model = read_model(content)
    assert [entry.needed for entry in understatements(model)] == ([needed] if needed > 1 else [])
    assert str(minimum_runtime(model).runtime) == runtime
    assert understatements(read_model(honest_versions(content))) == ()


def test_converters_files_are_honest_and_the_quantizers_are_not():
    found = {name: {entry.operator for entry in understatements(read_model(golden(name)))} for name in NAMES}
    assert {name: operators for name, operators in found.items() if operators} == {
        "quantizer_dynamic": {"FULLY_CONNECTED"},
        "quantizer_float16": {"DEQUANTIZE"},
        "quantizer_int4": {"FULLY_CONNECTED"},
    }


@pytest.mark.parametrize(
    ("name", "runtime"),
    [("plain_float32", "2.9"), ("plain_int8", "2.9"), ("plain_dynamic", "2.17"), ("quantizer_dynamic", "2.17")],
)
def test_minimum_runtime_of_whole_models(name, runtime):
    assert str(minimum_runtime(read_model(golden(name))).runtime) == runtime


def test_an_unknown_version_is_named_and_has_no_runtime():
    content = one_operator("FULLY_CONNECTED", "float32", ("int8", EIGHT, PER_CHANNEL), FC, version=99)
    requirement = minimum_runtime(read_model(content))
    assert (requirement.runtime, requirement.operator, requirement.version) == (None, "FULLY_CONNECTED", 99)


def answers(content: bytes) -> list[np.ndarray]:
    random = np.random.default_rng(5)
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    results = []
    for _ in range(3):
        for detail in interpreter.get_input_details():
            draw = random.integers(0, 2, detail["shape"]) if detail["dtype"] == np.int32 else random.random
            values = draw if detail["dtype"] == np.int32 else draw(detail["shape"])
            interpreter.set_tensor(detail["index"], values.astype(detail["dtype"]))
        interpreter.invoke()
        results += [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return results


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("quantizer")])
def test_honest_versions_keep_every_answer(name):
    content = golden(name)
    honest = honest_versions(content)
    assert honest != content
    for before, after in zip(answers(content), answers(honest), strict=True):
        np.testing.assert_array_equal(after, before)
    assert honest_versions(honest) == honest


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("plain")])
def test_honest_files_come_back_as_they_are(name):
    content = golden(name)
    assert honest_versions(content) is content


def test_content_behind_the_flatbuffer_is_moved_inside():
    graph = Graph()
    values = np.arange(-12, 12, dtype=np.float32).reshape(4, 6)
    source, weights, target = graph.add("float32", [1, 6]), graph.constant(values), graph.add("float32", [1, 4])
    graph.op("FULLY_CONNECTED", [source, weights], [target], FC)
    outside = graph.build([source], [target], out_of_line=True)
    inside = honest_versions(outside)
    model = read_model(inside)
    assert not model.outside_buffers
    np.testing.assert_array_equal(model.values(model.subgraphs[0].tensors[weights]), values)
    for before, after in zip(answers(outside), answers(inside), strict=True):
        np.testing.assert_array_equal(after, before)
    assert honest_versions(inside) is inside


def mixed_layers() -> bytes:
    """A float layer and an int8 layer that share one entry of the operator table, as ai-edge-quantizer leaves them."""
    graph = Graph()
    source, middle, target = (graph.add("float32", [1, 64]) for _ in range(3))
    first = graph.constant(np.eye(64, dtype=np.float32))
    second = graph.constant(np.eye(64).astype(np.int8) * 100, "int8", scales=[0.01] * 64)
    graph.op("FULLY_CONNECTED", [source, first], [middle], FC, version=5)
    graph.op("FULLY_CONNECTED", [middle, second], [target], FC, version=5)
    return graph.build([source], [target], metadata={"min_runtime_version": b"1.5.0".ljust(16, b"\0")})


def test_only_the_operators_that_need_it_are_raised():
    honest = honest_versions(mixed_layers())
    assert [operator.version for operator in read_model(honest).subgraphs[0].operators] == [5, 12]
    for before, after in zip(answers(mixed_layers()), answers(honest), strict=True):
        np.testing.assert_array_equal(after, before)


def test_the_note_of_the_minimum_runtime_is_corrected():
    model = read_model(honest_versions(mixed_layers()))
    assert bytes(model.buffer(model.metadata["min_runtime_version"])) == b"2.17.0".ljust(16, b"\0")


def test_a_packed_file_is_refused_before_its_files_are_lost():
    with pytest.raises(ArtefactError, match=r"packed vocabulary.*Do: correct the operator versions before packing"):
        honest_versions(append_zip(golden("quantizer_dynamic"), ["vocab.txt"]))
    packed = append_zip(golden("plain_dynamic"), ["vocab.txt"])
    assert honest_versions(packed) is packed


def test_what_is_no_model_is_refused():
    with pytest.raises(ArtefactError, match=r"expected a whole \.tflite file"):
        honest_versions(b"not a model at all")
