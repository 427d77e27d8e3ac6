"""Refusing a file that is not what was asked for, before anybody measures or ships it."""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from edgebert.errors import ArtefactError
from edgebert.export.delegation import Outcome
from edgebert.export.precisions import PRECISIONS
from edgebert.export.weights import Role

if TYPE_CHECKING:
    from edgebert.export.inspect import Summary

TOKEN_DTYPE = "int32"
INTEGER_OUTPUT_DTYPE = "int8"

# TensorFlow's converter leaves smaller weights float in every scheme, as they save nothing.
SMALLEST_COUNTED_ELEMENTS = 1024

_FLOATS = frozenset({"float32", "float16", "bfloat16", "float64"})

DEMANDS = {name: precision.demand for name, precision in PRECISIONS.items()}


def require(
    summary: "Summary",
    *,
    precision: str | None = None,
    inputs: Sequence[str] = (),
    outputs: Sequence[str] = (),
    no_flex: bool = True,
    compatible_with: str | None = None,
    largest_bytes: int | None = None,
    integer_output: bool = False,
) -> None:
    """Raise an ArtefactError for the first thing in which a file is not what was asked for.

    Whatever is asked: every operator's version must be honest and LiteRT must be able to prepare the graph.

    Args:
        precision: one of DEMANDS.
        inputs: names that each signature must have, no more and no fewer, all of them int32.
        outputs: likewise.
        no_flex: refuse TensorFlow operators; other custom operators are always refused.
        compatible_with: the name of a client generation that must be able to run it.
        largest_bytes: the largest size of the whole file.
        integer_output: outputs that are int8 with a scale, made by no operator that knows floats.
    """
    violations = _violations(summary, precision, inputs, outputs, no_flex, compatible_with, largest_bytes)
    for got, expected, advice in itertools.chain(violations, _float_outputs(summary) if integer_output else ()):
        raise ArtefactError(f"{summary.subject}: expected {expected}, got {got}. Do: {advice}.")


_Violation = tuple[str, str, str]


def _violations(summary, precision, inputs, outputs, no_flex, compatible_with, largest_bytes) -> Iterator[_Violation]:
    if no_flex and summary.flex_operators:
        yield (
            f"the TensorFlow operator {summary.flex_operators[0]}",
            "builtin operators only",
            "express it with builtin operators: phones do not have TensorFlow's",
        )
    if summary.custom_operators:
        yield (
            f"the custom operator {summary.custom_operators[0]}",
            "builtin operators only",
            "express it with builtin operators",
        )
    yield from _dishonest_versions(summary)
    yield from _broken_delegation(summary)
    for names, side in ((inputs, "inputs"), (outputs, "outputs")):
        if names:
            yield from _wrong_ports(summary, tuple(names), side)
    if precision is not None:
        yield from _wrong_types(summary, precision)
    if compatible_with is not None:
        yield from _incompatible(summary, compatible_with)
    if largest_bytes is not None and summary.size_bytes > largest_bytes:
        yield (
            f"{summary.size_bytes:,}",
            f"at most {largest_bytes:,} bytes",
            "use a narrower precision or a smaller model",
        )


def _dishonest_versions(summary: "Summary") -> Iterator[_Violation]:
    for entry in summary.understatements:
        yield (
            f"version {entry.version}",
            f"{entry.operator} (node {entry.node}) with version {entry.needed}, which its quantisation needs",
            "raise it with edgebert.export.versions.honest_versions: older runtimes load the file and answer wrongly",
        )


def _broken_delegation(summary: "Summary") -> Iterator[_Violation]:
    for delegation in summary.delegations:
        for verdict in delegation.verdicts:
            if verdict.outcome is Outcome.BREAKS:
                yield (
                    f"{verdict.operator} (node {verdict.node}): {verdict.reason}",
                    "a graph that XNNPACK can prepare",
                    verdict.change,
                )


def _wrong_ports(summary: "Summary", names: tuple[str, ...], side: str) -> Iterator[_Violation]:
    for call in summary.calls:
        ports = getattr(call, side)
        found = tuple(sorted(port.name for port in ports))
        if found != tuple(sorted(names)):
            yield ", ".join(found) or "none", f"the {side} {', '.join(names)}", "name them so in the signature"
        for port in ports if side == "inputs" else ():
            if port.dtype != TOKEN_DTYPE:
                yield port.dtype, f"{TOKEN_DTYPE} for the input {port.name}", "leave inputs out of the quantisation"


def _wrong_types(summary: "Summary", precision: str) -> Iterator[_Violation]:
    if precision not in DEMANDS:
        raise ValueError(f"precision: expected one of {', '.join(DEMANDS)}, got {precision}")
    demand = DEMANDS[precision]
    tables = [weight for weight in summary.weights if weight.role is Role.EMBEDDING]
    largest_elements = max((table.elements for table in tables), default=0)
    for weight in summary.weights:
        counts = weight.is_matrix and weight.role is not Role.REST and weight.elements >= SMALLEST_COUNTED_ELEMENTS
        allowed = demand.weights
        if weight.role is Role.EMBEDDING:
            allowed = demand.tables if weight.elements == largest_elements else demand.tables | demand.weights
        if counts and weight.dtype not in allowed:
            yield (
                f"{weight.dtype} {list(weight.shape)} ({weight.size_bytes:,} bytes)",
                f"{_either(allowed)} for the matrix '{weight.name}' in {precision}",
                "see why the converter or quantiser left it out, or ask for another precision",
            )
    for row in summary.operators:
        allowed = demand.products.get(row.name)
        others = set() if allowed is None else set(row.activations) - allowed
        if others:
            yield (
                f"{', '.join(sorted(others))} in {row.count}",
                f"{row.name} that computes with {_either(allowed)} in {precision}",
                "see which operators the quantiser was told to take, or ask for another precision",
            )
    if demand.is_integer_throughout:
        yield from _left_float(summary, precision)


def _left_float(summary: "Summary", precision: str) -> Iterator[_Violation]:
    """Every operator that computes with floats, but for one that hands each output over."""
    handing_over = sum(len(call.outputs) for call in summary.calls)
    floats = {
        row.name: row.count
        for row in summary.operators
        if _FLOATS & {*row.activations, *row.weights} and not (row.name == "DEQUANTIZE" and row.count <= handing_over)
    }
    if floats:
        yield (
            ", ".join(f"{name} x {count}" for name, count in floats.items()) + " in float",
            f"integer operators only in {precision}",
            "see which operators have no integer form, or ask for static, which keeps them in float",
        )


def _float_outputs(summary: "Summary") -> Iterator[_Violation]:
    for port in (port for call in summary.calls for port in call.outputs):
        if port.dtype != INTEGER_OUTPUT_DTYPE or port.quantization is None:
            yield (
                port.dtype if port.quantization else f"{port.dtype} without a scale",
                f"{INTEGER_OUTPUT_DTYPE} with a scale for the output {port.name}",
                "convert to full-int8 with an integer output",
            )
    if dequantizing := sum(row.count for row in summary.operators if row.name == "DEQUANTIZE"):
        yield f"DEQUANTIZE x {dequantizing}", "no operator that makes floats", "convert with an integer output"


def _either(types: frozenset[str]) -> str:
    return " or ".join(sorted(types))


def _incompatible(summary: "Summary", client: str) -> Iterator[_Violation]:
    verdicts = {verdict.name: verdict for verdict in summary.clients}
    if client not in verdicts:
        raise ValueError(f"compatible_with: expected one of {', '.join(verdicts)}, got {client}")
    if not verdicts[client].can_run:
        yield (
            verdicts[client].reason,
            f"a file that {verdicts[client].title} can run",
            "use per-tensor weights or float32, whose operators are old",
        )
