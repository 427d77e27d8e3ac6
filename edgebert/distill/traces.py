"""The part of a teacher's trace that a recipe reads, as named arrays, and back."""

from collections.abc import Mapping

from edgebert.distill.computing import TeacherNeeds
from edgebert.keras import tf
from edgebert.models.encoder import Trace
from edgebert.models.layers import Attention
from edgebert.models.task import TaskTrace

OUTPUT, HIDDEN, ATTENTION = "output", "hidden", "attention"


def needed_parts(needs: TeacherNeeds, trace: TaskTrace) -> dict[str, tf.Tensor]:
    """`output`, `hidden.3`, `attention.3.scores`, ...: each that is needed."""
    parts = {OUTPUT: trace.output} if needs.output else {}
    for layer in needs.hidden:
        parts[f"{HIDDEN}.{layer}"] = trace.encoder.hidden[layer]
    for layer, field in needs.attention:
        parts[f"{ATTENTION}.{layer}.{field}"] = getattr(trace.encoder.attention[layer - 1], field)
    return parts


def trace_of(parts: Mapping[str, tf.Tensor], layers: int) -> TaskTrace:
    """A trace in float32 that holds these parts, and None where nothing was kept."""
    hidden: list = [None] * (layers + 1)
    attention: list[dict] = [dict.fromkeys(Attention._fields) for _ in range(layers)]
    output = None
    for name, part in parts.items():
        kind, *place = name.split(".")
        values = tf.cast(part, tf.float32)
        if kind == OUTPUT:
            output = values
        elif kind == HIDDEN:
            hidden[int(place[0])] = values
        else:
            attention[int(place[0]) - 1][place[1]] = values
    return TaskTrace(output, Trace(tuple(hidden), tuple(Attention(**fields) for fields in attention)))
