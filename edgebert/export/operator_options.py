"""The options of the operators that anything here decides by: where the schema keeps each one.

Field numbers are frozen by the FlatBuffer format: a schema may add fields at the end, never renumber them.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

from edgebert.export.bounded import Table

OptionValue = int | float | bool | tuple[int, ...]

ACTIVATIONS = {code: name for name, code in vars(schema.ActivationFunctionType).items() if isinstance(code, int)}
_VECTOR = "vector"


@dataclass(frozen=True)
class Layout:
    """The options table of one kind of operator: its name in the schema's union, and its fields by (number, kind)."""

    union_name: str
    fields: Mapping[str, tuple[int, str]]


def _activation_only(union_name: str) -> Layout:
    return Layout(union_name, {"activation": (0, "int8")})


_REDUCER = Layout("ReducerOptions", {"keep_dims": (0, "bool")})

LAYOUTS = {
    "ADD": _activation_only("AddOptions"),
    "SUB": _activation_only("SubOptions"),
    "MUL": _activation_only("MulOptions"),
    "DIV": _activation_only("DivOptions"),
    "FULLY_CONNECTED": Layout(
        "FullyConnectedOptions",
        {
            "activation": (0, "int8"),
            "weights_format": (1, "int8"),
            "keep_num_dims": (2, "bool"),
            "asymmetric_quantize_inputs": (3, "bool"),
            "quantized_bias_type": (4, "int8"),
        },
    ),
    "BATCH_MATMUL": Layout(
        "BatchMatMulOptions",
        {"adj_x": (0, "bool"), "adj_y": (1, "bool"), "asymmetric_quantize_inputs": (2, "bool")},
    ),
    "SOFTMAX": Layout("SoftmaxOptions", {"beta": (0, "float32")}),
    "CONCATENATION": Layout("ConcatenationOptions", {"axis": (0, "int32"), "activation": (1, "int8")}),
    "GATHER": Layout("GatherOptions", {"axis": (0, "int32"), "batch_dims": (1, "int32")}),
    "LEAKY_RELU": Layout("LeakyReluOptions", {"alpha": (0, "float32")}),
    "RESHAPE": Layout("ReshapeOptions", {"new_shape": (0, _VECTOR)}),
    "SPLIT": Layout("SplitOptions", {"num_splits": (0, "int32")}),
    "STRIDED_SLICE": Layout(
        "StridedSliceOptions",
        {
            "begin_mask": (0, "int32"),
            "end_mask": (1, "int32"),
            "ellipsis_mask": (2, "int32"),
            "new_axis_mask": (3, "int32"),
            "shrink_axis_mask": (4, "int32"),
            "offset": (5, "bool"),
        },
    ),
    **dict.fromkeys(("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"), _REDUCER),
}


def read_options(name: str, union_type: int, table: Table | None) -> dict[str, OptionValue]:
    """The options of an operator called `name`; a missing or foreign table reads as zeros, as LiteRT reads it."""
    layout = LAYOUTS.get(name)
    if layout is None:
        return {}
    own = table is not None and union_type == getattr(schema.BuiltinOptions, layout.union_name)
    options: dict[str, OptionValue] = {}
    for option, (field, kind) in layout.fields.items():
        if kind == _VECTOR:
            vector = table.numbers(field, "<i4") if own else None
            options[option] = () if vector is None else tuple(vector.tolist())
        else:
            options[option] = table.scalar(field, kind) if own else 0
    return options
