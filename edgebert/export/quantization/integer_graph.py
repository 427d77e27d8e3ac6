"""A float graph in the form that can be integer from end to end: tables are gathered, and the mask is a table too.

Of the mask's float arithmetic, (1 - mask) times -10000, nothing can be int8: one step would be 40 wide, and the scores
it is added to have a span of 20. A table of two numbers says the same, and its first one only has to be as far below
the scores as int8's softmax needs to give 0.
"""

from collections.abc import Mapping

import numpy as np

from edgebert.compression.quantizing.ranges import SCORES_BELOW_ANY
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Operator, Subgraph
from edgebert.export.quantization.editing import GraphEditor
from edgebert.export.quantization.observing import Observed
from edgebert.export.quantization.ranges import Range
from edgebert.export.quantization.recipes import Rule, quantize_by_rules, scope_of

# What ai-edge-quantizer makes int8 and LiteRT has int8 kernels for; the rest of a BERT's operators work on int32 ids.
_ARITHMETIC = frozenset({"ADD", "BATCH_MATMUL", "FULLY_CONNECTED", "MEAN", "MUL", "SUB"})
_FUNCTIONS = frozenset({"GELU", "LOGISTIC", "RELU", "RSQRT", "SOFTMAX", "TANH"})
_MOVES = frozenset({"CONCATENATION", "GATHER", "PAD", "RESHAPE", "STRIDED_SLICE", "TRANSPOSE"})
INTEGER_OPERATORS = _ARITHMETIC | _FUNCTIONS | _MOVES
_MOVING = ("RESHAPE", "STRIDED_SLICE", "EXPAND_DIMS")


def make_integer_ready(graph: bytes, observed: Mapping[int, Observed]) -> bytes:
    """The same function for every text; what is masked is as far below the scores as it has to be, no further.
    Tensors keep their numbers, and what was observed of them holds."""
    return integer_ready(graph, max(_spans(read_model(graph).subgraphs[0], observed), default=0.0))


def integer_ready(graph: bytes, depth: float) -> bytes:
    """The same with what is masked `depth` below what it was."""
    subgraph = read_model(graph).subgraphs[0]
    editor = GraphEditor(graph)
    for operator in subgraph.operators:
        if operator.name == "EMBEDDING_LOOKUP":
            ids, table = operator.inputs
            editor.make_gather(operator.index, table, ids, operator.outputs[0])
    _replace_mask(subgraph, editor, depth)
    return editor.content()


def check_operators(graph: bytes) -> None:
    """Refuse, before calibration, a graph of which something would stay float, and say what."""
    subgraph = read_model(graph).subgraphs[0]
    floats = sorted({each.name for each in float_operators(subgraph) if each.name not in INTEGER_OPERATORS})
    if floats:
        raise ArtefactError(
            f"full-int8: expected operators that have an integer form, got {', '.join(floats)}, which would stay float."
            " Do: use a classifier of the first token, whose graph has none of them, or the scheme static."
        )


def float_operators(subgraph: Subgraph) -> list[Operator]:
    return [
        operator
        for operator in subgraph.operators
        if any(subgraph.tensors[index].dtype == "float32" for index in operator.outputs)
    ]


def quantize_integers(graph: bytes, ranges: Mapping[int, Range]) -> bytes:
    """Every operator that computes with floats, in int8. `ranges`: of every activation."""
    subgraph = read_model(graph).subgraphs[0]
    # By name, one rule each: operators of the same kind that work on ids must be left alone.
    rules = [
        Rule(operator.name, activations=8, scope=scope_of(subgraph, operator)) for operator in float_operators(subgraph)
    ]
    return quantize_by_rules(graph, rules, ranges)


def with_masked_scores(subgraph: Subgraph, ranges: Mapping[int, Range]) -> dict[int, Range]:
    """The ranges with room below every score that calibration saw, for what is masked."""
    widened = dict(ranges)
    for scores, masked in masked_scores(subgraph):
        low, high = ranges[scores]
        widened[masked] = (low - SCORES_BELOW_ANY, high)
    return widened


def _spans(subgraph: Subgraph, observed: Mapping[int, Observed]) -> list[float]:
    seen = [observed[scores] for scores, _ in masked_scores(subgraph)]
    return [one.maximum - one.minimum + SCORES_BELOW_ANY for one in seen]


def masked_scores(subgraph: Subgraph) -> list[tuple[int, int]]:
    """For each attention the scores, and the same with the mask added, which its softmax is given."""
    producers = subgraph.producers
    found = []
    for softmax in (operator for operator in subgraph.operators if operator.name == "SOFTMAX"):
        addition = producers.get(softmax.inputs[0])
        if addition is not None and addition.name == "ADD":
            made = [index for index in addition.inputs if index in producers]
            scores = [index for index in made if producers[index].name == "BATCH_MATMUL"]
            found += [(index, softmax.inputs[0]) for index in scores]
    return found


def _replace_mask(subgraph: Subgraph, editor: GraphEditor, depth: float) -> None:
    """CAST, SUB from 1 and MUL become one GATHER; a graph that has them otherwise is left for `check_operators`."""
    for cast in (each for each in subgraph.operators if each.name == "CAST"):
        chain = _mask_chain(subgraph, cast)
        if chain is not None:
            complement, factor = chain
            table = editor.new_constant(np.array([-depth, 0.0], np.float32), cast.outputs[0])
            editor.make_gather(cast.index, table, cast.inputs[0], complement.outputs[0])
            editor.remove(complement.index)
            editor.remove(factor.index, read_instead=factor.inputs[0])


def _mask_chain(subgraph: Subgraph, cast: Operator) -> tuple[Operator, Operator] | None:
    readers = subgraph.readers
    (complement, *others) = readers.get(cast.outputs[0], [None])
    if others or complement is None or complement.name != "SUB":
        return None
    index = complement.outputs[0]
    while len(readers.get(index, ())) == 1 and readers[index][0].name in _MOVING:
        index = readers[index][0].outputs[0]
    following = readers.get(index, ())
    if len(following) == 1 and following[0].name == "MUL" and following[0].inputs[0] == index:
        return complement, following[0]
    return None
