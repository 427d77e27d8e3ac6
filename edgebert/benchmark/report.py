"""A record as tables: every figure here is computed from the record's samples, now and again later."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.benchmark.judging import Verdict, judge_case, judge_record
from edgebert.benchmark.statistics import Ratio, Summary, ratio_of_medians, summarize
from edgebert.measurement import Case, Record

Rows = tuple[Sequence[str], list[Sequence[str]]]


@dataclass(frozen=True)
class CaseReport:
    """What one case's samples say. `compared_with` is the position of the case that the ratios refer to."""

    label: str
    case: Case
    wall: Summary | None
    cpu: Summary | None
    resize: Summary | None
    compared_with: int | None
    wall_ratio: Ratio | None
    cpu_ratio: Ratio | None
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True)
class Report:
    cases: tuple[CaseReport, ...]
    verdicts: tuple[Verdict, ...]


def report_on(record: Record) -> Report:
    cases = tuple(_report_case(record, position) for position in range(len(record.cases)))
    return Report(cases=cases, verdicts=judge_record(record))


def latency_rows(report: Report) -> Rows:
    """`resize ms` comes on top for a text whose length differs from the one before."""
    figures = ("median ms", "MAD ms", "p90 ms", "p99 ms", "min ms", "CPU ms", "resize ms")
    header = ("model", "threads", "tokens", "runs", *figures)
    rows = []
    for entry in report.cases:
        if entry.wall is not None:
            wall = entry.wall
            figures = (wall.median, wall.mad, wall.p90, wall.p99, wall.minimum)
            settings = (entry.label, str(entry.case.threads), tokens_of(entry.case), str(wall.count))
            medians = ("-" if part is None else milliseconds(part.median) for part in (entry.cpu, entry.resize))
            rows.append((*settings, *(milliseconds(value) for value in figures), *medians))
    return header, rows


def start_rows(report: Report) -> Rows:
    """From the file to the first answer, memory, and what the delegate took."""
    header = ("model", "threads", "tokens", "load ms", "first run ms", "peak MB", "model's MB", "delegated")
    rows = []
    for entry in report.cases:
        load, memory = entry.case.load, entry.case.memory
        peak = None if memory is None else memory.peak_bytes
        grown = None if peak is None or memory.before_load_bytes is None else peak - memory.before_load_bytes
        rows.append(
            (
                *(entry.label, str(entry.case.threads), tokens_of(entry.case)),
                "-" if load is None else milliseconds(load.open_ns + load.allocate_ns),
                "-" if load is None else milliseconds(load.first_run_ns),
                _megabytes(peak),
                # Without a reset the peak may be that of the imports, and the difference no model's.
                _megabytes(grown if memory is not None and memory.peak_is_since_load else None),
                _delegated(entry.case),
            )
        )
    return header, rows


def ratio_rows(report: Report) -> Rows:
    """Each case against the first one of its setting; empty when there is nothing to compare."""
    header = ("model", "threads", "tokens", "wall time", "95 % interval", "CPU time", "95 % interval", "compared with")
    rows = []
    for entry in report.cases:
        if entry.wall_ratio is not None:
            base = report.cases[entry.compared_with]
            than = base.label if base.label != entry.label else f"{_threads(base.case)}, {tokens_of(base.case)} tokens"
            ratios = (*_ratio(entry.wall_ratio), *_ratio(entry.cpu_ratio))
            rows.append((entry.label, str(entry.case.threads), tokens_of(entry.case), *ratios, than))
    return header, rows


def verdict_lines(report: Report) -> list[str]:
    """Every reason for distrust in words; a case without one is called steady."""
    lines = [f"this run: {verdict.words}" for verdict in report.verdicts]
    for entry in report.cases:
        setting = f"{entry.label}, {_threads(entry.case)}, {tokens_of(entry.case)} tokens"
        words = "; ".join(verdict.words for verdict in entry.verdicts)
        lines.append(f"{setting}: {words or 'steady'}")
        if entry.wall_ratio is not None and not entry.wall_ratio.differs_from_one:
            lines.append(f"{setting}: no difference shown to {report.cases[entry.compared_with].label}")
    return lines


def derived(report: Report) -> dict[str, object]:
    """The same for the JSON file, for people who read it by eye."""
    return {
        "verdicts": [dataclasses.asdict(verdict) for verdict in report.verdicts],
        "cases": [
            {
                "model": entry.label,
                "wall_ns": None if entry.wall is None else dataclasses.asdict(entry.wall),
                "process_cpu_ns": None if entry.cpu is None else dataclasses.asdict(entry.cpu),
                "compared_with_case": entry.compared_with,
                "wall_ratio": None if entry.wall_ratio is None else dataclasses.asdict(entry.wall_ratio),
                "cpu_ratio": None if entry.cpu_ratio is None else dataclasses.asdict(entry.cpu_ratio),
                "verdicts": [dataclasses.asdict(verdict) for verdict in entry.verdicts],
            }
            for entry in report.cases
        ],
    }


def base_of(record: Record, position: int) -> int | None:
    """What a case is compared with: the first model under the same setting, or with one model its first setting."""
    case = record.cases[position]
    if len(record.models) == 1:
        return None if position == 0 else 0
    for other, candidate in enumerate(record.cases):
        if (candidate.model, candidate.threads, candidate.length) == (0, case.threads, case.length):
            return None if other == position else other
    return None


def milliseconds(nanoseconds: float) -> str:
    """Three digits that count: 0.123, 1.23, 12.3, 123."""
    value = nanoseconds / 1e6
    return f"{value:.{3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0}f}"


def _report_case(record: Record, position: int) -> CaseReport:
    case, base = record.cases[position], base_of(record, position)
    values = case.samples.values
    resized = [nanoseconds for nanoseconds in values.get("resize_wall_ns", ()) if nanoseconds]
    return CaseReport(
        label=label_of(record, case.model),
        case=case,
        wall=summarize(values["wall_ns"]) if len(case.samples) else None,
        # A phone's runtime may not tell it.
        cpu=summarize(values["process_cpu_ns"]) if values.get("process_cpu_ns") else None,
        resize=summarize(resized) if resized else None,
        compared_with=base,
        wall_ratio=_compare(record, position, base, "wall_ns"),
        cpu_ratio=_compare(record, position, base, "process_cpu_ns"),
        verdicts=judge_case(case),
    )


def _compare(record: Record, position: int, base: int | None, metric: str) -> Ratio | None:
    if base is None:
        return None
    ours, theirs = record.cases[position].samples, record.cases[base].samples
    # A clock too coarse for some runs, which then took nothing, tells no ratio.
    told = all(min(samples.values.get(metric, ()), default=0) > 0 for samples in (ours, theirs))
    if not told or not set(ours.rounds) & set(theirs.rounds):
        return None
    return ratio_of_medians(
        ours.values[metric], ours.rounds, theirs.values[metric], theirs.rounds, record.protocol.seed
    )


def label_of(record: Record, model: int) -> str:
    """The file's name, numbered where two files share one."""
    names = [file.name for file in record.models]
    return names[model] if names.count(names[model]) == 1 else f"{names[model]} #{model + 1}"


def tokens_of(case: Case) -> str:
    shortest, longest = min(case.inputs.lengths), max(case.inputs.lengths)
    return str(shortest) if shortest == longest else f"{shortest}-{longest}"


def _threads(case: Case) -> str:
    return f"{case.threads} thread{'s' * (case.threads > 1)}"


def _ratio(ratio: Ratio | None) -> tuple[str, str]:
    if ratio is None:
        return "-", "-"
    interval = "-" if ratio.low is None else f"{ratio.low:.3f} to {ratio.high:.3f}"
    return f"{ratio.ratio:.3f}x", interval


def _megabytes(size_bytes: int | None) -> str:
    return "-" if size_bytes is None else f"{size_bytes / 1e6:.1f}"


def _delegated(case: Case) -> str:
    if case.delegation is None:
        return "-"
    taken = case.delegation
    name = case.runtime.delegate or "no delegate"
    parts = f", {taken.partitions} part{'s' * (taken.partitions > 1)}" if taken.partitions else ""
    return f"{name} {taken.delegated_nodes}/{taken.nodes} nodes{parts}"
