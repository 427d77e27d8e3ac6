"""The benchmark's worker with a second copy of its model, whose profiler is on: `python -m ...profiling.worker`.

Plain and profiled runs take turns in one process, so that what profiling itself costs is measured beside it.
"""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from edgebert.benchmark.graph import delegated_pieces
from edgebert.benchmark.profiling.library import missing_profiler
from edgebert.benchmark.worker import Answer, Worker, serve

COMMAND = (sys.executable, "-m", "edgebert.benchmark.profiling.worker")


class ProfilingWorker(Worker):
    """`run` with `profiled` runs the second copy; every other question is answered as by the benchmark's worker."""

    def __init__(self) -> None:
        super().__init__()
        self._opened: dict[str, Any] = {}
        self._names: dict[int, str] = {}
        self._compiled: Any = None
        self._inputs: list[dict[str, np.ndarray]] = []
        self._pieces: list[list[int]] = []
        self._steps: list[list[object]] | None = None

    def start(self, cores: list[int] | None) -> Answer:
        return {**super().start(cores), "instead_of_profiler": missing_profiler()}

    def open(self, path: str, threads: int) -> Answer:
        answer = super().open(path, threads)
        self._opened = {"path": path, "threads": threads}
        self._names = {detail["tensor"]: detail["name"] for detail in answer["inputs"]}
        return answer

    def prepare(self, tensors: Sequence[int], dtypes: Sequence[str], arrays: Sequence[Any]) -> Answer:
        from edgebert.benchmark.profiling.compiled import CompiledModel

        answer = super().prepare(tensors=tensors, dtypes=dtypes, arrays=arrays)
        self._compiled = CompiledModel(**self._opened)
        names = [self._names[tensor] for tensor in tensors]
        self._inputs = [
            {name: np.asarray([row], dtype) for name, row, dtype in zip(names, rows, dtypes, strict=True)}
            for rows in arrays
        ]
        self._pieces = [sorted(piece) for piece in delegated_pieces(self._session.nodes())]
        return answer

    def run(self, inputs: list[int], profiled: bool = False) -> Answer:
        return self._run_profiled(inputs) if profiled else super().run(inputs)

    def _run_profiled(self, inputs: Sequence[int]) -> Answer:
        from edgebert.benchmark.profiling.events import read_pass

        columns: dict[str, list] = {"input": [], "wall_ns": [], "invoke_us": [], "elapsed_us": []}
        for index in inputs:
            wall_ns, events = self._compiled.run(self._inputs[index])
            read = read_pass(events)
            steps = [[step.name, step.number, step.piece] for step in read.steps]
            if self._steps not in (None, steps):
                raise RuntimeError(f"expected the same operators in every run, got other ones for input {index}")
            self._steps = steps
            values = (index, wall_ns, read.invoke_us, read.elapsed_us)
            for column, value in zip(columns.values(), values, strict=True):
                column.append(value)
        return {**columns, "steps": self._steps, "pieces": self._pieces}


if __name__ == "__main__":
    serve(ProfilingWorker())
