"""Which parts of the model that was given are left after any number of steps."""

from dataclasses import dataclass
from typing import Any, Self

from edgebert.config import EncoderConfig
from edgebert.truncation.choosing import Kept


@dataclass(frozen=True)
class Remaining:
    """Counting from 1, as in the model that was given."""

    layers: tuple[int, ...]
    # Of each layer that is left.
    heads: tuple[tuple[int, ...], ...]

    @classmethod
    def all_of(cls, config: EncoderConfig) -> Self:
        layers = range(1, config.layers + 1)
        return cls(tuple(layers), tuple(tuple(range(1, config.heads + 1)) for _ in layers))

    def after(self, kept: Kept) -> Self:
        return type(self)(
            tuple(self.layers[layer - 1] for layer in kept.teacher_layers),
            tuple(
                tuple(self.heads[layer - 1][head] for head in block.heads)
                for layer, block in zip(kept.teacher_layers, kept.blocks, strict=True)
            ),
        )

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        return cls(tuple(fields["layers"]), tuple(map(tuple, fields["heads"])))
