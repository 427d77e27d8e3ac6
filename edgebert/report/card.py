"""The model card: a README.md beside the files, with what somebody who receives them must know.

What only a person knows (licence, intended use, who answers for it) is named and left open.
"""

from edgebert.errors import DataError
from edgebert.report import wording
from edgebert.report.card_code import kotlin_parts, python_code
from edgebert.report.card_keeping import LICENSE, marked, open_field
from edgebert.report.card_origin import checkpoint_words, data_words, licence_words
from edgebert.report.markdown import escaped, markdown_table
from edgebert.report.model import Report, Row
from edgebert.report.tables import (
    clients_table,
    has_doubts,
    metric_of,
    results_table,
    weights_table,
)
from edgebert.report.training_curves import trained_stages

CARD_FILE = "README.md"
# The stage whose models have fewer pieces.
_TRIMMING = "trim"
# Its epochs are judged on plain text.
_PLAIN_TEXT = "distill-text"


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
        "## Checkpoint",
        checkpoint_words(report),
        "## Data",
        data_words(report),
        "## Use it in Python",
        *_python(report, row),
        "## Use it in Kotlin",
        *kotlin_parts(row),
        "## Limits",
        _limits(report, row),
        "## Licence",
        licence_words(run),
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
    metric = metric_of(report)
    scores = (
        "Nothing was scored" if metric is None else f"Scores are {metric} of the files themselves on the dev examples"
    )
    words = f"{scores}; ratios refer to `{_path(report.rows[report.reference])}`."
    if report.measurements:
        facts = {fact.name: fact.value for fact in report.measurements[0].provenance}
        told = ", ".join(escaped(facts[name]) for name in ("device", "cores", "runtime") if name in facts)
        words += f" Times were taken on {told}: they are no phone's."
    return f"{words} {wording.DOUBT} marks times that their own samples speak against." if doubts else words


def _clients(report: Report) -> str:
    table = clients_table(report)
    return markdown_table(table) if table.rows else f"What clients make of these files: {wording.NOT_MEASURED}."


def _python(report: Report, row: Row) -> list[str]:
    wheel = f"./edgebert-{report.edgebert_version}-py3-none-any.whl"
    return [
        "It needs edgebert's tokenizer and LiteRT, and no TensorFlow. edgebert is in no package index: install it from "
        f"its checkout (`pip install './edgebert[benchmark]'`) or its wheel (`pip install '{wheel}[benchmark]'`), and "
        "run this in the card's folder.",
        f"```python\n{python_code(row)}```",
    ]


def _limits(report: Report, row: Row) -> str:
    run = report.runs[0]
    lines = [
        *_judged(report),
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


def _judged(report: Report) -> list[str]:
    """By how many trainings and examples, and what else these examples decided."""
    run = report.runs[0]
    trainings = "Each training ran once, with one seed" if trained_stages(report.curves, 0) else "Nothing was trained"
    if run.metric is None:
        return [f"- {trainings}, and nothing was scored."]
    examples = "an unknown number of" if run.dev_examples is None else wording.count(run.dev_examples)
    lines = [f"- {trainings}; judged on {examples} dev examples. Texts of another kind may fare worse."]
    if any(len(curve.dev_scores) > 1 and curve.stage != _PLAIN_TEXT for curve in report.curves):
        lines.append(
            "- The dev examples chose the best epoch, so their score is a little better than that on unseen texts."
        )
    return lines


def _path(row: Row) -> str:
    """In a code span, which a backtick would end."""
    return wording.shown_text(row.path).replace("`", "'")
