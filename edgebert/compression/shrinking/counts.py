"""How many of each part a smaller model has: asked for, refused, or worked out from a share of its weights."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from edgebert.config import EncoderConfig
from edgebert.errors import TrainingError
from edgebert.models.weights import encoder_rows

DEFAULT_KEPT_SHARE = 0.5
# Kernels for matrices work in eights: a count between two multiples costs as much as the upper one.
NEURONS_TOGETHER = 8
BLOCKS = "encoder.blocks."


@dataclass(frozen=True, slots=True)
class Counts:
    """Of heads and neurons: of each layer, the same in all."""

    layers: int
    heads: int
    feed_forward_width: int
    width: int

    @classmethod
    def of(cls, config: EncoderConfig) -> Self:
        return cls(config.layers, config.heads, config.feed_forward_width, config.width)

    def to_json(self) -> dict[str, int]:
        return dataclasses.asdict(self)


PARTS = tuple(field.name for field in dataclasses.fields(Counts))


def require_prunable(config: EncoderConfig, subject: str) -> None:
    """Parts of a block can be removed where nothing else depends on them."""
    got = [
        name
        for name, found in (
            ("blocks that layers share", config.blocks < config.layers),
            ("a bottleneck", config.bottleneck is not None),
            ("trigrams", config.trigram),
            ("embeddings widened after their norm", config.projection == "after_norm"),
        )
        if found
    ]
    if got:
        raise TrainingError(
            f"{subject}: expected an encoder whose layers have blocks of their own, as BERT, DistilBERT, TinyBERT and "
            f"MiniLM have, got {' and '.join(got)}. Do: distil a smaller student of it (edgebert distill)."
        )


def target_counts(config: EncoderConfig, asked: Mapping[str, int | None], kept_share: float | None = None) -> Counts:
    """What is asked for, by the names of `Counts`; what is None stays. Without any number, that share of the blocks'
    weights: DEFAULT_KEPT_SHARE where that is None too."""
    numbers = {name: number for name, number in asked.items() if number is not None}
    if numbers and kept_share is not None:
        raise _wrong("shrink", "numbers or a share to keep", "both", "leave out one of them")
    if not numbers:
        return counts_keeping(config, DEFAULT_KEPT_SHARE if kept_share is None else kept_share)
    present = Counts.of(config)
    for name, number in numbers.items():
        most = getattr(present, name)
        if not 1 <= number <= most:
            raise _wrong(name, f"1 to the student's {most:,}", f"{number:,}", "correct it")
    target = dataclasses.replace(present, **numbers)
    if target == present:
        raise _wrong("shrink", "fewer of something than the student has", "as many", "lower a number")
    if config.projection == "before_sum" and target.width < config.embedding_width:
        raise _wrong(
            "width",
            f"{config.embedding_width:,} or more, the width of the student's low-rank table",
            f"{target.width:,}",
            "raise it",
        )
    return target


def counts_keeping(config: EncoderConfig, share: float) -> Counts:
    """Fewer heads and neurons, of either about that share, so that the blocks keep that share of their weights; the
    neurons make up for what rounding to whole heads gave or took."""
    present = Counts.of(config)
    if not 0 < share < 1:
        raise _wrong("keep", "a share between 0 and 1", share, "correct it")
    heads = min(max(round(share * config.heads), 1), config.heads)
    goal = share * block_parameters(config)

    def parameters(neurons: int) -> int:
        return block_parameters(
            shrunk_config(config, dataclasses.replace(present, heads=heads, feed_forward_width=neurons))
        )

    per_neuron = parameters(2) - parameters(1)
    neurons = (goal - parameters(1)) / per_neuron + 1
    together = NEURONS_TOGETHER if config.feed_forward_width >= 2 * NEURONS_TOGETHER else 1
    neurons = min(round(neurons / together) * together, config.feed_forward_width)
    if neurons < 1:
        least = parameters(together) / block_parameters(config)
        raise _wrong(
            "keep", f"a share of {least:.2f} or more for one head", share, "raise it, or remove layers besides"
        )
    return dataclasses.replace(present, heads=heads, feed_forward_width=neurons)


def shrunk_config(config: EncoderConfig, counts: Counts) -> EncoderConfig:
    """Heads stay as wide as they are."""
    embedding_width = counts.width if config.projection == "none" else config.embedding_width
    return dataclasses.replace(
        config,
        **counts.to_json(),
        embedding_width=embedding_width,
        layer_blocks=(),
        own_head_width=config.head_width,
    )


def steps_to(config: EncoderConfig, target: Counts, steps: int) -> tuple[Counts, ...]:
    """Evenly from the student's counts to the target's; each step removes something."""
    if steps < 1:
        raise _wrong("steps", "1 or more", steps, "raise it")
    present = Counts.of(config)
    found = tuple(
        Counts(**{name: _between(getattr(present, name), getattr(target, name), step / steps) for name in PARTS})
        for step in range(1, steps + 1)
    )
    if len({present, *found}) <= steps:
        most = max(getattr(present, name) - getattr(target, name) for name in PARTS)
        raise _wrong("steps", f"at most {most}, as many as there are parts to remove", steps, "lower it")
    return found


def block_parameters(config: EncoderConfig) -> int:
    """All that a token is multiplied with on its way through the layers, and their norms."""
    rows = encoder_rows(config, None)
    return sum(int(np.prod(row.shape)) for row in rows if row.ours.startswith(BLOCKS))


def _between(first: int, last: int, share: float) -> int:
    return first - int(np.floor((first - last) * share + 0.5))


def _wrong(subject: str, expected: str, got: object, remedy: str) -> TrainingError:
    return TrainingError(f"{subject}: expected {expected}, got {got}. Do: {remedy}.")
