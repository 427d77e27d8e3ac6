"""Every quantised tensor of a file against the same tensor of the float32 graph, on real texts.

Tensors are found by their names, and a constant by the operator that reads it, since equal ones are merged and renamed.
What a reshape or transpose returns has its input's numbers and is not counted again; nothing else is left out, and what
has no partner is listed with the reason.
"""

import math
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model, Operator, Subgraph, Tensor
from edgebert.export.quantization.observing import Inputs
from edgebert.export.sensitivity.dequantizing import dequantized, dequantized_constant, rounded
from edgebert.export.sensitivity.differences import Difference
from edgebert.export.sensitivity.naming import base_name, operators_by_output
from edgebert.export.sensitivity.parts import DENSE, MOVES, PRODUCT, TABLE, places
from edgebert.export.sensitivity.result import ACTIVATION, WEIGHT, TensorError, Unmapped
from edgebert.export.weights import constant_roots
from edgebert.progress import Progress, Report, silent
from edgebert.quiet import quiet_native_output

_INTEGERS = frozenset({"int4", "int8", "int16"})
_ROUNDED_TYPES = _INTEGERS | {"float16"}


@dataclass(frozen=True)
class Comparison:
    tensors: tuple[TensorError, ...]
    unmapped: tuple[Unmapped, ...]


@dataclass(frozen=True)
class _Pair:
    """A tensor's numbers in the float32 graph and in the file, and what it is called."""

    exact: int
    found: int
    part: str
    label: str


def compare_tensors(float32: bytes, quantized: bytes, texts: Sequence[Inputs], report: Report = silent) -> Comparison:
    """`float32` must be the graph that `quantized` was made of: where a scheme moves scale, the graph with it moved."""
    if not texts:
        raise ArtefactError("texts: expected at least one to compare tensors on, got none. Do: give some.")
    exact, found = read_model(float32), read_model(quantized)
    weights, missing_weights = _weights(exact, found)
    pairs, missing = _activation_pairs(exact.subgraphs[0], found.subgraphs[0])
    activations = _activations(float32, quantized, found.subgraphs[0], pairs, texts, report)
    return Comparison((*weights, *activations), (*missing_weights, *missing))


def _weights(exact: Model, found: Model) -> tuple[list[TensorError], list[Unmapped]]:
    """Each constant that the file has rounded, once for all operators that read it."""
    graph, original = found.subgraphs[0], exact.subgraphs[0]
    roots, where, partners = constant_roots(graph), places(original), operators_by_output(original)
    errors, unmapped, seen = [], [], set()
    for name, operator in operators_by_output(graph).items():
        for position, index in enumerate(operator.inputs):
            tensor = roots.get(index)
            if tensor is None or not _is_rounded(tensor) or tensor.buffer in seen:
                continue
            seen.add(tensor.buffer)
            partner = partners.get(name)
            problem = _weight_problem(original, partner, position, operator, tensor)
            if problem:
                unmapped.append(Unmapped(tensor.name, problem))
                continue
            difference = Difference()
            constant = original.tensors[partner.inputs[position]]
            difference.add(exact.values(constant), dequantized_constant(found, graph, tensor))
            place = where.get(partner.index)
            part = place.name if place else partner.name
            sqnr = _finite(difference.sqnr_db)
            errors.append(
                TensorError(
                    name=f"{part}.{_constant_role(operator, position)}",
                    tensor=tensor.name,
                    part=part,
                    role=WEIGHT,
                    dtype=tensor.dtype,
                    elements=tensor.elements,
                    sqnr_db=sqnr,
                    own_sqnr_db=sqnr,
                    cosine=_shown_cosine(difference),
                )
            )
    return errors, unmapped


def _is_rounded(tensor: Tensor) -> bool:
    if tensor.dtype == "int32":
        return tensor.quantization is not None
    return tensor.dtype == "float16" or (tensor.dtype in _INTEGERS and tensor.quantization is not None)


def _weight_problem(
    original: Subgraph, partner: Operator | None, position: int, operator: Operator, tensor: Tensor
) -> str:
    if partner is None or partner.name != operator.name or position >= len(partner.inputs):
        return f"no {operator.name} of the float32 graph returns what its reader returns"
    constant = original.tensors[partner.inputs[position]]
    if not constant.is_constant or constant.dtype != "float32":
        return "it is no float32 constant in the float32 graph"
    if constant.shape != tensor.shape:
        return f"its shape {list(tensor.shape)} is {list(constant.shape)} in the float32 graph"
    return ""


def _constant_role(operator: Operator, position: int) -> str:
    if operator.name in (TABLE, "GATHER"):
        return "weight"
    if operator.name == DENSE:
        return ("input", "kernel", "bias")[position]
    return f"constant{position}"


def _activation_pairs(original: Subgraph, graph: Subgraph) -> tuple[list[_Pair], list[Unmapped]]:
    """Every computed tensor that is integer in the file, and every result of an operator with rounded weights."""
    by_name = {original.tensors[index].name: index for each in original.operators for index in each.outputs}
    labels = _Labels(original)
    roots = constant_roots(graph)
    pairs, unmapped, seen = [], [], set()
    for operator in graph.operators:
        if operator.name in MOVES:
            continue
        has_rounded = any(index in roots and roots[index].dtype in _ROUNDED_TYPES for index in operator.inputs)
        for index in operator.outputs:
            tensor = graph.tensors[index]
            is_integer = tensor.dtype in _INTEGERS and tensor.quantization is not None
            if index in roots or not (is_integer or (has_rounded and tensor.dtype == "float32")):
                continue
            partner = by_name.get(base_name(tensor.name))
            if partner is None or original.tensors[partner].dtype != "float32":
                unmapped.append(Unmapped(tensor.name, "the float32 graph computes no tensor of this name"))
            elif (partner, tensor.dtype) not in seen:
                seen.add((partner, tensor.dtype))
                pairs.append(_Pair(partner, index, *labels.of(partner, is_given=operator.name == "QUANTIZE")))
    return pairs, unmapped


class _Labels:
    """Part and name of a computed tensor: its maker's output, or where it is rounded for its readers, their input."""

    def __init__(self, original: Subgraph):
        self._places = places(original)
        self._original = original

    def of(self, index: int, is_given: bool) -> tuple[str, str]:
        readers = [each for each in self._original.readers.get(index, ()) if each.name in (DENSE, PRODUCT)]
        if is_given and readers:
            names = dict.fromkeys(self._places[each.index].name for each in readers)
            first, *others = names
            kinds = ",".join([first, *(name.rsplit(".", 1)[-1] for name in others)])
            return first, f"{kinds}.{'input' if readers[0].name == DENSE else 'operand'}"
        maker = self._original.producers[index]
        place = self._places.get(maker.index)
        part = place.name if place else maker.name
        return part, f"{part}.output"


def _activations(
    float32: bytes,
    quantized: bytes,
    graph: Subgraph,
    pairs: Sequence[_Pair],
    texts: Sequence[Inputs],
    report: Report,
) -> Iterator[TensorError]:
    arrived: dict[_Pair, Difference] = defaultdict(Difference)
    own: dict[_Pair, Difference] = defaultdict(Difference)
    exact_run, found_run = _Watched(float32), _Watched(quantized)
    for done, inputs in enumerate(texts, 1):
        exact_run.answer(inputs)
        found_run.answer(inputs)
        for pair in pairs:
            exact, found = exact_run.tensor(pair.exact), found_run.tensor(pair.found)
            tensor = graph.tensors[pair.found]
            if tensor.quantization is not None and tensor.dtype in _INTEGERS:
                own[pair].add(exact, rounded(exact, tensor.quantization, tensor.dtype))
                found = dequantized(found, tensor.quantization)
            arrived[pair].add(exact, found)
        report(Progress("compare tensors", done, len(texts)))
    for pair in pairs:
        tensor, difference = graph.tensors[pair.found], arrived[pair]
        yield TensorError(
            name=pair.label,
            tensor=base_name(tensor.name),
            part=pair.part,
            role=ACTIVATION,
            dtype=tensor.dtype,
            elements=difference.elements,
            sqnr_db=_finite(difference.sqnr_db),
            own_sqnr_db=_finite(own[pair].sqnr_db) if pair in own else None,
            cosine=_shown_cosine(difference),
        )


class _Watched:
    """A file in an interpreter that keeps every tensor."""

    def __init__(self, content: bytes):
        from ai_edge_litert.interpreter import Interpreter

        with quiet_native_output(), warnings.catch_warnings():
            # It warns about the memory that intermediate tensors take, which are what is asked for.
            warnings.simplefilter("ignore", UserWarning)
            self._interpreter = Interpreter(
                model_content=content, num_threads=1, experimental_preserve_all_tensors=True
            )
            self._run = self._interpreter.get_signature_runner()
        self._names = tuple(self._run.get_input_details())

    def answer(self, inputs: Mapping[str, np.ndarray]) -> None:
        self._run(**{name: inputs[name] for name in self._names})

    def tensor(self, index: int) -> np.ndarray:
        return self._interpreter.get_tensor(index)


def _finite(decibels: float) -> float | None:
    """For a document: None for no error. What is nothing but error is as far below 0 as anything can be told apart."""
    if decibels == math.inf:
        return None
    return round(max(decibels, -300.0), 3)


def _shown_cosine(difference: Difference) -> float:
    return round(min(1.0, difference.cosine), 9)
