"""The charts of a report: which of its figures each one shows."""

from collections.abc import Sequence

from edgebert.report.html.distributions import Band, distributions
from edgebert.report.html.elements import Markup, element
from edgebert.report.html.lines import Line, line_chart
from edgebert.report.html.marks import Marks
from edgebert.report.html.scatter import Point, scatter
from edgebert.report.html.svg import colour
from edgebert.report.html.svg import line as svg_line
from edgebert.report.model import Curve, Report
from edgebert.report.tables import metric_of, primary_latency
from edgebert.report.wording import NOT_MEASURED, threads


def frontiers(report: Report, marks: Marks) -> list[Markup]:
    """Score against size and against latency."""
    metric = metric_of(report)
    scored = [(number, row) for number, row in enumerate(report.rows) if row.score is not None]
    if not scored:
        return [element("p", f"Score against size and latency: scores were {NOT_MEASURED}.", class_="missing")]
    factor, name = (1, metric) if metric == "spearman" else (100, f"{metric}, %")

    def point(number: int, cost: float) -> Point:
        row = report.rows[number]
        return Point(marks.mark(number), row.name, marks.series(number), cost, factor * row.score)

    sizes = [point(number, row.size_bytes / 1e6) for number, row in scored]
    charts = [_figure("Score against size", scatter("Score against size", sizes, "size, MB", name))]
    timed = [(number, primary_latency(row)) for number, row in scored]
    costs = [(number, one) for number, one in timed if one is not None]
    if costs:
        points = [point(number, one.median_ns / 1e6) for number, one in costs]
        axis = f"median ms, {threads(costs[0][1].threads)}"
        charts.append(_figure("Score against latency", scatter("Score against latency", points, axis, name)))
    else:
        charts.append(element("p", f"Score against latency: times were {NOT_MEASURED}.", class_="missing"))
    return [element("div", charts, class_="grid"), marks.legend]


def latencies(report: Report, marks: Marks) -> list[Markup]:
    """One chart for each setting that was measured."""
    settings = sorted({(one.threads, one.length) for row in report.rows for one in row.latencies}, key=_by_setting)
    charts = []
    for number_of_threads, length in settings:
        bands = [
            Band(
                marks.mark(number),
                row.name,
                marks.series(number),
                tuple(value / 1e6 for value in one.samples_ns),
                one.median_ns / 1e6,
                one.p90_ns / 1e6,
            )
            for number, row in enumerate(report.rows)
            for one in row.latencies
            if (one.threads, one.length) == (number_of_threads, length) and all(one.samples_ns)
        ]
        title = f"{threads(number_of_threads)}, {'each text its own length' if length is None else f'{length} tokens'}"
        if bands:
            charts.append(_figure(title, distributions(title, bands, "ms, logarithmic")))
    if not charts:
        return [element("p", f"Latency: {NOT_MEASURED}.", class_="missing")]
    words = "Every run of every file. The full line is the median, the dashed one p90; texts differ in length and cost."
    return [element("p", words), element("div", charts, class_="grid"), marks.legend]


def curves(report: Report) -> list[Markup]:
    parts = [_curve_charts(curve, report) for curve in report.curves]
    if not any(parts):
        return [element("p", f"Training curves: {NOT_MEASURED}; no stage of the run kept any.", class_="missing")]
    return [element("div", [chart for charts in parts for chart in charts], class_="grid")]


def _curve_charts(curve: Curve, report: Report) -> list[Markup]:
    run = f"{report.runs[curve.run].name}, " if len(report.runs) > 1 else ""
    stage = curve.stage if curve.title == curve.stage else f"{curve.stage}, {curve.title}"
    lines = [
        Line(
            name,
            position,
            tuple((place, value) for place, value in zip(curve.positions, values, strict=True) if value is not None),
        )
        for position, (name, values) in enumerate(curve.terms.items())
    ]
    lines = [line for line in lines if line.points]
    charts = []
    if lines:
        title = f"{run}{stage}: loss"
        charts.append(_figure(title, line_chart(title, lines, curve.axis, "loss"), _line_legend(lines)))
    if curve.dev_scores:
        title = f"{run}{stage}: {curve.dev_name}"
        line = Line(curve.dev_name, 0, tuple(zip(curve.dev_positions, curve.dev_scores, strict=True)))
        charts.append(_figure(title, line_chart(title, [line], curve.axis, curve.dev_name)))
    return charts


def _line_legend(lines: Sequence[Line]) -> Markup:
    """Colour and dashes, since some see no colours."""
    return element(
        "ul",
        [element("li", _swatch(line), line.name) for line in lines],
        class_="legend",
    )


def _swatch(line: Line) -> Markup:
    stroke = svg_line(0, 5, 30, 5, f"curve {colour(line.series)} d{line.series % 4}")
    return element("svg", stroke, viewBox="0 0 30 10", class_="chart swatch", aria_hidden="true")


def _figure(title: str, chart: Markup, legend: Markup | None = None) -> Markup:
    return element("figure", element("figcaption", title), chart, legend)


def _by_setting(setting: tuple[int, int | None]) -> tuple[int, int]:
    return setting[0], setting[1] or 0
