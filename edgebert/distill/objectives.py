"""What each objective reads and demands: the facts by which recipes are checked before anything is trained."""

from dataclasses import dataclass
from enum import StrEnum

CLASSIFICATION = ("classification",)
ANY_HEAD = ("classification", "regression", "embedding")
# What each objective on attention reads of a layer; the last three are the relations of MiniLM.
RELATIONS = ("query", "key", "value")


class Reads(StrEnum):
    """The part of a model that an objective compares."""

    EMBEDDINGS = "the embeddings' output"
    HIDDEN = "hidden states"
    FIRST_ROW = "the first row of hidden states"
    ATTENTION = "attention"
    OUTPUT = "outputs"
    TOKENS = "predictions of tokens"


@dataclass(frozen=True, slots=True)
class Objective:
    reads: Reads
    # The student's text must be cut into the teacher's tokens: rows, or classes, are compared one by one.
    same_vocabulary: bool = True
    # Heads are compared one by one.
    same_heads: bool = False
    # The kinds of head whose outputs it is defined on.
    heads: tuple[str, ...] = ()
    # The fields of a Term, beyond objective, weight and name, that mean something to it.
    options: frozenset[str] = frozenset()
    # Of `Attention`, besides what a term's relations choose.
    attention: tuple[str, ...] = ()

    @property
    def layered(self) -> bool:
        return "layers" in self.options

    @property
    def projected(self) -> bool:
        return self.reads in (Reads.EMBEDDINGS, Reads.HIDDEN, Reads.FIRST_ROW)


LAYERED = frozenset({"layers", "layer_weights", "over_layers"})

OBJECTIVES = {
    "embedding_mse": Objective(Reads.EMBEDDINGS),
    "hidden_mse": Objective(Reads.HIDDEN, options=LAYERED),
    "hidden_cosine": Objective(Reads.HIDDEN, options=LAYERED),
    "hidden_increment_mse": Objective(Reads.HIDDEN, options=LAYERED),
    "first_row_mse": Objective(Reads.FIRST_ROW, options=LAYERED),
    "attention_scores_mse": Objective(Reads.ATTENTION, same_heads=True, options=LAYERED, attention=("scores",)),
    "attention_probabilities_mse": Objective(
        Reads.ATTENTION, same_heads=True, options=LAYERED, attention=("probabilities",)
    ),
    "attention_cross_entropy": Objective(Reads.ATTENTION, same_heads=True, options=LAYERED, attention=("scores",)),
    "attention_kl": Objective(Reads.ATTENTION, same_heads=True, options=LAYERED, attention=("scores",)),
    "attention_relation_kl": Objective(Reads.ATTENTION, options=LAYERED | {"relations", "relation_heads"}),
    "soft_cross_entropy": Objective(Reads.OUTPUT, same_vocabulary=False, heads=CLASSIFICATION),
    "soft_kl": Objective(Reads.OUTPUT, same_vocabulary=False, heads=CLASSIFICATION),
    "output_mse": Objective(Reads.OUTPUT, same_vocabulary=False, heads=ANY_HEAD),
    "token_soft_cross_entropy": Objective(Reads.TOKENS, options=frozenset({"positions"})),
    "token_soft_kl": Objective(Reads.TOKENS, options=frozenset({"positions"})),
    "masked_language_model": Objective(Reads.TOKENS, same_vocabulary=False),
}
# The term that a recipe's hard_label_weight adds.
HARD_LABEL = "hard_label"
