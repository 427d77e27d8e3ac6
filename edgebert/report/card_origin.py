"""The model card's words on where a model comes from: its checkpoint, its data, and whose these are."""

from collections.abc import Iterator

from edgebert.data.attributions import read_attribution
from edgebert.models.sources import DEFAULT_TEACHER, TEACHER_PACKAGE, TEACHER_SHA256
from edgebert.report import wording
from edgebert.report.card_keeping import DATA_LICENCE, FIELDS, LICENSE, open_field
from edgebert.report.markdown import escaped
from edgebert.report.model import Report, Run, TrainingData
from edgebert.report.training_curves import trained_stages

_SHOWN_LABELS = 40


def checkpoint_words(report: Report) -> str:
    run = report.runs[0]
    parts = ["The checkpoint that the weights come from was not recorded."]
    if run.checkpoint is not None:
        package = ""
        if (run.checkpoint, run.checkpoint_sha256) == (DEFAULT_TEACHER, TEACHER_SHA256):
            package = f" (all-MiniLM-L6-v2, from the package {TEACHER_PACKAGE})"
        parts = [
            f"Made from the checkpoint {escaped(run.checkpoint)}{package}, sha256 {run.checkpoint_sha256 or 'unknown'}."
        ]
    if run.student_start is not None:
        parts.append(f"The student began as {escaped(run.student_start)}, which was trained before.")
    trained = trained_stages(report.curves, 0)
    parts.append(f"Trained in this run: {escaped(', '.join(trained))}." if trained else "This run trained nothing.")
    return " ".join(parts)


def data_words(report: Report) -> str:
    run = report.runs[0]
    number = "" if run.dev_examples is None else f", {wording.count(run.dev_examples)} examples"
    lines = [f"- Dev data: {escaped(run.dev_source or 'unnamed')}{number}, sha256 {run.dev_sha256 or 'unknown'}"]
    lines += [_training_words(data) for data in run.training] or ["- Training data: none, this run trained nothing"]
    if run.label_names:
        shown = ", ".join(escaped(wording.shown_label(name)) for name in run.label_names[:_SHOWN_LABELS])
        more = len(run.label_names) - _SHOWN_LABELS
        lines.append(f"- Labels: {shown}{f' and {more:,} more' if more > 0 else ''}")
    return "\n".join(lines)


def licence_words(run: Run) -> str:
    """What only a person knows is left open; of the data that edgebert brings the licence is known."""
    bundled = {data.bundled for data in run.training}
    known = bundled and None not in bundled
    lines = [open_field(name) for name in FIELDS if name != LICENSE and not (known and name == DATA_LICENCE)]
    return "\n".join([*lines, *_bundled_words(run)])


def _training_words(data: TrainingData) -> str:
    number = ""
    if data.examples is not None:
        number = f", {wording.count(data.examples)} examples"
        if data.examples_read is not None and data.examples_read > data.examples:
            number = f", {wording.count(data.examples)} of its {wording.count(data.examples_read)} examples"
    sha256 = "" if data.sha256 is None and data.name is not None else f", sha256 {data.sha256 or 'unknown'}"
    return f"- {data.role.capitalize()}: {escaped(data.name or 'unnamed')}{number}{sha256}"


def _bundled_words(run: Run) -> Iterator[str]:
    used = [*(data.bundled for data in run.training), run.dev_bundled]
    for name in dict.fromkeys(one for one in used if one is not None):
        told = read_attribution(name)
        parts = [f"- Licence of {name}, which edgebert brings: {told.licence}"]
        parts += [f"Authors: {told.authors}"] if told.authors else []
        yield ". ".join([*parts, f"Paper: {told.paper}", f"Source: {told.source}"])
