"""Which rule judges which operator, and what to say of those that XNNPACK never takes."""

from collections.abc import Callable

from edgebert.export.delegation import elementwise, moving, products
from edgebert.export.delegation.node import Node

FLOAT_UNARY = (
    "ABS", "CEIL", "COS", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG", "NEG", "RELU", "RELU6", "RELU_N1_TO_1",
    "ROUND", "RSQRT", "SIN", "SQRT", "SQUARE",
)  # fmt: skip

RULES: dict[str, Callable[[Node], None]] = {
    **dict.fromkeys(FLOAT_UNARY, elementwise.float_unary),
    **dict.fromkeys(("DIV", "MAXIMUM", "MINIMUM", "PRELU", "SQUARED_DIFFERENCE"), elementwise.float_arithmetic),
    **dict.fromkeys(("ADD", "SUB", "MUL"), elementwise.arithmetic),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"), moving.reduction),
    **dict.fromkeys(("LOGISTIC", "TANH"), elementwise.unary),
    "BATCH_MATMUL": products.batch_matmul,
    "CONCATENATION": moving.concatenation,
    "DEQUANTIZE": elementwise.dequantize,
    "ELU": elementwise.elu,
    "FULLY_CONNECTED": products.fully_connected,
    "LEAKY_RELU": elementwise.leaky_relu,
    "PAD": moving.pad,
    "QUANTIZE": elementwise.quantize,
    "RESHAPE": moving.reshape,
    "SLICE": moving.slice_,
    "SOFTMAX": elementwise.softmax,
    "SPLIT": moving.split,
    "STRIDED_SLICE": moving.strided_slice,
    "TRANSPOSE": moving.transpose,
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
