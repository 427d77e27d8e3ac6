"""What ai-edge-quantizer is told, and what its files need afterwards.

It counts an operator as belonging to a scope by the name of its output, so that the reshapes and transposes of the
attention heads are found by the models' name scope and the mask's reshape, which must stay float, is not.
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.editable import editable_bytes, read_editable
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Operator, Subgraph
from edgebert.export.quantization.ranges import Range
from edgebert.export.versions import honest_versions
from edgebert.quiet import quiet_native_output

EVERYWHERE = ".*"
# edgebert.models.layers.HEADS_SCOPE, as the converter writes it: heads, heads_1, ...
ATTENTION_HEADS = r".*/heads(_\d+)?/.*"
TABLES = "EMBEDDING_LOOKUP"
DENSE = "FULLY_CONNECTED"
PRODUCT = "BATCH_MATMUL"
MOVES = ("RESHAPE", "TRANSPOSE")


@dataclass(frozen=True)
class Rule:
    """How operators of one kind in a scope are quantised.

    `activations` 0: float, which the kernel quantises on the fly; `weights` 16: stored as float16, computed as float32.
    """

    operator: str
    weights: int = 8
    activations: int = 0
    scope: str = EVERYWHERE
    granularity: str = "CHANNELWISE"


def static_rules(per_tensor: bool = False) -> list[Rule]:
    """Dense layers and attention's products int8 from end to end; `per_tensor`: each table with a single scale.

    The layers between int8 products have int8 inputs and outputs too: one scale a channel fits every runtime there.
    """
    tables = Rule(TABLES, granularity="TENSORWISE" if per_tensor else "CHANNELWISE")
    return [Rule(DENSE, activations=8), tables, *attention_rules(8)]


def attention_rules(bits: int) -> list[Rule]:
    moves = [Rule(operator, activations=bits, scope=ATTENTION_HEADS) for operator in MOVES]
    return [Rule(PRODUCT, activations=bits), *moves]


def quantize_by_rules(graph: bytes, rules: Sequence[Rule], ranges: Mapping[int, Range] | None = None) -> bytes:
    """`ranges`: of every activation that a rule gives bits to."""
    # Imported here: it is slow, and only who converts needs it.
    from ai_edge_quantizer.quantizer import Quantizer

    quantizer = Quantizer(bytearray(graph))
    for rule in rules:
        _add(quantizer, rule)
    quantizer.load_quantization_recipe([_with_zero_points(entry) for entry in quantizer.get_quantization_recipe()])
    # Its progress bars appear even when they are switched off, and it opens an interpreter that warns of its memory.
    with quiet_native_output(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        result = quantizer.quantize(
            None if ranges is None else _calibration_result(graph, ranges),
            enable_progress_bar=False,
            enable_progress_report=False,
        )
    return honest_versions(_with_asymmetric_inputs(bytes(result.quantized_model)))


def scope_of(subgraph: Subgraph, operator: Operator) -> str:
    """The pattern that finds this operator alone: ai-edge-quantizer searches in the name of what it makes."""
    name = subgraph.tensors[operator.outputs[0]].name
    if sum(subgraph.tensors[index].name == name for each in subgraph.operators for index in each.outputs) > 1:
        raise ArtefactError(
            f"'{name}': expected a name of its own for every tensor, got it twice. Do: convert the checkpoint with "
            "edgebert, whose graphs name each."
        )
    return rf"^{re.escape(name)};?$"


def word_look_up(subgraph: Subgraph) -> Operator:
    """Of the table with the most rows. Four bits for the positions' too would save 1 % of a file and cost half the
    accuracy."""
    look_ups = [operator for operator in subgraph.operators if operator.name == TABLES]
    return max(look_ups, key=lambda operator: subgraph.tensors[operator.inputs[1]].shape[0])


def _add(quantizer, rule: Rule) -> None:
    from ai_edge_quantizer import qtyping

    operator, granularity = qtyping.TFLOperationName(rule.operator), qtyping.QuantGranularity[rule.granularity]
    if rule.weights == 16:
        quantizer.add_weight_only_config(rule.scope, operator, num_bits=16, algorithm_key="float_casting")
    elif rule.activations:
        quantizer.add_static_config(rule.scope, operator, rule.activations, rule.weights, granularity)
    else:
        quantizer.add_dynamic_config(rule.scope, operator, rule.weights, granularity)


def _with_zero_points(entry: dict[str, Any]) -> dict[str, Any]:
    """Let 8-bit activations have a zero point; where there must be none, the range is symmetric."""
    activations = entry["op_config"].get("activation_tensor_config")
    if activations and activations["num_bits"] == 8:
        activations["symmetric"] = False
    return entry


def _calibration_result(graph: bytes, ranges: Mapping[int, Range]) -> dict[str, dict[str, np.ndarray]]:
    """As ai-edge-quantizer keeps what it calibrated itself."""
    tensors = read_model(graph).subgraphs[0].tensors
    return {
        tensors[index].name: {"min": np.array(low, np.float32), "max": np.array(high, np.float32)}
        for index, (low, high) in ranges.items()
    }


def _with_asymmetric_inputs(model: bytes) -> bytes:
    """Have every runtime quantise a dense layer's inputs as XNNPACK does, with a zero point.

    ai-edge-quantizer leaves the choice at symmetric, which XNNPACK ignores and older kernels obey: the same file then
    answered up to .03 apart in Task Library 0.4.4, and to the last digit alike with this.
    """
    from ai_edge_litert import schema_py_generated as schema

    editable = read_editable(model)
    for subgraph in editable.subgraphs:
        for operator in subgraph.operators:
            code = editable.operatorCodes[operator.opcodeIndex]
            is_dense = max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.FULLY_CONNECTED
            types = [subgraph.tensors[index].type for index in operator.inputs[:2]]
            if is_dense and types == [schema.TensorType.FLOAT32, schema.TensorType.INT8]:
                operator.builtinOptions.asymmetricQuantizeInputs = True
    return editable_bytes(editable)
