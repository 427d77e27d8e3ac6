"""What happens beside every step of quantisation-aware training: ranges that stand still at last, zeros that stay."""

import hashlib
import json
import math
from typing import Any

import numpy as np

from edgebert.compress.quantizing.wrapping import QuantizedModel
from edgebert.errors import TrainingError
from edgebert.keras import tf

# In the last part of training the weights settle under ranges that no longer move.
USUAL_FREEZE_SHARE = 0.3


class RangesCompanion:
    """For the training loop (edgebert.training.companion.Companion).

    freeze_share: the share of the steps, at the end, in which ranges stand still. An epoch can be kept once they do.
    """

    def __init__(self, quantized: QuantizedModel, freeze_share: float = USUAL_FREEZE_SHARE):
        check_freeze_share(freeze_share)
        self.freeze_share, self._quantized = freeze_share, quantized
        # What was pruned stays pruned: made before the first step, of a run that is taken up again as well.
        self._masks = [
            (variable, tf.constant(values != 0, tf.float32))
            for variable in _matrices(quantized)
            if not (values := variable.numpy()).all()
        ]
        self._frozen_from: int | None = None

    @property
    def variables(self) -> dict[str, tf.Variable]:
        return self._quantized.variables

    @property
    def description(self) -> dict[str, Any]:
        ranges = json.dumps(self._quantized.ranges.to_json()).encode()
        return {
            "kind": "quantize",
            "freeze_share": self.freeze_share,
            "start_sha256": hashlib.sha256(ranges).hexdigest(),
        }

    def plan(self, steps_per_epoch: int, epochs: int) -> int:
        total = steps_per_epoch * epochs
        self._frozen_from = frozen_from(total, self.freeze_share)
        return self._frozen_from // steps_per_epoch + 1

    def begin_step(self, steps_taken: tf.Tensor) -> None:
        self._quantized.is_frozen.assign(steps_taken >= self._frozen_from)

    def end_step(self, steps_taken: tf.Tensor) -> None:
        for variable, mask in self._masks:
            variable.assign(variable * mask)


def frozen_from(steps: int, freeze_share: float) -> int:
    """Steps that are taken before ranges stand still; the last step always has them so."""
    return min(math.ceil(steps * (1 - freeze_share)), steps - 1)


def check_freeze_share(freeze_share: float) -> None:
    if not 0 < freeze_share <= 1:
        raise TrainingError(
            f"freeze_share: expected a share of the steps above 0 and up to 1, got {freeze_share}. Do: leave it out, "
            "or correct it."
        )


def _matrices(quantized: QuantizedModel) -> list[tf.Variable]:
    return [
        variable for layer in quantized.wrapped.values() for variable in layer.variables if variable.shape.rank == 2
    ]


def zero_share(values: np.ndarray) -> float:
    return float(np.mean(values == 0))
