"""A profile as tables and lines: every figure is computed from its raw values, now and again later.

A part's cost is the mean of the middle half of its passes at one length, then the mean over lengths. On a busy machine
some operator is interrupted in most passes, but each single one in few: parts are clean where the whole is not. A
median would be as robust, and say 0 or 1 of what takes half a microsecond. Shares are of the sum of all parts.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import count_verdict_lines, report_on_counts
from edgebert.benchmark.judging import judge_case, judge_record
from edgebert.benchmark.profiling.profile import INSTRUCTIONS, NANOSECONDS, CaseProfile, OperatorCosts, Profile
from edgebert.benchmark.report import Rows, label_of, tokens_of
from edgebert.measurement import Case

XNNPACK, LITERT, NO_OPERATOR = "XNNPACK", "LiteRT", ""
# Below this share, what the profiler cannot see weighs too much for the table to tell where the time goes.
_ENOUGH_COVERED = 0.8
# A profiled run that is this much slower than a plain one is another thing than what was asked about.
_NOTABLE_COST = 0.1
# The whole that exceeds its parts by this much was interrupted in most passes.
_NOTABLE_WAIT = 0.1
# The profiler tells whole microseconds.
_DROPPED_NS = 1000
# Where the plain runs' costs are.
_PLAIN = {NANOSECONDS: "wall_ns", INSTRUCTIONS: f"{ALL}_instructions"}


@dataclass(frozen=True, slots=True)
class Cost:
    """`spread` is the median absolute deviation over passes of one length; of several parts, the sum of theirs."""

    typical: float
    spread: float


@dataclass(frozen=True, slots=True)
class Row:
    """One operator, or all of one kind. `share` is of all parts of the inference together."""

    name: str
    kernel: str
    count: int
    cost: Cost
    share: float


@dataclass(frozen=True, slots=True)
class NodeRow:
    row: Row
    position: int
    operator: OperatorCosts


@dataclass(frozen=True, slots=True)
class CaseReport:
    label: str
    case: Case
    unit: str
    # A whole inference, without and with the profiler.
    plain: float
    profiled: float
    # How much of the profiled inference the operators cover, pass by pass.
    covered: float
    kinds: tuple[Row, ...]
    nodes: tuple[NodeRow, ...]
    # The graph's run without its operators, and what is around the graph.
    between: Row
    around: Row

    @property
    def parts(self) -> float:
        return sum(row.cost.typical for row in (*self.kinds, self.between, self.around))

    @property
    def symbol(self) -> str:
        return "ms" if self.unit == NANOSECONDS else "M"

    @property
    def setting(self) -> str:
        if self.case.emulation is not None:
            return f"{self.label} on {self.case.emulation.core}, {tokens_of(self.case)} tokens"
        threads = f"{self.case.threads} thread{'s' * (self.case.threads > 1)}"
        return f"{self.label}, {threads}, {tokens_of(self.case)} tokens"


def report_on_profile(profile: Profile) -> tuple[CaseReport, ...]:
    record = profile.measurement
    pairs = zip(record.cases, profile.cases, strict=True)
    return tuple(_report_case(label_of(record, case.model), case, profiled) for case, profiled in pairs)


def kind_rows(report: CaseReport) -> Rows:
    """Where the time goes, by kind of operator; the last rows are what is no operator."""
    header = ("operator", "runs in", "count", report.symbol, f"± {report.symbol}", "share")
    # Instructions are counted for the graph alone.
    rest = (report.between, report.around) if report.unit == NANOSECONDS else (report.between,)
    return header, [_cells(row) for row in (*report.kinds, *rest)]


def node_rows(report: CaseReport, limit: int) -> Rows:
    """The slowest operators one by one; `node` and what it computes are the graph's, where that can be told."""
    header = ("#", "operator", "runs in", "node", "computes", report.symbol, f"± {report.symbol}", "share")
    rows = []
    for entry in report.nodes[:limit]:
        operator, row = entry.operator, entry.row
        node = "" if operator.node is None else str(operator.node)
        rows.append((str(entry.position), row.name, row.kernel, node, operator.output or "", *_figures(row)))
    return header, rows


def coverage_lines(report: CaseReport) -> list[str]:
    """What the profiler covers, what it cannot, and what profiling itself costs."""
    if report.unit == INSTRUCTIONS:
        return [
            f"{report.setting}: {_millions(report.plain)} M instructions counted as a whole, "
            f"{_millions(report.covered * report.profiled)} M in its {len(report.nodes)} operators (some ten of each "
            "are the profiler's own); a cost proxy, not a time"
        ]
    count, cost = len(report.nodes), report.profiled / report.plain - 1
    lines = [
        f"{report.setting}: parts of {_millions(report.parts)} ms; a whole inference takes "
        f"{_millions(report.profiled)} ms profiled, {_millions(report.plain)} ms without ({cost:+.1%})",
        f"the profiler's {count} operators cover {report.covered:.1%} of an inference; it drops each one's part of a "
        f"microsecond, up to {_millions(count * _DROPPED_NS)} ms, which `between operators` then has",
    ]
    is_interrupted = report.profiled > report.parts * (1 + _NOTABLE_WAIT)
    if is_interrupted:
        lines.append("the whole takes longer than its parts: most runs were interrupted, the parts seldom")
    if report.covered < _ENOUGH_COVERED:
        lines.append("operators cover too little for small shares to mean much: look at the largest")
    elif cost > _NOTABLE_COST and not is_interrupted:
        lines.append("profiling slows this model notably: take the shares, not the times")
    return lines


def profile_verdict_lines(profile: Profile, reports: Sequence[CaseReport]) -> list[str]:
    """Every reason for distrust, as `edgebert benchmark` judges its runs."""
    if any(entry.unit == INSTRUCTIONS for entry in reports):
        return count_verdict_lines(profile.measurement, report_on_counts(profile.measurement))
    lines = [f"this run: {verdict.words}" for verdict in judge_record(profile.measurement)]
    for entry in reports:
        words = "; ".join(verdict.words for verdict in judge_case(entry.case))
        lines.append(f"{entry.setting}: {words or 'steady'}")
    return lines


def _report_case(label: str, case: Case, profiled: CaseProfile) -> CaseReport:
    lengths = np.asarray([case.inputs.lengths[index] for index in profiled.inputs])
    plain_lengths = np.asarray([case.inputs.lengths[index] for index in case.samples.inputs])
    whole, graph = (np.asarray(column, np.float64) for column in (profiled.whole, profiled.graph))
    columns = np.asarray([each.costs for each in profiled.operators], np.float64)
    in_operators = columns.sum(axis=0)
    between = _typical(np.maximum(graph - in_operators, 0), lengths)
    around = _typical(np.maximum(whole - graph, 0), lengths)
    costs = [_typical(column, lengths) for column in columns]
    parts = sum(cost.typical for cost in (*costs, between, around))

    def row(name: str, kernel: str, of: Sequence[Cost]) -> Row:
        cost = Cost(sum(each.typical for each in of), sum(each.spread for each in of))
        return Row(name, kernel, len(of), cost, cost.typical / parts)

    nodes, members = [], defaultdict(list)
    for position, (operator, cost) in enumerate(zip(profiled.operators, costs, strict=True)):
        kernel = LITERT if operator.piece is None else XNNPACK
        nodes.append(NodeRow(row(operator.name, kernel, [cost]), position, operator))
        members[operator.name, kernel].append(cost)
    kinds = [row(name, kernel, of) for (name, kernel), of in members.items()]
    plain = np.asarray(case.samples.values[_PLAIN[profiled.unit]], np.float64)
    return CaseReport(
        label=label,
        case=case,
        unit=profiled.unit,
        plain=_typical(plain, plain_lengths).typical,
        profiled=_typical(whole, lengths).typical,
        covered=float(np.median(in_operators / whole)),
        kinds=tuple(sorted(kinds, key=lambda row: -row.cost.typical)),
        nodes=tuple(sorted(nodes, key=lambda entry: -entry.row.cost.typical)),
        between=row("between operators", NO_OPERATOR, [between]),
        around=row("around the graph", NO_OPERATOR, [around]),
    )


def _typical(values: np.ndarray, lengths: np.ndarray) -> Cost:
    """The middle half's mean of each length's passes, then their mean with as much weight as the length has passes."""
    typical = spread = 0.0
    for length in np.unique(lengths):
        alike = np.sort(values[lengths == length])
        cut, weight = len(alike) // 4, len(alike) / len(values)
        typical += weight * alike[cut : len(alike) - cut].mean()
        spread += weight * np.median(np.abs(alike - np.median(alike)))
    return Cost(float(typical), float(spread))


def _cells(row: Row) -> tuple[str, ...]:
    count = "-" if row.kernel == NO_OPERATOR else str(row.count)
    return (row.name, row.kernel, count, *_figures(row))


def _figures(row: Row) -> tuple[str, str, str]:
    return _millions(row.cost.typical), _millions(row.cost.spread), f"{row.share:.1%}"


def _millions(cost: float) -> str:
    """Nanoseconds as milliseconds to a tenth of a microsecond, a mean of whole ones; or a million instructions."""
    return f"{cost / 1e6:.4f}"
