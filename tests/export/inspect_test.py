"""A summary's figures add up and agree with the file; `require` lets through what was asked for and nothing else."""

import numpy as np
import pytest

from edgebert.errors import ArtefactError
from edgebert.export.inspect import Summary, require, summarize
from edgebert.export.versions import honest_versions
from edgebert.export.weights import Role
from tests.export.flatbuffer_test import ONE_LINE, packed_model
from tests.export.golden_models import NAMES, golden
from tests.export.model_builder import Graph, append_zip, options

INPUTS = ("input_ids", "input_mask", "segment_ids")
# The shapes of make_golden_models.SHAPE.
WIDTH, FEED_FORWARD, VOCABULARY, LAYERS, LENGTH = 32, 64, 64, 2, 8
EMBEDDING_ELEMENTS = (VOCABULARY + 2) * WIDTH
MATRIX_ELEMENTS = LAYERS * (4 * WIDTH**2 + 2 * WIDTH * FEED_FORWARD) + WIDTH**2 + 2 * WIDTH


@pytest.fixture(scope="module")
def summaries() -> dict[str, Summary]:
    return {name: summarize(golden(name)) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_sizes_add_up_to_the_file(summaries, name):
    sizes = summaries[name].sizes
    assert sizes.total == summaries[name].size_bytes == len(golden(name))
    assert min(sizes.embedding, sizes.encoder, sizes.rest, sizes.overhead) > 0


def test_sizes_of_packed_files():
    plain, packed = golden("plain_dynamic"), append_zip(golden("plain_dynamic"), ["vocab.txt", "labels.txt"])
    before, after = summarize(plain).sizes, summarize(packed).sizes
    assert after.packed == len(packed) - len(plain)
    assert (after.embedding, after.encoder, after.rest, after.overhead) == (
        before.embedding,
        before.encoder,
        before.rest,
        before.overhead,
    )


@pytest.mark.parametrize(
    ("name", "bytes_per_weight"),
    [("plain_float32", 4), ("plain_float16", 2), ("plain_int8", 1)],
)
def test_bytes_by_role(summaries, name, bytes_per_weight):
    """Weights that are looked up, also through an unpacking DEQUANTIZE, and weights that are multiplied."""
    sizes = summaries[name].sizes
    assert sizes.embedding == EMBEDDING_ELEMENTS * bytes_per_weight
    assert sizes.encoder == MATRIX_ELEMENTS * bytes_per_weight


def test_look_ups_of_both_kinds_read_embeddings():
    for name, table in (("GATHER", options("Gather")), ("EMBEDDING_LOOKUP", None)):
        graph = Graph()
        ids, held = graph.add("int32", [3]), graph.constant(np.ones((50, 8), np.float32))
        target = graph.add("float32", [3, 8])
        graph.op(name, [held, ids] if name == "GATHER" else [ids, held], [target], table)
        sizes = summarize(graph.build([ids], [target])).sizes
        assert (sizes.embedding, sizes.encoder, sizes.rest) == (50 * 8 * 4, 0, 0)


def test_parameters_are_counted_once(summaries):
    """Embeddings, matrices and the added positions; LayerNorm's ones and zeros and the biases are folded away."""
    positions = LENGTH * WIDTH
    for name in ("plain_float32", "quantizer_dynamic"):
        learnt = sum(weight.elements for weight in summaries[name].weights if weight.is_matrix)
        assert EMBEDDING_ELEMENTS + MATRIX_ELEMENTS + positions <= learnt <= summaries[name].parameters
        assert summaries[name].parameters < learnt + 200


def test_inputs_and_outputs_by_signature_name(summaries):
    (call,) = summaries["plain_dynamic"].calls
    assert call.key == "serving_default"
    assert {port.name: (port.dtype, port.shape) for port in call.inputs} == dict.fromkeys(
        INPUTS, ("int32", (1, LENGTH))
    )
    assert [(port.dtype, port.shape) for port in call.outputs] == [("float32", (1, 2))]


def test_several_signatures_and_free_lengths():
    calls = {call.key: call for call in summarize(packed_model()).calls}
    assert set(calls) == {"embed", "score"}
    assert calls["embed"].outputs[0].shape == (-1, 64)


def test_a_file_without_signatures_is_called_by_its_tensors():
    content = small_model()
    (call,) = summarize(content).calls
    assert (call.key, [port.name for port in call.inputs]) == ("", ["tensor_0"])


def test_operators_by_version_and_types(summaries):
    rows = {(row.name, row.weights): row for row in summaries["plain_dynamic"].operators}
    dense = rows["FULLY_CONNECTED", ("int8",)]
    assert (dense.version, dense.activations, dense.count) == (12, ("float32",), 13)
    assert dense.taken == dense.count
    halves = {row.name: row for row in summaries["plain_float16"].operators if row.weights}
    assert halves["FULLY_CONNECTED"].weights == ("float16",)
    assert halves["GATHER"].weights == ("float16",)
    for summary in summaries.values():
        assert sum(row.count for row in summary.operators) == len(summary.delegations[0].verdicts)
        assert sum(row.taken for row in summary.operators) == summary.delegations[0].taken


def small_model(weights: np.ndarray | None = None, **scales) -> bytes:
    graph = Graph()
    if weights is None:
        weights = np.ones((4, 6), np.float32)
    source = graph.add("float32", [1, weights.shape[1]])
    target = graph.add("float32", [1, weights.shape[0]])
    held = graph.constant(weights, **scales)
    graph.op("FULLY_CONNECTED", [source, held], [target], options("FullyConnected"), version=12)
    return graph.build([source], [target])


@pytest.mark.parametrize(
    ("weights", "scales", "share"),
    [
        (np.array([[0, 1], [2, 0]], np.float32), {}, 0.5),
        (np.array([[0, 1], [2, 0]], np.float16), {}, 0.5),
        (np.array([[0, 1], [2, 3]], np.int8), {"scales": [0.1, 0.1]}, 0.25),
        # A zero is what stands for 0.
        (np.array([[7, 1], [7, 0]], np.int8), {"scales": [0.1], "zero_points": [7]}, 0.5),
        (np.array([[7, 1], [3, 3]], np.int8), {"scales": [0.1, 0.1], "zero_points": [7, 3]}, 0.75),
        (np.zeros((5000, 2), np.int8), {"scales": [0.1]}, 1.0),
    ],
)
def test_share_of_zeros(weights, scales, share):
    (weight,) = summarize(small_model(weights, **scales)).weights
    assert weight.zero_share == share
    assert (weight.role, weight.shape) == (Role.ENCODER, weights.shape)


def test_constants_that_overlap_are_refused():
    """They could be read over and over: thousands of tensors over the same megabytes."""
    graph = Graph()
    source = graph.add("float32", [1, 6])
    outputs = []
    for _ in range(8):
        held, target = graph.constant(np.ones((256, 6), np.float32)), graph.add("float32", [1, 256])
        outputs.append(graph.op("FULLY_CONNECTED", [source, held], [target], options("FullyConnected")))
    content = graph.build([source], outputs, out_of_line=True)
    from ai_edge_litert import schema_py_generated as schema

    from tests.export.model_builder import pack

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    first = min(buffer.offset for buffer in model.buffers if buffer.offset)
    for shift, buffer in enumerate(entry for entry in model.buffers if entry.offset):
        buffer.offset = first + shift
    with pytest.raises(ArtefactError, match="overlapping"):
        summarize(pack(model) + bytes(256 * 6 * 4 + 64))


def test_clients_by_what_they_lack(summaries):
    def why_not(name):
        return {client.name: client.reason for client in summaries[name].clients}

    assert why_not("plain_float32")["tflite-android"] == ""
    assert "no vocabulary is packed" in why_not("plain_float32")["task-library"]
    assert "FULLY_CONNECTED version 12 needs runtime 2.17, this has 2.14" in why_not("plain_dynamic")["task-library"]
    assert why_not("plain_dynamic")["litert-android"] == ""
    assert "answers wrongly" in why_not("quantizer_dynamic")["tflite-android"]


def test_clients_that_take_texts_need_the_vocabulary():
    verdicts = {client.name: client for client in summarize(packed_model()).clients}
    assert verdicts["mediapipe"].can_run
    assert "EMBEDDING_LOOKUP version 5" in verdicts["litert-android"].reason


def custom_model(name: str) -> bytes:
    graph = Graph()
    source, target = graph.add("float32", [1]), graph.add("float32", [1])
    graph.op(name, [source], [target], custom=True)
    return graph.build([source], [target])


def test_flex_and_custom_operators():
    assert summarize(custom_model("FlexErf")).flex_operators == ("FlexErf",)
    assert summarize(custom_model("Mine")).custom_operators == ("Mine",)
    assert not any(client.can_run for client in summarize(custom_model("FlexErf")).clients)


PLAIN = ("float32", "float16", "dynamic")  # what TensorFlow's own converter makes too


@pytest.mark.parametrize("precision", PLAIN)
def test_each_precision_accepts_its_own_and_refuses_the_others(summaries, precision):
    for other in PLAIN:
        if other == precision:
            require(summaries[f"plain_{other}"], precision=precision, inputs=INPUTS)
        else:
            with pytest.raises(ArtefactError) as caught:
                require(summaries[f"plain_{other}"], precision=precision)
            assert ONE_LINE.match(str(caught.value))


def test_a_float_matrix_left_in_dynamic_is_named_with_its_size(summaries):
    with pytest.raises(
        ArtefactError, match=r"int8 for the matrix '.+' in dynamic, got float32 \[\d+, \d+\] \([\d,]+ bytes"
    ):
        require(summarize(honest_versions(golden("quantizer_dynamic"))), precision="dynamic")


def test_integer_activations_are_no_dynamic(summaries):
    with pytest.raises(ArtefactError, match=r"FULLY_CONNECTED that computes with float32 in dynamic, got int8"):
        require(summaries["plain_int8"], precision="dynamic", inputs=INPUTS)


def test_small_matrices_may_stay_float():
    """A head of two labels: TensorFlow's converter leaves it alone too."""
    require(summarize(small_model(np.ones((2, 511), np.float32))), precision="dynamic")
    with pytest.raises(ArtefactError, match="int8 for the matrix"):
        require(summarize(small_model(np.ones((2, 512), np.float32))), precision="dynamic")


def float_inputs() -> bytes:
    graph = Graph()
    source, target = graph.add("float32", [1]), graph.add("float32", [1])
    graph.op("NEG", [source], [target], options("Neg"))
    return graph.build(
        [source], [target], signatures=[("serving_default", 0, {"input_ids": source}, {"scores": target})]
    )


@pytest.mark.parametrize(
    ("content", "asked", "said"),
    [
        (golden("plain_float32"), {"inputs": ("ids", "mask")}, "the inputs ids, mask, got input_ids, input_mask, segm"),
        (golden("plain_float32"), {"outputs": ("scores",)}, "the outputs scores, got dense"),
        (float_inputs(), {"inputs": ("input_ids",)}, "int32 for the input input_ids, got float32"),
        (golden("plain_float32"), {"largest_bytes": 50_000}, "at most 50,000 bytes, got 99,824"),
        (custom_model("FlexErf"), {}, "builtin operators only, got the TensorFlow operator FlexErf"),
        (custom_model("Mine"), {"no_flex": False}, "builtin operators only, got the custom operator Mine"),
        (golden("quantizer_dynamic"), {}, r"FULLY_CONNECTED \(node \d+\) with version 12, which .* got version 5"),
        (
            golden("plain_dynamic"),
            {"compatible_with": "task-library"},
            "Task Library 0.4.4 .* version 12 needs runtime",
        ),
        (small_model(np.ones((4, 8), np.int8), scales=[0.1], zero_points=[3]), {}, "XNNPACK can prepare.*zero point 3"),
    ],
)
def test_refusals(content, asked, said):
    with pytest.raises(ArtefactError, match=said) as caught:
        require(summarize(content), **asked)
    assert ONE_LINE.match(str(caught.value))


def test_flex_is_let_through_when_asked():
    require(summarize(custom_model("FlexErf")), no_flex=False)


def test_wrong_arguments_are_value_errors(summaries):
    with pytest.raises(ValueError, match=r"precision: expected one of float32, float16, dynamic, .*, got int7"):
        require(summaries["plain_float32"], precision="int7")
    with pytest.raises(ValueError, match="compatible_with: expected one of task-library"):
        require(summaries["plain_float32"], compatible_with="toaster")
