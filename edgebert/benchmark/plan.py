"""What a user asks to have measured."""

import math
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.texts import Texts
from edgebert.errors import MeasurementError

# [CLS] and [SEP], and one more [SEP] for a pair.
SHORTEST = 3
# More than any machine has cores; some thousands cannot be made, and the runtime ends its process over them.
_MOST_THREADS = 1024

# Model index, threads, length asked.
Setting = tuple[int, int, int | None]


@dataclass(frozen=True)
class Plan:
    """Every model with every number of threads at every length. An empty `lengths`: each text at its own."""

    models: tuple[Path, ...]
    texts: Texts
    threads: tuple[int, ...] = (1,)
    lengths: tuple[int, ...] = ()
    vocabulary: Path | None = None
    synthetic_ids: bool = False
    cores: tuple[int, ...] | None = None
    runs: int = 100
    minimum_seconds: float = 0.5
    # Small, so that cases take turns often; the run that warms the caches after each turn is recorded apart.
    block_runs: int = 5
    warmup_passes_limit: int = 20
    warmup_inputs: int = 8
    seed: int = 0
    command_line: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for option, values in (("--threads", self.threads), ("--length", self.lengths)):
            if len(set(values)) != len(values):
                raise MeasurementError(f"{option}: expected each value once, got {values}. Do: list it once.")
        if not self.models:
            raise MeasurementError("models: expected at least one .tflite, got none. Do: name a file.")
        _at_least("--threads", self.threads, 1)
        if max(self.threads) > _MOST_THREADS:
            raise MeasurementError(
                f"--threads: expected {_MOST_THREADS} or fewer, got {max(self.threads)}. "
                "Do: give no more than the machine has cores."
            )
        if self.lengths:
            _at_least("--length", self.lengths, SHORTEST)
        _at_least("--runs", (self.runs,), 1)
        _at_least("--seed", (self.seed,), 0)
        if not 0 <= self.minimum_seconds < math.inf:
            raise MeasurementError(
                f"--min-seconds: expected zero or more, got {self.minimum_seconds}. Do: give a number of seconds."
            )

    def settings(self) -> tuple[Setting, ...]:
        """Every case; the models of one setting stand next to each other."""
        return tuple(
            (model, threads, length)
            for threads in self.threads
            for length in (self.lengths or (None,))
            for model in range(len(self.models))
        )


def _at_least(option: str, values: tuple[int, ...], least: int) -> None:
    if not values or min(values) < least:
        got = min(values) if values else "none"
        raise MeasurementError(f"{option}: expected {least} or more, got {got}. Do: give a number of at least {least}.")
