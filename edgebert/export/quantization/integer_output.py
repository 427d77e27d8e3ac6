"""The answer of an integer graph as it is computed, int8 with a scale and a zero point: the last DEQUANTIZE taken away.

What runs on an NPU or a DSP then ends there; who reads the answer multiplies itself.
"""

from edgebert.errors import ArtefactError
from edgebert.export.editable import editable_bytes, read_editable

_DEQUANTIZE = "DEQUANTIZE"
_ZIP_HEAD = b"PK\x03\x04"


def with_integer_outputs(content: bytes) -> bytes:
    """The same file with the integers in the place of every output that a DEQUANTIZE makes of them."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_editable(content)
    for number, graph in enumerate(model.subgraphs):
        codes = [model.operatorCodes[each.opcodeIndex] for each in graph.operators]
        last = {
            int(operator.outputs[0]): operator
            for operator, code in zip(graph.operators, codes, strict=True)
            if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.DEQUANTIZE
        }
        replaced = {int(index): int(last[index].inputs[0]) for index in graph.outputs if index in last}
        _require_all_replaced(graph, replaced)
        graph.outputs = [replaced[index] for index in graph.outputs]
        graph.operators = [each for each in graph.operators if not set(each.outputs) & set(replaced)]
        for signature in model.signatureDefs or []:
            if signature.subgraphIndex == number:
                for entry in signature.outputs:
                    entry.tensorIndex = replaced[entry.tensorIndex]
    return editable_bytes(model)


def with_logits(content: bytes) -> bytes:
    """A full-int8 classifier that answers with what its last softmax is given, with its packed files: to look at."""
    from ai_edge_litert import schema_py_generated as schema

    model = read_editable(content)
    (graph,) = model.subgraphs
    codes = [model.operatorCodes[each.opcodeIndex] for each in graph.operators]
    softmaxes = [
        operator
        for operator, code in zip(graph.operators, codes, strict=True)
        if max(code.builtinCode, code.deprecatedBuiltinCode) == schema.BuiltinOperator.SOFTMAX
    ]
    (logits,) = softmaxes[-1].inputs
    behind = {int(index) for index in (*softmaxes[-1].outputs, *graph.outputs)}
    graph.operators = [each for each in graph.operators if not set(each.outputs) & behind]
    graph.outputs = [logits]
    model.signatureDefs[0].outputs[0].tensorIndex = logits
    packed = content.find(_ZIP_HEAD)
    return editable_bytes(model) + (content[packed:] if packed >= 0 else b"")


def _require_all_replaced(graph, replaced: dict[int, int]) -> None:
    for index in graph.outputs:
        if index not in replaced:
            raise ArtefactError(
                f"integer output: expected a {_DEQUANTIZE} behind '{graph.tensors[index].name.decode()}', got none. "
                "Do: ask for it in full-int8 alone."
            )
    read = {int(index) for operator in graph.operators for index in operator.inputs}
    for index in replaced:
        if index in read:
            raise ArtefactError(
                f"integer output: expected '{graph.tensors[index].name.decode()}' to be the answer alone, got an "
                "operator that reads it. Do: convert without an integer output."
            )
