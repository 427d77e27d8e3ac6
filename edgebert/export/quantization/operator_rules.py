"""A rule for each operator by its number, instead of for all of a kind in a scope: what mixed schemes are made of."""

import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Operator, Subgraph
from edgebert.export.quantization.ranges import Range
from edgebert.export.quantization.recipes import Rule
from edgebert.export.versions import honest_versions
from edgebert.quiet import quiet_native_output

_FLOAT_BITS = 16


def quantize_operators(graph: bytes, rules: Mapping[int, Rule], ranges: Mapping[int, Range] | None = None) -> bytes:
    """`rules`: by the number of an operator in `graph`; a rule's own scope is not looked at. Without rules: the graph.

    `ranges`: by tensor number, of every activation that a rule gives bits to.
    """
    if not rules:
        return graph
    # Imported here: it is slow, and only who quantises needs it.
    from ai_edge_quantizer.quantizer import Quantizer

    subgraph = read_model(graph).subgraphs[0]
    quantizer = Quantizer(bytearray(graph))
    for number, rule in rules.items():
        _add(quantizer, _scope(subgraph, subgraph.operators[number]), rule)
    quantizer.load_quantization_recipe([_with_zero_points(entry) for entry in quantizer.get_quantization_recipe()])
    # Its progress bars appear even when they are switched off, and it opens an interpreter that warns of its memory.
    with quiet_native_output(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = quantizer.quantize(
            None if ranges is None else _calibration_result(subgraph, ranges),
            enable_progress_bar=False,
            enable_progress_report=False,
        )
    return honest_versions(_with_asymmetric_inputs(bytes(result.quantized_model)))


def _scope(subgraph: Subgraph, operator: Operator) -> str:
    """The pattern that finds this operator alone: ai-edge-quantizer searches in the name of what it makes."""
    name = subgraph.tensors[operator.outputs[0]].name
    if sum(subgraph.tensors[index].name == name for each in subgraph.operators for index in each.outputs) > 1:
        raise ArtefactError(
            f"'{name}': expected a name of its own for every tensor, got it twice. Do: convert the checkpoint with "
            "edgebert, whose graphs name each."
        )
    return rf"^{re.escape(name)};?$"


def _add(quantizer, scope: str, rule: Rule) -> None:
    from ai_edge_quantizer import qtyping

    operator, granularity = qtyping.TFLOperationName(rule.operator), qtyping.QuantGranularity[rule.granularity]
    if rule.weights == _FLOAT_BITS:
        quantizer.add_weight_only_config(scope, operator, num_bits=_FLOAT_BITS, algorithm_key="float_casting")
    elif rule.activations:
        quantizer.add_static_config(scope, operator, rule.activations, rule.weights, granularity)
    else:
        quantizer.add_dynamic_config(scope, operator, rule.weights, granularity)


def _with_zero_points(entry: dict[str, Any]) -> dict[str, Any]:
    """As in `recipes`: 8-bit activations may have one; where there must be none, the range is symmetric."""
    activations = entry["op_config"].get("activation_tensor_config")
    if activations and activations["num_bits"] == 8:
        activations["symmetric"] = False
    return entry


def _calibration_result(subgraph: Subgraph, ranges: Mapping[int, Range]) -> dict[str, dict[str, np.ndarray]]:
    return {
        subgraph.tensors[index].name: {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}
        for index, (low, high) in ranges.items()
    }


def _with_asymmetric_inputs(model: bytes) -> bytes:
    """As in `recipes`, in a second instead of thirty: who tries dozens of mixtures cannot wait for each.

    Works around flatbuffers' writer taking a buffer that is not an array byte by byte: a table has 38 million.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    editable = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    for buffer in editable.buffers:
        if buffer.data is not None and not isinstance(buffer.data, np.ndarray):
            buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
    for subgraph in editable.subgraphs:
        for operator in subgraph.operators:
            code = editable.operatorCodes[operator.opcodeIndex]
            is_dense = max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.FULLY_CONNECTED
            types = [subgraph.tensors[index].type for index in operator.inputs[:2]]
            if is_dense and types == [schema.TensorType.FLOAT32, schema.TensorType.INT8]:
                operator.builtinOptions.asymmetricQuantizeInputs = True
    return bytes(flatbuffer_utils.convert_object_to_bytearray(editable))
