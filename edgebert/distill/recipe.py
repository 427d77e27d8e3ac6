"""A recipe: the weighted sum of objectives that a student is trained with, as plain frozen values."""

import math
from dataclasses import dataclass

from edgebert.distill.layer_maps import LayerMap, LayerPair
from edgebert.distill.objectives import HARD_LABEL, OBJECTIVES, RELATIONS, Objective, Reads
from edgebert.distill.wording import nearest
from edgebert.errors import TrainingError

# Layers of a term by name: all of the map, all but the student's last (Patient KD: the last feeds the prediction,
# which has an objective of its own), or the student's last on the teacher's last whatever the map.
LAYER_CHOICES = ("mapped", "inner", "last")
OVER_LAYERS = ("sum", "mean")
POSITIONS = ("real", "masked")
PROJECTIONS = ("shared", "per_layer", "none")
TEACHER_WEIGHTINGS = ("mean", "max_probability", "entropy")
UNIFORM = LayerMap()


@dataclass(frozen=True, slots=True)
class Term:
    """weight * sum over layers of layer_weight * objective (or its mean over layers)."""

    objective: str
    weight: float = 1.0
    # Under which name the term is reported; the objective's own where that is clear.
    name: str = ""
    # One of LAYER_CHOICES, or pairs of a student's and a teacher's layer.
    layers: str | tuple[LayerPair, ...] = "mapped"
    # TinyBERT's lambda_m: one a layer pair; all 1 where there are none.
    layer_weights: tuple[float, ...] | None = None
    over_layers: str = "sum"
    relations: tuple[str, ...] = RELATIONS
    # None: the largest number up to MiniLM v2's 48 that cuts both models' attention widths evenly.
    relation_heads: int | None = None
    # Tokens whose predictions are compared: every real one, or those that were masked.
    positions: str = "real"

    def __post_init__(self) -> None:
        if self.objective not in OBJECTIVES:
            raise TrainingError(
                f"recipe term: expected one of {', '.join(OBJECTIVES)}, got {self.objective!r}. "
                f"Do: write {nearest(self.objective, OBJECTIVES)}."
            )
        if not self.name:
            object.__setattr__(self, "name", self.objective)
        self._require(_is_positive(self.weight), "a weight above 0", self.weight, "leave the term out, or raise it")
        if isinstance(self.layers, str):
            self._require_one("layers", LAYER_CHOICES)
        else:
            object.__setattr__(self, "layers", tuple(LayerPair(*pair) for pair in self.layers))
            self._require(bool(self.layers), "at least one pair of layers", "none", "write [[4, 12]], for example")
        self._require_one("over_layers", OVER_LAYERS)
        self._require_one("positions", POSITIONS)
        self._require(
            bool(self.relations) and set(self.relations) <= set(RELATIONS),
            f"relations from {', '.join(RELATIONS)}",
            list(self.relations),
            "name one or more of them",
        )
        self._require(
            all(_is_positive(weight) or weight == 0 for weight in self.layer_weights or ()),
            "layer_weights of 0 or more",
            list(self.layer_weights or ()),
            "correct the weight",
        )
        heads = self.relation_heads
        self._require(heads is None or heads > 0, "relation_heads of 1 or more", heads, "leave it out")
        self._refuse_idle_options()

    @property
    def facts(self) -> Objective:
        return OBJECTIVES[self.objective]

    def pairs(self, layer_map: LayerMap, student_layers: int, teacher_layers: int) -> tuple[LayerPair, ...]:
        """The layers compared: none for an objective on outputs, (0, 0) for one on embeddings."""
        if self.facts.reads is Reads.EMBEDDINGS:
            return (LayerPair(0, 0),)
        if not self.facts.layered:
            return ()
        if self.layers == "last":
            return (LayerPair(student_layers, teacher_layers),)
        if isinstance(self.layers, str):
            mapped = layer_map.pairs(student_layers, teacher_layers)
            return mapped[:-1] if self.layers == "inner" else mapped
        return self.layers

    def _refuse_idle_options(self) -> None:
        """An option that the objective does not read would be silently ignored."""
        untouched = {
            "layers": "mapped",
            "layer_weights": None,
            "over_layers": "sum",
            "relations": RELATIONS,
            "relation_heads": None,
            "positions": "real",
        }
        for option, default in untouched.items():
            allowed = option in self.facts.options or getattr(self, option) == default
            readable = ", ".join(sorted(self.facts.options)) or "no options"
            self._require(allowed, f"{readable} beside its weight", option, f"leave {option} out")

    def _require_one(self, field: str, allowed: tuple[str, ...]) -> None:
        value = getattr(self, field)
        self._require(value in allowed, f"{field} {' or '.join(allowed)}", repr(value), "choose one of them")

    def _require(self, holds: bool, expected: str, got: object, remedy: str) -> None:
        if not holds:
            raise TrainingError(
                f"recipe term {self.name or self.objective}: expected {expected}, got {got}. Do: {remedy}."
            )


@dataclass(frozen=True, slots=True)
class Recipe:
    terms: tuple[Term, ...]
    layer_map: LayerMap = UNIFORM
    temperature: float = 1.0
    # Hinton's t^2 before softened targets.
    temperature_squared: bool = True
    hard_label_weight: float = 0.0
    # How a narrower student's states reach the teacher's width: one dense layer for all of them (TinyBERT's published
    # code), one for each layer, or not at all. Layers of equal width are compared as they are.
    projection: str = "shared"
    # How several teachers' outputs become one; see `teachers`.
    teacher_weighting: str = "mean"
    name: str = "own"

    def __post_init__(self) -> None:
        names = [term.name for term in self.terms]
        if self.hard_label_weight:
            names.append(HARD_LABEL)
        twice = sorted({name for name in names if names.count(name) > 1})
        self._require(bool(names), "terms", "at least one objective, or hard_label_weight", "none", "add a term")
        self._require(
            not twice, "terms", "a name of its own for each", f"{', '.join(twice)} twice", "give the terms a name"
        )
        self._require(
            _is_positive(self.temperature), "temperature", "a number above 0", self.temperature, "write 1 for none"
        )
        self._require(
            _is_positive(self.hard_label_weight) or self.hard_label_weight == 0,
            "hard_label_weight",
            "0 or more",
            self.hard_label_weight,
            "write 0 for none",
        )
        for field, allowed in (("projection", PROJECTIONS), ("teacher_weighting", TEACHER_WEIGHTINGS)):
            value = getattr(self, field)
            self._require(value in allowed, field, " or ".join(allowed), repr(value), f"write {allowed[0]}")

    @property
    def predicts_tokens(self) -> bool:
        """Whether it needs a masked-word head on both sides."""
        return any(term.facts.reads is Reads.TOKENS for term in self.terms)

    @property
    def reads_outputs(self) -> bool:
        """Whether it compares answers, of texts or of tokens: all that is taken of several teachers."""
        return any(term.facts.reads in (Reads.OUTPUT, Reads.TOKENS) for term in self.terms)

    @property
    def term_names(self) -> tuple[str, ...]:
        names = tuple(term.name for term in self.terms)
        return (*names, HARD_LABEL) if self.hard_label_weight else names

    def _require(self, holds: bool, field: str, expected: str, got: object, remedy: str) -> None:
        if not holds:
            raise TrainingError(f"recipe.{field}: expected {expected}, got {got}. Do: {remedy}.")


def _is_positive(value: float) -> bool:
    return value > 0 and math.isfinite(value)
