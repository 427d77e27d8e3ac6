"""Which teacher layer each student layer learns from: the function g(m) of TinyBERT (Jiao et al. 2019).

Layers count from 1, as in the papers; layer 0 is the embeddings' output and the layer after the last is the
prediction, so g(0) = 0 and g(M + 1) = N + 1 always. M is the student's number of layers, N the teacher's.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from edgebert.errors import TrainingError

KINDS = ("uniform", "last", "first", "skip", "explicit")


class LayerPair(NamedTuple):
    student: int
    teacher: int


@dataclass(frozen=True, slots=True)
class LayerMap:
    """uniform: g(m) = m * N / M; last: g(m) = N - M + m; first: g(m) = m; skip: g(m) = every * m; explicit: as listed.

    Teacher layers must rise from one student layer to the next: a student cannot unlearn what its lower layers were
    taught, and a list that falls or repeats is nearly always a slip of the pen.
    """

    kind: str = "uniform"
    every: int = 0
    teacher_layers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TrainingError(
                f"layer_map: expected {', '.join(KINDS)}, got {self.kind!r}. Do: choose one of them, or list the "
                "teacher's layers."
            )
        if self.kind == "skip" and self.every < 1:
            raise TrainingError(
                f"layer_map skip: expected a step of 1 or more, got {self.every}. Do: write {{skip = 2}}."
            )

    def pairs(self, student_layers: int, teacher_layers: int) -> tuple[LayerPair, ...]:
        """(m, g(m)) for m = 1 ... M; an impossible map is a TrainingError."""
        if student_layers > teacher_layers:
            raise TrainingError(
                f"layer_map {self.kind}: expected a student of at most the teacher's {teacher_layers} layers, "
                f"got {student_layers}. Do: choose a shallower student or a deeper teacher."
            )
        chosen = self._teacher_layers(student_layers, teacher_layers)
        return tuple(LayerPair(number, layer) for number, layer in enumerate(chosen, start=1))

    def whole(self, student_layers: int, teacher_layers: int) -> tuple[LayerPair, ...]:
        """The pairs with both ends: embeddings (0, 0) first and prediction (M + 1, N + 1) last."""
        ends = LayerPair(0, 0), LayerPair(student_layers + 1, teacher_layers + 1)
        return (ends[0], *self.pairs(student_layers, teacher_layers), ends[1])

    def _teacher_layers(self, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
        numbers = range(1, student_layers + 1)
        if self.kind == "first":
            return tuple(numbers)
        if self.kind == "last":
            return tuple(teacher_layers - student_layers + number for number in numbers)
        if self.kind == "skip":
            return self._skipped(student_layers, teacher_layers)
        if self.kind == "explicit":
            return self._listed(student_layers, teacher_layers)
        if teacher_layers % student_layers:
            raise TrainingError(
                f"layer_map uniform: expected a teacher whose layers are a multiple of the student's {student_layers}, "
                f"got {teacher_layers}. Do: list the teacher's layers, such as layer_map = "
                f"{list(nearly_uniform(student_layers, teacher_layers))}, or choose last, first or skip."
            )
        return tuple(number * teacher_layers // student_layers for number in numbers)

    def _skipped(self, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
        if self.every * student_layers > teacher_layers:
            raise TrainingError(
                f"layer_map skip: expected a step of at most {teacher_layers // student_layers} from {student_layers} "
                f"to {teacher_layers} layers, got {self.every}. Do: lower the step."
            )
        return tuple(self.every * number for number in range(1, student_layers + 1))

    def _listed(self, student_layers: int, teacher_layers: int) -> tuple[int, ...]:
        listed = self.teacher_layers
        if len(listed) != student_layers:
            expected = f"{student_layers} teacher layers, one for each student layer"
        elif not all(1 <= layer <= teacher_layers for layer in listed):
            expected = f"layers from 1 to {teacher_layers} (the embeddings are matched by objectives of their own)"
        elif any(later <= earlier for earlier, later in pairwise(listed)):
            expected = "layers that rise from each to the next"
        else:
            return listed
        example = list(nearly_uniform(student_layers, teacher_layers))
        raise TrainingError(f"layer_map: expected {expected}, got {list(listed)}. Do: write {example}, for example.")


def nearly_uniform(student_layers: int, teacher_layers: int) -> tuple[int, ...]:
    """m * N / M rounded up: the uniform map where there is one, else the nearest that ends at the last layer."""
    return tuple(-(-number * teacher_layers // student_layers) for number in range(1, student_layers + 1))
