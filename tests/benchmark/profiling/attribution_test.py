"""Names of operators against the graph they come from, asked of the runtime itself."""

from collections import Counter
from pathlib import Path

import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebert.benchmark.graph import delegated_pieces
from edgebert.benchmark.profiling.attribution import Origin, attribute
from edgebert.benchmark.profiling.events import Step
from edgebert.export.delegation import Outcome, lint
from edgebert.export.flatbuffer import read_model
from edgebert.export.model import Model
from tests.benchmark.conftest import DYNAMIC, FIXED
from tests.benchmark.profiling.compiled_test import Both

# What each kind of node is called inside XNNPACK, as its own source has it.
CALLED = {
    "FULLY_CONNECTED": "Fully Connected",
    "BATCH_MATMUL": "Batch Matrix Multiply",
    "SOFTMAX": "Softmax",
    "TRANSPOSE": "Transpose",
    "RSQRT": "Reciprocal Square Root",
    "ADD": "Add",
    "SUB": "Subtract",
    "MEAN": "Mean",
    "MUL": "Multiply",
}


def profiled(path: Path, length: int) -> tuple[Model, tuple[Step, ...], tuple[Origin, ...], list[list[int]]]:
    both = Both(path)
    steps = both.ask(length)[2].steps
    pieces = [sorted(piece) for piece in delegated_pieces(both.interpreter._get_ops_details())]
    model = read_model(path)
    return model, steps, attribute(model, steps, pieces), pieces


@pytest.mark.parametrize(("path", "length"), [(DYNAMIC, 16), (FIXED, 32)])
def test_every_product_and_norm_is_found_in_its_piece(path: Path, length: int) -> None:
    model, steps, origins, pieces = profiled(path, length)
    operators = model.subgraphs[0].operators
    named = [(step, origin) for step, origin in zip(steps, origins, strict=True) if origin.node is not None]
    for step, origin in named:
        kind = operators[origin.node].name
        if step.piece is None:
            assert kind == step.name
        else:
            assert origin.node in pieces[step.piece]
            assert CALLED.get(kind, step.name) in step.name
            assert origin.reason is None
    assert max(Counter(origin.node for _, origin in named).values()) == 1
    # Nothing that costs is left without a name.
    for kind in ("FULLY_CONNECTED", "BATCH_MATMUL", "SOFTMAX", "MEAN"):
        wanted = [index for piece in pieces for index in piece if operators[index].name == kind]
        assert [origin.node for _, origin in named if operators[origin.node].name == kind] == wanted and wanted
        assert all(origin.output for _, origin in named)


def test_a_square_that_xnnpack_merged_with_its_mean_has_no_operator() -> None:
    model, _, origins, pieces = profiled(FIXED, 32)
    operators = model.subgraphs[0].operators
    found = {origin.node for origin in origins}
    products = [operators[index] for index in pieces[0] if operators[index].name == "MUL"]
    squares = {operator.index for operator in products if len(set(operator.inputs)) == 1}
    assert squares and not squares & found
    assert {operator.index for operator in products} - squares <= found


def test_what_litert_runs_itself_has_the_linters_reason() -> None:
    model, steps, origins, _ = profiled(FIXED, 32)
    verdicts = lint(model)[0].verdicts
    outside = [(step, origin) for step, origin in zip(steps, origins, strict=True) if step.piece is None]
    assert {origin.node for _, origin in outside} == {v.node for v in verdicts if v.outcome is not Outcome.TAKEN}
    assert all(origin.reason == verdicts[origin.node].reason for _, origin in outside)
    slice_ = next(origin for step, origin in outside if step.name == "STRIDED_SLICE")
    assert "drops a dimension" in slice_.reason and "RESHAPE" in slice_.change


def test_what_cannot_be_told_is_not_guessed() -> None:
    model, steps, _, pieces = profiled(FIXED, 32)
    products = [position for position, step in enumerate(steps) if step.name.startswith("Fully Connected")]
    fewer = [step for position, step in enumerate(steps) if position != products[0]]
    origins = attribute(model, fewer, pieces)
    for step, origin in zip(fewer, origins, strict=True):
        if step.name.startswith("Fully Connected") and step.piece == steps[products[0]].piece:
            assert origin == Origin()
    # And without knowing the pieces, nothing inside them.
    blind = attribute(model, steps, [])
    assert all(origin == Origin() for step, origin in zip(steps, blind, strict=True) if step.piece is not None)


def test_pieces_are_counted_as_the_runtime_counts_them() -> None:
    interpreter = Interpreter(str(FIXED))
    interpreter.allocate_tensors()
    nodes = interpreter._get_ops_details()
    pieces = delegated_pieces(nodes)
    assert len(pieces) == sum(node["op_name"] == "DELEGATE" for node in nodes) == 2
    assert not pieces[0] & pieces[1]
