"""Measuring with TFLite's benchmark_model: one process of it for each block, its output read into the record.

The tool takes one input a process and tells every run's own time of two runs only (`tool_output`). So a block is a
process that loads the model, warms up and then runs one input twice, and all cases take turns.
"""

import math
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.interleaving import round_order
from edgebert.benchmark.phone import tool_output
from edgebert.benchmark.phone.connection import Phone, Said
from edgebert.benchmark.phone.contract import model_name
from edgebert.benchmark.phone.folder import PhoneFolder
from edgebert.benchmark.phone.tool_output import ToolOutput
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.preparing import PreparedCase
from edgebert.errors import MeasurementError
from edgebert.export.flatbuffer import read_model
from edgebert.files import sha256_of_file
from edgebert.measurement import NO_SAMPLES, Case, Delegation, Runtime, Samples, ToolStatistics

NAME = "benchmark_model"
# Two: of more the tool tells statistics only.
BLOCK_RUNS = 2
# Long enough for a governor to raise the cores' frequency after the load.
_WARMUP_RUNS, _WARMUP_SECONDS = 3, 0.3
_PROCESS_SECONDS = 600.0
# What a shell answers for a program that it may not or cannot start, and from where on for one that a signal ended.
_CANNOT_START = (126, 127)
_SIGNALLED = 128
_ELF = b"\x7fELF"
_PID, _INPUTS = "pid", "inputs"


def require_tool(path: Path | None) -> Path | None:
    """Refuse a file that is no program before anything is done."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            is_program = file.read(len(_ELF)) == _ELF
    except OSError as error:
        raise MeasurementError(
            f"--benchmark-model: expected TFLite's {NAME}, got '{error.strerror}' for {path}. Do: check the path."
        ) from error
    if not is_program:
        raise MeasurementError(
            f"--benchmark-model: expected TFLite's {NAME} built for Android, got {path}, which is no program. "
            "Do: give the binary itself (tensorflow/lite/tools/benchmark tells how to build it)."
        )
    return path


@dataclass
class ToolCase:
    """What the tool has told of one case."""

    prepared: PreparedCase
    delegate: str | None = None
    delegation: Delegation | None = None
    statistics: list[ToolStatistics] = field(default_factory=list)
    # Round, input, nanoseconds.
    runs: list[tuple[int, int, int]] = field(default_factory=list)
    busy_ns: int = 0

    def take(self, number: int, index: int, told: ToolOutput) -> None:
        warmup, measured = told.warmup, told.measured
        self.delegate, self.delegation = told.delegate, told.delegation
        self.busy_ns += measured.runs * measured.mean_ns + (warmup.runs * warmup.mean_ns if warmup else 0)
        self.runs += [(number, index, run_ns) for run_ns in measured.exact_ns or ()]
        self.statistics.append(
            ToolStatistics(
                round=number,
                input=index,
                initialization_ns=told.initialization_ns,
                first_run_ns=None if warmup is None else warmup.first_ns,
                warmup_runs=0 if warmup is None else warmup.runs,
                runs=measured.runs,
                mean_ns=measured.mean_ns,
                standard_deviation_ns=measured.standard_deviation_ns,
                minimum_ns=measured.minimum_ns,
                maximum_ns=measured.maximum_ns,
                median_ns=measured.median_ns,
                loaded_growth_bytes=told.loaded_growth_bytes,
                overall_growth_bytes=told.overall_growth_bytes,
            )
        )

    def finished(self, runtime: Runtime, affinity: tuple[int, ...] | None) -> Case:
        model, threads, length = self.prepared.setting
        rounds, inputs, wall_ns = zip(*self.runs, strict=True) if self.runs else ((), (), ())
        return Case(
            model=model,
            threads=threads,
            length=length,
            affinity=affinity,
            runtime=Runtime(runtime.name, runtime.version, self.delegate, None, None),
            delegation=self.delegation,
            inputs=self.prepared.feed.description,
            # The tool tells loading and allocating in one, in its statistics.
            load=None,
            memory=None,
            warmup_settled=None,
            warmup=NO_SAMPLES,
            samples=Samples(rounds, inputs, {"wall_ns": wall_ns}) if self.runs else NO_SAMPLES,
            tool_statistics=tuple(self.statistics),
        )


class ToolMeasuring:
    """All processes of the tool; `run` yields after each."""

    def __init__(self, phone: Phone, folder: PhoneFolder, tool: Path, plan: Plan, cases: tuple[PreparedCase, ...]):
        self._phone, self._folder, self._tool, self._plan = phone, folder, tool, plan
        self._cases = tuple(ToolCase(case) for case in cases)
        self._runtime = Runtime(NAME, f"file of sha256 {sha256_of_file(tool)[:12]}", None, None, None)
        self.rounds_done = 0

    @property
    def warmed(self) -> int:
        """Every process warms up by itself."""
        return len(self._cases)

    def needed_bytes(self) -> int:
        return sum(path.stat().st_size for path in (self._tool, *self._plan.models))

    def check(self) -> None:
        """Nothing that the phone could lack."""

    def put(self) -> None:
        self._folder.put(self._tool, NAME, executable=True)
        for number, model in enumerate(self._plan.models):
            self._folder.put(model, model_name(number))
        with tempfile.TemporaryDirectory() as folder:
            inputs = Path(folder) / _INPUTS
            inputs.mkdir()
            for position, case in enumerate(self._cases):
                _write_inputs(case.prepared, position, inputs)
            self._folder.put_all(inputs)

    def run(self) -> Iterator[None]:
        while self.rounds_done < self.rounds_needed():
            index = self.rounds_done % len(self._plan.texts.texts)
            *others, last = round_order(self._plan.seed, self.rounds_done, len(self._cases))
            for position in others:
                self._run_process(self._cases[position], position, index)
                yield
            self._run_process(self._cases[last], last, index)
            self.rounds_done += 1
            yield

    def cases(self) -> tuple[Case, ...]:
        affinity = None if self._plan.cores is None else tuple(sorted(set(self._plan.cores)))
        return tuple(case.finished(self._runtime, affinity) for case in self._cases)

    def runs(self) -> int:
        return sum(len(case.statistics) for case in self._cases)

    def stop(self) -> None:
        """End a process that is still there: closing the connection does not end it."""
        pid = f"{self._folder.path}/{_PID}"
        self._phone.require(f"test ! -f {pid} || kill $(cat {pid}) 2>/dev/null; true", f"stop {NAME}")

    def rounds_needed(self) -> int:
        """As on this machine, the tool's own warm-ups counted as time it ran."""
        for_runs = math.ceil(self._plan.runs / BLOCK_RUNS)
        if not self.rounds_done:
            return for_runs
        seconds_a_round = sum(case.busy_ns for case in self._cases) / 1e9 / self.rounds_done
        return max(for_runs, math.ceil(self._plan.minimum_seconds * len(self._cases) / max(seconds_a_round, 1e-9)))

    def _run_process(self, case: ToolCase, position: int, index: int) -> None:
        name = self._plan.models[case.prepared.setting[0]].name
        said = self._phone.shell(self._command(case.prepared, position, index), _PROCESS_SECONDS)
        told = tool_output.parse(said.text) if said.status == 0 else None
        if told is None:
            raise self._failed(name, said)
        if not told.reads_value_files:
            raise MeasurementError(
                f"--benchmark-model: expected a {NAME} that reads --input_layer_value_files, got one that passes over "
                "it and would run on random ids. Do: take one built from TensorFlow 2.3 or later."
            )
        case.take(self.rounds_done, index, told)

    def _command(self, case: PreparedCase, position: int, index: int) -> str:
        model, threads, _ = case.setting
        roles, folder = _roles_in_graph_order(self._plan.models[model], case.binding), self._folder.path
        length = case.feed.inputs[index].length
        options = {
            "graph": f"{folder}/{model_name(model)}",
            "num_threads": threads,
            # Which input is which the tool tells by their order, not by these names: real ones hold colons, which
            # old versions cut at.
            "input_layer": ",".join(roles),
            "input_layer_shape": ":".join(f"1,{length}" for _ in roles),
            "input_layer_value_files": ",".join(
                f"{role}:{folder}/{_INPUTS}/{_input_name(position, index, role)}" for role in roles
            ),
            "warmup_runs": _WARMUP_RUNS,
            "warmup_min_secs": _WARMUP_SECONDS,
            "num_runs": BLOCK_RUNS,
            "min_secs": 0,
        }
        cores = self._plan.cores
        pinned = "" if cores is None else f"taskset {sum(1 << core for core in set(cores)):x} "
        written = " ".join(f"--{name}={value}" for name, value in options.items())
        pid = f"{folder}/{_PID}"
        # By exec the tool keeps the number that the shell wrote down.
        return f"sh -c 'echo $$ > {pid}; exec {pinned}{folder}/{NAME} {written}'; s=$?; rm -f {pid}; (exit $s)"

    def _failed(self, name: str, said: Said) -> MeasurementError:
        words = tool_output.last_words(said.text)
        if said.status in _CANNOT_START or "not executable" in said.text:
            return MeasurementError(
                f"--benchmark-model: expected a {NAME} that starts on the phone, got '{words}'. "
                "Do: give one built for Android and this phone's processor (mostly android_arm64)."
            )
        how = f"signal {said.status - _SIGNALLED}: " if said.status > _SIGNALLED else ""
        return MeasurementError(
            f"{name}: expected {NAME} to run the model, got '{how}{words}'. Do: look at the file with "
            "`edgebert inspect` (what it says of the oldest runtime), or take a newer benchmark_model."
        )


def _input_name(position: int, index: int, role: str) -> str:
    return f"{position}-{index}-{role}"


def _write_inputs(case: PreparedCase, position: int, folder: Path) -> None:
    """Each row as the bytes of its tensor."""
    for index, token_input in enumerate(case.feed.inputs):
        for role, dtype in zip(case.binding.roles, case.binding.dtypes, strict=True):
            content = np.asarray(token_input.rows[role], dtype).tobytes()
            (folder / _input_name(position, index, role)).write_bytes(content)


def _roles_in_graph_order(path: Path, binding: Binding) -> tuple[str, ...]:
    """The tool takes inputs in the order of the graph's own list, which a signature's need not be."""
    model = read_model(path)
    subgraph = model.signatures[0].subgraph if len(model.signatures) == 1 else 0
    role_of = dict(zip(binding.tensors, binding.roles, strict=True))
    return tuple(role_of[tensor] for tensor in model.subgraphs[subgraph].inputs)
