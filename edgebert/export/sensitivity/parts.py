"""A graph's operators by the part of the model that they are: `blocks.0.feed_forward.down`, `embeddings.word`.

The names follow those of the model's variables, read from what the converter calls each operator's output. Operators
that share weights (ALBERT's layers) are one part: they cannot be treated apart. A graph of another maker has its
operators' kinds and numbers for names.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from edgebert.export.model import Operator, Subgraph

DENSE, PRODUCT, TABLE = "FULLY_CONNECTED", "BATCH_MATMUL", "EMBEDDING_LOOKUP"
MOVES = ("RESHAPE", "TRANSPOSE")
SCORES, CONTEXT = "scores", "context"
WORDS, POSITIONS, SEGMENTS = "embeddings.word", "embeddings.position", "embeddings.segment"

_LAYER = re.compile(r"(?:^|;)([^;]*?)/(MatMul|BiasAdd)(?:_\d+)?(?=[;/]|$)")
_BLOCK = re.compile(r"(?:^|/)block_(\d+)(?:/|$)")
_NORM = re.compile(r"(?:^|/)([a-z_]*norm)/")
# Of a list of layers the converter has the layers' names, and a variable its place in the list.
_LISTED = re.compile(r"earlier_feed_forward_(\d+)")
_FUNCTIONS = frozenset({"GELU", "LOGISTIC", "RELU", "TANH"})


@dataclass(frozen=True)
class Place:
    """What an operator is: `kind` is the same in every block, `block` is None outside of them."""

    kind: str
    block: int | None = None

    @property
    def name(self) -> str:
        return self.kind if self.block is None else f"blocks.{self.block}.{self.kind}"


def places(subgraph: Subgraph) -> dict[int, Place]:
    """Of every operator that returns numbers, by its own number."""
    found: dict[int, Place] = {}
    for operator in subgraph.operators:
        if operator.outputs and subgraph.tensors[operator.outputs[0]].dtype.startswith("float"):
            found[operator.index] = _place(subgraph, operator)
    # Heads are split and joined in whatever form their product needs.
    for operator in subgraph.operators:
        if operator.name == PRODUCT:
            for move in _moves_around(subgraph, operator, found[operator.index].kind):
                found[move.index] = found[operator.index]
    return found


def _place(subgraph: Subgraph, operator: Operator) -> Place:
    name = subgraph.tensors[operator.outputs[0]].name
    block = _BLOCK.search(name)
    number = int(block.group(1)) if block else None
    if operator.name == DENSE:
        return _dense(name, operator)
    if operator.name == PRODUCT:
        return Place(SCORES if _reaches_softmax(subgraph, operator) else CONTEXT, number)
    if operator.name in (TABLE, "GATHER"):
        return Place(_table(subgraph, operator))
    norm = _NORM.search(name.rsplit(";", 1)[-1])
    if norm is not None:
        return Place(norm.group(1) if number is not None else f"embeddings.{norm.group(1)}", number)
    if operator.name in _FUNCTIONS:
        return Place("activation_function", number)
    if operator.name == "SOFTMAX":
        return Place("answer" if operator.outputs[0] in subgraph.outputs else "probabilities", number)
    if operator.name == "ADD":
        return Place("masked_scores" if _reaches_softmax(subgraph, operator) else "residual", number)
    return Place(operator.name.lower(), number)


def _dense(name: str, operator: Operator) -> Place:
    """The layer whose product this is; what was folded into it stands in the name too, before it."""
    layers = _LAYER.findall(name)
    products = [path for path, what in layers if what == "MatMul"] or [path for path, _ in layers]
    if not products:
        return Place(f"dense.{operator.index}")
    path = _LISTED.sub(r"earlier_feed_forwards/\1", products[-1])
    block = _BLOCK.search(path)
    if block is not None:
        return Place(path[block.end() :].replace("/", "."), int(block.group(1)))
    return Place(path.removeprefix("model/").removeprefix("encoder/").replace("/", "."))


def _table(subgraph: Subgraph, operator: Operator) -> str:
    """By what its ids are made of: positions are counted, the others are inputs."""
    index = operator.inputs[0 if operator.name == TABLE else 1]
    while index in subgraph.producers:
        if subgraph.producers[index].name == "CUMSUM":
            return POSITIONS
        index = subgraph.producers[index].inputs[0]
    name = subgraph.tensors[index].name
    for part, table in (("segment_ids", SEGMENTS), ("input_ids", WORDS), ("input_mask", "mask")):
        if part in name:
            return table
    return f"embeddings.{operator.index}"


def _reaches_softmax(subgraph: Subgraph, operator: Operator) -> bool:
    following = subgraph.readers.get(operator.outputs[0], ())
    if any(each.name == "SOFTMAX" for each in following):
        return True
    return operator.name == PRODUCT and any(
        each.name in ("ADD", "MUL") and _reaches_softmax(subgraph, each) for each in following
    )


def _moves_around(subgraph: Subgraph, product: Operator, kind: str) -> Iterator[Operator]:
    producers, readers = subgraph.producers, subgraph.readers
    for index in product.inputs if kind == SCORES else product.inputs[1:]:
        while index in producers and producers[index].name in MOVES:
            yield producers[index]
            index = producers[index].inputs[0]
    index = product.outputs[0]
    while len(readers.get(index, ())) == 1 and readers[index][0].name in MOVES:
        yield readers[index][0]
        index = readers[index][0].outputs[0]
