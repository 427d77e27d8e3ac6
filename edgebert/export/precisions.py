"""The precisions that a file can be made in, each one row of a table and one function from float32 bytes.

Every precision starts from the same float32 graph, so that two files of one model differ in their numbers alone.
"""

from collections.abc import Callable
from dataclasses import dataclass

from edgebert.errors import ArtefactError
from edgebert.export.versions import honest_versions
from edgebert.quiet import quiet_native_output


@dataclass(frozen=True)
class Precision:
    name: str
    # What is narrow, what is not, and what it is for: shown by --help and in the docs.
    description: str
    quantize: Callable[[bytes, bool], bytes]


def _keep(model: bytes, per_tensor: bool) -> bytes:
    return model


def _float16(model: bytes, per_tensor: bool) -> bytes:
    quantizer, operations, _ = _open(model)
    for operation in operations:
        quantizer.add_weight_only_config(".*", operation, num_bits=16, algorithm_key="float_casting")
    return _finish(quantizer)


def _dynamic(model: bytes, per_tensor: bool) -> bytes:
    quantizer, operations, granularity = _open(model)
    for operation in operations:
        quantizer.add_dynamic_config(
            ".*",
            operation,
            num_bits=8,
            granularity=granularity.TENSORWISE if per_tensor else granularity.CHANNELWISE,
        )
    return _finish(quantizer)


def _with_asymmetric_inputs(model: bytes) -> bytes:
    """Have every runtime quantise a dense layer's inputs as XNNPACK does, with a zero point.

    ai-edge-quantizer leaves the choice at symmetric, which XNNPACK ignores and older kernels obey: the same file then
    answered up to .03 apart in Task Library 0.4.4, and to the last digit alike with this.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    editable = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    for subgraph in editable.subgraphs:
        for operator in subgraph.operators:
            code = editable.operatorCodes[operator.opcodeIndex]
            is_dense = max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.FULLY_CONNECTED
            if is_dense and subgraph.tensors[operator.inputs[1]].type == schema.TensorType.INT8:
                operator.builtinOptions.asymmetricQuantizeInputs = True
    return bytes(flatbuffer_utils.convert_object_to_bytearray(editable))


PRECISIONS: dict[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision("float32", "everything float32: the reference that the others are held against", _keep),
        Precision(
            "float16",
            "weights stored as float16, computed as float32: half the size, the same speed and answers on a CPU; "
            "GPUs compute in float16",
            _float16,
        ),
        Precision(
            "dynamic",
            "int8 weights (one scale per output channel, one per row of the embedding tables), activations quantised "
            "on the fly inside each dense layer, the rest float32: a quarter of the size and the default for CPUs",
            _dynamic,
        ),
    )
}


def check_precision(name: str) -> None:
    if name not in PRECISIONS:
        raise ArtefactError(f"precision: expected {', '.join(PRECISIONS)}, got {name}. Do: choose one of these.")


def quantize(float32_model: bytes, precision: str, per_tensor: bool = False) -> bytes:
    """`per_tensor` gives every weight a single scale, which runtimes before 2.17 need and which costs accuracy."""
    check_precision(precision)
    return PRECISIONS[precision].quantize(float32_model, per_tensor)


def _open(model: bytes):
    # Imported here: it is slow, and only who converts needs it.
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import Quantizer

    operation = qtyping.TFLOperationName
    return (
        Quantizer(bytearray(model)),
        (operation.FULLY_CONNECTED, operation.EMBEDDING_LOOKUP),
        qtyping.QuantGranularity,
    )


def _finish(quantizer) -> bytes:
    # Its progress bars appear even when they are switched off.
    with quiet_native_output():
        result = quantizer.quantize(enable_progress_bar=False, enable_progress_report=False)
    return honest_versions(_with_asymmetric_inputs(bytes(result.quantized_model)))
