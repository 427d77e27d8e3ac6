"""The model card: a README.md beside the files, with what somebody who receives them must know.

What only a person knows (licence, intended use, who answers for it) is named and left open.
"""

from edgebert.errors import DataError
from edgebert.report import wording
from edgebert.report.card_code import kotlin_parts, python_code
from edgebert.report.card_keeping import FIELDS, LICENSE, marked, open_field
from edgebert.report.markdown import escaped, markdown_table
from edgebert.report.model import Report, Row
from edgebert.report.tables import (
    clients_table,
    has_doubts,
    metric_of,
    results_table,
    weights_table,
)

CARD_FILE = "README.md"
_SHOWN_LABELS = 40
# The stage whose models have fewer pieces.
_TRIMMING = "trim"


def model_card(report: Report) -> str:
    """Of one run; a comparison of several is no model."""
    if len(report.runs) != 1:
        raise DataError("model card: expected one run folder, got several. Do: report on one folder at a time.")
    run, row = report.runs[0], report.rows[chosen_row(report)]
    results = results_table(report)
    parts = [
        f"---\n{open_field(LICENSE)}\nlibrary_name: litert\ntags:\n- tflite\n- bert\n- {run.task or 'text'}\n---",
        f"# {escaped(wording.shown_label(run.name))}",
        _summary(report, row),
        "## Files and scores",
        markdown_table(results),
        _reading(report, has_doubts(results)),
        markdown_table(weights_table(report)),
        "## Clients",
        _clients(report),
        "## Data",
        _data(report),
        "## Use it in Python",
        *_python(row),
        "## Use it in Kotlin",
        *kotlin_parts(row),
        "## Limits",
        _limits(report, row),
        "## Licence",
        _licence(),
    ]
    return marked("\n\n".join(parts) + "\n")


def chosen_row(report: Report) -> int:
    """The file that the card's code loads."""
    return report.reference if report.headline is None else report.headline


def _summary(report: Report, row: Row) -> str:
    run = report.runs[0]
    task = {"classification": "A text classifier", "regression": "A model that scores a text or a pair of texts"}
    kind = task.get(run.task or "", "A text model")
    labels = f" with {len(run.label_names):,} labels" if run.label_names else ""
    length = f"exactly {row.length} tokens" if row.length else f"up to {wording.count(row.maximum_length)} tokens"
    reference = report.rows[report.reference]
    against = ""
    if row is not reference and row.retention is not None:
        against = (
            f" It keeps {wording.percent(row.retention, 1)} of the score of `{_path(reference)}` and is "
            f"{wording.times(row.times_smaller)} smaller."
        )
    return (
        f"{kind}{labels} as `.tflite` for phones, made by edgebert {report.edgebert_version}. `{_path(row)}` has "
        f"{wording.megabytes(row.size_bytes)} and takes {length}; vocabulary and labels are packed inside.{against}"
    )


def _reading(report: Report, doubts: bool) -> str:
    words = (
        f"Scores are {metric_of(report) or 'scores'} of the files themselves on the dev examples; ratios refer to "
        f"`{_path(report.rows[report.reference])}`."
    )
    if report.measurements:
        facts = {fact.name: fact.value for fact in report.measurements[0].provenance}
        told = ", ".join(escaped(facts[name]) for name in ("device", "cores", "runtime") if name in facts)
        words += f" Times were taken on {told}: they are no phone's."
    return f"{words} {wording.DOUBT} marks times that their own samples speak against." if doubts else words


def _clients(report: Report) -> str:
    table = clients_table(report)
    return markdown_table(table) if table.rows else f"What clients make of these files: {wording.NOT_MEASURED}."


def _data(report: Report) -> str:
    run = report.runs[0]
    inputs = {(stage.name, fact.name): fact.value for stage in run.stages for fact in stage.inputs}
    trained = next((value for (_, name), value in inputs.items() if name == "train_sha256"), None)
    lines = [
        f"- Dev data: {escaped(run.dev_source or 'unnamed')}, {wording.count(run.dev_examples)} examples, sha256 "
        f"{run.dev_sha256 or 'unknown'}",
        f"- Training data: {escaped(run.train_source or 'unnamed')}, sha256 {trained or 'unknown'}",
    ]
    if run.label_names:
        shown = ", ".join(escaped(wording.shown_label(name)) for name in run.label_names[:_SHOWN_LABELS])
        more = len(run.label_names) - _SHOWN_LABELS
        lines.append(f"- Labels: {shown}{f' and {more:,} more' if more > 0 else ''}")
    return "\n".join(lines)


def _python(row: Row) -> list[str]:
    return [
        "It needs edgebert's tokenizer and LiteRT (`pip install 'edgebert[benchmark]'`) and no TensorFlow; run it in "
        "this folder.",
        f"```python\n{python_code(row)}```",
    ]


def _limits(report: Report, row: Row) -> str:
    run = report.runs[0]
    lines = [
        f"- Made from one training run and judged on {wording.count(run.dev_examples)} dev examples; texts of another "
        "kind may fare worse.",
        "- The dev examples chose the best epoch, so their score is a little better than that on unseen texts.",
        f"- A text of more than {wording.count(row.length or row.maximum_length)} tokens is cut.",
        f"- It needs the runtime {escaped(row.minimum_runtime)} or newer.",
    ]
    if row.model == _TRIMMING:
        lines.append(
            "- Its vocabulary has the pieces of the training texts and single characters: other words are cut into "
            "shorter pieces, which may cost accuracy on texts of another kind."
        )
    if run.task == "classification":
        lines.append(
            "- Every text gets one of the labels, also one that fits none; the score is no calibrated probability."
        )
    refusing = sorted(name for name, status in row.clients.items() if status not in ("agrees", "NOT RUN"))
    if refusing:
        statuses = ", ".join(f"{escaped(name)} ({escaped(row.clients[name])})" for name in refusing)
        lines.append(f"- Clients that do not answer as it does: {statuses}.")
    return "\n".join(lines)


def _licence() -> str:
    return "\n".join(open_field(name) for name in FIELDS if name != LICENSE)


def _path(row: Row) -> str:
    """In a code span, which a backtick would end."""
    return wording.shown_text(row.path).replace("`", "'")
