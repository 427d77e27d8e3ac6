"""What changes with training besides the trained values: masks that prune, ranges that quantise.

The loop knows no more of compression than this.
"""

from typing import Any, Protocol

from edgebert.keras import tf


class Companion(Protocol):
    @property
    def variables(self) -> dict[str, tf.Variable]:
        """Untrained float32 state, by name; stored with the run and with its best epoch."""

    @property
    def description(self) -> dict[str, Any]:
        """Everything that it does depends on, for the key of a run's checkpoints."""

    def plan(self, steps_per_epoch: int, epochs: int) -> int:
        """Told once, before training. Returns the first epoch, counted from 1, whose weights may be kept: an earlier
        one would score better, having lost less. A schedule that does not fit is an EdgebertError."""

    def begin_step(self, steps_taken: tf.Tensor) -> None:
        """Traced into the step, ahead of the losses; `steps_taken` is int64."""

    def end_step(self, steps_taken: tf.Tensor) -> None:
        """Traced into the step, behind the update; `steps_taken` is what it was at the beginning."""
