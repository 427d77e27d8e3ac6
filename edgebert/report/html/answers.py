"""The sections about answers: confusions, examples that differ, and what each token does."""

from collections.abc import Sequence

from edgebert.report import wording
from edgebert.report.html.elements import Markup, element, isolated, joined
from edgebert.report.html.heat import Cell, heat_table, shaded
from edgebert.report.html.marks import Marks
from edgebert.report.html.table import PLAIN, cell, html_table, row_name, table_of
from edgebert.report.model import Attribution, Confusion, Difference, Differences, Report
from edgebert.report.tables import confused_pairs, differences_table

# More labels than this make a matrix that nobody reads; then the most confused ones are shown.
_MATRIX_LABELS = 10
_LISTED_PAIRS = 12
_NO_PREDICTIONS = f"{wording.NOT_MEASURED.capitalize()}: the run folder holds no predictions (predictions.json)."


def confusions(report: Report, marks: Marks) -> list[Markup]:
    if any(run.task == "regression" for run in report.runs):
        return [element("p", "Scores are no labels: there is nothing to confuse.", class_="missing")]
    if not report.confusions:
        return [element("p", _NO_PREDICTIONS, class_="missing")]
    shown = [report.reference]
    if report.headline is not None:
        # Another run may number the labels otherwise.
        beside = report.rows[report.headline].run == report.rows[report.reference].run
        shown = [report.reference, report.headline] if beside else [report.headline]
    found = [one for row in shown for one in report.confusions if one.row == row]
    if not found:
        return [element("p", _NO_PREDICTIONS, class_="missing")]
    labels = _labels(report, found)
    of_all = len(report.runs[report.rows[shown[-1]].run].label_names)
    chosen = f"The {len(labels)} most confused of {of_all:,} labels. " if len(labels) < of_all else ""
    words = f"{chosen}Rows are the expected label, columns the answer; the numbers are dev examples."
    matrices = [_matrix(one, labels, report) for one in found]
    return [element("p", words), element("div", matrices, class_="grid"), _pairs(report, shown, marks)]


def _labels(report: Report, found: Sequence[Confusion]) -> list[int]:
    names = report.runs[report.rows[found[-1].row].run].label_names
    if len(names) <= _MATRIX_LABELS + 2:
        return list(range(len(names)))
    chosen: dict[int, None] = {}
    for target, answer, _ in confused_pairs(report, found[-1].row, len(names)):
        if len(chosen.keys() | {target, answer}) <= _MATRIX_LABELS:
            chosen |= dict.fromkeys((target, answer))
    return sorted(chosen)


def _matrix(confusion: Confusion, labels: Sequence[int], report: Report) -> Markup:
    names = report.runs[report.rows[confusion.row].run].label_names
    counts = {(each.target, each.answer): each.count for each in confusion.cells}
    totals = {label: sum(each.count for each in confusion.cells if each.target == label) for label in labels}
    rows = []
    for position, target in enumerate(labels, 1):
        inside = [_confusion_cell(target, answer, counts, totals[target]) for answer in labels]
        elsewhere = totals[target] - sum(counts.get((target, answer), 0) for answer in labels)
        others = [Cell(str(elsewhere) if elsewhere else "")] if len(labels) < len(names) else []
        rows.append((f"{position} {wording.shown_text(names[target], 32)}", [*inside, *others]))
    columns = [str(position) for position in range(1, len(labels) + 1)]
    return heat_table(
        report.rows[confusion.row].name, "expected", columns + (["else"] if len(labels) < len(names) else []), rows
    )


def _confusion_cell(target: int, answer: int, counts: dict[tuple[int, int], int], total: int) -> Cell:
    count = counts.get((target, answer), 0)
    return Cell(str(count) if count else "", count / total if total else 0.0, "heat" if target == answer else "wrong")


def _pairs(report: Report, shown: Sequence[int], marks: Marks) -> Markup | None:
    """The commonest confusions of the last file shown, beside the others' numbers."""
    row = shown[-1]
    names = report.runs[report.rows[row].run].label_names
    pairs = confused_pairs(report, row, _LISTED_PAIRS)
    if not pairs:
        return None
    counts = {
        one.row: {(each.target, each.answer): each.count for each in one.cells}
        for one in report.confusions
        if one.row in shown
    }
    rows = [
        [
            row_name(isolated(wording.shown_label(names[target]))),
            cell(isolated(wording.shown_label(names[answer])), "answered"),
            *(cell(str(counts[each].get((target, answer), 0)), report.rows[each].name, "n") for each in counts),
        ]
        for target, answer, _ in pairs
    ]
    columns = [("expected", None), ("answered", None), *((report.rows[each].name, "n") for each in counts)]
    return joined(element("h3", "Most confused by ", marks.named(row)), table_of("Most confused", columns, rows, PLAIN))


def differences(report: Report, marks: Marks) -> list[Markup]:
    if not report.differences:
        return [element("p", _NO_PREDICTIONS, class_="missing")]
    table = differences_table(report)
    parts = [html_table(table, marks.badges, PLAIN)] if table.rows else []
    ordered = sorted(report.differences, key=lambda one: (one.row != report.headline, one.row))
    return [*parts, *(_examples(one, report, marks) for one in ordered if one.examples)]


def _examples(found: Differences, report: Report, marks: Marks) -> Markup:
    reference = report.rows[report.reference].name
    rows = [_example(each, reference, report.rows[found.row].name) for each in found.examples]
    columns = [("text", None), ("expected", None), (reference, None), (report.rows[found.row].name, None)]
    if found.reference_alone_right is None:
        told = f"the {len(found.examples)} largest differences of {found.of:,} examples"
    else:
        told = f"{len(found.examples)} of {found.count:,} examples"
    return element(
        "details",
        element("summary", marks.named(found.row), f": {told}"),
        table_of("Examples that differ", columns, rows),
        open=found.row == report.headline,
    )


def _example(one: Difference, reference: str, name: str) -> list[Markup]:
    return [
        row_name(isolated(wording.shown_pair(one.text, one.second_text), class_="quoted")),
        cell(isolated(wording.shown_label(one.target)), "expected"),
        cell(_answer(one.reference_answer, one.reference_score, one.target), reference),
        cell(_answer(one.answer, one.score, one.target), name),
    ]


def _answer(answer: str, score: float, target: str) -> Markup:
    """Right and wrong in words and signs, not in colour alone."""
    if answer == f"{score:.3f}":
        return isolated(answer)
    is_right = answer == target
    sign = element("span", "✓" if is_right else "✗", class_="right" if is_right else "amiss", aria_hidden="true")
    said = element("span", "right: " if is_right else "wrong: ", class_="heard")
    share = element("span", f" {score:.2f}", class_="share")
    return joined(sign, " ", said, isolated(wording.shown_label(answer)), share)


def attributions(report: Report, marks: Marks) -> list[Markup]:
    if not report.attributions:
        return [element("p", "No text was explained; `edgebert report --explain TEXT` adds one.", class_="missing")]
    words = (
        "Asked of the files themselves: each token is left out once, and the number below it is how much the score of "
        "the answer falls (blue) or rises (orange) without it; shades are relative to the largest. It tells what "
        "the answer hangs on, not why; a word that stands twice seems to matter little, since the other one remains."
    )
    by_text: dict[tuple[str, str | None], list[Attribution]] = {}
    for one in report.attributions:
        by_text.setdefault((one.text, one.second_text), []).append(one)
    return [element("p", words), *(_explained(*pair, found, marks) for pair, found in by_text.items())]


def _explained(text: str, second_text: str | None, found: Sequence[Attribution], marks: Marks) -> Markup:
    largest = max((abs(change) for one in found for change in one.changes), default=0.0)
    parts = []
    for one in found:
        answer = [marks.named(one.row), ": ", isolated(wording.shown_label(one.answer)), f" {one.score:.3f}"]
        tokens = [_token(piece, change, largest) for piece, change in zip(one.pieces, one.changes, strict=True)]
        parts += [element("p", answer, class_="answered"), element("ol", tokens, class_="tokens")]
    title = element("h3", "“", isolated(wording.shown_pair(text, second_text)), "”")
    return element("article", title, parts, class_="explained")


def _token(piece: str, change: float, largest: float) -> Markup:
    shade = Cell("", abs(change) / largest if largest else 0.0, "heat" if change > 0 else "against")
    return element("li", isolated(piece), element("span", wording.signed(change, 2)), **shaded(shade))
