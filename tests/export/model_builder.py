"""Small .tflite models written by hand with LiteRT's schema: every dtype, zero point and version under control."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"


@dataclass(frozen=True)
class T:
    """A tensor: a constant when it has `data`, computed otherwise."""

    dtype: str
    shape: Sequence[int]
    data: np.ndarray | None = None
    scales: Sequence[float] = ()
    zero_points: Sequence[int] = ()
    axis: int = 0
    block_size: int = 0
    block_scales: int = -1
    name: str = ""
    signature: Sequence[int] | None = None


@dataclass(frozen=True)
class Op:
    name: str
    inputs: Sequence[int]
    outputs: Sequence[int]
    options: object | None = None
    version: int = 1
    custom: bool = False


@dataclass
class Graph:
    """Tensors are added one by one; `build` writes the file."""

    tensors: list[T] = field(default_factory=list)
    operators: list[Op] = field(default_factory=list)

    def add(self, dtype: str, shape: Sequence[int], data=None, **rest) -> int:
        if data is not None and not isinstance(data, bytes):
            data = np.asarray(data)
        self.tensors.append(T(dtype, tuple(shape), data, **rest))
        return len(self.tensors) - 1

    def constant(self, values, dtype: str | None = None, **rest) -> int:
        values = np.asarray(values)
        return self.add(dtype or values.dtype.name, values.shape, values, **rest)

    def op(self, name: str, inputs, outputs, options=None, version: int = 1, custom: bool = False) -> int:
        self.operators.append(Op(name, tuple(inputs), tuple(outputs), options, version, custom))
        return outputs[0]

    def build(self, inputs, outputs, **rest) -> bytes:
        return build([self], [inputs], [outputs], **rest)


def options(name: str, **values):
    """An options table of the schema by its name without `Options`, e.g. options("Softmax", beta=1.0)."""
    table = getattr(schema, f"{name}OptionsT")()
    for key, value in values.items():
        if not hasattr(table, key):
            raise AttributeError(f"{name}Options has no {key}")
        setattr(table, key, value)
    return table


def build(
    graphs: Sequence[Graph],
    inputs: Sequence[Sequence[int]],
    outputs: Sequence[Sequence[int]],
    *,
    signatures: Sequence[tuple[str, int, dict[str, int], dict[str, int]]] = (),
    metadata: dict[str, bytes] | None = None,
    out_of_line: bool = False,
) -> bytes:
    model = schema.ModelT()
    model.version, model.description = 3, "hand-made"
    model.buffers, model.operatorCodes, model.subgraphs = [schema.BufferT()], [], []
    codes: dict[tuple[str, int, bool], int] = {}
    contents: list[bytes] = [b""]
    for number, graph in enumerate(graphs):
        subgraph = schema.SubGraphT()
        subgraph.name = f"graph_{number}"
        subgraph.tensors = [_tensor(entry, index, model, contents) for index, entry in enumerate(graph.tensors)]
        subgraph.operators = [_operator(entry, model, codes) for entry in graph.operators]
        subgraph.inputs, subgraph.outputs = list(inputs[number]), list(outputs[number])
        model.subgraphs.append(subgraph)
    model.signatureDefs = [_signature(*entry) for entry in signatures]
    model.metadata = []
    for name, content in (metadata or {}).items():
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, _buffer(content, model, contents)
        model.metadata.append(entry)
    if out_of_line:
        return _with_content_behind(model, contents)
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            buffer.data = np.frombuffer(content, np.uint8)
    return pack(model)


def pack(model: schema.ModelT) -> bytes:
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    return bytes(builder.Output())


def _with_content_behind(model: schema.ModelT, contents: list[bytes]) -> bytes:
    """As ai-edge-quantizer and the converter write large files: content after the FlatBuffer, found by offsets."""
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            buffer.offset, buffer.size = 2, len(content)
    start = -(-len(pack(model)) // 16) * 16
    placed = b""
    for buffer, content in zip(model.buffers, contents, strict=True):
        if content:
            buffer.offset = start + len(placed)
            placed += content + bytes(-len(content) % 16)
    table = pack(model)
    return table + bytes(start - len(table)) + placed


def _tensor(entry: T, index: int, model: schema.ModelT, contents: list[bytes]) -> schema.TensorT:
    tensor = schema.TensorT()
    tensor.name = entry.name or f"tensor_{index}"
    tensor.type = getattr(schema.TensorType, entry.dtype.upper())
    tensor.shape = list(entry.shape)
    tensor.hasRank = True
    if entry.signature is not None:
        tensor.shapeSignature = list(entry.signature)
    tensor.buffer = 0 if entry.data is None else _buffer(_stored(entry), model, contents)
    if len(entry.scales) or entry.block_size:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.quantizedDimension = entry.axis
        if entry.block_size:
            tensor.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
            tensor.quantization.details = schema.BlockwiseQuantizationT()
            tensor.quantization.details.scales = entry.block_scales
            tensor.quantization.details.blockSize = entry.block_size
        else:
            tensor.quantization.scale = np.asarray(entry.scales, np.float32)
            tensor.quantization.zeroPoint = np.asarray(entry.zero_points or [0] * len(entry.scales), np.int64)
    return tensor


def _stored(entry: T) -> bytes:
    if isinstance(entry.data, bytes):
        return entry.data
    if entry.dtype == "int4":
        nibbles = (entry.data.reshape(-1).astype(np.int8) & 15).astype(np.uint8)
        nibbles = np.append(nibbles, np.zeros(len(nibbles) % 2, np.uint8))
        return bytes(nibbles[0::2] | nibbles[1::2] << 4)
    return np.ascontiguousarray(entry.data.astype(entry.dtype)).tobytes()


def _buffer(content: bytes, model: schema.ModelT, contents: list[bytes]) -> int:
    model.buffers.append(schema.BufferT())
    contents.append(content)
    return len(model.buffers) - 1


def _operator(entry: Op, model: schema.ModelT, codes: dict) -> schema.OperatorT:
    key = (entry.name, entry.version, entry.custom)
    if key not in codes:
        code = schema.OperatorCodeT()
        number = schema.BuiltinOperator.CUSTOM if entry.custom else getattr(schema.BuiltinOperator, entry.name)
        code.builtinCode, code.deprecatedBuiltinCode = number, min(number, 127)
        code.customCode = entry.name if entry.custom else None
        code.version = entry.version
        codes[key] = len(model.operatorCodes)
        model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = codes[key]
    operator.inputs, operator.outputs = list(entry.inputs), list(entry.outputs)
    if entry.options is not None:
        operator.builtinOptions = entry.options
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, type(entry.options).__name__[:-1])
    return operator


def _signature(key: str, subgraph: int, inputs: dict[str, int], outputs: dict[str, int]) -> schema.SignatureDefT:
    signature = schema.SignatureDefT()
    signature.signatureKey, signature.subgraphIndex = key, subgraph
    signature.inputs = [_tensor_map(*item) for item in inputs.items()]
    signature.outputs = [_tensor_map(*item) for item in outputs.items()]
    return signature


def _tensor_map(name: str, index: int) -> schema.TensorMapT:
    entry = schema.TensorMapT()
    entry.name, entry.tensorIndex = name, index
    return entry


def append_zip(model: bytes, names: Sequence[str]) -> bytes:
    """The stored (uncompressed) zip that tflite-support appends, with offsets that count from the file's start."""
    local, central = b"", b""
    for name in names:
        content, encoded = name.encode() * 3, name.encode()
        offset = len(model) + len(local)
        sizes = struct.pack("<IIIHH", 0, len(content), len(content), len(encoded), 0)
        local += struct.pack("<IHHHHH", 0x04034B50, 20, 0, 0, 0, 0) + sizes + encoded + content
        central += struct.pack("<IHHHHHH", 0x02014B50, 20, 20, 0, 0, 0, 0) + sizes
        central += struct.pack("<HHHII", 0, 0, 0, 0, offset) + encoded
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, len(names), len(names), len(central), len(model) + len(local), 0)
    return model + local + central + end
