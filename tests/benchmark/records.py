"""Records made by hand: two models, their samples given."""

import dataclasses
from collections.abc import Sequence

from edgebert.measurement import (
    NO_SAMPLES,
    SCHEMA,
    SCHEMA_VERSION,
    Agreement,
    Case,
    Conditions,
    CoreCluster,
    Delegation,
    Device,
    Emulation,
    Inputs,
    Load,
    Memory,
    ModelFile,
    Protocol,
    Provenance,
    Record,
    Runtime,
    Samples,
    ToolStatistics,
)


def make_samples(wall_ns: Sequence[float], inputs: Sequence[int] | None = None, block_runs: int = 5) -> Samples:
    """Samples with these wall times, CPU times that are as long, in rounds of `block_runs`."""
    column = tuple(round(value) for value in wall_ns)
    return Samples(
        rounds=tuple(position // block_runs for position in range(len(column))),
        inputs=tuple(inputs) if inputs is not None else (0,) * len(column),
        values={
            "wall_ns": column,
            "process_cpu_ns": column,
            "thread_cpu_ns": column,
            "resize_wall_ns": (0,) * len(column),
        },
    )


def make_counts(instructions: Sequence[int]) -> Samples:
    """The same with counts instead of times, a round for each."""
    column = tuple(instructions)
    return Samples(tuple(range(len(column))), (0,) * len(column), {"all_instructions": column})


def make_case(samples: Samples, model: int = 0, lengths: Sequence[int] = (32,), **changes: object) -> Case:
    parts = {
        "model": model,
        "threads": 1,
        "length": None,
        "affinity": (0, 1),
        "runtime": Runtime("LiteRT", "2.3.0", "XNNPACK", "3.11.7", "2.1.3"),
        "delegation": Delegation(
            nodes=63, delegated_nodes=55, partitions=2, operators_outside={"GATHER": 3, "CAST": 1}
        ),
        "inputs": Inputs(
            kind="texts",
            source="texts.txt",
            source_sha256="1" * 64,
            tokenizer="WordPiece with the packed vocabulary",
            vocabulary_sha256="2" * 64,
            texts_available=100,
            token_counts=tuple(lengths),
            lengths=tuple(lengths),
            sha256="3" * 64,
        ),
        "load": Load(open_ns=1_000_000, allocate_ns=2_000_000, first_run_ns=3_000_000),
        "memory": Memory(40_000_000, 45_000_000, 46_000_000, 50_000_000, True),
        "warmup_settled": True,
        "warmup": NO_SAMPLES,
        "samples": samples,
    }
    # At once: a part alone may contradict the rest.
    return Case(**{**parts, **changes})


def make_emulation(**changes: object) -> Emulation:
    emulation = Emulation(
        core="cortex-a76",
        core_title="Cortex-A76",
        emulator="qemu-aarch64 1:7.2",
        environment_sha256="5" * 64,
        instructions_by_function={"gemm": 700, "softmax": 200, "(libc.so.6)": 100},
        agreement=Agreement(
            values_compared=4,
            largest_difference=1e-3,
            largest_value=0.5,
            precision="dynamic-range int8",
            tolerance=8.5e-3,
        ),
    )
    return dataclasses.replace(emulation, **changes)


def make_tool_statistics(**changes: object) -> ToolStatistics:
    statistics = ToolStatistics(
        round=0,
        input=0,
        initialization_ns=5_000_000,
        first_run_ns=3_000_000,
        warmup_runs=30,
        runs=50,
        mean_ns=1_200_000,
        standard_deviation_ns=100_000,
        minimum_ns=1_100_000,
        maximum_ns=1_900_000,
        median_ns=1_150_000,
    )
    return dataclasses.replace(statistics, **changes)


def make_conditions(**changes: object) -> Conditions:
    conditions = Conditions(
        at_utc="2026-11-20T12:00:00.000Z",
        load_average_1m=0.5,
        busy_cpu_ns=1_000_000_000_000,
        own_cpu_ns=5_000_000_000,
        temperatures_celsius={"thermal_zone0 cpu-thermal": 45.0},
        frequencies_hz=(1_500_000_000, 1_500_000_000),
        throttle_count=3,
        available_memory_bytes=2_000_000_000,
        thermal_status="none",
    )
    return dataclasses.replace(conditions, **changes)


def make_record(*cases: Case, models: Sequence[str] = ("a.tflite", "b.tflite"), **changes: object) -> Record:
    parts = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "place": "host",
        "complete": True,
        "incomplete_reason": None,
        "provenance": Provenance(
            "0.1.0", ("edgebert", "benchmark"), "2026-11-20T11:59:58.000Z", "2026-11-20T12:01:00.000Z"
        ),
        "device": Device(
            name="Raspberry Pi 4 Model B Rev 1.5",
            soc="brcm,bcm2711",
            architecture="aarch64",
            cpu_features=("asimd",),
            logical_cores=4,
            physical_cores=4,
            clusters=(CoreCluster((0, 1, 2, 3), "Cortex-A72", 600_000_000, 1_500_000_000, "ondemand"),),
            memory_bytes=3_976_179_712,
            operating_system="Debian GNU/Linux 12 (bookworm)",
            kernel="6.1.21-v8+",
            is_virtual=None,
        ),
        "protocol": Protocol(
            seed=0, block_runs=5, rounds_done=20, runs_asked=100, minimum_seconds=0.5, warmup_passes_limit=20
        ),
        "conditions_before": make_conditions(),
        "conditions_after": make_conditions(at_utc="2026-11-20T12:01:00.000Z"),
        "models": tuple(ModelFile(name, 58_964, "4" * 64) for name in models),
        "cases": cases or (make_case(make_samples([1e6] * 20)), make_case(make_samples([2e6] * 20), model=1)),
    }
    return Record(**{**parts, **changes})
