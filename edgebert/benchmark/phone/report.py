"""The tool's own statistics as tables: runs that it kept to itself, and the memory that it tells."""

import statistics

from edgebert.benchmark.report import Rows, label_of, milliseconds, tokens_of
from edgebert.measurement import Case, Record


def statistics_rows(record: Record) -> Rows:
    """Empty where every run's own time is known: the other tables have it then."""
    header = ("model", "threads", "tokens", "processes", "runs", "mean ms", "min ms", "max ms")
    rows = [_row(record, case) for case in record.cases if case.tool_statistics and not len(case.samples)]
    return header, rows


def growth_rows(record: Record) -> Rows:
    """By how much the tool's process grew, the median of those that tell; empty where none does."""
    header = ("model", "threads", "tokens", "processes", "grown by loading MB", "by the end MB")
    rows = []
    for case in record.cases:
        told = [
            (each.loaded_growth_bytes, each.overall_growth_bytes)
            for each in case.tool_statistics
            if each.loaded_growth_bytes is not None and each.overall_growth_bytes is not None
        ]
        if told:
            medians = (f"{statistics.median(column) / 1e6:.1f}" for column in zip(*told, strict=True))
            settings = (label_of(record, case.model), str(case.threads), tokens_of(case), str(len(told)))
            rows.append((*settings, *medians))
    return header, rows


def _row(record: Record, case: Case) -> tuple[str, ...]:
    told = case.tool_statistics
    runs = sum(each.runs for each in told)
    # Means and extremes of parts make those of the whole; medians and deviations do not.
    figures = (
        sum(each.runs * each.mean_ns for each in told) / runs,
        min(each.minimum_ns for each in told),
        max(each.maximum_ns for each in told),
    )
    settings = (label_of(record, case.model), str(case.threads), tokens_of(case), str(len(told)), str(runs))
    return (*settings, *(milliseconds(value) for value in figures))
