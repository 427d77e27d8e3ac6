"""Which sentences are explained, and by which files: the reference and the headline file beside each other."""

from collections.abc import Iterable, Sequence

from edgebert.progress import Progress
from edgebert.progress import Report as Tell
from edgebert.report.attribution import Explainer
from edgebert.report.model import Attribution, Report
from edgebert.report.run_contents import File, RunContents

# Listed besides those that were typed: first examples that the two files answer differently.
_LISTED, _DIFFERING = 4, 3
# A longer one fills a page and explains nothing at a glance.
_LONGEST_LISTED = 240

TextPair = tuple[str, str | None]


def explain_texts(
    report: Report,
    files: Sequence[File],
    contents: Sequence[RunContents],
    typed: Sequence[TextPair],
    listed: bool,
    tell: Tell,
) -> tuple[Attribution, ...]:
    """For each text one attribution by each file, in the texts' order. `files` are the report's rows.

    `listed`: also texts of the data, not only those that were typed.
    """
    rows = [report.reference] + ([] if report.headline is None else [report.headline])
    content = contents[report.rows[rows[-1]].run]
    texts = list(dict.fromkeys([*typed, *(_listed(report, rows[-1], content) if listed else ())]))
    explainers = [Explainer(files[row].artefact.path, row) for row in rows if files[row].artefact.can_answer]
    explainers = [one for one in explainers if one.can_explain]
    found = []
    for done, pair in enumerate(texts if explainers else [], 1):
        found += [explainer.explain(*pair) for explainer in explainers]
        tell(Progress("explain", done, len(texts)))
    return tuple(found)


def _listed(report: Report, row: int, content: RunContents) -> list[TextPair]:
    differing = [one.examples for one in report.differences if one.row == row]
    chosen = _short([(one.text, one.second_text) for one in (differing[0] if differing else ())])[:_DIFFERING]
    others = [pair for pair in _short(content.verified_texts) if pair not in chosen]
    if not others and content.predictions is not None:
        pairs = zip(content.predictions.texts, content.predictions.second_texts, strict=True)
        others = [pair for pair in _short(pairs) if pair not in chosen]
    missing = _LISTED - len(chosen)
    step = max(len(others) // max(missing, 1), 1)
    return chosen + others[::step][:missing]


def _short(pairs: Iterable[TextPair]) -> list[TextPair]:
    return [(text, second) for text, second in pairs if text and len(text) + len(second or "") <= _LONGEST_LISTED]
