"""A .tflite that answers with the tokens it was given: what a client's own tokenizer made of a text, exactly.

Its inputs and its packed vocabulary are those of the model under test; its "scores" are the token ids. A client cannot
tell it from a classifier, so its C++ tokenizer runs as it does on a phone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.errors import ArtefactError
from edgebert.export.metadata import INPUT_NAMES, pack_metadata

# One float32 carries a position: the id, plus this for a mask of 1, plus twice this for a segment of 1. Whole numbers
# below 2**24 are exact.
MASK_UNIT = 1 << 21
SEGMENT_UNIT = 2 * MASK_UNIT


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a tokenizer made of a text, without the padding."""

    ids: tuple[int, ...]
    segments: tuple[int, ...]


def build_probe(vocabulary: Sequence[str], tokenizer: TokenizerSettings, length: int) -> bytes:
    """The probe for `length` tokens, packed like a classifier whose labels are the positions."""
    if len(vocabulary) > MASK_UNIT:
        raise ArtefactError(
            f"vocabulary: expected at most {MASK_UNIT:,} pieces to probe a tokenizer with, got {len(vocabulary):,}. "
            "Do: verify without tokens."
        )
    return pack_metadata(
        _graph(length),
        vocabulary=vocabulary,
        labels=[str(position) for position in range(length)],
        tokenizer=tokenizer,
        task="classification",
        pooling="first",
        maximum_length=length,
        precision="float32",
        provenance={"made_by": "edgebert verify"},
    )


def read_probe(names: Sequence[str], values: Sequence[float]) -> Tokens:
    """The tokens in a client's answer, whose positions may come in any order."""
    packed = [0] * len(values)
    for name, value in zip(names, values, strict=True):
        packed[int(name)] = int(value)
    given = [number for number in packed if number // MASK_UNIT & 1]
    return Tokens(
        ids=tuple(number % MASK_UNIT for number in given),
        segments=tuple(number // SEGMENT_UNIT for number in given),
    )


def _graph(length: int) -> bytes:
    """float(input_ids) + MASK_UNIT * float(input_mask) + SEGMENT_UNIT * float(segment_ids), in operations of 2019."""
    from ai_edge_litert.tools import flatbuffer_utils

    builder = _GraphBuilder(length)
    terms = []
    for name, unit in zip(INPUT_NAMES, (1, MASK_UNIT, SEGMENT_UNIT), strict=True):
        number = builder.apply("CAST", builder.inputs[name])
        terms.append(number if unit == 1 else builder.apply("MUL", number, builder.constant(unit)))
    total = builder.apply("ADD", builder.apply("ADD", terms[0], terms[1]), terms[2])
    return bytes(flatbuffer_utils.convert_object_to_bytearray(builder.model(total)))


class _GraphBuilder:
    """The few parts of LiteRT's schema that the probe is made of."""

    def __init__(self, length: int):
        from ai_edge_litert import schema_py_generated as schema

        self.schema, self.length = schema, length
        self.tensors, self.operators, self.codes, self.buffers = [], [], [], [schema.BufferT()]
        self.inputs = {name: self._tensor(f"serving_default_{name}:0", schema.TensorType.INT32) for name in INPUT_NAMES}

    def constant(self, value: float) -> int:
        buffer = self.schema.BufferT()
        buffer.data = np.frombuffer(np.float32(value).tobytes(), np.uint8)
        self.buffers.append(buffer)
        return self._tensor(f"constant_{value}", self.schema.TensorType.FLOAT32, [], len(self.buffers) - 1)

    def apply(self, name: str, *inputs: int) -> int:
        code = self.schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(self.schema.BuiltinOperator, name)
        code.version = 1
        operator = self.schema.OperatorT()
        operator.opcodeIndex, operator.inputs = len(self.codes), list(inputs)
        operator.outputs = [self._tensor(f"tensor_{len(self.tensors)}", self.schema.TensorType.FLOAT32)]
        option = name.title() + "Options"
        operator.builtinOptionsType = getattr(self.schema.BuiltinOptions, option)
        operator.builtinOptions = getattr(self.schema, option + "T")()
        self.codes.append(code)
        self.operators.append(operator)
        return operator.outputs[0]

    def model(self, output: int):
        subgraph, model = self.schema.SubGraphT(), self.schema.ModelT()
        subgraph.tensors, subgraph.operators = self.tensors, self.operators
        subgraph.inputs, subgraph.outputs = list(self.inputs.values()), [output]
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [subgraph], self.buffers, self.codes
        model.signatureDefs = [self._signature(output)]
        return model

    def _tensor(self, name: str, kind: int, shape: list[int] | None = None, buffer: int = 0) -> int:
        tensor = self.schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name.encode(), kind, buffer
        tensor.shape = [1, self.length] if shape is None else shape
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def _signature(self, output: int):
        def entry(name: str, tensor: int):
            binding = self.schema.TensorMapT()
            binding.name, binding.tensorIndex = name.encode(), tensor
            return binding

        signature = self.schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = b"serving_default", 0
        signature.inputs = [entry(name, index) for name, index in self.inputs.items()]
        signature.outputs = [entry("tokens", output)]
        return signature
