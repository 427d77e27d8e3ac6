"""Operators that compute element by element, SOFTMAX and the conversions between float and integers."""

import numpy as np

from edgebert.export.delegation.node import (
    FLOATS,
    Breaks,
    Node,
    NotTaken,
    dimensions,
    eight_bit_per_tensor,
    float_or_eight_bit,
    floating,
    quotient,
    ratio_within,
    same_type,
    scale,
)

_KEEP_LAYER_NORM_FLOAT = (
    "keep LayerNorm float, write it as c = x - mean(x); mean(c * c), or use a scale and offset instead (NoNorm)"
)
_FLOAT_ONLY_CHANGES = {
    "SOFTMAX": "keep the scores float: leave the addition of the mask without fake-quantisation",
    "GELU": "keep it float, or use a ReLU fused into the layer before: int8 GELU is a table outside XNNPACK",
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
            product = quotient(scale(first), scale(second), scale(output))
            ratio_within(product, 2**-16, 2**8, "product of input scales by output scale")
        else:
            for tensor in (first, second):
                ratio = quotient(scale(tensor), scale(output))
                ratio_within(ratio, 2**-10, 2**8, f"ratio of the scale of '{tensor.name}' to the output's")
    node.activation()


def _one_type(node: Node) -> None:
    """XNNPACK claims such operators by the types it knows, then fails where they are mixed."""
    first = node.input(0)
    for other in (*(node.input(position) for position in range(1, len(node.operator.inputs))), node.output()):
        if other.dtype != first.dtype and other.dtype != "int32":
            raise Breaks(f"it mixes {first.dtype} and {other.dtype}", "give all its operands one type")


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
    _one_type(node)


def float_unary(node: Node) -> None:
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    for tensor in (node.input(0), node.output()):
        floating(tensor, _float_only_change(node.operator.name))
    _one_type(node)


def unary(node: Node) -> None:
    """LOGISTIC and TANH: float or eight-bit."""
    _known_types(node)
    _one_type(node)


def _known_types(node: Node, signed_only: bool = False) -> None:
    node.counts(inputs=(1, 1))
    dimensions(node.input(0))
    float_or_eight_bit(node.input(0), signed_only=signed_only)
    float_or_eight_bit(node.output(), signed_only=signed_only)


def elu(node: Node) -> None:
    _known_types(node, signed_only=True)
    _one_type(node)


def leaky_relu(node: Node) -> None:
    _known_types(node)
    alpha = np.float32(node.options["alpha"])
    if not np.isfinite(alpha) or abs(alpha) < np.finfo(np.float32).smallest_normal:
        raise NotTaken(f"its slope {alpha:g} is not a normal number", "use RELU for a slope of 0")
    eight_bit = [tensor for tensor in (node.input(0), node.output()) if tensor.dtype not in FLOATS]
    if len(eight_bit) == 2 and all(tensor.quantization.scales_are_normal for tensor in eight_bit):
        positive = quotient(scale(node.input(0)), scale(node.output()))
        ratio_within(positive, 2**-8, 2**7, "ratio of input scale to output scale", closed=True)
        negative = float(np.float32(positive) * alpha)
        if not -127.99609375 <= negative <= 128 or abs(negative) < 2**-8:
            raise NotTaken(f"its slope times the ratio of scales is {negative:.4g}", "keep it float")
    _one_type(node)


def quantize(node: Node) -> None:
    _known_types(node)
    source, target = node.input(0), node.output()
    if source.dtype in FLOATS:
        return
    same_type(source, target)
    ratio = quotient(scale(source), scale(target))
    ratio_within(ratio, 2**-8, 2**7, "ratio of input scale to output scale", closed=True)


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
    _one_type(node)
