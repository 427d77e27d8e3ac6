"""Profiles made by hand, where every figure is known."""

import dataclasses
from collections.abc import Sequence

from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.profiling.profile import (
    INSTRUCTIONS,
    NANOSECONDS,
    SCHEMA,
    SCHEMA_VERSION,
    CaseProfile,
    OperatorCosts,
    Profile,
)
from edgebert.measurement import Case
from tests.benchmark.records import make_case, make_emulation, make_record, make_samples

PASSES = 40


def make_operator(name: str, elapsed_us: Sequence[int], **changes: object) -> OperatorCosts:
    operator = OperatorCosts(
        name,
        piece=0,
        node=None,
        output=None,
        reason=None,
        change=None,
        costs=tuple(1000 * value for value in elapsed_us),
    )
    return dataclasses.replace(operator, **changes)


def make_operators() -> tuple[OperatorCosts, ...]:
    """600, 300 and 50 microseconds; the last is LiteRT's own."""
    return (
        make_operator("Fully Connected (NC, F32) GEMM", [600] * PASSES, node=3, output="block_0/up"),
        make_operator("Fully Connected (NC, F32) GEMM", [300] * PASSES, node=4, output="block_0/down"),
        make_operator(
            "ONE_HOT", [50] * PASSES, piece=None, node=1, output="types", reason="it has none", change="use a look-up"
        ),
    )


def make_case_profile(operators: Sequence[OperatorCosts], around_us: int = 20, between_us: int = 30) -> CaseProfile:
    sums = [sum(column) for column in zip(*(operator.costs for operator in operators), strict=True)]
    return CaseProfile(
        unit=NANOSECONDS,
        rounds=tuple(position // 5 for position in range(len(sums))),
        inputs=(0,) * len(sums),
        whole=tuple(total + 1000 * (between_us + around_us) for total in sums),
        graph=tuple(total + 1000 * between_us for total in sums),
        operators=tuple(operators),
    )


def make_counted_profile() -> Profile:
    """The same of an emulated core: 600,000 instructions for what takes 600 microseconds."""
    timed = make_case_profile(make_operators())
    counted = dataclasses.replace(timed, unit=INSTRUCTIONS, whole=timed.graph)
    samples = make_samples([1e6] * PASSES)
    counts = dataclasses.replace(samples, values={f"{ALL}_instructions": samples.values["wall_ns"]})
    record = make_record(make_case(counts, emulation=make_emulation()), place="emulated")
    return Profile(SCHEMA, SCHEMA_VERSION, record, (counted,))


def make_profile(*cases: CaseProfile, measured: Sequence[Case] | None = None) -> Profile:
    cases = cases or (make_case_profile(make_operators()),)
    plain = measured or [make_case(make_samples([1e6] * PASSES), threads=1 + number) for number, _ in enumerate(cases)]
    return Profile(SCHEMA, SCHEMA_VERSION, make_record(*plain), cases)
