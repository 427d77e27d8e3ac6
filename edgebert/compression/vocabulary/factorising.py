"""The word table [V, W] as two factors [V, R] and [R, W] with a bias: `projection = before_sum` in the configuration.

The bias takes the table's mean, which costs a graph nothing, and the factors what is left: of all pairs of rank R the
one with the least squared error (Eckart and Young 1936). With counts of a corpus each row's error counts as often as
its piece occurs, so what is read often is kept best.
"""

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from edgebert.config import MASKED_WORDS, EncoderConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.weights import WORD_TABLE

KERNEL, BIAS = "encoder.embeddings.projection.kernel", "encoder.embeddings.projection.bias"
# int4 tables share a scale between so many numbers of a row, and kernels like multiples of 8 and 16.
RANK_STEP = 32
# Of a piece that the corpus does not have, beside one that it has once: it may still come.
UNSEEN_COUNT = 1.0


@dataclass(frozen=True)
class RankChoice:
    """A rank, or the share of the (weighted) squares about their mean that is kept, rounded up to RANK_STEP."""

    rank: int | None = None
    keep_energy: float | None = None

    def __post_init__(self) -> None:
        if (self.rank is None) == (self.keep_energy is None):
            raise _wrong("--rank", "either --rank or --keep-energy", "neither or both", "give one of them")
        if self.rank is not None and self.rank < 1:
            raise _wrong("--rank", "1 or more", self.rank, "raise it")
        if self.keep_energy is not None and not 0 < self.keep_energy < 1:
            raise _wrong("--keep-energy", "a share above 0 and below 1", self.keep_energy, "write one such as 0.95")


@dataclass(frozen=True)
class Factors:
    """words @ kernel + bias, float64."""

    words: np.ndarray = field(repr=False)  # [V, R]
    kernel: np.ndarray = field(repr=False)  # [R, W]
    bias: np.ndarray = field(repr=False)  # [W]


class Decomposition:
    """A table about its mean, by directions of falling energy."""

    def __init__(self, table: np.ndarray, counts: np.ndarray | None = None):
        self._table = table.astype(np.float64)
        weights = np.ones(len(table)) if counts is None else counts + UNSEEN_COUNT
        self._weights = weights / weights.sum()
        self._mean = self._weights @ self._table

    @cached_property
    def _directions(self) -> tuple[np.ndarray, np.ndarray]:
        """Energies [W] and the directions [W, W] that belong to them, as columns."""
        weighted = np.sqrt(self._weights)[:, None] * (self._table - self._mean)
        # Of the few hundred columns and not of the tens of thousands of rows: the same directions in less time.
        energies, directions = np.linalg.eigh(weighted.T @ weighted)
        return np.maximum(energies[::-1], 0.0), directions[:, ::-1]

    def kept_energy(self, rank: int) -> float:
        energies, _ = self._directions
        total = float(energies.sum())
        return float(energies[:rank].sum()) / total if total else 1.0

    def rank(self, choice: RankChoice) -> int:
        if choice.rank is not None:
            return choice.rank
        energies, _ = self._directions
        kept = np.cumsum(energies) / max(float(energies.sum()), np.finfo(np.float64).tiny)
        needed = int(np.searchsorted(kept, choice.keep_energy)) + 1
        return -(-needed // RANK_STEP) * RANK_STEP

    def factors(self, rank: int) -> Factors:
        _, directions = self._directions
        kernel = directions[:, :rank].T
        return Factors((self._table - self._mean) @ kernel.T, kernel, self._mean)


@dataclass(frozen=True)
class Factorised:
    tensors: dict[str, np.ndarray] = field(repr=False)
    encoder: EncoderConfig
    kept_energy: float
    # Numbers in the table, and in the factors with the bias.
    table_before: int
    table_after: int


def check_factorisable(checkpoint: Checkpoint) -> None:
    """Refuse what has no table that can be replaced by two factors."""
    config = checkpoint.encoder
    if config.projection == "after_norm":
        raise _wrong(
            f"{checkpoint.source} word table",
            "one that nothing widens, or that is widened before positions are added",
            f"one of width {config.embedding_width} that is widened after the norm, as ALBERT's is, which is "
            "factorised already",
            "trim its vocabulary instead (edgebert trim)",
        )
    if config.trigram:
        raise _wrong(
            f"{checkpoint.source} word table",
            "one whose rows are read one at a time",
            "MobileBERT's, which is read in threes",
            "trim its vocabulary instead (edgebert trim)",
        )
    if checkpoint.head == MASKED_WORDS:
        raise _wrong(
            f"{checkpoint.source} head",
            "one for a task, or none",
            "one for masked words, which decodes with the whole table",
            "fine-tune or distil it for its task first",
        )


def factorise(checkpoint: Checkpoint, choice: RankChoice, counts: np.ndarray | None = None) -> Factorised:
    """counts [pieces]: how often each piece occurs; rows of the table beyond the vocabulary count as not seen.

    A table that is widened already is multiplied out and factorised anew: the rank can only fall.
    """
    check_factorisable(checkpoint)
    table, most = word_rows(checkpoint)
    if counts is not None:
        counts = np.pad(counts, (0, len(table) - len(counts)))
    decomposition = Decomposition(table, counts)
    rank = decomposition.rank(choice)
    if rank > most and choice.rank is None:
        # Rounding up may pass what there is.
        rank = most
    if rank > most:
        raise _wrong("--rank", f"1 to {most}, the width of the table that there is", rank, "lower it")
    factors = decomposition.factors(rank)
    tensors = dict(checkpoint.tensors)
    for name, values in ((WORD_TABLE, factors.words), (KERNEL, factors.kernel), (BIAS, factors.bias)):
        tensors[name] = np.ascontiguousarray(values, np.float32)
    encoder = _narrowed(checkpoint.encoder, rank)
    numbers = [_numbers(values) for values in (checkpoint.tensors, tensors)]
    return Factorised(tensors, encoder, decomposition.kept_energy(rank), *numbers)


def word_rows(checkpoint: Checkpoint) -> tuple[np.ndarray, int]:
    """Every piece's row as wide as the encoder [V, W], float64, and the greatest rank that they can have."""
    table = checkpoint.tensors[WORD_TABLE].astype(np.float64)
    if checkpoint.encoder.projection == "none":
        return table, checkpoint.encoder.width
    rows = table @ checkpoint.tensors[KERNEL].astype(np.float64) + checkpoint.tensors[BIAS]
    return rows, checkpoint.encoder.embedding_width


def _narrowed(config: EncoderConfig, rank: int) -> EncoderConfig:
    return dataclasses.replace(config, projection="before_sum", embedding_width=rank)


def _numbers(tensors: dict[str, np.ndarray]) -> int:
    return sum(tensors[name].size for name in (WORD_TABLE, KERNEL, BIAS) if name in tensors)


def _wrong(subject: str, expected: str, got: object, remedy: str) -> CheckpointError:
    return CheckpointError(f"{subject}: expected {expected}, got {got}. Do: {remedy}.")
