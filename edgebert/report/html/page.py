"""The whole page: what was reached, then the evidence for it, then where it comes from."""

from importlib.resources import files

from edgebert.report import wording
from edgebert.report.html import answers, charts
from edgebert.report.html.elements import Child, Markup, element, isolated, joined
from edgebert.report.html.layers import layers
from edgebert.report.html.marks import Marks
from edgebert.report.html.table import PLAIN, cell, html_table, row_name, table_of
from edgebert.report.model import KEPT_SCORE, Report
from edgebert.report.tables import (
    clients_table,
    has_doubts,
    headline_words,
    latency_table,
    memory_table,
    primary_latency,
    results_table,
    verdict_lines,
    weights_table,
)

# Nothing may be fetched and nothing may run, whatever a text of the data holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def to_html(report: Report) -> str:
    title = f"edgebert report: {wording.listing([run.name for run in report.runs])}"
    marks = Marks(report)
    sections = _sections(report, marks)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("style", Markup(files(__package__).joinpath("style.css").read_text(encoding="utf-8"))),
    )
    links = [element("li", element("a", name, href=f"#{place}")) for place, name, _ in sections]
    body = element(
        "body",
        element("a", "To the results", href="#results", class_="skip"),
        _top(report, marks),
        element("nav", element("ul", links), aria_label="Sections"),
        element("main", [_section(*each) for each in sections]),
        element(
            "footer", element("p", f"Made by edgebert {report.edgebert_version} from the run folder alone; ", _FOOTER)
        ),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


_FOOTER = "what was not measured is said to be, and nothing is estimated."


def _top(report: Report, marks: Marks) -> Markup:
    run = report.runs[report.rows[report.reference].run]
    facts = [run.task, run.dev_source, f"{run.dev_examples:,} dev examples" if run.dev_examples else None]
    if run.label_names:
        facts.insert(1, f"{len(run.label_names):,} labels")
    names = wording.listing([one.name for one in report.runs])
    return element(
        "header",
        element("p", "edgebert report", class_="kicker"),
        element("h1", element("bdi", wording.shown_label(names))),
        element("p", " · ".join(wording.shown_label(fact) for fact in facts if fact), class_="facts"),
        _tiles(report, marks),
    )


def _tiles(report: Report, marks: Marks) -> Markup | None:
    """The file that one would take, in four figures."""
    words = headline_words(report)
    if words is None:
        return None
    row, latency = report.rows[report.headline], primary_latency(report.rows[report.headline])
    tiles = [
        ("of the reference's score", wording.percent(row.retention, 1)),
        (f"smaller, {wording.megabytes(row.size_bytes)}", wording.times(row.times_smaller)),
    ]
    if latency is not None and latency.times_faster is not None:
        faster = wording.doubtful(wording.times(latency.times_faster), latency.ratio_is_steady)
        told = f"faster, {wording.milliseconds(latency.median_ns)} ms on {wording.threads(latency.threads)}"
        if not latency.ratio_is_steady:
            told += f"; {wording.times(latency.times_faster_cpu)} by CPU time"
        tiles.append((told, faster))
    if row.agreement is not None:
        tiles.append(("answers like the reference", wording.percent(row.agreement, 1)))
    told = [element("div", element("dt", name), element("dd", figure)) for name, figure in tiles]
    kept = "The smallest file that keeps 97 % of the reference's score: "
    chosen = kept if row.retention >= KEPT_SCORE else "None keeps 97 %; the smallest that is as good as the best: "
    reference = [" Reference: ", marks.named(report.reference), "."]
    return element(
        "div", element("p", chosen, marks.named(report.headline), ".", reference), element("dl", told, class_="tiles")
    )


def _sections(report: Report, marks: Marks) -> list[tuple[str, str, list[Child]]]:
    return [
        ("results", "Results", _results(report, marks)),
        ("latency", "Latency", _latency(report, marks)),
        ("clients", "Clients", _clients(report, marks)),
        ("training", "Training", charts.curves(report)),
        ("confusions", "Confusions", answers.confusions(report, marks)),
        ("differences", "Differences", answers.differences(report, marks)),
        ("tokens", "Tokens", answers.attributions(report, marks)),
        ("weights", "Layers", layers(report)),
        ("provenance", "Provenance", _provenance(report, marks)),
    ]


def _section(place: str, name: str, content: list[Child]) -> Markup:
    return element(
        "section", element("h2", name, id=f"{place}-title"), content, id=place, aria_labelledby=f"{place}-title"
    )


def _results(report: Report, marks: Marks) -> list[Child]:
    table = results_table(report)
    words = "Scores are of the produced files on the dev examples, answered by the files themselves."
    doubt = element("p", wording.DOUBT_EXPLAINED, class_="note") if has_doubts(table) else None
    notes = [element("p", note, class_="note") for note in report.notes]
    return [element("p", words), html_table(table, marks.badges), doubt, notes, charts.frontiers(report, marks)]


def _latency(report: Report, marks: Marks) -> list[Child]:
    table = latency_table(report)
    if not table.rows:
        return [element("p", f"Latency and memory: {wording.NOT_MEASURED}.", class_="missing")]
    lines = verdict_lines(report)
    trust = element("p", "Every measurement was steady.")
    if lines:
        told = element("ul", [element("li", line) for line in lines])
        trust = element("details", element("summary", f"Reasons to distrust these times: {len(lines)}"), told)
    return [
        charts.latencies(report, marks),
        html_table(table, marks.badges, PLAIN),
        trust,
        element("h3", "Start and memory"),
        html_table(memory_table(report), marks.badges, PLAIN),
    ]


def _clients(report: Report, marks: Marks) -> list[Child]:
    table = clients_table(report)
    words = (
        "Each client was handed dev texts in an environment of its own, and its answers were compared with ours: "
        "it agrees, disagrees, refuses the file, fails, or was not run because it is not installed."
    )
    shown = [element("p", words), html_table(table, marks.badges, PLAIN)]
    said = [
        element("li", marks.named(number), f", {name}: ", isolated(wording.shown_text(reason)))
        for number, row in enumerate(report.rows)
        for name, reason in row.client_reasons.items()
    ]
    if said:
        shown.append(element("details", element("summary", "What the clients said"), element("ul", said)))
    missing = [element("p", f"Clients: {wording.NOT_MEASURED}.", class_="missing")]
    reasons = [
        element("li", marks.named(number), f": {row.minimum_runtime} because of {row.runtime_reason}")
        for number, row in enumerate(report.rows)
        if row.runtime_reason
    ]
    why = (
        element("details", element("summary", "What needs these runtimes"), element("ul", reasons)) if reasons else None
    )
    return [
        *(shown if table.rows else missing),
        element("h3", "Weights and runtime"),
        html_table(weights_table(report), marks.badges, PLAIN),
        why,
    ]


def _provenance(report: Report, marks: Marks) -> list[Child]:
    parts: list[Child] = []
    for one in report.measurements:
        facts = [("started", one.started_at_utc), *((fact.name, fact.value) for fact in one.provenance)]
        title = f"Measured for {report.runs[one.run].name}" if len(report.runs) > 1 else "Measured"
        parts.append(element("details", element("summary", title), _facts(facts)))
    for run in report.runs:
        title = f"Stages of {run.name}" if len(report.runs) > 1 else "Stages"
        remarks = [element("p", remark, class_="note") for remark in run.remarks]
        stages = [
            joined(
                element("h4", element("bdi", stage.name), "" if stage.finished else " (not finished)"),
                _facts([(fact.name, fact.value) for fact in stage.inputs]),
            )
            for stage in run.stages
        ]
        parts += [*remarks, element("details", element("summary", title), stages)]
    rows = [
        [
            row_name(marks.named(number)),
            cell(element("code", wording.shown_text(row.path)), "path"),
            cell(element("code", row.sha256), "sha256"),
        ]
        for number, row in enumerate(report.rows)
    ]
    files_table = table_of("Files", [("file", None), ("path", None), ("sha256", None)], rows)
    return [*parts, element("details", element("summary", "Files"), files_table)]


def _facts(facts: list[tuple[str, str]]) -> Markup:
    told = [
        element(
            "div", element("dt", wording.shown_label(name)), element("dd", element("bdi", wording.shown_text(value)))
        )
        for name, value in facts
    ]
    return element("dl", told, class_="facts-list")
