"""Which operators XNNPACK takes, one function per kind: it returns for a taken one and raises NotTaken or Breaks.

See delegation_node.py for the sources. Limits such as 2^-10 and 2^8 are the delegate's.
"""

from collections.abc import Callable

import numpy as np

from edgebert.export.delegation_node import (
    FLOATS,
    INT8_RANGE,
    MAXIMUM_DIMENSIONS,
    Breaks,
    Node,
    NotTaken,
    dimensions,
    eight_bit_per_tensor,
    float_or_eight_bit,
    floating,
    is_normal,
    ratio_within,
    same_type,
    scale,
)
from edgebert.export.flatbuffer import Tensor

_KEEP_LAYER_NORM_FLOAT = (
    "keep LayerNorm float, write it as c = x - mean(x); mean(c * c), or use a scale and offset instead (NoNorm)"
)
_FLOAT_ONLY_CHANGES = {
    "SOFTMAX": "keep the scores float: leave the addition of the mask without fake-quantisation",
    "GELU": "int8 GELU is a lookup kernel outside XNNPACK: keep it float, or use a ReLU fused into the layer before",
    "RELU": "fuse it into the FULLY_CONNECTED before it",
    "RELU6": "fuse it into the FULLY_CONNECTED before it",
    "RSQRT": _KEEP_LAYER_NORM_FLOAT,
    "SQRT": _KEEP_LAYER_NORM_FLOAT,
    "DIV": _KEEP_LAYER_NORM_FLOAT,
    "SQUARED_DIFFERENCE": _KEEP_LAYER_NORM_FLOAT,
}
_KEEP_FLOAT = "keep it float: leave its input without fake-quantisation"


def _float_only_change(name: str) -> str:
    return _FLOAT_ONLY_CHANGES.get(name, _KEEP_FLOAT)


def fully_connected(node: Node) -> None:
    if node.operator.version == 8:
        raise NotTaken("version 8 stands for sparse weights, which XNNPACK does not read", "store the weights dense")
    if node.options["weights_format"]:
        raise NotTaken("its weights are stored shuffled", "store the weights in the default format")
    node.counts(inputs=(2, 3))
    inputs, weights, output = node.input(0), node.input(1), node.output()
    float_or_eight_bit(inputs, half=False)
    dimensions(weights, 2, 2)
    _weights(node, weights)
    if node.has_input(2):
        _bias(node, node.input(2), weights)
    float_or_eight_bit(output, half=False)
    hybrid = inputs.dtype == "float32" and weights.dtype in ("int2", "int4", "int8")
    static = inputs.dtype == "int8" and weights.dtype in ("int2", "int4", "int8")
    same_type(inputs, output)
    if not (hybrid or static):
        same_type(inputs, weights)
    zero_point = _single_zero_point(weights)
    if not hybrid and weights.dtype == "int8" and zero_point:
        raise NotTaken(
            f"its weights '{weights.name}' are per-tensor with the zero point {zero_point}",
            "quantise the weights symmetrically (zero point 0), best per channel",
        )
    for dtype, multiple in (("int4", 2), ("int2", 4)):
        if weights.dtype == dtype and weights.shape[1] % multiple:
            raise NotTaken(
                f"{dtype} weights need an input width that is a multiple of {multiple}, got {weights.shape[1]}",
                "use int8 weights here",
            )
    node.activation()
    if hybrid and weights.dtype == "int8" and zero_point:
        raise Breaks(
            f"its per-tensor weights '{weights.name}' have the zero point {zero_point}",
            "quantise the weights symmetrically (zero point 0), best per channel",
        )


def _weights(node: Node, weights: Tensor) -> None:
    quantization = weights.quantization
    if weights.dtype in ("int2", "int4", "int8"):
        if quantization is None:
            raise NotTaken(f"its weights '{weights.name}' have no scale", "quantise them with a scale")
        if quantization.is_blockwise and quantization.block_size % 32:
            raise NotTaken(f"its weights have blocks of {quantization.block_size}, not a multiple of 32", "use 32")
        if quantization.is_per_channel and quantization.axis != 0:
            raise NotTaken(
                f"its weights '{weights.name}' have a scale per input (axis {quantization.axis})",
                "quantise them per output channel (axis 0)",
            )
    elif weights.dtype not in FLOATS:
        eight_bit_per_tensor(weights)
    if not node.is_static(weights):
        raise NotTaken(f"its weights '{weights.name}' are computed at run time", "use BATCH_MATMUL for this product")


def _bias(node: Node, bias: Tensor, weights: Tensor) -> None:
    if bias.elements != weights.shape[0]:
        raise NotTaken(f"its bias has {bias.elements} elements for {weights.shape[0]} outputs", "store a full bias")
    if bias.dtype == "int32":
        quantization = bias.quantization
        if quantization is None or quantization.axis != 0 or not is_normal(quantization.scales):
            raise NotTaken(f"its int32 bias '{bias.name}' has no usable scale", "quantise the bias with its weights")
    elif bias.dtype not in FLOATS:
        raise NotTaken(f"its bias '{bias.name}' is {bias.dtype}", "store the bias as float32 or int32")
    if not node.is_static(bias):
        raise NotTaken(f"its bias '{bias.name}' is computed at run time", "add it with an ADD of its own")
    if weights.dtype in FLOATS:
        kinds = [_kept_type(node, tensor) for tensor in (weights, bias)]
        if kinds[0] != kinds[1]:
            raise NotTaken(
                f"XNNPACK keeps its weights as {kinds[0]} but its bias as {kinds[1]}",
                "store both as float16 and use neither elsewhere, or store both as float32",
            )


def _kept_type(node: Node, tensor: Tensor) -> str:
    return "float16" if tensor.index in node.static.half_precision else tensor.dtype


def _single_zero_point(tensor: Tensor) -> int:
    """The zero point of per-tensor quantisation; 0 for per-channel, as the runtime's legacy field has it."""
    quantization = tensor.quantization
    if quantization is None or len(quantization.zero_points) != 1:
        return 0
    return int(quantization.zero_points[0])


def batch_matmul(node: Node) -> None:
    left, right, output = node.input(0), node.input(1), node.output()
    float_or_eight_bit(left, half=False)
    _right_hand_side(node, right)
    hybrid = left.dtype == "float32" and right.dtype == "int8"
    zero_point = int(right.quantization.zero_points[0]) if right.dtype == "int8" else 0
    if right.dtype == "int8" and not hybrid and zero_point:
        raise NotTaken(
            f"its right-hand side '{right.name}' has the zero point {zero_point}, XNNPACK needs 0",
            "make K and V symmetric: fake-quantise them to [-r, r * 127/128]",
        )
    float_or_eight_bit(output, half=False)
    if not hybrid:
        same_type(left, right)
        if right.dtype == "int8" and right.quantization.is_per_channel:
            raise NotTaken(f"its right-hand side '{right.name}' is per channel", "quantise it per tensor")
        if left.dtype != "float32" and not is_normal(left.quantization.scales):
            raise NotTaken(f"its left-hand side '{left.name}' has no usable scale", "calibrate again")
    for operand in (left, right):
        if len(operand.shape) < 2:
            raise NotTaken(f"'{operand.name}' has {len(operand.shape)} dimensions, fewer than 2", "reshape it first")
    if hybrid and zero_point:
        raise Breaks(
            f"its right-hand side '{right.name}' is int8 with the zero point {zero_point} beside a float left side",
            "quantise it symmetrically (zero point 0)",
        )


def _right_hand_side(node: Node, right: Tensor) -> None:
    if right.dtype == "float32":
        return
    if right.dtype == "uint8":
        eight_bit_per_tensor(right)
        return
    quantization = right.quantization
    if right.dtype != "int8" or quantization is None or quantization.is_blockwise:
        raise NotTaken(
            f"its right-hand side '{right.name}' is {right.dtype} without a usable scale",
            "use float32, or int8 with a scale",
        )
    channel_axis = len(right.shape) - (2 if node.options["adj_y"] else 1)
    if quantization.is_per_channel and quantization.axis != channel_axis:
        raise NotTaken(
            f"its right-hand side '{right.name}' has scales along axis {quantization.axis}, not {channel_axis}",
            "quantise it per output channel",
        )
    zero_point = int(quantization.zero_points[0])
    lowest, highest = (0, 0) if quantization.is_per_channel else INT8_RANGE
    if not is_normal(quantization.scales) or not lowest <= zero_point <= highest:
        raise NotTaken(f"its right-hand side '{right.name}' has no usable scale or zero point", "calibrate again")


def arithmetic(node: Node) -> None:
    """ADD, SUB and MUL: float or eight-bit."""
    node.counts(inputs=(2, 2))
    first, second, output = node.input(0), node.input(1), node.output()
    dimensions(first)
    dimensions(second)
    for tensor in (first, second, output):
        float_or_eight_bit(tensor)
    same_type(first, second, output)
    if output.dtype not in FLOATS:
        if node.operator.name == "MUL":
            product = np.float32(scale(first)) * np.float32(scale(second)) / np.float32(scale(output))
            ratio_within(float(product), 2**-16, 2**8, "product of input scales by output scale")
        else:
            for tensor in (first, second):
                quotient = np.float32(scale(tensor)) / np.float32(scale(output))
                ratio_within(float(quotient), 2**-10, 2**8, f"ratio of the scale of '{tensor.name}' to the output's")
    node.activation()


def float_arithmetic(node: Node) -> None:
    """DIV, MAXIMUM, MINIMUM, PRELU and SQUARED_DIFFERENCE: float only."""
    node.counts(inputs=(2, 2))
    dimensions(node.input(0))
    dimensions(node.input(1))
    for tensor in (node.input(0), node.input(1), node.output()):
        floating(tensor, _float_only_change(node.operator.name))
    if node.operator.name == "PRELU" and not node.is_static(node.input(1)):
        raise NotTaken("its slope is computed at run time", "make the slope a constant")
    node.activation()


def float_unary(node: Node) -> None:
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    for tensor in (node.input(0), node.output()):
        floating(tensor, _float_only_change(node.operator.name))


def unary(node: Node) -> None:
    """LOGISTIC and TANH: float or eight-bit."""
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    float_or_eight_bit(node.input(0))
    float_or_eight_bit(node.output())


def elu(node: Node) -> None:
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    float_or_eight_bit(node.input(0), signed_only=True)
    float_or_eight_bit(node.output(), signed_only=True)


def leaky_relu(node: Node) -> None:
    unary(node)
    alpha = np.float32(node.options["alpha"])
    if not np.isfinite(alpha) or abs(alpha) < np.finfo(np.float32).smallest_normal:
        raise NotTaken(f"its slope {alpha:g} is not a normal number", "use RELU for a slope of 0")
    if node.input(0).dtype not in FLOATS and node.output().dtype not in FLOATS:
        positive = np.float32(scale(node.input(0))) / np.float32(scale(node.output()))
        ratio_within(float(positive), 2**-8, 2**7, "ratio of input scale to output scale", closed=True)
        negative = float(positive * alpha)
        if not -127.99609375 <= negative <= 128 or abs(negative) < 2**-8:
            raise NotTaken(f"its slope times the ratio of scales is {negative:.4g}", "keep it float")


def quantize(node: Node) -> None:
    unary(node)
    source, target = node.input(0), node.output()
    if source.dtype in FLOATS:
        return
    same_type(source, target)
    quotient = np.float32(scale(source)) / np.float32(scale(target))
    ratio_within(float(quotient), 2**-8, 2**7, "ratio of input scale to output scale", closed=True)


def dequantize(node: Node) -> None:
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    eight_bit_per_tensor(node.input(0))
    floating(node.output(), _KEEP_FLOAT)


def softmax(node: Node) -> None:
    if node.options["beta"] != 1.0:
        raise NotTaken(f"its beta is {node.options['beta']:g}, XNNPACK takes 1", "multiply the scores before it")
    node.counts(inputs=(1, 1))
    for tensor in (node.input(0), node.output()):
        floating(tensor, _float_only_change("SOFTMAX"))


def reduction(node: Node) -> None:
    """MEAN, SUM, REDUCE_MAX and REDUCE_MIN."""
    node.counts(inputs=(2, 2))
    float_or_eight_bit(node.input(0))
    axes = _int32_parameter(node, 1, "axes")
    if axes.ndim > 1 or axes.size == 0 or (not node.input(0).shape and axes.size == 1 and axes.flat[0] == 0):
        raise NotTaken("it reduces over nothing", "drop it, or name the axes")
    if axes.size > MAXIMUM_DIMENSIONS:
        raise NotTaken(f"it reduces over {axes.size} axes", f"reduce over at most {MAXIMUM_DIMENSIONS}")
    float_or_eight_bit(node.output(), half=False)


def reshape(node: Node) -> None:
    node.counts(inputs=(1, 2))
    source, target = node.input(0), node.output()
    for tensor in (source, target):
        float_or_eight_bit(tensor)
        dimensions(tensor)
    if target.dtype not in FLOATS and (
        source.dtype in FLOATS
        or scale(source) != scale(target)
        or source.quantization.zero_points[0] != target.quantization.zero_points[0]
    ):
        raise NotTaken("its input and output are quantised differently", "give both one scale and zero point")
    if len(node.operator.inputs) == 2:
        shape = _int32_parameter(node, 1, "new shape")
        if any(size != 1 for size in shape.shape[:-1]) or shape.ndim == 0:
            raise NotTaken(f"its new shape has the shape {list(shape.shape)}", "store it as a vector")
        sizes = shape.reshape(-1).tolist()
    else:
        sizes = list(node.options["new_shape"])
    if len(sizes) == 1 and sizes[0] in (0, -1):
        raise NotTaken("it flattens to [-1], which XNNPACK reads as an old way to write a scalar", "keep 2 dimensions")


def slice_(node: Node) -> None:
    begin, size = (_index_parameter(node, position, what) for position, what in ((1, "begin"), (2, "size")))
    if begin.shape != size.shape:
        raise NotTaken("its begin and size differ in length", "give one of each per dimension")
    float_or_eight_bit(node.input(0))
    float_or_eight_bit(node.output())
    if (size <= 0).any():
        raise NotTaken(
            f"its size {size.tolist()} has an entry that means 'to the end'",
            "use STRIDED_SLICE (x[:, 0:1] in Python), whose end may stay open",
        )


def strided_slice(node: Node) -> None:
    for mask, spelled in (
        ("shrink_axis_mask", "drops a dimension (x[:, 0])"),
        ("new_axis_mask", "adds a dimension (x[:, None])"),
        ("ellipsis_mask", "has an ellipsis (x[..., 0:1])"),
    ):
        if node.options[mask]:
            raise NotTaken(f"it {spelled}", "slice with a range (x[:, 0:1]) and RESHAPE afterwards")
    strides = _vector_parameter(node, 3, "strides")
    if (strides != 1).any():
        raise NotTaken(f"its strides are {strides.tolist()}, XNNPACK takes 1", "gather every n-th element elsewhere")
    parameters = [strides, _vector_parameter(node, 1, "begin"), _vector_parameter(node, 2, "end")]
    if any(len(parameter) != len(node.input(0).shape) for parameter in parameters):
        raise NotTaken("it slices fewer dimensions than its input has", "give begin and end for every dimension")
    float_or_eight_bit(node.input(0))
    float_or_eight_bit(node.output())


def transpose(node: Node) -> None:
    node.counts(inputs=(2, 2))
    float_or_eight_bit(node.input(0))
    dimensions(node.input(0), fewest=1)
    node.constant(1, "permutation")


def concatenation(node: Node) -> None:
    node.counts(inputs=(2, 5))
    output = node.output()
    float_or_eight_bit(output)
    sources = [node.input(position) for position in range(len(node.operator.inputs))]
    if any(node.options["axis"] >= len(source.shape) for source in sources):
        raise NotTaken("it joins along a dimension that its inputs do not have", "reshape the inputs first")
    for source in sources:
        float_or_eight_bit(source)
    if output.dtype == "uint8" and any(
        _single_zero_point(source) != _single_zero_point(output) or scale(source) != scale(output)
        for source in sources
        if source.dtype == "uint8"
    ):
        raise NotTaken("its uint8 inputs are quantised differently", "give all one scale and zero point")


def split(node: Node) -> None:
    node.counts(inputs=(2, 2), outputs=(2, 4))
    _int32_parameter(node, 0, "axis")
    float_or_eight_bit(node.input(1))
    for position in range(len(node.operator.outputs)):
        float_or_eight_bit(node.output(position))


def pad(node: Node) -> None:
    node.counts(inputs=(2, 2))
    source = node.input(0)
    float_or_eight_bit(source)
    dimensions(source, fewest=1)
    paddings = _int32_parameter(node, 1, "paddings")
    if paddings.shape != (len(source.shape), 2):
        raise NotTaken(f"its paddings have the shape {list(paddings.shape)}", "give a pair for every dimension")
    float_or_eight_bit(node.output())
    dimensions(node.output(), fewest=1)
    if (paddings < 0).any():
        raise NotTaken("it pads by a negative number", "use a slice")


def _int32_parameter(node: Node, position: int, what: str) -> np.ndarray:
    if node.input(position).dtype != "int32":
        raise NotTaken(f"its {what} are {node.input(position).dtype}", f"store the {what} as int32")
    return node.constant(position, what)


def _vector_parameter(node: Node, position: int, what: str) -> np.ndarray:
    values = _int32_parameter(node, position, what)
    if values.ndim != 1:
        raise NotTaken(f"its {what} is not a vector", f"store the {what} as a vector")
    return values


def _index_parameter(node: Node, position: int, what: str) -> np.ndarray:
    values = node.constant(position, what)
    if node.input(position).dtype not in ("int32", "int64") or values.ndim != 1:
        raise NotTaken(f"its {what} is not a vector of integers", f"store the {what} as int32")
    return values


FLOAT_UNARY = (
    "ABS", "CEIL", "COS", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG", "NEG", "RELU", "RELU6", "RELU_N1_TO_1",
    "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE",
)  # fmt: skip

RULES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(FLOAT_UNARY, float_unary),
    **dict.fromkeys(("DIV", "MAXIMUM", "MINIMUM", "PRELU", "SQUARED_DIFFERENCE"), float_arithmetic),
    **dict.fromkeys(("ADD", "SUB", "MUL"), arithmetic),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), reduction),
    **dict.fromkeys(("LOGISTIC", "TANH"), unary),
    "BATCH_MATMUL": batch_matmul,
    "CONCATENATION": concatenation,
    "DEQUANTIZE": dequantize,
    "ELU": elu,
    "FULLY_CONNECTED": fully_connected,
    "LEAKY_RELU": leaky_relu,
    "PAD": pad,
    "QUANTIZE": quantize,
    "RESHAPE": reshape,
    "SLICE": slice_,
    "SOFTMAX": softmax,
    "SPLIT": split,
    "STRIDED_SLICE": strided_slice,
    "TRANSPOSE": transpose,
}
"""Operators that XNNPACK takes under conditions."""

UNPREDICTED = frozenset({
    "ASSIGN_VARIABLE", "AVERAGE_POOL_2D", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "MAX_POOL_2D",
    "READ_VARIABLE", "RESIZE_BILINEAR", "SPACE_TO_DEPTH", "STABLEHLO_COMPOSITE", "TRANSPOSE_CONV", "VAR_HANDLE",
})  # fmt: skip
"""Operators that XNNPACK takes under conditions not modelled here, because no text encoder has them."""

CHEAP = {
    "GATHER": "XNNPACK has no look-up; it copies a few rows",
    "EMBEDDING_LOOKUP": "XNNPACK has no look-up; it copies a few rows",
    "CAST": "XNNPACK has no CAST; ids and masks are small",
    "SHAPE": "XNNPACK has no SHAPE; it reads no data",
    "EXPAND_DIMS": "XNNPACK's EXPAND_DIMS is switched off; it moves no data worth a name",
    "SQUEEZE": "XNNPACK has no SQUEEZE; it moves no data worth a name",
    "CUMSUM": "XNNPACK has no CUMSUM; positions are small",
    "RANGE": "XNNPACK has no RANGE; positions are small",
    "PACK": "XNNPACK has no PACK; shapes are small",
    "ARG_MAX": "XNNPACK has no ARG_MAX",
}
"""Operators that XNNPACK never takes and that cost little in a text encoder."""

NEVER_CHANGES = {
    "SELECT": "add a mask of 0 and a large negative number instead",
    "SELECT_V2": "add a mask of 0 and a large negative number instead",
    "WHERE": "add a mask of 0 and a large negative number instead",
    "BROADCAST_TO": "leave broadcasting to ADD and MUL",
    "TILE": "leave broadcasting to ADD and MUL",
    "POW": "write a square as x * x and a root as RSQRT",
    "ERF": "use GELU, which has a kernel",
    "ONE_HOT": "use EMBEDDING_LOOKUP",
    "UNPACK": "use STRIDED_SLICE with ranges",
    "SPLIT_V": "use SPLIT or STRIDED_SLICE with ranges",
    "L2_NORMALIZATION": "write it as x * RSQRT(SUM(x * x))",
    "LOG_SOFTMAX": "give SOFTMAX or the logits, and take the logarithm outside",
}
"""What to write instead of operators that XNNPACK never takes."""
