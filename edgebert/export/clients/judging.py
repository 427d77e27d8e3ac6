"""Whether a verification is passed, apart from how it was made and how it is shown."""

from collections.abc import Collection
from dataclasses import dataclass

from edgebert.export.clients.verification import (
    AGREES,
    DISAGREES,
    FAILS,
    NOT_RUN,
    REFUSES,
    TAKES_NO_PAIRS,
    ClientReport,
    Verification,
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`problems`: one line for each thing that is wrong; empty where the file passed."""

    passed: bool
    problems: tuple[str, ...]


def judge(verification: Verification, required: Collection[str] = (), allow_token_differences: bool = False) -> Verdict:
    """A file passes when it is what its description says and no client contradicts.

    Without `required`, no client may refuse the file, but one may be missing. With it, the named ones must run and
    agree; any other may be missing or refuse, but not answer otherwise. A client that takes no pairs says nothing about
    the file.
    """
    problems = [*verification.subject.findings]
    for report in verification.reports:
        if problem := _problem(report, required, allow_token_differences):
            problems.append(f"{report.client.name} {problem}")
    if all(report.status in (NOT_RUN, TAKES_NO_PAIRS) for report in verification.reports):
        problems.append("no client was run")
    return Verdict(not problems, tuple(problems))


def _problem(report: ClientReport, required: Collection[str], allow_token_differences: bool) -> str | None:
    named = report.client.name in required
    if report.status == AGREES:
        return None
    if report.status == NOT_RUN:
        return "is required and was not run" if named else None
    if report.status == TAKES_NO_PAIRS:
        return f"is required and {TAKES_NO_PAIRS}" if named else None
    if report.status == REFUSES:
        return "refuses the file" if named or not required else None
    if report.status == FAILS:
        return "fails"
    counted = [each for each in report.agreement.differences if not (allow_token_differences and each.tokens_differ)]
    texts = "1 text" if len(counted) == 1 else f"{len(counted):,} texts"
    return f"{DISAGREES} about {texts}" if counted else None
