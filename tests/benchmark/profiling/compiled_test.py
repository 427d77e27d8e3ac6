"""The profiled copy against LiteRT's Python interpreter: the same answers, and the operators that it lists itself."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edgebert.benchmark.graph import delegated_pieces, describe_delegation
from edgebert.benchmark.profiling.compiled import CompiledModel
from edgebert.benchmark.profiling.events import Pass, read_pass
from tests.benchmark.conftest import DYNAMIC, FIXED, WITHOUT_SEGMENTS

HIGHEST_ID = 20


class Both:
    """One model twice, asked alike."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self.interpreter = Interpreter(str(path), num_threads=threads)
        details = self.interpreter.get_signature_runner().get_input_details()
        self.inputs = {name: (detail["index"], detail["dtype"]) for name, detail in details.items()}
        self.free = any(-1 in detail["shape_signature"] for detail in details.values())
        del details
        self.compiled = CompiledModel(str(path), threads)

    def ask(self, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, Pass]:
        draw = np.random.default_rng(seed)
        arrays = {}
        for name, (index, dtype) in self.inputs.items():
            highest = 2 if "mask" in name else 1 if "segment" in name else HIGHEST_ID
            arrays[name] = draw.integers(0, highest, (1, length)).astype(dtype)
            if self.free:
                self.interpreter.resize_tensor_input(index, (1, length))
        self.interpreter.allocate_tensors()
        for name, array in arrays.items():
            self.interpreter.set_tensor(self.inputs[name][0], array)
        self.interpreter.invoke()
        wanted = self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])
        wall_ns, events = self.compiled.run(arrays)
        assert wall_ns > 0
        (answer,) = self.compiled.answers()
        return wanted, answer, read_pass(events)


@pytest.mark.parametrize(
    ("path", "lengths"),
    [(DYNAMIC, (16, 40, 3, 16)), (FIXED, (32, 32)), (WITHOUT_SEGMENTS, (16,))],
    ids=["dynamic", "fixed", "no segments"],
)
def test_it_answers_as_the_interpreter_does(path: Path, lengths: tuple[int, ...]) -> None:
    both = Both(path)
    for seed, length in enumerate(lengths):
        wanted, answer, _ = both.ask(length, seed)
        np.testing.assert_array_equal(answer, wanted)


@pytest.mark.parametrize(("path", "length"), [(DYNAMIC, 16), (FIXED, 32), (WITHOUT_SEGMENTS, 16)])
def test_its_operators_are_those_that_the_interpreter_lists(path: Path, length: int) -> None:
    both = Both(path)
    _, _, read = both.ask(length)
    nodes = both.interpreter._get_ops_details()
    outside = Counter(step.name for step in read.steps if step.piece is None)
    assert outside == describe_delegation(nodes)["operators_outside"]
    names = {node["index"]: node["op_name"] for node in nodes}
    assert all(names[step.number] == step.name for step in read.steps if step.piece is None)
    assert {step.piece for step in read.steps} - {None} == set(range(len(delegated_pieces(nodes))))


def test_every_run_has_the_same_operators_at_every_length() -> None:
    both = Both(DYNAMIC, threads=2)
    assert len({both.ask(length)[2].steps for length in (3, 17, 40)}) == 1


def test_a_file_that_is_no_model_is_told_with_the_function_that_failed(tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(b"nothing")
    with pytest.raises(RuntimeError, match="LiteRtCreateModelFromFile answered with status"):
        CompiledModel(str(path), 1)
