"""One model on one core: what is run, and from the plugin's segments to a case of the record."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.emulated.agreement import compare_answers, name_precision, read_answers
from edgebert.benchmark.emulated.cores import EmulatedCore
from edgebert.benchmark.emulated.counts import BEGIN, END, END_WITH_BLOCKS, Segment, mark_argument, read_segments
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.emulated.running import COUNTS, run_here, run_on_core
from edgebert.benchmark.emulated.symbols import count_by_function
from edgebert.benchmark.graph import describe_delegation
from edgebert.benchmark.inputs import Feed
from edgebert.benchmark.plan import Setting
from edgebert.benchmark.process import delegate_named_in
from edgebert.benchmark.running import BEFORE_ROUNDS
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Delegation, Emulation, Runtime, Samples

SUFFIX = "_instructions"


@dataclass(frozen=True, slots=True)
class Run:
    """One inference: of input number `number`, in round `round`, or before all of them to warm up."""

    number: int
    round: int


@dataclass(frozen=True, slots=True)
class Reference:
    """What a model is fed at one length, and what it answers on this machine."""

    setting: Setting
    name: str
    request: Mapping[str, Any]
    runs: tuple[Run, ...]
    feed: Feed
    answers: np.ndarray


def plan_runs(lengths: Sequence[int], rounds: int) -> tuple[Run, ...]:
    """Inputs of one length after each other, so that each length is allocated once; its first run only warms up."""
    runs = []
    for length in sorted(set(lengths)):
        alike = [number for number, each in enumerate(lengths) if each == length]
        runs.append(Run(alike[0], BEFORE_ROUNDS))
        runs += [Run(number, round_number) for round_number in range(rounds) for number in alike]
    return tuple(runs)


def take_reference(path: Path, name: str, setting: Setting, binding: Binding, feed: Feed, rounds: int) -> Reference:
    """Run the model on this machine."""
    runs = plan_runs([each.length for each in feed.inputs], rounds)
    first = next(position for position, run in enumerate(runs) if run.round != BEFORE_ROUNDS)
    request = {
        "model": str(path),
        "tensors": binding.tensors,
        "dtypes": binding.dtypes,
        "arrays": [[each.rows[role] for role in binding.roles] for each in feed.inputs],
        "runs": [
            (run.number, mark_argument(BEGIN), mark_argument(END_WITH_BLOCKS if position == first else END))
            for position, run in enumerate(runs)
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        answer = run_here(Path(folder), request, name)
        return Reference(setting, name, request, runs, feed, read_answers(Path(folder), answer))


def count_on_core(environment: Environment, core: EmulatedCore, reference: Reference) -> Case:
    with tempfile.TemporaryDirectory() as folder:
        answer = run_on_core(environment, core, Path(folder), reference.request, reference.name)
        segments = read_segments(Path(folder) / COUNTS)
        answers = read_answers(Path(folder), answer)
    counted = _between_marks(segments, len(reference.runs))
    (blocks,) = (segment.blocks for segment in counted if segment.blocks is not None)
    precision = name_precision(answer["nodes"], answer["tensor_types"])
    emulation = Emulation(
        core=core.name,
        core_title=core.title,
        emulator=environment.emulator,
        environment_sha256=environment.sha256,
        instructions_by_function=count_by_function(blocks, answer["maps"]),
        agreement=compare_answers(reference.name, core.name, reference.answers, answers, precision),
    )
    return _case(reference, counted, answer, environment, emulation)


def _case(
    reference: Reference,
    counted: Sequence[Segment],
    answer: Mapping[str, Any],
    environment: Environment,
    emulation: Emulation,
) -> Case:
    model, threads, length = reference.setting
    warm = [run.round == BEFORE_ROUNDS for run in reference.runs]
    return Case(
        model=model,
        threads=threads,
        length=length,
        affinity=None,
        runtime=Runtime(
            name="LiteRT",
            version=environment.versions["ai-edge-litert"],
            delegate=delegate_named_in(answer["log"]),
            python_version=answer["python_version"],
            numpy_version=answer["numpy_version"],
        ),
        delegation=Delegation(**describe_delegation(answer["nodes"])),
        inputs=reference.feed.description,
        load=None,
        memory=None,
        warmup_settled=None,
        warmup=_samples(reference.runs, counted, warm),
        samples=_samples(reference.runs, counted, [not each for each in warm]),
        emulation=emulation,
    )


def _samples(runs: Sequence[Run], counted: Sequence[Segment], wanted: Sequence[bool]) -> Samples:
    chosen = [(run, segment) for run, segment, take in zip(runs, counted, wanted, strict=True) if take]
    return Samples(
        rounds=tuple(run.round for run, _ in chosen),
        inputs=tuple(run.number for run, _ in chosen),
        values={f"{name}{SUFFIX}": tuple(segment.counts[name] for _, segment in chosen) for name in counted[0].counts},
    )


def _between_marks(segments: Sequence[Segment], runs: int) -> list[Segment]:
    """The segments that are inferences: each ends one that a BEGIN has cut off from what was before."""
    marks = [segment.mark for segment in segments]
    if marks[:-1:2] != [BEGIN] * runs or any(mark not in (END, END_WITH_BLOCKS) for mark in marks[1::2]):
        raise MeasurementError(
            f"emulated core: expected {runs} inferences between marks, got marks {marks[:8]}. "
            "Do: edgebert emulator install --again."
        )
    return list(segments[1:-1:2])
