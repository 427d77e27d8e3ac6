"""What an encoder and its head are made of, as plain frozen values.

BERT, DistilBERT, TinyBERT, MiniLM, ALBERT and MobileBERT are settings of these two classes, not five classes; a
student is the same thing with smaller numbers.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from edgebert.errors import CheckpointError

ACTIVATIONS = ("gelu", "gelu_tanh", "relu")
NORMALIZATIONS = ("layer_norm", "no_norm")
# Where a narrower embedding table is widened: never, before positions and segments are added (MobileBERT, and our
# low-rank students), or after the embeddings' norm (ALBERT).
PROJECTIONS = ("none", "before_sum", "after_norm")
# None where every row has an answer of its own.
POOLINGS = ("first", "mean", "pooler", "none")
HEAD_KINDS = ("classification", "regression", "embedding", "masked_words")


@dataclass(frozen=True, slots=True)
class BottleneckConfig:
    """MobileBERT's narrow inner block: wide between blocks, narrow inside."""

    width: int
    key_query_shared: bool
    all_inputs_narrow: bool
    feed_forward_networks: int


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    vocabulary_size: int
    width: int
    layers: int
    heads: int
    feed_forward_width: int
    embedding_width: int
    maximum_length: int = 512
    segments: int = 2
    activation: str = "gelu"
    normalization: str = "layer_norm"
    norm_epsilon: float = 1e-12
    projection: str = "none"
    trigram: bool = False
    bottleneck: BottleneckConfig | None = None
    # The physical block that each layer runs; ALBERT's twelve layers are one block: (0,) * 12.
    layer_blocks: tuple[int, ...] = ()
    pooler: bool = True
    dropout: float = 0.1
    attention_dropout: float = 0.1
    initializer_range: float = 0.02
    # The width of one head where it is not its share of the attention's: heads that were removed leave the others as
    # wide as they were.
    own_head_width: int | None = None

    def __post_init__(self) -> None:
        if not self.layer_blocks:
            object.__setattr__(self, "layer_blocks", tuple(range(self.layers)))
        for name in ("vocabulary_size", "width", "layers", "heads", "feed_forward_width", "embedding_width"):
            _require(getattr(self, name) > 0, name, "a positive number", getattr(self, name))
        _require(self.maximum_length > 0, "maximum_length", "a positive number", self.maximum_length)
        _require(self.segments >= 0, "segments", "zero or more", self.segments)
        _require(self.activation in ACTIVATIONS, "activation", " or ".join(ACTIVATIONS), self.activation)
        _require(self.normalization in NORMALIZATIONS, "normalization", " or ".join(NORMALIZATIONS), self.normalization)
        _require(self.projection in PROJECTIONS, "projection", " or ".join(PROJECTIONS), self.projection)
        self._settle_head_width()
        _require(
            not self.trigram or self.projection == "before_sum",
            "projection",
            "before_sum where trigrams make the table three times as wide",
            self.projection,
        )
        _require(
            self.projection != "none" or self.embedding_width == self.width,
            "embedding_width",
            f"{self.width} (as wide as the encoder) where nothing projects it",
            self.embedding_width,
        )
        _require(
            len(self.layer_blocks) == self.layers and sorted(set(self.layer_blocks)) == list(range(self.blocks)),
            "layer_blocks",
            f"{self.layers} block numbers without a gap",
            self.layer_blocks,
        )

    @property
    def blocks(self) -> int:
        """How many blocks with weights of their own there are."""
        return max(self.layer_blocks) + 1

    @property
    def attention_width(self) -> int:
        """Of the rows that attention's output is added to: narrower than the encoder behind a bottleneck."""
        return self.bottleneck.width if self.bottleneck else self.width

    @property
    def head_width(self) -> int:
        return self.own_head_width or self.attention_width // self.heads

    @property
    def heads_width(self) -> int:
        """Of all heads side by side: what query, key and value write and attention_output reads."""
        return self.heads * self.head_width

    def to_json(self) -> dict[str, Any]:
        """Without the head width where it is the usual one, as it was written before heads could be removed."""
        fields = dataclasses.asdict(self)
        if self.own_head_width is None:
            del fields["own_head_width"]
        return fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        bottleneck = fields.get("bottleneck")
        return cls(
            **{
                **fields,
                "bottleneck": BottleneckConfig(**bottleneck) if bottleneck else None,
                "layer_blocks": tuple(fields.get("layer_blocks", ())),
            }
        )

    def _settle_head_width(self) -> None:
        own, usual = self.own_head_width, self.attention_width / self.heads
        if own is None:
            expected = f"a divisor of the attention width {self.attention_width}"
            _require(usual.is_integer(), "heads", expected, self.heads)
            return
        _require(own > 0, "own_head_width", "a positive number", own)
        if own == usual:
            # One spelling for one shape: equal encoders are equal values.
            object.__setattr__(self, "own_head_width", None)


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """How the encoder's rows become an answer."""

    kind: str
    pooling: str = "first"
    # The activation of a dense layer between pooling and output (DistilBERT's pre-classifier), or none.
    transform: str | None = None
    labels: tuple[str, ...] = ()
    unit_length: bool = False

    def __post_init__(self) -> None:
        _require(self.kind in HEAD_KINDS, "head.kind", " or ".join(HEAD_KINDS), self.kind)
        _require(self.pooling in POOLINGS, "head.pooling", " or ".join(POOLINGS), self.pooling)
        _require(self.transform in (None, "relu", "tanh"), "head.transform", "none, relu or tanh", self.transform)
        _require(
            (self.pooling == "none") == (self.kind == "masked_words"),
            "head.pooling",
            "none for masked_words and for nothing else",
            f"{self.pooling} for {self.kind}",
        )
        _require(
            self.kind != "classification" or len(self.labels) >= 2,
            "head.labels",
            "two labels or more for classification",
            len(self.labels),
        )
        _require(len(set(self.labels)) == len(self.labels), "head.labels", "labels that all differ", list(self.labels))

    @property
    def outputs(self) -> int:
        """Of a classifier; the other heads have none."""
        return {"classification": len(self.labels), "regression": 1}.get(self.kind, 0)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(**{**fields, "labels": tuple(fields.get("labels", ()))})


def _require(holds: bool, field: str, expected: str, got: object) -> None:
    if not holds:
        raise CheckpointError(f"config.{field}: expected {expected}, got {got}. Do: correct the model's configuration.")


# What BERT and DistilBERT were pre-trained with; its decoder is the table of words.
MASKED_WORDS = HeadConfig(kind="masked_words", pooling="none")
