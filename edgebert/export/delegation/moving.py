"""Operators that move numbers or reduce over axes: their axes, shapes and ranges must be constants."""

import numpy as np

from edgebert.export.delegation.node import (
    FLOATS,
    MAXIMUM_DIMENSIONS,
    Node,
    NotTaken,
    dimensions,
    float_or_eight_bit,
    moves_data,
    scale,
    single_scale,
    single_zero_point,
)


def reduction(node: Node) -> None:
    """MEAN, SUM, REDUCE_MAX and REDUCE_MIN."""
    node.counts(inputs=(2, 2))
    float_or_eight_bit(node.input(0))
    axes = _int32_parameter(node, 1, "axes")
    if axes.ndim > 1 or axes.size == 0 or (not node.input(0).shape and axes.size == 1 and axes.flat[0] == 0):
        raise NotTaken("it reduces over nothing", "drop it, or name the axes")
    if axes.size > MAXIMUM_DIMENSIONS:
        raise NotTaken(f"it reduces over {axes.size} axes", f"reduce over at most {MAXIMUM_DIMENSIONS}")
    float_or_eight_bit(node.output())


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
    moves_data(source, target)


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
    moves_data(node.input(0), node.output())


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
    moves_data(node.input(0), node.output())


def transpose(node: Node) -> None:
    node.counts(inputs=(2, 2))
    float_or_eight_bit(node.input(0))
    dimensions(node.input(0), fewest=1)
    node.constant(1, "permutation")
    moves_data(node.input(0), node.output())


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
        single_zero_point(source) != single_zero_point(output) or single_scale(source) != scale(output)
        for source in sources
    ):
        raise NotTaken("its uint8 inputs are quantised differently", "give all one scale and zero point")
    moves_data(output, *sources)


def split(node: Node) -> None:
    node.counts(inputs=(2, 2), outputs=(2, 4))
    _int32_parameter(node, 0, "axis")
    float_or_eight_bit(node.input(1))
    targets = [node.output(position) for position in range(len(node.operator.outputs))]
    for target in targets:
        float_or_eight_bit(target)
    moves_data(node.input(1), *targets)


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
    moves_data(source, node.output())


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
