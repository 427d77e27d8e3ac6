"""The report as Markdown: the same tables, without the charts."""

import re

from edgebert.report import wording
from edgebert.report.model import Report
from edgebert.report.tables import (
    Table,
    clients_table,
    confused_pairs,
    differences_table,
    has_doubts,
    headline_words,
    latency_table,
    memory_table,
    results_table,
    verdict_lines,
    weights_table,
)

_SHOWN_EXAMPLES, _SHOWN_PAIRS = 8, 8
# Whatever Markdown takes for more than text inside a line; an underscore between letters is one.
_SPECIAL = re.compile(r"[\\`*\[\]|~]|(?<![^\W_])_|_(?![^\W_])")
# They would turn the text around them, which plain text cannot isolate.
_DIRECTIONS = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\u061c]")


def to_markdown(report: Report) -> str:
    names = wording.listing([escaped(run.name) for run in report.runs])
    parts = [f"# edgebert report: {names}"]
    headline = headline_words(report)
    if headline is not None:
        parts.append(f"**{escaped(headline)}**")
    reference = escaped(report.rows[report.reference].name)
    parts.append(f"Ratios, retention and equal answers refer to {reference}. Scores are of the files themselves.")
    results = results_table(report)
    parts.append(markdown_table(results))
    if has_doubts(results):
        parts.append(wording.DOUBT_EXPLAINED)
    parts += ["## Weights and runtime", markdown_table(weights_table(report))]
    parts += ["## Latency and memory", *_times(report)]
    clients = clients_table(report)
    parts += ["## Clients", markdown_table(clients) if clients.rows else f"Clients: {wording.NOT_MEASURED}."]
    parts += ["## Answers", *_answers(report), *_attributions(report), "## Where it comes from", *_provenance(report)]
    return "\n\n".join([*parts, *(escaped(note) for note in report.notes)]) + "\n"


def markdown_table(table: Table) -> str:
    header = "| " + " | ".join(escaped(column.name) for column in table.columns) + " |"
    marks = "| " + " | ".join("---:" if column.is_number else "---" for column in table.columns) + " |"
    rows = ["| " + " | ".join(escaped(cell) for cell in row) + " |" for row in table.rows]
    return "\n".join([header, marks, *rows])


def escaped(text: str) -> str:
    """Text that shows as itself: no mark-up, no HTML, no turned direction."""
    plain = _DIRECTIONS.sub("\ufffd", wording.shown_text(text, wording.LONGEST_TEXT * 2 + 3))
    return _SPECIAL.sub(r"\\\g<0>", plain).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(report: Report) -> list[str]:
    table = latency_table(report)
    if not table.rows:
        return [f"Latency and memory: {wording.NOT_MEASURED}."]
    lines = verdict_lines(report)
    trust = "\n".join(f"- {escaped(line)}" for line in lines) if lines else "Every measurement was steady."
    return [markdown_table(table), markdown_table(memory_table(report)), trust]


def _answers(report: Report) -> list[str]:
    if not report.confusions and not report.differences:
        return [f"Confusions and differing examples: {wording.NOT_MEASURED} (no predictions in the run folder)."]
    parts = []
    table = differences_table(report)
    if table.rows:
        parts.append(markdown_table(table))
    for one in (each for each in report.differences if each.row == report.headline):
        examples = [
            f"- {escaped(wording.shown_pair(each.text, each.second_text))}: expected {_label(each.target)}, "
            f"reference {_label(each.reference_answer)}, this file {_label(each.answer)}"
            for each in one.examples[:_SHOWN_EXAMPLES]
        ]
        if examples:
            parts.append("\n".join(examples))
    row = report.reference if report.headline is None else report.headline
    labels = report.runs[report.rows[row].run].label_names
    pairs = [
        f"- {_label(labels[target])}, answered {_label(labels[answer])}: {number}"
        for target, answer, number in confused_pairs(report, row, _SHOWN_PAIRS)
    ]
    if pairs:
        parts.append(f"Most confused by {escaped(report.rows[row].name)}:\n\n" + "\n".join(pairs))
    return parts


def _attributions(report: Report) -> list[str]:
    if not report.attributions:
        return []
    lines = []
    for one in report.attributions:
        changes = ", ".join(
            f"{escaped(piece)} {wording.signed(change, 3)}"
            for piece, change in zip(one.pieces, one.changes, strict=True)
        )
        name = escaped(report.rows[one.row].name)
        text = escaped(wording.shown_pair(one.text, one.second_text))
        lines.append(f"- {text}: {name} answers {_label(one.answer)} ({one.score:.3f}): {changes}")
    return ["Each token's share in an answer: the score less the score without that token.", "\n".join(lines)]


def _label(label: str) -> str:
    return escaped(wording.shown_label(label))


def _provenance(report: Report) -> list[str]:
    parts = [
        "\n".join(
            f"- {escaped(f'{report.runs[one.run].name}, {fact.name}')}: {escaped(fact.value)}"
            for fact in one.provenance
        )
        for one in report.measurements
    ]
    files = [f"- {escaped(row.name)}: `{row.path}` sha256 {row.sha256}" for row in report.rows]
    return [*parts, "\n".join(files)]
