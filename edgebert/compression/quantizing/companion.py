"""What happens beside every step of quantisation-aware training: ranges that stand still at last, zeros that stay."""

import hashlib
import json
from typing import Any

from edgebert.compression.quantizing.freezing import USUAL_FREEZE_SHARE, check_freeze_share, frozen_from
from edgebert.compression.quantizing.wrapping import QuantizedModel
from edgebert.keras import tf


class RangesCompanion:
    """For the training loop (edgebert.training.companion.Companion).

    freeze_share: the share of the steps, at the end, in which ranges stand still. An epoch can be kept once they do.
    """

    def __init__(self, quantized: QuantizedModel, freeze_share: float = USUAL_FREEZE_SHARE):
        check_freeze_share(freeze_share)
        self.freeze_share, self._quantized = freeze_share, quantized
        # What was pruned stays pruned: made before the first step, of a run that is taken up again as well.
        self._masks = [
            (variable, tf.constant(values != 0))
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
            # Not a product: -0.0 would be no zero byte.
            variable.assign(tf.where(mask, variable, 0.0))


def _matrices(quantized: QuantizedModel) -> list[tf.Variable]:
    return [
        variable for layer in quantized.wrapped.values() for variable in layer.variables if variable.shape.rank == 2
    ]
