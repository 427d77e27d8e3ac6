"""Masks that TF-MOT chooses by magnitude, beside the model: no layer is wrapped, so nothing has to be stripped and
every variable keeps its name."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from edgebert.compression.pruning.patterns import SINGLE, Groups, Pattern
from edgebert.compression.pruning.policy import Matrix
from edgebert.compression.pruning.schedule import CONSTANT, POWER, Schedule, Steps
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.model_optimization import tfmot
from edgebert.models.task import TaskModel, named_variables

# isort: split
# Behind the door, which sets up what TF-MOT needs; its public API has only the wrapper around this class.
from tensorflow_model_optimization.python.core.sparsity.keras.pruning_impl import Pruning

POOLING = "AVG"


class ExactPruning(Pruning):
    """Works around TF-MOT's TODO b/208967539: it keeps every weight that is as large as the threshold, and of weights
    that were stored in 16 bits whole hundreds are equal."""

    def _update_mask(self, weights):
        sparsity = self._pruning_schedule(self._step_fn())[1]
        magnitudes = tf.reshape(tf.abs(weights), [-1])
        share = tf.cast(tf.size(magnitudes), tf.float32) * (1 - sparsity)
        kept = tf.maximum(tf.cast(tf.round(share), tf.int32), 1)
        # Of all: a whole sort takes 3 s for 9.5 million, the largest half alone 10 s.
        values, places = tf.math.top_k(magnitudes, k=tf.size(magnitudes))
        ones = tf.ones([kept], weights.dtype)
        mask = tf.tensor_scatter_nd_update(tf.zeros_like(magnitudes), places[:kept, None], ones)
        return values[kept - 1], tf.reshape(mask, weights.shape)


class MagnitudeMasks:
    """A training's companion: cuts the smallest weights by schedule and holds what is cut at zero."""

    def __init__(self, model: TaskModel, matrices: Sequence[Matrix], schedule: Schedule):
        named = named_variables(model)
        self._matrices, self._schedule = tuple(matrices), schedule
        # What is pruned, by name.
        self.weights = {matrix.name: named[matrix.name] for matrix in matrices}
        self._masks = {name: _state(f"{name}.mask", tf.ones_like(weight)) for name, weight in self.weights.items()}
        self._thresholds = {name: _state(f"{name}.threshold", 0.0) for name in self.weights}
        self._steps: Steps | None = None

    @property
    def variables(self) -> dict[str, tf.Variable]:
        """A mask of ones and zeros for each matrix, and the magnitude that it was last cut at."""
        states = (("mask", self._masks), ("threshold", self._thresholds))
        return {f"{name}.{what}": state for what, found in states for name, state in found.items()}

    @property
    def description(self) -> dict[str, Any]:
        matrices = {
            matrix.name: {"sparsity": matrix.sparsity, "pattern": str(matrix.pattern)} for matrix in self._matrices
        }
        return {"kind": "magnitude pruning", "matrices": matrices, "schedule": dataclasses.asdict(self._schedule)}

    def plan(self, steps_per_epoch: int, epochs: int) -> int:
        self._steps = self._schedule.steps(steps_per_epoch * epochs)
        return self._steps.first_kept_epoch(steps_per_epoch)

    def begin_step(self, steps_taken: tf.Tensor) -> None:
        for pruning in self._prunings(steps_taken):
            pruning.conditional_mask_update()
            pruning.weight_mask_op()

    def end_step(self, steps_taken: tf.Tensor) -> None:
        """The update moves what was cut; before anybody looks, it is zero again, and so it never grows back."""
        for pruning in self._prunings(steps_taken):
            pruning.weight_mask_op()

    def _prunings(self, steps_taken: tf.Tensor) -> list[ExactPruning]:
        """Made anew where a step is traced: TF-MOT's object holds on to the step's tensor."""
        if self._steps is None:
            raise TrainingError("pruning: expected a planned training, got none. Do: call plan before the first step.")
        groups: dict[tuple[float, Pattern, bool], list[Matrix]] = {}
        for matrix in self._matrices:
            groups.setdefault((matrix.sparsity, matrix.pattern, matrix.is_table), []).append(matrix)
        return [self._pruning(steps_taken, *how, matrices) for how, matrices in groups.items()]

    def _pruning(
        self, steps_taken: tf.Tensor, sparsity: float, pattern: Pattern, is_table: bool, matrices: Sequence[Matrix]
    ) -> ExactPruning:
        blocks = SINGLE if isinstance(pattern, Groups) else pattern
        # Of the variable, not of the matrix in a file.
        size = (blocks.rows, blocks.columns) if is_table else (blocks.columns, blocks.rows)
        triples = [
            (self.weights[matrix.name], self._masks[matrix.name], self._thresholds[matrix.name]) for matrix in matrices
        ]
        schedule = self._tfmot_schedule(sparsity)
        if not isinstance(pattern, Groups):
            return ExactPruning(lambda: steps_taken, triples, schedule, size, POOLING)
        # TF-MOT chooses these masks once, at the step that it calls 1.
        first = self._steps.begin - 1
        return ExactPruning(
            lambda: steps_taken - first, triples, schedule, size, POOLING, (pattern.zeros, pattern.size)
        )

    def _tfmot_schedule(self, sparsity: float):
        begin, end, frequency = dataclasses.astuple(self._steps)
        if self._schedule.kind == CONSTANT:
            return tfmot.sparsity.keras.ConstantSparsity(sparsity, begin, end, frequency)
        return tfmot.sparsity.keras.PolynomialDecay(0.0, sparsity, begin, end, POWER, frequency)


def _state(name: str, start) -> tf.Variable:
    return tf.Variable(start, trainable=False, dtype=tf.float32, name=name)
