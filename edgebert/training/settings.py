"""What a training run is told, and what it tells of each epoch; fine-tuning and distillation share both."""

from dataclasses import dataclass

from edgebert.errors import TrainingError

# Below the folder of a run's checkpoints.
EVENTS_FOLDER = "events"
ARITHMETIC_CHOICES = ("float32", "bfloat16")


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    epochs: int = 3
    batch_size: int = 32
    learning_rate: float = 5e-5
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    # Epochs without a better dev score after which training stops.
    patience: int = 2
    seed: int = 0
    # Share of the past in the running average of the weights that is scored and kept; 0 keeps the weights themselves.
    averaging: float = 0.0
    # Of the matrix products in a step: "bfloat16" takes less time where the processor has it.
    arithmetic: str = "float32"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            _require(getattr(self, name) >= 1, name, "1 or more", getattr(self, name))
        _require(self.learning_rate > 0, "learning_rate", "a number above 0", self.learning_rate)
        _require(0 <= self.warmup_share < 1, "warmup_share", "0 to below 1", self.warmup_share)
        _require(self.weight_decay >= 0, "weight_decay", "0 or more", self.weight_decay)
        _require(0 <= self.averaging < 1, "averaging", "0 to below 1", self.averaging)
        _require(self.seed >= 0, "seed", "0 or more", self.seed)
        _require(self.arithmetic in ARITHMETIC_CHOICES, "arithmetic", " or ".join(ARITHMETIC_CHOICES), self.arithmetic)


@dataclass(frozen=True, slots=True)
class CheckpointSettings:
    """How much work a kill may cost. What comes first counts; each epoch's end is kept besides."""

    # A checkpoint of MiniLM has 270 MB: at five minutes, writing it takes about 1 % of the time.
    every_seconds: float = 300.0
    every_steps: int | None = None
    # Curves for TensorBoard beside the checkpoints; off where a folder is only kept until training ends.
    curves: bool = False


def _require(holds: bool, field: str, expected: str, got: object) -> None:
    if not holds:
        raise TrainingError(f"training {field}: expected {expected}, got {got}. Do: correct it.")


DEFAULT_SETTINGS, DEFAULT_CHECKPOINTS = TrainingSettings(), CheckpointSettings()


@dataclass(frozen=True)
class EpochResult:
    epoch: int
    training_loss: float
    # What epochs are chosen by; larger is better.
    dev_score: float
    # Mean of each weighted term over the epoch; their sum is `training_loss`.
    losses: dict[str, float]
    # Not before a companion has come to its end: a student that is not pruned yet scores better, and is not meant.
    may_be_kept: bool = True


def best_epoch(results: tuple[EpochResult, ...]) -> EpochResult:
    """Of those that may be kept the one with the best dev score; of equal ones the first."""
    return max(results, key=lambda result: (result.may_be_kept, result.dev_score))
