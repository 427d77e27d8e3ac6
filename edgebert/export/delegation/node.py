"""One operator as XNNPACK's delegate looks at it, and the checks that its rules are made of.

Source of every check: tflite/delegates/xnnpack/xnnpack_delegate.cc of google-ai-edge/LiteRT, and the answers of
LiteRT 2.3 where they differ from the source at hand (tests/export/delegation_test.py asks it).
"""

import math
from dataclasses import dataclass, field

import numpy as np

from edgebert.export.model import OPTIONAL, Model, Operator, Subgraph, Tensor
from edgebert.export.operator_options import ACTIVATIONS

MAXIMUM_DIMENSIONS = 6
LONGEST_PARAMETER = 2 * MAXIMUM_DIMENSIONS
"""Two paddings for each dimension; every other parameter has one entry."""
FLOATS = ("float32", "float16")
FUSABLE = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")

INT8_RANGE, UINT8_RANGE = (-128, 127), (0, 255)


class NotTaken(Exception):  # noqa: N818 - an answer, not an error; it never leaves the linter
    """XNNPACK leaves the operator to LiteRT's own kernel. `reason` says why, `change` what would change that."""

    def __init__(self, reason: str, change: str):
        super().__init__(reason)
        self.reason, self.change = reason, change


class Breaks(NotTaken):
    """XNNPACK claims the operator and then fails on it: the interpreter cannot prepare the model at all."""


@dataclass(frozen=True)
class StaticValues:
    """Tensors that the delegate computes once, from constants, when it takes the graph."""

    producers: dict[int, int]
    """Node that unpacks each such tensor."""
    half_precision: set[int]
    """Of these, the ones it keeps as float16 because only matrix products read them."""
    usable_scales: dict[int, bool] = field(default_factory=dict)
    """Whether a tensor of scales holds positive numbers: looked at once, however many weights share it."""


@dataclass(frozen=True)
class Node:
    model: Model
    graph: Subgraph
    operator: Operator
    static: StaticValues

    @property
    def options(self):
        return self.operator.options

    def input(self, position: int) -> Tensor:
        return self._tensor(self.operator.inputs, position, "input")

    def output(self, position: int = 0) -> Tensor:
        return self._tensor(self.operator.outputs, position, "output")

    def _tensor(self, indices: tuple[int, ...], position: int, side: str) -> Tensor:
        if position >= len(indices) or indices[position] == OPTIONAL:
            raise NotTaken(f"it has no {side} {position}", "repair the operator: no runtime can run it")
        return self.graph.tensors[indices[position]]

    def has_input(self, position: int) -> bool:
        return len(self.operator.inputs) > position and self.operator.inputs[position] != OPTIONAL

    def counts(self, inputs: tuple[int, int], outputs: tuple[int, int] = (1, 1)) -> None:
        for what, (fewest, most), found in (
            ("inputs", inputs, len(self.operator.inputs)),
            ("outputs", outputs, len(self.operator.outputs)),
        ):
            if not fewest <= found <= most:
                wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
                raise NotTaken(f"it has {found} {what}, XNNPACK takes {wanted}", "split it into several operators")

    def constant(self, position: int, what: str) -> np.ndarray:
        """The content of a parameter that XNNPACK fixes when it takes the graph."""
        tensor = self.input(position)
        if not tensor.is_constant:
            raise NotTaken(
                f"its {what} ('{tensor.name}') is computed at run time",
                f"give the {what} as a constant (a free length as -1)",
            )
        if tensor.elements > LONGEST_PARAMETER:
            raise NotTaken(f"its {what} has {tensor.elements:,} entries", "name each dimension once")
        return self.model.values(tensor)

    def has_usable_scales(self, tensor: Tensor) -> bool:
        known = self.static.usable_scales
        if tensor.index not in known:
            values = self.model.values(tensor)
            known[tensor.index] = bool((np.isfinite(values) & (values > 0)).all())
        return known[tensor.index]

    def is_static(self, tensor: Tensor) -> bool:
        return tensor.is_constant or tensor.index in self.static.producers

    def activation(self) -> None:
        name = ACTIVATIONS.get(self.options.get("activation", 0), "UNKNOWN")
        if name not in FUSABLE:
            raise NotTaken(f"a fused {name} is not one of {', '.join(FUSABLE[1:])}", f"apply {name} as an operator")


def dimensions(tensor: Tensor, fewest: int = 0, most: int = MAXIMUM_DIMENSIONS) -> None:
    rank = len(tensor.shape)
    if not fewest <= rank <= most:
        wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        raise NotTaken(f"'{tensor.name}' has {rank} dimensions, XNNPACK takes {wanted}", "reshape it first")
    if any(size <= 0 for size in tensor.shape):
        raise NotTaken(
            f"'{tensor.name}' has the shape {list(tensor.shape)}, unknown or empty before it runs",
            "fix the shape, or give the file a shape with 1 for each free length",
        )


def floating(tensor: Tensor, change: str) -> None:
    if tensor.dtype not in FLOATS:
        raise NotTaken(f"'{tensor.name}' is {tensor.dtype}, XNNPACK's kernel is float only", change)


def float_or_eight_bit(tensor: Tensor, half: bool = True, signed_only: bool = False) -> None:
    """float32, float16 where `half`, or an eight-bit integer with one scale for the whole tensor."""
    if tensor.dtype == "float32" or (half and tensor.dtype == "float16"):
        return
    eight_bit_per_tensor(tensor, signed_only)


def eight_bit_per_tensor(tensor: Tensor, signed_only: bool = False) -> None:
    if tensor.dtype not in (("int8",) if signed_only else ("int8", "uint8")):
        raise NotTaken(_foreign_type(tensor), _foreign_type_change(tensor))
    quantization = tensor.quantization
    if quantization is None or quantization.is_blockwise:
        raise NotTaken(f"'{tensor.name}' is {tensor.dtype} without a scale for the whole tensor", "quantise it")
    if quantization.is_per_channel or quantization.axis != 0:
        raise NotTaken(
            f"'{tensor.name}' has {len(quantization.scales)} scales along axis {quantization.axis}",
            "quantise it per tensor",
        )


def same_type(*tensors: Tensor) -> None:
    dtypes = [tensor.dtype for tensor in tensors]
    if len(set(dtypes)) > 1:
        raise NotTaken(f"it mixes {', '.join(dtypes)}", "give all its operands one type")


def moves_data(*tensors: Tensor) -> None:
    """Operators that only move numbers: XNNPACK claims them by type and fails where the numbers change meaning."""
    first = tensors[0]
    for other in tensors[1:]:
        if other.dtype != first.dtype:
            raise Breaks(f"it turns {first.dtype} into {other.dtype}, but only moves data", "give both one type")
        if first.dtype not in FLOATS and _meaning(first) != _meaning(other):
            raise Breaks(
                f"'{first.name}' and '{other.name}' are quantised differently, but it only moves data",
                "give all its tensors one scale and zero point",
            )


def _meaning(tensor: Tensor) -> tuple[int, float, int] | None:
    quantization = tensor.quantization
    if quantization is None or not len(quantization.scales):
        return None
    return len(quantization.scales), scale(tensor), int(quantization.zero_points[0])


def scale(tensor: Tensor) -> float:
    return float(np.float32(tensor.quantization.scales[0]))


def quotient(*scales: float) -> float:
    """The product of all but the last divided by the last, in float32 as the delegate computes it."""
    with np.errstate(all="ignore"):
        product = np.float32(scales[0])
        for factor in scales[1:-1]:
            product = product * np.float32(factor)
        return float(product / np.float32(scales[-1]))


def ratio_within(value: float, lowest: float, highest: float, what: str, *, closed: bool = False) -> None:
    """A quotient of scales in float32, as the delegate computes it."""
    if value < lowest or (value > highest if closed else value >= highest):
        raise NotTaken(
            f"its {what} is {value:.4g}, outside 2^{math.log2(lowest):g} to 2^{math.log2(highest):g}",
            "calibrate again, or keep it float: one operand is too small to count",
        )


def breaking_quantization(tensor: Tensor) -> str:
    """Why XNNPACK cannot hold this tensor after claiming its operator; empty when it can."""
    quantization = tensor.quantization
    if tensor.dtype not in ("int8", "uint8", "int4") or quantization is None or quantization.is_blockwise:
        return ""
    if not quantization.scales_are_normal:
        return f"'{tensor.name}' has the scale {quantization.smallest_scale:g}, which is not a positive normal number"
    if quantization.is_per_channel or tensor.dtype == "int4":
        # An unsigned four-bit integer stored as a signed one has the zero point 8.
        others = quantization.distinct_zero_points - ({0, 8} if tensor.dtype == "int4" else {0})
        return f"'{tensor.name}' is quantised per channel with the zero point {min(others)}, not 0" if others else ""
    lowest, highest = INT8_RANGE if tensor.dtype == "int8" else UINT8_RANGE
    zero_point = int(quantization.zero_points[0])
    if not lowest <= zero_point <= highest:
        return f"'{tensor.name}' has the zero point {zero_point}, outside {tensor.dtype}"
    return ""


def _foreign_type(tensor: Tensor) -> str:
    return f"'{tensor.name}' is {tensor.dtype}; XNNPACK computes in float and eight-bit integers"


def _foreign_type_change(tensor: Tensor) -> str:
    if tensor.dtype in ("int32", "int64", "bool"):
        return "nothing: arithmetic on ids, masks and shapes is cheap"
    return "use float32 or int8"


def single_scale(tensor: Tensor) -> float:
    quantization = tensor.quantization
    return 0.0 if quantization is None or len(quantization.scales) != 1 else scale(tensor)


def single_zero_point(tensor: Tensor) -> int:
    """The zero point of per-tensor quantisation; 0 for per-channel, as the runtime's legacy field has it."""
    quantization = tensor.quantization
    if quantization is None or len(quantization.zero_points) != 1:
        return 0
    return int(quantization.zero_points[0])
