"""A verification as text for a person and as JSON for a program."""

import math
from typing import Any

from edgebert.cli.output import counted, table
from edgebert.export.clients.judging import Verdict
from edgebert.export.clients.subject import Subject
from edgebert.export.clients.verification import NOT_RUN, TAKES_NO_PAIRS, ClientReport, Verification
from edgebert.files import sha256_of_file

FORMAT = 1
SHOWN_CHARACTERS = 60
SHOWN_PIECES = 20
SHOWN_PIECES_BEFORE = 4
# tests/export/clients_tokens_test.py shows that it helps.
WHAT_AN_APP_CAN_DO = (
    "Those clients lower ASCII letters and clean nothing else. An app avoids the difference by handing over the text "
    "in lower case, without accents and invisible characters, with plain spaces; a cased vocabulary it cannot serve."
)


def as_text(verification: Verification, verdict: Verdict, shown: int) -> str:
    """The table of agreement, the reasons below it, and the texts that show them."""
    subject = verification.subject
    measure = "one minus the cosine" if subject.description.task == "embedding" else "a share of the highest score"
    given = counted(len(subject.texts), "pair" if subject.has_pairs else "text")
    lines = [
        f"{subject.model}: {subject.description.task}, {subject.description.precision}, {given}",
        f"compared with edgebert's WordPiece and LiteRT {verification.reference_version}; "
        f"allowed difference {subject.yardstick.tolerance:g} ({measure})",
        "",
        _table(verification),
    ]
    for report in verification.reports:
        lines += _details(report, subject, shown)
    if any(report.token_differences for report in verification.reports):
        lines += ["", WHAT_AN_APP_CAN_DO]
    lines += ["", *(f"problem: {problem}" for problem in verdict.problems)]
    for status in (NOT_RUN, TAKES_NO_PAIRS):
        missing = [report.client.name for report in verification.reports if report.status == status]
        if missing:
            lines.append(f"{status}: {', '.join(missing)}; nothing is known about them")
    return "\n".join([*lines, "passed" if verdict.passed else "FAILED"])


def as_json(verification: Verification, verdict: Verdict) -> dict[str, Any]:
    """Everything, in a format that is only added to."""
    subject = verification.subject
    return {
        "format": FORMAT,
        "model": str(subject.model),
        "model_sha256": sha256_of_file(subject.model),
        "description": subject.description.to_json(),
        "texts": list(subject.texts),
        "second_texts": list(subject.second_texts) if subject.has_pairs else None,
        "tolerance": subject.yardstick.tolerance,
        "reference": {"library": "ai-edge-litert", "version": verification.reference_version},
        "clients": [_client(report) for report in verification.reports],
        "passed": verdict.passed,
        "problems": list(verdict.problems),
    }


def _table(verification: Verification) -> str:
    texts = len(verification.subject.texts)
    header = ("client", "version", "loads", "texts", "same label", "largest difference", "other tokens", "result")
    return table(header, [_row(report, texts) for report in verification.reports])


def _row(report: ClientReport, texts: int) -> tuple[str, ...]:
    version = report.version or "-"
    if report.agreement is None:
        loads = {"refuses": "no"}.get(report.status, "-")
        return (report.client.name, version, loads, "-", "-", "-", "-", report.status)
    same, tokens = report.agreement.same_labels, report.token_differences
    return (
        report.client.name,
        version,
        "yes",
        f"{texts:,}",
        "-" if same is None else f"{100 * same / texts:.1f}%",
        _number(report.agreement.largest_difference),
        "-" if tokens is None else f"{len(tokens):,}",
        report.status,
    )


def _details(report: ClientReport, subject: Subject, shown: int) -> list[str]:
    if report.reason is None and not report.token_differences:
        return []
    lines = ["", f"{report.client.name} ({report.client.title}): {report.reason or 'answers agree'}"]
    cut = report.token_differences or ()
    for difference in cut[:shown]:
        lines.append(f"  other tokens: {_short(subject.texts[difference.text_number])}")
        lines += [f"    {whose}  {pieces}" for whose, pieces in _where_they_part(difference.ours, difference.theirs)]
    if len(cut) > shown:
        lines.append(f"  and {counted(len(cut) - shown, 'more text')} with other tokens")
    wrong = report.agreement.differences if report.agreement else ()
    for difference in wrong[:shown]:
        cause = ", other tokens" if difference.tokens_differ else ""
        lines.append(f"  answers otherwise{cause}: {_given(subject, difference.text_number)}")
        lines.append(f"    ours    {difference.ours}")
        lines.append(f"    theirs  {_short(difference.theirs, quoted=False)}")
    if len(wrong) > shown:
        lines.append(f"  and {counted(len(wrong) - shown, 'more text')} that it answers otherwise")
    return lines


def _given(subject: Subject, number: int) -> str:
    second = subject.second_texts[number]
    return _short(subject.texts[number]) + ("" if second is None else f" + {_short(second)}")


def _client(report: ClientReport) -> dict[str, Any]:
    agreement = report.agreement
    return {
        "name": report.client.name,
        "title": report.client.title,
        "version": report.version,
        "status": report.status,
        "reason": report.reason,
        "same_labels": agreement.same_labels if agreement else None,
        "largest_difference": _finite(agreement.largest_difference) if agreement else None,
        "answer_differences": None
        if agreement is None
        else [
            {
                "text": each.text_number,
                "ours": each.ours,
                "theirs": each.theirs,
                "difference": _finite(each.difference),
                "tokens_differ": each.tokens_differ,
            }
            for each in agreement.differences
        ],
        "token_differences": None
        if report.token_differences is None
        else [
            {"text": each.text_number, "ours": list(each.ours), "theirs": list(each.theirs)}
            for each in report.token_differences
        ],
    }


def _number(value: float) -> str:
    return f"{value:.6f}" if math.isfinite(value) else "no answer"


def _finite(value: float) -> float | None:
    """JSON has no infinity; null is what a text without a comparable answer has."""
    return value if math.isfinite(value) else None


def _short(text: str, quoted: bool = True) -> str:
    cut = text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "..."
    # ascii(): what differs is often a character that cannot be seen.
    return (repr(cut) if cut.isprintable() else ascii(cut)) if quoted else " ".join(cut.split())


def _where_they_part(ours: tuple[str, ...], theirs: tuple[str, ...]) -> list[tuple[str, str]]:
    """Both cuts from a little before the first piece that differs."""
    parting = next(
        (n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs))
    )
    start = max(0, parting - SHOWN_PIECES_BEFORE)
    return [("ours  ", _pieces(ours, start)), ("theirs", _pieces(theirs, start))]


def _pieces(pieces: tuple[str, ...], start: int) -> str:
    end = start + SHOWN_PIECES
    cut = " ".join((*("...",) * (start > 0), *pieces[start:end], *("...",) * (len(pieces) > end)))
    return cut if cut.isprintable() else ascii(cut)
