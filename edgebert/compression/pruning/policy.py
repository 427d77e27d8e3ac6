"""Which matrices are pruned, and how far: one table of classes, by the names that `named_variables` gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgebert.compression.pruning.patterns import SINGLE, Groups, Pattern, check_fits
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.errors import TrainingError
from edgebert.models.weights import encoder_rows, head_rows

EMBEDDINGS, ATTENTION, FEED_FORWARD, HEAD = "embeddings", "attention", "feed_forward", "head"
# Layers by their names without numbers. What stands in no class is never pruned: norms, biases, positions and segments
# are a few thousand numbers, on which much depends.
LAYERS: dict[str, tuple[str, ...]] = {
    EMBEDDINGS: ("encoder.embeddings.word", "encoder.embeddings.projection"),
    ATTENTION: (
        "encoder.blocks.query",
        "encoder.blocks.key",
        "encoder.blocks.value",
        "encoder.blocks.attention_output",
        "encoder.blocks.narrow_input.dense",
        "encoder.blocks.narrow_attention.dense",
    ),
    FEED_FORWARD: (
        "encoder.blocks.feed_forward.up",
        "encoder.blocks.feed_forward.down",
        "encoder.blocks.earlier_feed_forwards.up",
        "encoder.blocks.earlier_feed_forwards.down",
        "encoder.blocks.widen",
    ),
    HEAD: ("encoder.pooler", "head.transform", "head.classifier"),
}
CLASSES = tuple(LAYERS)
# The table is read, not multiplied with, and its rare pieces learn little while the others heal; the head is small.
USUAL_CLASSES = (ATTENTION, FEED_FORWARD)
USUAL_SPARSITY = 0.5
_CLASS_OF = {layer: name for name, layers in LAYERS.items() for layer in layers}
ENCODER_PREFIX, POOLER = "encoder.", "encoder.pooler.kernel"


@dataclass(frozen=True)
class Policy:
    """`sparsities`: of each class that is pruned. `excluded`: classes or layers, such as `blocks.0` or `head`, that are
    not."""

    sparsities: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(USUAL_CLASSES, USUAL_SPARSITY))
    pattern: Pattern = SINGLE
    excluded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, sparsity in self.sparsities.items():
            if name not in CLASSES:
                raise TrainingError(
                    f"pruning classes: expected {', '.join(CLASSES)}, got {name!r}. Do: write one of these."
                )
            if not 0 <= sparsity < 1:
                raise TrainingError(
                    f"sparsity of {name}: expected 0 to below 1, got {sparsity:g}. "
                    "Do: give the share of weights to be zero, such as 0.5."
                )
            if isinstance(self.pattern, Groups) and sparsity not in (0, self.pattern.sparsity):
                raise TrainingError(
                    f"sparsity of {name}: expected {self.pattern.sparsity:g} for {self.pattern}, got {sparsity:g}. "
                    "Do: leave the sparsity out, the pattern sets it."
                )

    def to_json(self) -> dict[str, Any]:
        """In the one order that decides nothing."""
        chosen = {name: self.sparsities[name] for name in CLASSES if name in self.sparsities}
        return {"sparsities": chosen, "pattern": str(self.pattern), "excluded": sorted(self.excluded)}


@dataclass(frozen=True, slots=True)
class Matrix:
    """One to be pruned. `shape` is the variable's; a dense kernel's is turned round in a file."""

    name: str
    kind: str
    shape: tuple[int, int]
    sparsity: float
    pattern: Pattern

    @property
    def is_table(self) -> bool:
        return self.name.endswith(".weight")

    @property
    def elements(self) -> int:
        return self.shape[0] * self.shape[1]


def class_of(name: str) -> str | None:
    """`encoder.blocks.0.query.kernel` is attention; a variable of no class has none."""
    *parts, leaf = name.split(".")
    if leaf not in ("kernel", "weight"):
        return None
    return _CLASS_OF.get(".".join(part for part in parts if not part.isdecimal()))


def choose_matrices(policy: Policy, config: EncoderConfig, head: HeadConfig) -> tuple[Matrix, ...]:
    """Everything of a policy that a model cannot follow is a TrainingError here."""
    found = []
    unused = set(policy.excluded)
    for row in encoder_rows(config, None) + head_rows(config, head, own_names=True):
        kind = class_of(row.ours)
        if kind is None or (row.ours == POOLER and head.pooling != "pooler"):
            # A pooler that nothing reads is kept as it was.
            continue
        reasons = {name for name in policy.excluded if _covers(name, row.ours, kind)}
        unused -= reasons
        sparsity = policy.sparsities.get(kind, 0.0)
        if sparsity and not reasons:
            found.append(Matrix(row.ours, kind, row.shape, sparsity, policy.pattern))
    if unused:
        raise TrainingError(
            f"excluded layers: expected classes ({', '.join(CLASSES)}) or layers such as blocks.0 or "
            f"blocks.0.feed_forward.up, got {', '.join(map(repr, sorted(unused)))}, which this model does not have. "
            "Do: correct the name."
        )
    if not found:
        asked = [name for name, sparsity in policy.sparsities.items() if sparsity]
        raise TrainingError(
            f"pruning: expected a matrix to prune, got none in {', '.join(asked) or 'any class'} that is not excluded. "
            "Do: include a class, or ask for a sparsity above 0."
        )
    for matrix in found:
        rows, columns = matrix.shape if matrix.is_table else matrix.shape[::-1]
        check_fits(matrix.pattern, matrix.name, rows, columns, is_table=matrix.is_table)
    return tuple(found)


def _covers(excluded: str, name: str, kind: str) -> bool:
    if excluded == kind:
        return True
    return any(f"{whole}.".startswith(f"{excluded}.") for whole in (name, name.removeprefix(ENCODER_PREFIX)))
