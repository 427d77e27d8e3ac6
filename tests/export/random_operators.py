"""One-operator models drawn at random around the limits of XNNPACK's rules, from a seed."""

import numpy as np

from tests.export.model_builder import Graph, options

FLOAT_UNARY = [
    "ABS", "CEIL", "COS", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG", "NEG", "RELU", "RELU6", "RELU_N1_TO_1",
    "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE", "LOGISTIC", "TANH", "ELU",
]  # fmt: skip
NEVER = ["CAST", "EXPAND_DIMS", "SQUEEZE", "CUMSUM", "SHAPE", "ZEROS_LIKE", "LOG_SOFTMAX", "LOGICAL_NOT", "RANK"]
ACTIVATIONS = [0, 0, 0, 1, 2, 3, 4]
SCALES = [0.01, 0.01, 0.1, 1 / 256, 2.56, 2.559, 9.8e-06, 9.7e-06, 30.0, 1e-42]


class Draw:
    """Random choices, most of them ordinary, a few at or over a limit."""

    def __init__(self, seed: int):
        self.random = np.random.default_rng(seed)
        self.graph = Graph()

    def pick(self, choices):
        return choices[int(self.random.integers(len(choices)))]

    def chance(self, probability: float) -> bool:
        return bool(self.random.random() < probability)

    def dtype(self) -> str:
        return self.pick(["float32"] * 5 + ["int8"] * 5 + ["uint8", "float16", "int32", "int16", "int64"])

    def shape(self, lowest=1, highest=4) -> list[int]:
        return [int(size) for size in self.random.integers(1, 5, size=int(self.random.integers(lowest, highest + 1)))]

    def quantization(self, dtype: str, shape) -> dict:
        if dtype not in ("int8", "uint8", "int16", "int32") or self.chance(0.04):
            return {}
        zero_point = 0 if dtype in ("int16", "int32") or self.chance(0.5) else int(self.random.integers(1, 100))
        if self.chance(0.08) and shape:
            axis = int(self.random.integers(len(shape)))
            return {"scales": [0.1] * shape[axis], "axis": axis}
        return {"scales": [self.pick(SCALES)], "zero_points": [zero_point]}

    def tensor(self, dtype=None, shape=None, constant=None, **rest) -> int:
        dtype = dtype or self.dtype()
        shape = self.shape() if shape is None else shape
        rest = rest or self.quantization(dtype, shape)
        data = None
        if self.chance(0.25) if constant is None else constant:
            data = self.random.integers(-7, 8, size=shape).astype(
                {"float16": "f2", "float32": "f4", "uint8": "u1", "int4": "i1"}.get(dtype, dtype)
            )
        return self.graph.add(dtype, shape, data, **rest)

    def parameter(self, values, dtype="int32") -> int:
        """A constant, or now and then the same thing computed at run time."""
        values = np.asarray(values, dtype)
        return self.graph.add(dtype, values.shape, None if self.chance(0.08) else values)


def random_model(seed: int) -> bytes:
    draw = Draw(seed)
    name, inputs, outputs, table, version = draw.pick(_KINDS)(draw)
    draw.graph.op(name, inputs, outputs, table, version)
    fed = [index for index in dict.fromkeys(inputs) if index >= 0 and draw.graph.tensors[index].data is None]
    return draw.graph.build(fed, outputs)


def _like(draw: Draw, index: int, shape=None, keep_type=0.9) -> int:
    """A tensor like another one, mostly."""
    original = draw.graph.tensors[index]
    dtype = original.dtype if draw.chance(keep_type) else draw.dtype()
    same = dtype == original.dtype and draw.chance(0.7) and len(original.scales) < 2
    rest = {"scales": original.scales, "zero_points": original.zero_points} if same and original.scales else {}
    return draw.tensor(dtype, list(original.shape) if shape is None else shape, constant=False, **rest)


def _unary(draw: Draw):
    name = draw.pick(FLOAT_UNARY)
    source = draw.tensor(shape=draw.shape(0, 7), constant=False)
    table = {"ABS": "Abs", "COS": "Cos", "EXP": "Exp", "GELU": "Gelu", "HARD_SWISH": "HardSwish", "NEG": "Neg",
             "SQUARE": "Square"}.get(name)  # fmt: skip
    return name, [source], [_like(draw, source)], options(table) if table else None, 1


def _never(draw: Draw):
    name = draw.pick(NEVER)
    source = draw.tensor(constant=False)
    inputs = [source, draw.parameter([0])] if name in ("EXPAND_DIMS", "CUMSUM") else [source]
    return name, inputs, [_like(draw, source)], None, 1


def _leaky_relu(draw: Draw):
    source = draw.tensor(constant=False)
    return "LEAKY_RELU", [source], [_like(draw, source)], options("LeakyRelu", alpha=draw.pick([0.1, 0, -3, 1e-3])), 1


def _convert(draw: Draw):
    name = draw.pick(["QUANTIZE", "DEQUANTIZE"])
    source = draw.tensor()
    target = draw.tensor("float32" if name == "DEQUANTIZE" and draw.chance(0.8) else None,
                         list(draw.graph.tensors[source].shape), constant=False)  # fmt: skip
    return name, [source], [target], None, 1


def _binary(draw: Draw):
    name, table = draw.pick([("ADD", "Add"), ("SUB", "Sub"), ("MUL", "Mul"), ("DIV", "Div"),
                             ("SQUARED_DIFFERENCE", None), ("MAXIMUM", None), ("MINIMUM", None)])  # fmt: skip
    first = draw.tensor(shape=draw.shape(0, 7), constant=False)
    second = _like(draw, first)
    filled = options(table, fusedActivationFunction=draw.pick(ACTIVATIONS)) if table else None
    return name, [first, second], [_like(draw, first)], filled, 1


def _softmax(draw: Draw):
    source = draw.tensor(constant=False)
    table = options("Softmax", beta=draw.pick([1.0, 1.0, 1.0, 0.5])) if draw.chance(0.95) else None
    return "SOFTMAX", [source], [_like(draw, source)], table, 1


def _reduction(draw: Draw):
    name = draw.pick(["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"])
    source = draw.tensor(shape=draw.shape(2, 4), constant=False)
    axes = draw.pick([[-1], [0], 0, [0, 1], []])
    parameter = draw.parameter(axes, draw.pick(["int32"] * 9 + ["int64"]))
    return name, [source, parameter], [_like(draw, source)], options("Reducer", keepDims=draw.chance(0.5)), 1


def _reshape(draw: Draw):
    source = draw.tensor(shape=draw.shape(0, 7), constant=False)
    count = int(np.prod(draw.graph.tensors[source].shape))
    new = draw.pick([[count], [-1], [1, count], [count, 1, -1], [1, -1], [0], [[1, count]]])
    target = _like(draw, source, shape=[count] if np.ndim(new) > 1 or len(new) == 1 else [1, count])
    if draw.chance(0.1):
        flat = np.asarray(new).reshape(-1).tolist()
        return "RESHAPE", [source], [target], options("Reshape", newShape=flat), 1
    return "RESHAPE", [source, draw.parameter(new)], [target], options("Reshape"), 1


def _transpose(draw: Draw):
    source = draw.tensor(shape=draw.shape(1, 6), constant=False)
    rank = len(draw.graph.tensors[source].shape)
    return "TRANSPOSE", [source, draw.parameter(np.arange(rank)[::-1])], [_like(draw, source)], None, 1


def _slice(draw: Draw):
    source = draw.tensor(shape=[1, 4, 8], constant=False)
    dtype = draw.pick(["int32", "int32", "int64"])
    size = draw.pick([[1, 1, 8], [1, 1, -1], [-1, 1, 8], [1, 0, 8]])
    inputs = [source, draw.parameter([0, 0, 0], dtype), draw.parameter(size, dtype)]
    return "SLICE", inputs, [_like(draw, source, shape=[1, 1, 8])], None, 1


def _strided_slice(draw: Draw):
    source = draw.tensor(shape=[1, 4, 8], constant=False)
    masks = {mask: draw.pick([0, 0, 0, 1, 2, 5]) for mask in ("beginMask", "endMask")}
    for rare in ("shrinkAxisMask", "newAxisMask", "ellipsisMask"):
        masks[rare] = draw.pick([0] * 9 + [2])
    rank = draw.pick([3, 3, 3, 2])
    inputs = [source, draw.parameter([0, 0, 0][:rank]), draw.parameter([1, 1, 8][:rank]),
              draw.parameter(draw.pick([[1, 1, 1], [1, 1, 1], [1, 2, 1]])[:rank])]  # fmt: skip
    return "STRIDED_SLICE", inputs, [_like(draw, source, shape=[1, 1, 8])], options("StridedSlice", **masks), 1


def _concatenation(draw: Draw):
    first = draw.tensor(shape=[1, 4], constant=False)
    inputs = [first] + [_like(draw, first) for _ in range(int(draw.random.integers(0, 6)))]
    target = _like(draw, first, shape=[1, 4 * len(inputs)])
    return "CONCATENATION", inputs, [target], options("Concatenation", axis=draw.pick([1, 1, -1, 2])), 1


def _split(draw: Draw):
    count = draw.pick([1, 2, 3, 4, 5])
    source = draw.tensor(shape=[1, 4 * count], constant=False)
    outputs = [_like(draw, source, shape=[1, 4]) for _ in range(count)]
    return "SPLIT", [draw.parameter(1), source], outputs, options("Split", numSplits=count), 1


def _pad(draw: Draw):
    source = draw.tensor(shape=draw.shape(1, 3), constant=False)
    rank = len(draw.graph.tensors[source].shape)
    paddings = draw.parameter([[draw.pick([0, 1, 1, -1]), 0]] * rank)
    return "PAD", [source, paddings], [_like(draw, source)], None, 1


def _fully_connected(draw: Draw):
    width, outputs = draw.pick([8, 8, 7]), 4
    kind = draw.pick(["float", "float", "hybrid", "hybrid", "hybrid", "static", "static", "mixed"])
    source_type = {"float": "float32", "hybrid": "float32", "static": "int8"}.get(kind) or draw.dtype()
    weights_type = {"float": "float32", "hybrid": draw.pick(["int8", "int8", "int4"]), "static": "int8"}.get(kind)
    source = draw.tensor(source_type, [2, width], constant=False)
    quantized = draw.pick(
        [{"scales": [0.1] * outputs}] * 4
        + [{"scales": [0.1]}] * 3
        + [{"scales": [0.1], "zero_points": [3]}, {"scales": [0.1] * width, "axis": 1}]
        + [{"scales": [0.1, 0.0, 0.1, 0.1]}, {"scales": [0.1] * 4, "zero_points": [0, 1, 0, 0]}]
    )
    constant = not draw.chance(0.05)
    weights_type = weights_type or draw.dtype()
    rest = quantized if weights_type in ("int8", "int4") and draw.chance(0.95) else {}
    weights = draw.tensor(weights_type, [outputs, width], constant=constant, **rest)
    inputs = [source, weights]
    if draw.chance(0.6):
        bias_type = "int32" if source_type == "int8" and draw.chance(0.9) else draw.pick(["float32"] * 8 + ["int8"])
        scales = {"scales": [0.01] * draw.pick([1, outputs])} if bias_type == "int32" and draw.chance(0.9) else {}
        inputs.append(draw.tensor(bias_type, [outputs], constant=not draw.chance(0.05), **scales))
    elif draw.chance(0.5):
        inputs.append(-1)
    target = draw.tensor(source_type if draw.chance(0.95) else None, [2, outputs], constant=False)
    table = options(
        "FullyConnected", fusedActivationFunction=draw.pick(ACTIVATIONS), keepNumDims=draw.chance(0.5),
        asymmetricQuantizeInputs=draw.chance(0.3),
    )  # fmt: skip
    return "FULLY_CONNECTED", inputs, [target], table, draw.pick([1, 5, 8, 12])


def _batch_matmul(draw: Draw):
    kind = draw.pick(["float32", "hybrid", "hybrid", "int8", "int8", "int8", "mixed"])
    left_type = {"hybrid": "float32", "mixed": draw.dtype()}.get(kind, kind)
    right_type = {"hybrid": "int8", "mixed": draw.dtype()}.get(kind, kind)
    rank = draw.pick([2, 3, 4, 4])
    adj_x, adj_y = draw.chance(0.1), draw.chance(0.5)
    batch = [1, 2][: rank - 2]
    left = draw.tensor(left_type, [*batch, *([4, 3] if adj_x else [3, 4])], constant=False)
    shape = [*batch, *([5, 4] if adj_y else [4, 5])]
    rest = {}
    if right_type == "int8":
        channel = {"scales": [0.1] * 5, "axis": rank - (2 if adj_y else 1)}
        rest = draw.pick([{"scales": [0.1], "zero_points": [0]}] * 3 + [channel, {"scales": [0.1], "zero_points": [7]},
                          {"scales": [0.1] * 4, "axis": rank - (1 if adj_y else 2)}, {"scales": [1e-42]}])  # fmt: skip
    right = draw.tensor(right_type, shape, constant=kind == "hybrid" and draw.chance(0.9), **rest)
    target = draw.tensor(left_type if draw.chance(0.95) else None, [*batch, 3, 5], constant=False)
    return "BATCH_MATMUL", [left, right], [target], options("BatchMatMul", adjX=adj_x, adjY=adj_y), 1


_KINDS = [
    _unary, _unary, _never, _leaky_relu, _convert, _convert, _binary, _binary, _binary, _softmax, _reduction,
    _reshape, _reshape, _transpose, _slice, _strided_slice, _concatenation, _split, _pad, _fully_connected,
    _fully_connected, _fully_connected, _fully_connected, _batch_matmul, _batch_matmul, _batch_matmul,
]  # fmt: skip
