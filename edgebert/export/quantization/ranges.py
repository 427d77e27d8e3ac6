"""The range that each activation is given in integers, from what calibration saw."""

from collections.abc import Mapping

from edgebert.compression.quantizing.ranges import PROBABILITY_RANGE, Range
from edgebert.export.model import Subgraph
from edgebert.export.quantization.observing import Observed

# XNNPACK multiplies two computed int8 tensors only if the second one's zero point is 0: of 256 steps, 128 are below it.
_STEPS_BELOW, _STEPS_ABOVE = 128, 127
# Evened channels all reach the end of their one range, each on the texts of calibration: other texts go further. With
# it MiniLM's answers are a thirteenth nearer to float32's where 16 texts calibrate, and as near where 256 do: see
# benchmarks/choices.
EVENED_HEADROOM = 1.2

_MOVING = ("RESHAPE", "TRANSPOSE")


def choose_ranges(subgraph: Subgraph, observed: Mapping[int, Observed]) -> dict[int, Range]:
    """Of every observed tensor: the span of its values, symmetric where the kernel needs it."""
    ranges = {index: (seen.minimum, seen.maximum) for index, seen in observed.items()}
    for index in _evened(subgraph):
        ranges[index] = (ranges[index][0] * EVENED_HEADROOM, ranges[index][1] * EVENED_HEADROOM)
    for index in _right_hand_sides(subgraph):
        magnitude = max(-ranges[index][0], ranges[index][1])
        ranges[index] = (-magnitude, magnitude * _STEPS_ABOVE / _STEPS_BELOW)
    for operator in subgraph.operators:
        if operator.name == "SOFTMAX":
            ranges[operator.outputs[0]] = PROBABILITY_RANGE
    return ranges


def _right_hand_sides(subgraph: Subgraph) -> set[int]:
    """Keys and values, through every reshape and transpose from the layer that makes them: one scale for all."""
    producers = subgraph.producers
    found = set()
    for operator in subgraph.operators:
        if operator.name == "BATCH_MATMUL":
            index = operator.inputs[1]
            found.add(index)
            while index in producers and producers[index].name in _MOVING:
                index = producers[index].inputs[0]
                found.add(index)
    return found


def _evened(subgraph: Subgraph) -> set[int]:
    """What dense layers return to be multiplied by a constant: equalised outputs."""
    dense = {operator.outputs[0] for operator in subgraph.operators if operator.name == "FULLY_CONNECTED"}
    return {
        operator.inputs[0]
        for operator in subgraph.operators
        if operator.name == "MUL" and operator.inputs[0] in dense and subgraph.tensors[operator.inputs[1]].is_constant
    }
