"""What passes between the parts: a teacher, what matters in it, and how its activations are spread."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig


@dataclass(frozen=True)
class Source:
    """A model as plain values; tensors by the names of `named_variables`."""

    config: EncoderConfig
    head: HeadConfig | None
    tensors: Mapping[str, np.ndarray] = field(repr=False)


class BlockImportance(NamedTuple):
    heads: np.ndarray  # [A]
    neurons: np.ndarray  # [F]


@dataclass(frozen=True)
class Importance:
    """Only the order within one array means something: a student has the same numbers in every block."""

    blocks: tuple[BlockImportance, ...]  # one a physical block
    channels: np.ndarray  # [W], of the residual stream
    layers: np.ndarray  # [L]


class Spread(NamedTuple):
    """Mean [n] and covariance [n, n] of a layer's inputs over the real tokens of a dataset."""

    mean: np.ndarray
    covariance: np.ndarray


class BlockSpread(NamedTuple):
    inputs: Spread  # [W], what query, key and value read
    context: Spread  # [A*D], what attention_output reads
    between: Spread  # [W], after attention_norm
    neurons: Spread  # [F], what feed_forward.down reads
    outputs: Spread  # [W], after feed_forward.norm
    queries: np.ndarray  # [A, D, D] second moments
    # [A, D, D] second moments about each text's mean: what all keys of a text share, softmax does not see.
    keys: np.ndarray


@dataclass(frozen=True)
class TeacherSpread:
    embeddings: Spread  # [W], the embeddings' output
    blocks: tuple[BlockSpread, ...]


class Measured(NamedTuple):
    importance: Importance
    spread: TeacherSpread
