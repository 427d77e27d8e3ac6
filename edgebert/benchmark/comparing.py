"""Two records side by side: for each case that both have, how much the second takes of the first, and how surely.

The records were not taken in turns, so their rounds are resampled apart; what changed on the machine between the two
is in no interval. Counts on emulated cores repeat, so their ratio is exact; where they do so but nearly, its interval
spans what they differ by.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import bounds_of_mean, judge_counts, mean_by_class
from edgebert.benchmark.judging import Verdict, judge_case, judge_record
from edgebert.benchmark.provenance import Difference, allowed, differences
from edgebert.benchmark.report import label_of
from edgebert.benchmark.statistics import Ratio
from edgebert.benchmark.typical import Typical
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Record

TIMES = ("wall_ns", "process_cpu_ns")
INSTRUCTIONS = "instructions"
_TAIL = 0.025


@dataclass(frozen=True)
class Comparison:
    """One case of both records. `values` are the typical ones of each metric, first and second.

    `repeated`: both are of the same file under like conditions. `doubts` are the kinds of all verdicts on either case
    and either run.
    """

    labels: tuple[str, str]
    cases: tuple[Case, Case]
    values: Mapping[str, tuple[float, float]]
    ratios: Mapping[str, Ratio]
    repeated: bool
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class Compared:
    """`left_out` names the cases that only one of the records has, first's and second's."""

    comparisons: tuple[Comparison, ...]
    differences: tuple[Difference, ...]
    left_out: tuple[tuple[str, ...], tuple[str, ...]]


def compare(first: Record, second: Record, across: Sequence[str] = ()) -> Compared:
    """Compare case by case; a MeasurementError where the records differ in more than `across` names."""
    _check_kinds(first, second)
    _check_whole(first, second)
    pairs, left_out = _pairs(first, second)
    if not pairs:
        raise MeasurementError(
            f"cases: expected one that both records have (model, threads, length), got {_listed(left_out[0])} and "
            f"{_listed(left_out[1])}. Do: measure both models under one setting."
        )
    found = differences(first, second, pairs)
    refused = [each for each in found if each.fact not in allowed(across)]
    if refused:
        names = dict.fromkeys(each.fact for each in refused)
        raise MeasurementError(
            f"records: expected like conditions, got {'; '.join(each.words for each in refused)}. "
            f"Do: measure both alike, or allow it with --across {' '.join(names)}."
        )
    comparisons = (_compare_pair((first, second), pair, alike=not found) for pair in pairs)
    return Compared(tuple(comparisons), found, left_out)


def shown_ratio(entry: Comparison) -> Ratio | None:
    """The ratio that conclusions are drawn from: of wall time, or of instructions."""
    return entry.ratios.get(INSTRUCTIONS, entry.ratios.get(TIMES[0]))


def judge(case: Case) -> tuple[Verdict, ...]:
    """The verdicts on a case of times or of counts."""
    return judge_case(case) if case.emulation is None else judge_counts(case)


def name_of(entry: Comparison) -> str:
    return _named(entry.labels[1], entry.cases[1])


def _compare_pair(records: tuple[Record, Record], pair: tuple[Case, Case], alike: bool) -> Comparison:
    labels = tuple(label_of(record, case.model) for record, case in zip(records, pair, strict=True))
    hashes = {record.models[case.model].sha256 for record, case in zip(records, pair, strict=True)}
    verdicts = [verdict for record in records for verdict in judge_record(record)]
    verdicts += [verdict for case in pair for verdict in judge(case)]
    doubts = tuple(dict.fromkeys(verdict.kind for verdict in verdicts))
    return Comparison(labels, pair, *_measure(pair), repeated=alike and len(hashes) == 1, doubts=doubts)


def _check_kinds(first: Record, second: Record) -> None:
    counts = [any(case.emulation is not None for case in record.cases) for record in (first, second)]
    if counts[0] != counts[1]:
        got = " and ".join("instructions" if counted else "times" for counted in counts)
        raise MeasurementError(
            f"records: expected two of times or two of instructions, got {got}. Do: compare records of one kind."
        )


def _check_whole(first: Record, second: Record) -> None:
    """Two finished records that were begun and ended at once by one command are one measurement, or one is not as it
    was written.
    """
    if first.provenance == second.provenance and first.complete and second.complete and first != second:
        raise MeasurementError(
            f"records: expected two measurements or one and itself, got two of one command from "
            f"{first.provenance.started_at_utc} to {first.provenance.finished_at_utc} with other contents. "
            "Do: compare the files as they were written."
        )


def _pairs(first: Record, second: Record) -> tuple[list[tuple[Case, Case]], tuple[tuple[str, ...], tuple[str, ...]]]:
    """Cases of one setting and one model name; where each record has one model, names may differ."""
    single = len(first.models) == len(second.models) == 1
    keyed = [{_key(record, case, single): case for case in record.cases} for record in (first, second)]
    shared = [key for key in keyed[0] if key in keyed[1]]
    only = tuple(
        tuple(_named(label_of(record, case.model), case) for key, case in cases.items() if key not in shared)
        for record, cases in zip((first, second), keyed, strict=True)
    )
    return [(keyed[0][key], keyed[1][key]) for key in shared], only


def _key(record: Record, case: Case, single: bool) -> tuple:
    model = "" if single else label_of(record, case.model)
    return (model, case.threads, case.length, None if case.emulation is None else case.emulation.core)


def _named(label: str, case: Case) -> str:
    core = "" if case.emulation is None else f" on {case.emulation.core}"
    length = "own lengths" if case.length is None else f"{case.length} tokens"
    return f"{label} ({case.threads} thread{'s' * (case.threads > 1)}, {length}{core})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _measure(pair: tuple[Case, Case]) -> tuple[dict[str, tuple[float, float]], dict[str, Ratio]]:
    """The typical values and the ratios by metric; nothing where a case has no raw values."""
    if pair[0].emulation is not None:
        base, other = (mean_by_class(case)[ALL] for case in pair)
        (base_low, base_high), (low, high) = (bounds_of_mean(case) for case in pair)
        return {INSTRUCTIONS: (base, other)}, {INSTRUCTIONS: Ratio(other / base, low / base_high, high / base_low)}
    values, ratios = {}, {}
    for metric in TIMES:
        if all(_tells(case, metric) for case in pair):
            base, other = (Typical(case, metric, lengths) for case, lengths in zip(pair, _lengths(pair), strict=True))
            values[metric] = (base.value(), other.value())
            ratios[metric] = _ratio(base, other)
    return values, ratios


def _tells(case: Case, metric: str) -> bool:
    """Whether the case has the metric; a clock too coarse for some runs, which then took nothing, tells no ratio."""
    return min(case.samples.values.get(metric, ()), default=0) > 0


def _lengths(pair: tuple[Case, Case]) -> tuple[frozenset[int], frozenset[int]]:
    """The lengths that each case is judged by: those that both ran, where both had the same inputs."""
    run = [frozenset(case.inputs.lengths[number] for number in case.samples.inputs) for case in pair]
    if pair[0].inputs.lengths == pair[1].inputs.lengths and run[0] & run[1]:
        run = [run[0] & run[1]] * 2
    return run[0], run[1]


def _ratio(base: Typical, other: Typical) -> Ratio:
    """Every resample of the one with every resample of the other, so that swapping the two inverts all exactly."""
    ratio, below, above = other.value() / base.value(), base.resampled(), other.resampled()
    if below is None or above is None:
        return Ratio(ratio, None, None)
    logarithms = np.log(above)[:, None] - np.log(below)[None, :]
    low, high = np.exp(np.quantile(logarithms, [_TAIL, 1 - _TAIL]))
    return Ratio(ratio, float(low), float(high))
