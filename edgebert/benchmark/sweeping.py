"""A record of several lengths or numbers of threads as one table: what a model costs along both."""

from collections.abc import Sequence

import numpy as np

from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import mean_by_class, millions
from edgebert.benchmark.report import Rows, label_of, milliseconds, tokens_of
from edgebert.measurement import Case, Record

_CURVE_WIDTH = 24


def sweep_rows(record: Record) -> Rows:
    """A row for each model and length, a column for each number of threads; empty where nothing was swept.

    `N threads` is that time as a share of the fewest threads'; the curve is drawn of the fewest threads', each model
    (on one core) for itself.
    """
    cases = [case for case in record.cases if len(case.samples)]
    settings = {(case.threads, tokens_of(case)) for case in cases}
    threads = sorted({case.threads for case in cases})
    if len(settings) < 2:
        return (), []
    counted = any(case.emulation is not None for case in cases)
    unit = "M" if counted else "ms"
    header = ["model", *["core"] * counted, "tokens", *(f"{_threads(count)} {unit}" for count in threads)]
    header += [f"{_threads(count)}" for count in threads[1:]]
    rows = []
    for curve in _curves(record, cases):
        longest = max(_value(row[min(row)]) for row in curve)
        for row in curve:
            fewest = row[min(row)]
            core = [fewest.emulation.core] if counted else []
            values = [_shown(row.get(count), counted) for count in threads]
            shares = [_share(row.get(count), row.get(threads[0])) for count in threads[1:]]
            settings = (label_of(record, fewest.model), *core, tokens_of(fewest))
            rows.append((*settings, *values, *shares, _bar(_value(fewest) / longest)))
    return (*header, "curve"), rows


def _curves(record: Record, cases: Sequence[Case]) -> list[list[dict[int, Case]]]:
    """For each model, on each core: a row for each length, in which cases stand by their number of threads."""
    curves: dict[tuple, dict[int | None, dict[int, Case]]] = {}
    for case in cases:
        core = None if case.emulation is None else case.emulation.core
        curves.setdefault((case.model, core), {}).setdefault(case.length, {})[case.threads] = case
    return [list(rows.values()) for rows in curves.values()]


def _value(case: Case) -> float:
    return mean_by_class(case)[ALL] if case.emulation is not None else float(np.median(case.samples.values["wall_ns"]))


def _shown(case: Case | None, counted: bool) -> str:
    if case is None:
        return "-"
    return millions(_value(case)) if counted else milliseconds(_value(case))


def _share(case: Case | None, fewest: Case | None) -> str:
    return "-" if case is None or fewest is None else f"{_value(case) / _value(fewest):.2f}x"


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _bar(share: float) -> str:
    """Of a sign that every terminal has."""
    return "#" * max(1, round(share * _CURVE_WIDTH))
