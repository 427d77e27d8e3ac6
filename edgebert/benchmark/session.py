"""One model in LiteRT's interpreter, opened, fed and timed. Runs inside a worker, which holds nothing else."""

import time
from collections.abc import Sequence
from importlib import metadata

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edgebert.benchmark.graph import describe_delegation, embedding_table

COLUMNS = ("input", "wall_ns", "process_cpu_ns", "thread_cpu_ns", "resize_wall_ns")
# A pass over the warm-up inputs that is not this much faster than the best before it has stopped improving.
_SETTLED_GAIN = 0.03
_PASSES_TO_SETTLE = 2


class Session:
    def __init__(self, path: str, threads: int) -> None:
        started = time.perf_counter_ns()
        self._interpreter = Interpreter(model_path=path, num_threads=threads)
        self.open_ns = time.perf_counter_ns() - started
        self._inputs: list[list[np.ndarray]] = []
        self._tensors: list[int] = []
        self._resizable = False
        self._length: int | None = None

    def describe(self) -> dict[str, object]:
        """What the parent needs to build inputs: every input by its signature's name, and the tables they index."""
        nodes = self.nodes()
        inputs = []
        for name, detail in self._named_inputs().items():
            table = embedding_table(nodes, int(detail["index"]))
            inputs.append(
                {
                    "name": name,
                    "tensor": int(detail["index"]),
                    "shape": [int(size) for size in detail["shape_signature"]],
                    "dtype": np.dtype(detail["dtype"]).name,
                    "table_rows": None if table is None else self._rows(table),
                }
            )
        return {"open_ns": self.open_ns, "inputs": inputs, "signatures": len(self._interpreter.get_signature_list())}

    def prepare(self, tensors: Sequence[int], dtypes: Sequence[str], arrays: Sequence[Sequence[Sequence[int]]]) -> dict:
        """Take the inputs (`arrays[input][tensor]` is one row of ids), allocate for the first, run it once."""
        self._tensors = list(tensors)
        self._inputs = [[np.asarray([row], dtype) for row, dtype in zip(rows, dtypes, strict=True)] for rows in arrays]
        shapes = {int(detail["index"]): detail["shape_signature"] for detail in self._interpreter.get_input_details()}
        self._resizable = any(-1 in shapes[tensor] for tensor in self._tensors)
        started = time.perf_counter_ns()
        if self._resizable:
            self._resize(self._inputs[0])
        self._interpreter.allocate_tensors()
        allocate_ns = time.perf_counter_ns() - started
        self._length = self._inputs[0][0].shape[1]
        delegation = describe_delegation(self.nodes())
        first = self.run([0])
        return {"allocate_ns": allocate_ns, "first_run_ns": first["wall_ns"][0], "delegation": delegation}

    def run(self, inputs: Sequence[int]) -> dict[str, list[int]]:
        """Each input once, in this order, as columns."""
        rows = [(index, *self._run_one(self._inputs[index])) for index in inputs]
        return {name: list(column) for name, column in zip(COLUMNS, zip(*rows, strict=True), strict=True)}

    def warm_up(self, inputs: Sequence[int], passes_limit: int) -> dict[str, object]:
        """Passes over `inputs` until they stop getting faster; every run is returned."""
        columns: dict[str, list[int]] = {name: [] for name in COLUMNS}
        pass_ns: list[int] = []
        while len(pass_ns) < passes_limit and not has_settled(pass_ns):
            measured = self.run(inputs)
            pass_ns.append(sum(measured["wall_ns"]))
            for name in COLUMNS:
                columns[name] += measured[name]
        return {**columns, "passes": len(pass_ns), "settled": has_settled(pass_ns)}

    def _run_one(self, arrays: Sequence[np.ndarray]) -> tuple[int, int, int, int]:
        resize_wall_ns = 0
        if self._resizable and arrays[0].shape[1] != self._length:
            started = time.perf_counter_ns()
            self._resize(arrays)
            self._interpreter.allocate_tensors()
            resize_wall_ns = time.perf_counter_ns() - started
            self._length = arrays[0].shape[1]
        for tensor, array in zip(self._tensors, arrays, strict=True):
            self._interpreter.set_tensor(tensor, array)
        # Wall time innermost: reading the CPU clocks is a system call each and must not be in it.
        process, thread, wall = time.process_time_ns(), time.thread_time_ns(), time.perf_counter_ns()
        self._interpreter.invoke()
        wall = time.perf_counter_ns() - wall
        thread, process = time.thread_time_ns() - thread, time.process_time_ns() - process
        return wall, process, thread, resize_wall_ns

    def _resize(self, arrays: Sequence[np.ndarray]) -> None:
        for tensor, array in zip(self._tensors, arrays, strict=True):
            self._interpreter.resize_tensor_input(tensor, array.shape)

    def _named_inputs(self) -> dict[str, dict]:
        signatures = self._interpreter.get_signature_list()
        if len(signatures) == 1:
            return self._interpreter.get_signature_runner(next(iter(signatures))).get_input_details()
        return {detail["name"]: detail for detail in self._interpreter.get_input_details()}

    def nodes(self) -> list[dict]:
        """The runtime's own list, after `prepare` with what the delegate took."""
        # Works around LiteRT: the interpreter tells its nodes through this private method only.
        return self._interpreter._get_ops_details()

    def _rows(self, tensor: int) -> int:
        return int(self._interpreter._get_tensor_details(tensor, 0)["shape"][0])


def has_settled(pass_ns: Sequence[int]) -> bool:
    if len(pass_ns) <= _PASSES_TO_SETTLE:
        return False
    earlier, latest = pass_ns[:-_PASSES_TO_SETTLE], pass_ns[-_PASSES_TO_SETTLE:]
    return min(latest) >= (1 - _SETTLED_GAIN) * min(earlier)


def describe_runtime() -> dict[str, str]:
    return {"name": "LiteRT", "version": metadata.version("ai-edge-litert"), "numpy_version": np.__version__}
