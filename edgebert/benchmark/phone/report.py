"""The tool's own statistics as a table, for cases whose runs it kept to itself."""

from edgebert.benchmark.report import Rows, label_of, milliseconds, tokens_of
from edgebert.measurement import Case, Record


def statistics_rows(record: Record) -> Rows:
    """Empty where every run's own time is known: the other tables have it then."""
    header = ("model", "threads", "tokens", "processes", "runs", "mean ms", "min ms", "max ms")
    rows = [_row(record, case) for case in record.cases if case.tool_statistics and not len(case.samples)]
    return header, rows


def _row(record: Record, case: Case) -> tuple[str, ...]:
    told = case.tool_statistics
    runs = sum(statistics.runs for statistics in told)
    # Means and extremes of parts make those of the whole; medians and deviations do not.
    figures = (
        sum(statistics.runs * statistics.mean_ns for statistics in told) / runs,
        min(statistics.minimum_ns for statistics in told),
        max(statistics.maximum_ns for statistics in told),
    )
    settings = (label_of(record, case.model), str(case.threads), tokens_of(case), str(len(told)), str(runs))
    return (*settings, *(milliseconds(value) for value in figures))
