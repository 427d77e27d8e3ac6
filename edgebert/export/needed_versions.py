"""Which operator version the types and the quantisation of an operator need, whatever the file says.

The numbers are those of tensorflow/lite/tools/versioning/op_version.cc, with three kinds of weights added that it does
not know. Those were measured: one-operator files of version 1 were run by tflite-runtime 2.14, ai-edge-litert 1.1.2
(2.19), 1.4.0 (2.20), 2.0.3, 2.1.6 and 2.3.0, and their answers compared with the last one's. Quantisers that copy
versions from the float file make the older runtimes load what they cannot compute: with int8 weights per channel,
FULLY_CONNECTED, EMBEDDING_LOOKUP and BATCH_MATMUL of 2.14 return other numbers, without an error.
"""

from collections.abc import Callable, Mapping

from edgebert.export.model import OPTIONAL, Operator, Subgraph, Tensor


def needed_version(graph: Subgraph, operator: Operator) -> int:
    """The lowest version under which every runtime either computes this operator rightly or refuses it."""
    if operator.is_custom:
        return 1
    inputs = [None if index == OPTIONAL else graph.tensors[index] for index in operator.inputs]
    outputs = [None if index == OPTIONAL else graph.tensors[index] for index in operator.outputs]
    if not inputs or not outputs or inputs[0] is None:
        return 1
    rule = _RULES.get(operator.name)
    if rule is not None:
        return rule(operator, inputs, outputs)
    return _BY_INPUT_TYPE.get(operator.name, {}).get(inputs[0].dtype, 1)


def silent_before(graph: Subgraph, operator: Operator) -> str | None:
    """The first runtime that computes rightly what no operator version announces."""
    if operator.name != "BATCH_MATMUL" or OPTIONAL in operator.inputs[:2] or len(operator.inputs) < 2:
        return None
    left, right = (graph.tensors[index] for index in operator.inputs[:2])
    # Measured: 2.14 returns zeros, 2.17 to 2.19 fail to prepare.
    return "2.20" if left.dtype == "float32" and right.dtype == "int8" and _is_per_channel(right) else None


def _fully_connected(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    source, weights, target = inputs[0], inputs[1] if len(inputs) > 1 else None, outputs[0]
    if weights is None or target is None:
        return 1
    kinds = (source.dtype, weights.dtype)
    versions = [1]
    if kinds == ("float32", "int8"):
        # 12: per channel. 9: activations quantised with a zero point. 3: the first kernel of this kind.
        versions.append(12 if _is_per_channel(weights) else 9 if operator.options["asymmetric_quantize_inputs"] else 3)
    if kinds == ("int8", "int8"):
        versions.append(4)
    if weights.dtype == "int4":
        versions.append(13 if source.dtype == "int16" else 10)
        if weights.quantization is not None and weights.quantization.is_blockwise:
            # Measured: wrong numbers or a crash up to LiteRT 2.0, right from 2.1, whose first new version is 14.
            versions.append(14)
    if kinds == ("int16", "int8") and operator.options["quantized_bias_type"]:
        versions.append(11)
    if weights.is_sparse:
        versions.append(8)
    if kinds == ("int16", "int16"):
        versions.append(7)
    return max(versions)


def _embedding_lookup(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    table = inputs[1] if len(inputs) > 1 else None
    if table is None:
        return 1
    if table.quantization is not None and table.quantization.is_blockwise:
        # Measured: zeros up to 2.19, right from 2.20. Version 5, of LiteRT 2.1, is the first that 2.19 refuses.
        return 5
    return 4 if table.dtype == "int4" or (table.dtype == "int8" and _is_per_channel(table)) else 1


def _batch_matmul(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    hybrid = inputs[0].dtype == "float32" and len(inputs) > 1 and inputs[1] is not None and inputs[1].dtype == "int8"
    if hybrid and operator.options["asymmetric_quantize_inputs"]:
        return 4
    return {"int8": 2, "int16": 3}.get(inputs[0].dtype, 1)


def _dequantize(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    if inputs[0].dtype == "int8":
        return 5 if _is_per_channel(inputs[0]) else 2
    return {"int4": 6, "int16": 3, "float16": 3}.get(inputs[0].dtype, 1)


def _quantize(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    target = outputs[0]
    if target is None:
        return 1
    if "int4" in (inputs[0].dtype, target.dtype):
        return 4
    if _is_per_channel(target):
        return 3
    return 2 if target.dtype == "int16" else 1


def _split(operator: Operator, inputs: list[Tensor | None], outputs: list[Tensor | None]) -> int:
    source = inputs[1] if len(inputs) > 1 else None
    return 1 if source is None else {"int8": 2, "int32": 3, "int16": 4}.get(source.dtype, 1)


def _is_per_channel(tensor: Tensor) -> bool:
    return tensor.quantization is not None and tensor.quantization.is_per_channel


_Rule = Callable[[Operator, list[Tensor | None], list[Tensor | None]], int]

_RULES: Mapping[str, _Rule] = {
    "BATCH_MATMUL": _batch_matmul,
    "DEQUANTIZE": _dequantize,
    "EMBEDDING_LOOKUP": _embedding_lookup,
    "FULLY_CONNECTED": _fully_connected,
    "QUANTIZE": _quantize,
    "SPLIT": _split,
}

_TYPES_BY_KIND: tuple[tuple[Mapping[str, int], str], ...] = (
    (
        {"int8": 2},
        "ARG_MAX EQUAL EXP GREATER GREATER_EQUAL LESS LESS_EQUAL LOG LOG_SOFTMAX NOT_EQUAL SELECT SPACE_TO_DEPTH "
        "SPLIT_V SQUARED_DIFFERENCE STRIDED_SLICE SUM TOPK_V2",
    ),
    (
        {"int8": 2, "int16": 3},
        "ADD CONCATENATION LOGISTIC MEAN PACK PAD PADV2 REDUCE_MAX REDUCE_MIN RELU RELU6 RSQRT SOFTMAX TANH",
    ),
    ({"int8": 2, "int16": 4}, "MAXIMUM MINIMUM MUL SLICE UNPACK"),
    ({"int8": 2, "int16": 5}, "SUB"),
    ({"int8": 2, "int16": 4, "int4": 7}, "GATHER"),
    ({"int8": 2, "int16": 5, "int4": 7}, "TRANSPOSE"),
    ({"int8": 2, "uint8": 2, "int16": 3, "int32": 5}, "ABS"),
    ({"int8": 2, "uint8": 2}, "GELU"),
    ({"int8": 3, "float16": 5, "int4": 6}, "CAST"),
    ({"int8": 3}, "TILE"),
    ({"int16": 2}, "LEAKY_RELU"),
)

_BY_INPUT_TYPE = {name: versions for versions, names in _TYPES_BY_KIND for name in names.split()}
