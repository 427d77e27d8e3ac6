"""The measurement record: what was run, where, under which conditions, and every raw value; never a judgement.

The same record is written for this host, a board, a phone or an emulated core, so its samples are named columns with
the unit in the name (`wall_ns`, `process_cpu_ns`, `simd_instructions`) and whatever a place cannot tell is null.

A field added later gets a default and leaves `schema_version` alone; a field that changes meaning raises it.
`edgebert.measurement_file` writes and reads it.
"""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass

SCHEMA = "edgebert-measurement"
SCHEMA_VERSION = 1

_METRIC_NAME = re.compile(r"[a-z][a-z0-9_]*_(ns|bytes|instructions|count)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What every sample has: a time, or on an emulated core a count. A device's clock and an inference that are there take
# some of it.
_TIME, _COUNT = "wall_ns", "all_instructions"
_EMULATED = "emulated"


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _require_moment(text: str, field: str) -> None:
    """ISO 8601 with a time zone: of two that have none, the distance is unknown."""
    try:
        # Python 3.10, which boards have, does not read a Z.
        moment = datetime.datetime.fromisoformat(re.sub("Z$", "+00:00", text))
    except ValueError as error:
        raise ValueError(f"{field}: expected a time as 2026-11-20T12:00:00.000Z") from error
    _require(moment.tzinfo is not None, f"{field}: expected a time zone")


@dataclass(frozen=True)
class CoreCluster:
    """Cores that are alike: a phone has two or three clusters, a laptop mostly one."""

    cores: tuple[int, ...]
    model: str | None
    minimum_frequency_hz: int | None
    maximum_frequency_hz: int | None
    governor: str | None


@dataclass(frozen=True)
class Device:
    """The machine, without anything that names its owner."""

    name: str | None
    soc: str | None
    architecture: str
    cpu_features: tuple[str, ...]
    logical_cores: int
    physical_cores: int | None
    clusters: tuple[CoreCluster, ...]
    memory_bytes: int | None
    operating_system: str | None
    kernel: str | None
    is_virtual: bool | None


@dataclass(frozen=True)
class Conditions:
    """The machine's state at one moment. `own_cpu_ns` is what the measurement itself had used of `busy_cpu_ns`."""

    at_utc: str
    load_average_1m: float | None
    busy_cpu_ns: int | None
    own_cpu_ns: int | None
    temperatures_celsius: Mapping[str, float]
    frequencies_hz: tuple[int | None, ...]
    throttle_count: int | None
    available_memory_bytes: int | None
    # How far the system slows itself for heat, in Android's words; null where it does not tell.
    thermal_status: str | None = None

    def __post_init__(self) -> None:
        _require_moment(self.at_utc, "at_utc")


@dataclass(frozen=True)
class Provenance:
    """Who wrote the record and when."""

    edgebert_version: str
    command_line: tuple[str, ...]
    started_at_utc: str
    finished_at_utc: str | None

    def __post_init__(self) -> None:
        _require_moment(self.started_at_utc, "started_at_utc")
        if self.finished_at_utc is not None:
            _require_moment(self.finished_at_utc, "finished_at_utc")


@dataclass(frozen=True)
class Protocol:
    """How the samples were taken: `rounds_done` rounds, in each every case once, `block_runs` runs at a time."""

    seed: int
    block_runs: int
    rounds_done: int
    runs_asked: int
    minimum_seconds: float
    warmup_passes_limit: int

    def __post_init__(self) -> None:
        _require(self.seed >= 0, "seed: expected zero or more")


@dataclass(frozen=True)
class ModelFile:
    name: str
    size_bytes: int
    sha256: str

    def __post_init__(self) -> None:
        _require(_SHA256.fullmatch(self.sha256) is not None, "sha256: expected 64 hexadecimal digits")


@dataclass(frozen=True)
class Runtime:
    """What executed the model."""

    name: str
    version: str | None
    delegate: str | None
    python_version: str | None
    numpy_version: str | None


@dataclass(frozen=True)
class Delegation:
    """How much of the graph the delegate took, as the runtime tells it after allocation."""

    nodes: int
    delegated_nodes: int
    partitions: int
    operators_outside: Mapping[str, int]


@dataclass(frozen=True)
class Inputs:
    """What was fed. `sha256` covers the token arrays; the texts themselves are not kept, they may be private."""

    kind: str
    source: str
    source_sha256: str | None
    tokenizer: str | None
    vocabulary_sha256: str | None
    texts_available: int | None
    token_counts: tuple[int, ...]
    lengths: tuple[int, ...]
    sha256: str

    def __post_init__(self) -> None:
        _require(self.kind in ("texts", "synthetic"), "kind: expected texts or synthetic")
        _require(len(self.token_counts) == len(self.lengths), "lengths: expected one per token count")
        _require(min(self.lengths, default=0) >= 1, "lengths: expected at least one, each of a token or more")


@dataclass(frozen=True)
class Load:
    """The way from a file (already in the page cache) to the first answer."""

    open_ns: int
    allocate_ns: int
    first_run_ns: int


@dataclass(frozen=True)
class Memory:
    """Resident memory of the process that held this model alone."""

    before_load_bytes: int | None
    after_load_bytes: int | None
    after_runs_bytes: int | None
    peak_bytes: int | None
    peak_is_since_load: bool | None


@dataclass(frozen=True)
class Samples:
    """Raw values in columns: run `i` was of input `inputs[i]`, in round `rounds[i]`, and cost `values[metric][i]`."""

    rounds: tuple[int, ...]
    inputs: tuple[int, ...]
    values: Mapping[str, tuple[int, ...]]

    def __post_init__(self) -> None:
        _require(len(self.inputs) == len(self.rounds), f"inputs: expected {len(self.rounds)} values")
        for metric, column in self.values.items():
            _require(_METRIC_NAME.fullmatch(metric) is not None, f"values.{metric}: expected a name ending in its unit")
            _require(len(column) == len(self.rounds), f"values.{metric}: expected {len(self.rounds)} values")
            least = 1 if metric in (_TIME, _COUNT) else 0
            _require(min(column, default=least) >= least, f"values.{metric}: expected {least} or more")

    def __len__(self) -> int:
        return len(self.rounds)


NO_SAMPLES = Samples(rounds=(), inputs=(), values={})


@dataclass(frozen=True)
class ToolStatistics:
    """What another tool told of one of its processes: statistics of `runs` runs of one input, after `warmup_runs`.

    A run's own time stands among the samples only where the tool told it; from statistics none are made up.
    """

    round: int
    input: int
    initialization_ns: int | None
    first_run_ns: int | None
    warmup_runs: int
    runs: int
    mean_ns: int
    standard_deviation_ns: int
    minimum_ns: int
    maximum_ns: int
    median_ns: int | None
    # By how much the process had grown since the tool's start, in the tool's own approximation: when the model was
    # loaded, and at the end. Not its size, as `Memory` has it.
    loaded_growth_bytes: int | None = None
    overall_growth_bytes: int | None = None

    def __post_init__(self) -> None:
        _require(self.runs >= 1, "runs: expected at least 1")


@dataclass(frozen=True)
class Agreement:
    """How far an emulated core's answers lie from this machine's, from the same runtime with the same inputs.

    `largest_difference` null: some value is not a number. `tolerance` is for values up to 1 and grows with larger ones.
    """

    values_compared: int
    largest_difference: float | None
    largest_value: float | None
    precision: str
    tolerance: float

    def __post_init__(self) -> None:
        told = self.largest_difference is None, self.largest_value is None
        _require(told[0] == told[1], "largest_value: expected null where largest_difference is, and nowhere else")


@dataclass(frozen=True)
class Emulation:
    """The emulated core of a case. Its samples are instructions; two of them compare only where the core and
    `environment_sha256` (emulator, runtime, libraries, plugin) are the same.
    """

    core: str
    core_title: str
    emulator: str
    environment_sha256: str
    # Of the first counted run.
    instructions_by_function: Mapping[str, int]
    agreement: Agreement


@dataclass(frozen=True)
class Case:
    """One model under one setting. `model` is an index into the record's models; `length` null: as long as the text."""

    model: int
    threads: int
    length: int | None
    affinity: tuple[int, ...] | None
    runtime: Runtime
    delegation: Delegation | None
    inputs: Inputs
    load: Load | None
    memory: Memory | None
    warmup_settled: bool | None
    warmup: Samples
    samples: Samples
    emulation: Emulation | None = None
    tool_statistics: tuple[ToolStatistics, ...] = ()

    def __post_init__(self) -> None:
        _require(self.threads >= 1, "threads: expected at least 1")
        told_of = (statistics.input for statistics in self.tool_statistics)
        numbers = (*self.samples.inputs, *self.warmup.inputs, *told_of)
        among = min(numbers, default=0) >= 0 and max(numbers, default=0) < len(self.inputs.lengths)
        _require(among, f"samples.inputs: expected inputs from 0 to {len(self.inputs.lengths) - 1}")
        wanted = _TIME if self.emulation is None else _COUNT
        _require(not len(self.samples) or wanted in self.samples.values, f"samples.values: expected {wanted}")
        _require(self.emulation is None or len(self.samples) > 0, "samples: expected some of an emulated core")


@dataclass(frozen=True)
class Record:
    schema: str
    schema_version: int
    place: str
    complete: bool
    incomplete_reason: str | None
    provenance: Provenance
    device: Device
    protocol: Protocol
    conditions_before: Conditions
    conditions_after: Conditions | None
    models: tuple[ModelFile, ...]
    cases: tuple[Case, ...]

    def __post_init__(self) -> None:
        _require(self.complete == (self.incomplete_reason is None), "incomplete_reason: expected null when complete")
        _require(len(self.cases) > 0, "cases: expected at least one")
        seen = set()
        for position, case in enumerate(self.cases):
            _require(0 <= case.model < len(self.models), f"cases[{position}].model: expected one of the models")
            emulated = case.emulation is not None
            _require(
                emulated == (self.place == _EMULATED),
                f"cases[{position}].emulation: expected {'a core' if not emulated else 'null'} at '{self.place}'",
            )
            core = case.emulation.core if emulated else None
            setting = (case.model, case.threads, case.length, core)
            _require(setting not in seen, f"cases[{position}]: expected each setting once")
            seen.add(setting)
