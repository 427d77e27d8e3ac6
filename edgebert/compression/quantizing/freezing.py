"""From which step on ranges stand still."""

import math

from edgebert.errors import TrainingError

# In the last part of training the weights settle under ranges that no longer move.
USUAL_FREEZE_SHARE = 0.3


def frozen_from(steps: int, freeze_share: float) -> int:
    """Steps that are taken before ranges stand still; in the last step they always do."""
    return min(math.ceil(steps * (1 - freeze_share)), steps - 1)


def check_freeze_share(freeze_share: float) -> None:
    if not 0 < freeze_share <= 1:
        raise TrainingError(
            f"freeze share: expected a share of the steps above 0 and up to 1, got {freeze_share:g}. "
            "Do: leave it out, or correct it."
        )
