"""What the delegate took is compared with LiteRT's own profiler, which sees every operator that runs outside it."""

import ctypes
from collections import Counter
from pathlib import Path

import ai_edge_litert
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from edgebert.benchmark.graph import delegated_nodes, describe_delegation, embedding_table
from tests.conftest import GOLDEN

TINY = ("tiny_dynamic_length", "tiny_fixed_length", "tiny_without_segments")
# litert/c/litert_profiler_event.h: the kind of event of an operator that the interpreter itself runs.
_OPERATOR_EVENT = 2


class _Event(ctypes.Structure):
    _fields_ = (
        ("tag", ctypes.c_char_p),
        ("kind", ctypes.c_int),
        ("start", ctypes.c_uint64),
        ("elapsed", ctypes.c_uint64),
        ("memory", ctypes.c_size_t * 6),
        ("metadata", ctypes.c_uint64 * 2),
        ("source", ctypes.c_int),
    )


class _Library:
    """LiteRT's C interface; a status that is not zero fails the test."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(str(Path(ai_edge_litert.__file__).parent / "libLiteRt.so"))

    def __call__(self, name: str, *arguments: object) -> None:
        function = getattr(self._library, name)
        function.restype = ctypes.c_int
        assert function(*arguments) == 0, name


def profiled_operators(model: Path) -> Counter[str]:
    """The operators that one run of a fixed-length model executes outside the delegate."""
    call, pointer, size = _Library(), ctypes.c_void_p, ctypes.c_size_t
    environment, loaded, compiled, profiler, signature = (pointer() for _ in range(5))
    call("LiteRtCreateEnvironment", 0, None, ctypes.byref(environment))
    call("LiteRtCreateModelFromFile", environment, str(model).encode(), ctypes.byref(loaded))
    call("LiteRtCreateCompiledModel", environment, loaded, profiling_options(call), ctypes.byref(compiled))
    call("LiteRtGetModelSignature", loaded, size(0), ctypes.byref(signature))
    inputs, outputs = (make_buffers(call, side, environment, signature, compiled) for side in ("Input", "Output"))
    for buffer in inputs:
        call("LiteRtClearTensorBuffer", pointer(buffer))
    call("LiteRtCompiledModelGetProfiler", compiled, ctypes.byref(profiler))
    call("LiteRtStartProfiler", profiler)
    call("LiteRtRunCompiledModel", compiled, size(0), size(len(inputs)), inputs, size(len(outputs)), outputs)
    call("LiteRtStopProfiler", profiler)
    count = ctypes.c_int()
    call("LiteRtGetNumProfilerEvents", profiler, ctypes.byref(count))
    events = (_Event * count.value)()
    call("LiteRtGetProfilerEvents", profiler, count.value, events)
    return Counter(event.tag.decode() for event in events if event.kind == _OPERATOR_EVENT)


def profiling_options(call: _Library) -> ctypes.c_void_p:
    """The processor, one thread, the profiler on. LiteRT frees the option texts itself, so they are C's own copies."""
    options, standard = ctypes.c_void_p(), ctypes.CDLL(None)
    standard.strdup.restype, standard.strdup.argtypes = ctypes.c_void_p, [ctypes.c_char_p]
    free = ctypes.c_void_p(ctypes.cast(standard.free, ctypes.c_void_p).value)
    call("LiteRtCreateOptions", ctypes.byref(options))
    call("LiteRtSetOptionsHardwareAccelerators", options, 1)
    texts = {b"runtime_options_string": b"enable_profiling = true\n", b"xnnpack": b"num_threads = 1\n"}
    for identifier, text in texts.items():
        opaque = ctypes.c_void_p()
        copied = ctypes.c_void_p(standard.strdup(text))
        call("LiteRtCreateOpaqueOptions", identifier, copied, free, ctypes.byref(opaque))
        call("LiteRtAddOpaqueOptions", options, opaque)
    return options


def make_buffers(call: _Library, side: str, environment: object, signature: object, compiled: object) -> ctypes.Array:
    """A buffer for each input or output of the first signature."""
    pointer, size, count = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t()
    call(f"LiteRtGetNumSignature{side}s", signature, ctypes.byref(count))
    buffers = (pointer * count.value)()
    for index in range(count.value):
        tensor, required, buffer, kind = pointer(), pointer(), pointer(), ctypes.create_string_buffer(256)
        place = (size(0), size(index))
        call(f"LiteRtGetSignature{side}TensorByIndex", signature, size(index), ctypes.byref(tensor))
        call("LiteRtGetRankedTensorType", tensor, kind)
        call(f"LiteRtGetCompiledModel{side}BufferRequirements", compiled, *place, ctypes.byref(required))
        made = ctypes.byref(buffer)
        call("LiteRtCreateManagedTensorBufferFromRequirements", environment, kind, required, made)
        buffers[index] = buffer.value
    return buffers


def allocated(name: str, **options: object) -> Interpreter:
    interpreter = Interpreter(str(GOLDEN / f"{name}.tflite"), **options)
    for detail in interpreter.get_input_details():
        if -1 in detail["shape_signature"]:
            interpreter.resize_tensor_input(detail["index"], [1, 20])
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.parametrize("name", ["tiny_fixed_length", "tiny_without_segments"])
def test_operators_outside_the_delegate_are_those_that_the_profiler_saw(name: str) -> None:
    described = describe_delegation(allocated(name)._get_ops_details())
    assert Counter(described["operators_outside"]) == profiled_operators(GOLDEN / f"{name}.tflite")
    assert described["delegated_nodes"] > 0


@pytest.mark.parametrize("name", TINY)
def test_the_parts_add_up(name: str) -> None:
    whole = len(Interpreter(str(GOLDEN / f"{name}.tflite"))._get_ops_details())
    described = describe_delegation(allocated(name)._get_ops_details())
    assert described["nodes"] == whole
    assert described["delegated_nodes"] + sum(described["operators_outside"].values()) == whole


@pytest.mark.parametrize("name", TINY)
def test_nothing_is_delegated_without_a_delegate(name: str) -> None:
    plain = allocated(name, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    described = describe_delegation(plain._get_ops_details())
    assert (described["delegated_nodes"], described["partitions"]) == (0, 0)


@pytest.mark.parametrize("name", TINY)
def test_the_table_behind_the_ids_has_the_vocabularys_rows(name: str) -> None:
    interpreter = Interpreter(str(GOLDEN / f"{name}.tflite"))
    details = interpreter.get_signature_runner().get_input_details()
    rows = {}
    for role, detail in details.items():
        table = embedding_table(interpreter._get_ops_details(), detail["index"])
        rows[role] = None if table is None else interpreter._get_tensor_details(table, 0)["shape"][0]
    pieces = len((GOLDEN / "tiny_vocab.txt").read_text().splitlines())
    ids = next(role for role in rows if role in ("input_ids", "ids", "input_word_ids"))
    mask = next(role for role in rows if "mask" in role)
    assert (rows[ids], rows[mask], rows.get("segment_ids")) == (pieces, None, 2 if "segment_ids" in rows else None)


def node(index: int, name: str, inputs: list[int], outputs: list[int]) -> dict:
    return {"index": index, "op_name": name, "inputs": inputs, "outputs": outputs}


def test_two_partitions_around_a_node_that_stays() -> None:
    chain = [node(0, "ADD", [0], [1]), node(1, "SOFTMAX", [1], [2]), node(2, "MUL", [2], [3]), node(3, "ADD", [3], [4])]
    delegates = [node(4, "DELEGATE", [0], [1]), node(5, "DELEGATE", [2], [4])]
    assert delegated_nodes([*chain, *delegates]) == {0, 2, 3}


def test_the_lookup_is_found_through_reshapes_and_an_embedding_lookup_has_its_operands_the_other_way() -> None:
    reshape, other = node(0, "RESHAPE", [7, 8], [9]), node(1, "GATHER", [20, 6], [10])
    assert embedding_table([reshape, other, node(2, "GATHER", [21, 9], [11])], ids_tensor=7) == 21
    assert embedding_table([reshape, other, node(2, "EMBEDDING_LOOKUP", [9, 22], [11])], ids_tensor=7) == 22
    assert embedding_table([reshape, other], ids_tensor=7) is None
