"""FULLY_CONNECTED and BATCH_MATMUL: float, hybrid (float activations, integer weights) and static int8."""

from edgebert.export.delegation.node import (
    FLOATS,
    INT8_RANGE,
    Breaks,
    Node,
    NotTaken,
    dimensions,
    eight_bit_per_tensor,
    float_or_eight_bit,
    quotient,
    same_type,
    scale,
    single_zero_point,
)
from edgebert.export.model import Tensor

LARGEST_REQUANTIZATION = 256.0


def fully_connected(node: Node) -> None:
    if node.operator.version == 8:
        raise NotTaken("version 8 stands for sparse weights, which XNNPACK does not read", "store the weights dense")
    if node.options["weights_format"]:
        raise NotTaken("its weights are stored shuffled", "store the weights in the default format")
    node.counts(inputs=(2, 3))
    inputs, weights, output = node.input(0), node.input(1), node.output()
    float_or_eight_bit(inputs)
    dimensions(weights, 2, 2)
    _weights(node, weights)
    if node.has_input(2):
        _bias(node, node.input(2), weights)
    float_or_eight_bit(output)
    hybrid = inputs.dtype in FLOATS and weights.dtype in ("int2", "int4", "int8")
    static = inputs.dtype == "int8" and weights.dtype in ("int2", "int4", "int8")
    same_type(inputs, output)
    if not (hybrid or static):
        same_type(inputs, weights)
    if static:
        _symmetric(weights, NotTaken)
    _packs_evenly(weights)
    node.activation()
    if hybrid:
        _symmetric(weights, Breaks)
    if weights.quantization is not None and weights.quantization.is_blockwise:
        _blocks(node, weights, static)
    elif static:
        _requantization(inputs, weights, output)
    if (hybrid or static) and node.has_input(2):
        kept, wanted = _kept_type(node, node.input(2)), "int32" if static else "float32"
        if kept != wanted:
            raise Breaks(
                f"its bias is {kept} beside {inputs.dtype} activations and {weights.dtype} weights",
                f"store the bias as {wanted}",
            )


def _blocks(node: Node, weights: Tensor, static: bool) -> None:
    if static:
        raise Breaks("XNNPACK computes block-wise weights with float activations only", "quantise them per channel")
    quantization = weights.quantization
    scales = node.graph.tensors[quantization.block_scales]
    if (
        scales.dtype != "float16"
        or not scales.is_constant
        or scales.elements * quantization.block_size != (weights.elements)
    ):
        raise Breaks(
            f"'{scales.name}' does not hold a float16 scale for each block of {quantization.block_size} weights",
            "quantise the weights again",
        )
    if not node.has_usable_scales(scales):
        raise Breaks(f"'{scales.name}' has a scale that is not a positive number", "give constant zero blocks a scale")


def _symmetric(weights: Tensor, consequence: type[NotTaken]) -> None:
    zero_point = single_zero_point(weights)
    if weights.dtype == "int8" and zero_point:
        raise consequence(
            f"its per-tensor weights '{weights.name}' have the zero point {zero_point}",
            "quantise the weights symmetrically (zero point 0), best per channel",
        )


def _packs_evenly(weights: Tensor) -> None:
    """Rows of four- and two-bit weights must end with a byte."""
    multiple = {"int4": 2, "int2": 4}.get(weights.dtype, 1)
    if weights.shape[1] % multiple:
        raise NotTaken(
            f"{weights.dtype} weights need an input width that is a multiple of {multiple}, got {weights.shape[1]}",
            "use int8 weights here",
        )


def _requantization(left: Tensor, right: Tensor, output: Tensor) -> None:
    """XNNPACK scales an integer product back in fixed point, which has its limit."""
    factor = quotient(scale(left), right.quantization.largest_scale, scale(output))
    if factor >= LARGEST_REQUANTIZATION:
        raise Breaks(
            f"its input and weight scales exceed the output's {factor:.4g} times, XNNPACK stops at 256",
            "calibrate the output again",
        )


def _weights(node: Node, weights: Tensor) -> None:
    quantization = weights.quantization
    if weights.dtype in ("int2", "int4", "int8"):
        if quantization is None:
            raise NotTaken(f"its weights '{weights.name}' have no scale", "quantise them with a scale")
        if quantization.is_blockwise and quantization.block_size % 32:
            raise NotTaken(f"its weights have blocks of {quantization.block_size}, not a multiple of 32", "use 32")
        if weights.dtype == "int2" and not quantization.is_per_channel:
            raise NotTaken("its int2 weights have one scale for the whole tensor", "quantise them per output channel")
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
        if quantization is None or quantization.axis != 0 or not quantization.scales_are_normal:
            raise NotTaken(f"its int32 bias '{bias.name}' has no usable scale", "quantise the bias with its weights")
    elif bias.dtype not in FLOATS:
        raise NotTaken(f"its bias '{bias.name}' is {bias.dtype}", "store the bias as float32 or int32")
    if not node.is_static(bias):
        raise NotTaken(f"its bias '{bias.name}' is computed at run time", "add it with an ADD of its own")
    if weights.dtype in FLOATS:
        kinds = [_kept_type(node, tensor) for tensor in (weights, bias)]
        if kinds == ["float32", "float16"]:
            raise NotTaken(
                f"XNNPACK keeps its weights '{weights.name}' as float32 but its bias '{bias.name}' as float16",
                "store the bias as float32, or the weights as float16 and use them nowhere else",
            )


def _kept_type(node: Node, tensor: Tensor) -> str:
    return "float16" if tensor.index in node.static.half_precision else tensor.dtype


def batch_matmul(node: Node) -> None:
    left, right, output = node.input(0), node.input(1), node.output()
    float_or_eight_bit(left)
    _right_hand_side(node, right)
    hybrid = left.dtype == "float32" and right.dtype == "int8"
    zero_point = int(right.quantization.zero_points[0]) if right.dtype == "int8" else 0
    if right.dtype == "int8" and not hybrid and zero_point:
        raise NotTaken(
            f"its right-hand side '{right.name}' has the zero point {zero_point}, XNNPACK needs 0",
            "make K and V symmetric: fake-quantise them to [-r, r * 127/128]",
        )
    float_or_eight_bit(output)
    if not hybrid:
        same_type(left, right)
        if right.dtype == "int8" and right.quantization.is_per_channel:
            raise NotTaken(f"its right-hand side '{right.name}' is per channel", "quantise it per tensor")
        if left.dtype not in FLOATS and not left.quantization.scales_are_normal:
            raise NotTaken(f"its left-hand side '{left.name}' has no usable scale", "calibrate again")
    for operand in (left, right):
        if len(operand.shape) < 2:
            raise NotTaken(f"'{operand.name}' has {len(operand.shape)} dimensions, fewer than 2", "reshape it first")
    if hybrid and zero_point:
        raise Breaks(
            f"its right-hand side '{right.name}' is int8 with the zero point {zero_point} beside a float left side",
            "quantise it symmetrically (zero point 0)",
        )
    if left.dtype == "uint8":
        raise Breaks("XNNPACK claims uint8 products and cannot compute them", "use int8")
    if output.dtype != left.dtype:
        raise Breaks(f"it turns {left.dtype} into {output.dtype}", "give its left side and its output one type")


def _right_hand_side(node: Node, right: Tensor) -> None:
    if right.dtype in FLOATS:
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
    if not quantization.scales_are_normal or not lowest <= zero_point <= highest:
        raise NotTaken(f"its right-hand side '{right.name}' has no usable scale or zero point", "calibrate again")
