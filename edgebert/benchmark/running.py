"""One case while it is being measured: its worker and the samples so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from edgebert.benchmark.asking import AskedWorker
from edgebert.benchmark.binding import Binding
from edgebert.benchmark.inputs import Feed
from edgebert.benchmark.plan import Setting
from edgebert.measurement import NO_SAMPLES, Case, Delegation, Load, Memory, Runtime, Samples

METRICS = ("wall_ns", "process_cpu_ns", "thread_cpu_ns", "resize_wall_ns")
# The round number of the first warm-up; later warm-ups belong to the round that they precede.
BEFORE_ROUNDS = -1

Answer = Mapping[str, Any]


@dataclass
class RunningCase:
    """Mutable while measuring; `finished()` is the value that stays."""

    worker: AskedWorker
    model: int
    threads: int
    length: int | None
    started: Answer
    feed: Feed
    load: Load
    delegation: Delegation
    delegate: str | None
    memory: Memory | None = None
    warmup_settled: bool | None = None
    warmup: list[Samples] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)
    measured_ns: int = 0

    def warm_up(self, inputs_limit: int, passes_limit: int) -> None:
        inputs = list(range(min(inputs_limit, len(self.feed.inputs))))
        answer = self.worker.ask("warm_up", inputs=inputs, passes_limit=passes_limit)
        self.warmup_settled = answer["settled"]
        self.warmup.append(as_samples(answer, BEFORE_ROUNDS))

    def run_block(self, number: int, inputs: Sequence[int]) -> None:
        """One untimed run to bring this model back into the caches, then the block."""
        answer = self.worker.ask("run", inputs=[inputs[-1], *inputs])
        warming, block = split(as_samples(answer, number), 1)
        self.warmup.append(warming)
        self.samples.append(block)
        self.measured_ns += sum(answer["wall_ns"]) + sum(answer["resize_wall_ns"])

    def runs(self) -> int:
        return sum(len(block) for block in self.samples)

    def ask_memory(self) -> None:
        self.memory = Memory(**self.worker.ask("memory"))

    def finished(self) -> Case:
        affinity = self.started["affinity"]
        return Case(
            model=self.model,
            threads=self.threads,
            length=self.length,
            affinity=None if affinity is None else tuple(affinity),
            runtime=Runtime(**self.started["runtime"], delegate=self.delegate),
            delegation=self.delegation,
            inputs=self.feed.description,
            load=self.load,
            memory=self.memory,
            warmup_settled=self.warmup_settled,
            warmup=join(self.warmup),
            samples=join(self.samples),
        )


def prepare(
    worker: AskedWorker, setting: Setting, started: Answer, opened: Answer, binding: Binding, feed: Feed
) -> RunningCase:
    """Hand the worker its inputs, let it allocate and answer once."""
    arrays = [[token_input.rows[role] for role in binding.roles] for token_input in feed.inputs]
    prepared = worker.ask("prepare", tensors=binding.tensors, dtypes=binding.dtypes, arrays=arrays)
    model, threads, length = setting
    return RunningCase(
        worker=worker,
        model=model,
        threads=threads,
        length=length,
        started=started,
        feed=feed,
        load=Load(opened["open_ns"], prepared["allocate_ns"], prepared["first_run_ns"]),
        delegation=Delegation(**prepared["delegation"]),
        delegate=worker.delegate_name(),
    )


def as_samples(answer: Mapping[str, Sequence[int]], number: int) -> Samples:
    return Samples(
        rounds=(number,) * len(answer["input"]),
        inputs=tuple(answer["input"]),
        values={metric: tuple(answer[metric]) for metric in METRICS},
    )


def split(samples: Samples, at: int) -> tuple[Samples, Samples]:
    def part(rows: slice) -> Samples:
        return Samples(
            rounds=samples.rounds[rows],
            inputs=samples.inputs[rows],
            values={metric: column[rows] for metric, column in samples.values.items()},
        )

    return part(slice(None, at)), part(slice(at, None))


def join(parts: Sequence[Samples]) -> Samples:
    if not parts:
        return NO_SAMPLES
    return Samples(
        rounds=tuple(number for part in parts for number in part.rounds),
        inputs=tuple(index for part in parts for index in part.inputs),
        values={metric: tuple(value for part in parts for value in part.values[metric]) for metric in METRICS},
    )
