"""The report's tables as plain texts, once for Markdown and for HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgebert.report import wording
from edgebert.report.model import Latency, Report, Row


@dataclass(frozen=True)
class Column:
    name: str
    is_number: bool = True


@dataclass(frozen=True)
class Table:
    """`rows[i]` is about the report's row `subjects[i]`, where the table is one of files."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    subjects: tuple[int, ...] = ()


_FILE = Column("file", is_number=False)


def primary_latency(row: Row) -> Latency | None:
    """What stands for a file where there is room for one time: fewest threads, texts as long as they are."""
    return min(row.latencies, key=lambda one: (one.measurement, one.threads, one.length or 0), default=None)


def metric_of(report: Report) -> str | None:
    return next((run.metric for run in report.runs if run.metric is not None), None)


def results_table(report: Report) -> Table:
    metric = metric_of(report)
    timed = next((one for one in map(primary_latency, report.rows) if one is not None), None)
    time_name = "median ms" if timed is None else f"median ms, {wording.threads(timed.threads)}"
    columns = ("bytes", "gzipped", "smaller", metric or "score", "of the reference", "same answer", time_name, "faster")
    rows = []
    for row in report.rows:
        latency = primary_latency(row)
        rows.append(
            (
                row.name,
                wording.count(row.size_bytes),
                wording.count(row.gzipped_bytes),
                wording.times(row.times_smaller),
                wording.score(row.score, metric),
                wording.percent(row.retention, 1),
                wording.percent(row.agreement),
                *_time_and_ratio(latency),
            )
        )
    return _of_files("Results", columns, rows)


def has_doubts(table: Table) -> bool:
    return any(cell.endswith(wording.DOUBT) for row in table.rows for cell in row)


def _time_and_ratio(latency: Latency | None) -> tuple[str, str]:
    if latency is None:
        return wording.NOT_MEASURED, wording.NOT_MEASURED
    figures = wording.milliseconds(latency.median_ns), wording.times(latency.times_faster)
    return wording.doubtful(figures[0], latency.is_steady), wording.doubtful(figures[1], latency.ratio_is_steady)


def weights_table(report: Report) -> Table:
    columns = ("parameters", "zeros among the weights", "minimum runtime", "tokens at most")
    rows = [
        (
            row.name,
            wording.count(row.parameters),
            wording.percent(row.zero_share),
            row.minimum_runtime,
            wording.count(row.length or row.maximum_length),
        )
        for row in report.rows
    ]
    return _of_files("Weights and runtime", columns, rows)


def latency_table(report: Report) -> Table:
    names = (
        "threads",
        "tokens",
        "runs",
        "p50 ms",
        "p90 ms",
        "p99 ms",
        "CPU ms",
        "faster",
        "95 % interval",
        "faster by CPU",
    )
    rows, subjects = [], []
    for number, row in enumerate(report.rows):
        for one in row.latencies:
            settings = (str(one.threads), wording.tokens(one.length, one.shortest_tokens, one.longest_tokens))
            figures = (one.median_ns, one.p90_ns, one.p99_ns, one.cpu_median_ns)
            faster = (wording.times(one.times_faster), wording.interval(one.times_faster_low, one.times_faster_high))
            told = tuple(wording.milliseconds(figure) for figure in figures)
            ratios = (faster[0], faster[1] or "none", wording.times(one.times_faster_cpu))
            rows.append((row.name, *settings, wording.count(one.runs), *told, *ratios))
            subjects.append(number)
    return Table("Latency", _columns(names), tuple(rows), tuple(subjects))


def memory_table(report: Report) -> Table:
    names = ("threads", "load ms", "first run ms", "model's memory", "process at most", "delegated nodes")
    rows, subjects = [], []
    for number, row in enumerate(report.rows):
        for one in row.latencies:
            delegated = wording.NOT_MEASURED if one.nodes is None else f"{one.delegated_nodes} of {one.nodes}"
            rows.append(
                (
                    row.name,
                    str(one.threads),
                    wording.milliseconds(one.load_ns),
                    wording.milliseconds(one.first_run_ns),
                    wording.megabytes(one.model_memory_bytes),
                    wording.megabytes(one.peak_memory_bytes),
                    delegated,
                )
            )
            subjects.append(number)
    return Table("Start and memory", _columns(names), tuple(rows), tuple(subjects))


def clients_table(report: Report) -> Table:
    names = tuple(sorted({name for row in report.rows for name in row.clients}))
    columns = (_FILE, *(Column(name, is_number=False) for name in names))
    rows = tuple(
        (row.name, *(wording.client_words(row.clients, name) for name in names)) for row in report.rows if names
    )
    return Table("Clients", columns, rows, tuple(range(len(rows))))


def differences_table(report: Report) -> Table:
    """Of classifiers; a regression has no right and wrong."""
    reference = report.rows[report.reference].name
    names = ("differ", "of examples", f"only {reference} right", "only this file right", "both wrong")
    chosen = [one for one in report.differences if one.reference_alone_right is not None]
    rows = [
        (
            report.rows[one.row].name,
            *map(wording.count, (one.count, one.of, one.reference_alone_right, one.row_alone_right, one.both_wrong)),
        )
        for one in chosen
    ]
    return Table("Answers that differ", _columns(names), tuple(rows), tuple(one.row for one in chosen))


def verdict_lines(report: Report) -> tuple[str, ...]:
    """Every reason to distrust a time, in words; a steady one has none."""
    lines = [
        f"{report.runs[one.run].name}, the whole measurement: {words}"
        for one in report.measurements
        for words in one.verdicts
    ]
    lines += [
        f"{row.name}, {wording.threads(one.threads)}: {words}"
        for row in report.rows
        for one in row.latencies
        for words in one.verdicts
    ]
    return tuple(lines)


def confused_pairs(report: Report, row: int, most: int) -> Sequence[tuple[int, int, int]]:
    """(target, answer, count) of a file's commonest confusions."""
    cells = [one.cells for one in report.confusions if one.row == row]
    wrong = [cell for cell in (cells[0] if cells else ()) if cell.target != cell.answer]
    ordered = sorted(wrong, key=lambda cell: (-cell.count, cell.target, cell.answer))
    return [(cell.target, cell.answer, cell.count) for cell in ordered[:most]]


def headline_words(report: Report) -> str | None:
    """The one sentence that people take away."""
    if report.headline is None:
        return None
    row, reference = report.rows[report.headline], report.rows[report.reference]
    latency = primary_latency(row)
    parts = [
        f"{wording.percent(row.retention, 1)} of the score of {reference.name}",
        f"{wording.times(row.times_smaller)} smaller",
    ]
    if latency is not None and latency.times_faster is not None:
        faster = f"{wording.times(latency.times_faster)} faster on {wording.threads(latency.threads)}"
        if not latency.ratio_is_steady:
            faster += f" ({wording.times(latency.times_faster_cpu)} by CPU time; the first figure is to be distrusted)"
        parts.append(faster)
    return f"{row.name}: {wording.listing(parts)}."


def _columns(names: Sequence[str]) -> tuple[Column, ...]:
    return (_FILE, *(Column(name) for name in names))


def _of_files(title: str, names: Sequence[str], rows: Sequence[tuple[str, ...]]) -> Table:
    return Table(title, _columns(names), tuple(rows), tuple(range(len(rows))))
