"""Running one .tflite in every client and comparing: the same texts in, the same answers out, or the reason."""

import dataclasses
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.data.wordpiece import Encoded
from edgebert.errors import ClientError
from edgebert.export.answering import TextPair
from edgebert.export.clients.agreement import Agreement, Values, compare
from edgebert.export.clients.environments import INSTALLED, Environment, environment
from edgebert.export.clients.process import Reply, run_client
from edgebert.export.clients.refusals import explain
from edgebert.export.clients.registry import CLIENTS, REFERENCE, Client
from edgebert.export.clients.subject import Subject, open_subject
from edgebert.export.clients.tokenization import TokenDifference, token_differences, write_probe
from edgebert.progress import Progress, Report, silent

AGREES, DISAGREES, REFUSES, FAILS, NOT_RUN = "agrees", "disagrees", "refuses", "fails", "NOT RUN"
# Neither agreement nor failure: what an app with such a client cannot ask of any model.
TAKES_NO_PAIRS = "takes no pairs"


@dataclass(frozen=True, slots=True)
class ClientReport:
    """What became of one client, and why where it does not agree."""

    client: Client
    status: str
    version: str | None = None
    reason: str | None = None
    agreement: Agreement | None = None
    # None where the client has no tokenizer of its own, or never came so far.
    token_differences: tuple[TokenDifference, ...] | None = None


@dataclass(frozen=True, slots=True)
class Verification:
    """One file in all clients."""

    subject: Subject
    reference_version: str
    reports: tuple[ClientReport, ...]


def verify(
    model: str | os.PathLike,
    texts: Sequence[str | TextPair],
    *,
    vocabulary: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    tolerance: float | None = None,
    clients: Sequence[Client] = CLIENTS,
    report: Report = silent,
) -> Verification:
    """Compare every client's answers to `texts` with ours. A client that cannot is a report, not an error.

    Where there are pairs among them, clients that take a string are not run: they would see the first texts alone.

    Args:
        vocabulary: The one that the model was trained with, where the packed one is in doubt.
        labels: Those of the model's outputs in their order, where the packed ones are in doubt.
        tolerance: How far scores may be apart, as a share of our highest score; if None, what the precision allows.
        report: Hears of each client as it starts, ours before the others.

    Raises:
        ArtefactError: The file is no .tflite, or not one that edgebert packed.
        ClientError: LiteRT, which our own answers come from, cannot be started or does not take the file; or the
            tolerance is none.
    """
    reference = environment(REFERENCE)
    if reference.state != INSTALLED:
        raise ClientError(
            f"litert: expected LiteRT in {reference.place}, got none. "
            "Do: pip install '.[benchmark]' in edgebert's checkout."
        )
    subject = open_subject(Path(model), texts, vocabulary, labels, tolerance)
    task, total = f"verify {subject.model.name}", len(clients) + 1
    report(Progress(task, 0, total, REFERENCE.name))
    reply = _run(subject, REFERENCE, reference)
    ours = _our_answers(subject, reply)
    reports = []
    with tempfile.TemporaryDirectory(prefix="edgebert-verify-") as folder:
        for done, client in enumerate(clients, 1):
            report(Progress(task, done, total, client.name))
            reports.append(_report(subject, ours, client, Path(folder)))
    report(Progress(task, total, total))
    return Verification(subject, reply.version or "", tuple(reports))


def _our_answers(subject: Subject, reply: Reply) -> list[Values]:
    errors = [answer.error for answer in reply.answers if answer.error]
    problem = reply.failure or reply.refusal or next(iter(errors), None)
    if problem is not None:
        raise ClientError(
            f"{subject.model}: expected LiteRT to run it, got {explain(REFERENCE, problem, reply.log)}. "
            "Do: look at it with edgebert inspect."
        )
    return [answer.values for answer in reply.answers]


def _report(subject: Subject, ours: Sequence[Values], client: Client, folder: Path) -> ClientReport:
    place = environment(client)
    if subject.has_pairs and not client.takes_tokens:
        return ClientReport(client, TAKES_NO_PAIRS, place.version, "it takes one text, and there are pairs among these")
    if place.state != INSTALLED:
        return ClientReport(client, NOT_RUN, place.version, f"{place.state}. Do: {client.how_to_install}")
    reply = _run(subject, client, place)
    version = reply.version or place.version
    if reply.failure is not None:
        return ClientReport(client, FAILS, version, explain(client, reply.failure, reply.log))
    if reply.refusal is not None:
        return ClientReport(client, REFUSES, version, explain(client, reply.refusal, reply.log))
    tokens, problem = (None, None) if client.takes_tokens else _probe(subject, client, place, folder)
    agreement = compare(ours, reply.answers, subject.yardstick, {each.text_number for each in tokens or ()})
    reason = "; ".join(part for part in (problem, *_reasons(client, agreement, reply)) if part)
    status = DISAGREES if agreement.differences else AGREES
    return ClientReport(client, status, version, reason or None, agreement, tokens)


def _run(subject: Subject, client: Client, place: Environment) -> Reply:
    inputs = [_tokens(each) for each in subject.encodings] if client.takes_tokens else subject.texts
    return run_client(client, place.python, subject.model, subject.description.task, inputs)


def _tokens(encoded: Encoded) -> dict[str, Any]:
    """A text or pair as an interpreter takes it; the runner pads."""
    return dataclasses.asdict(encoded)


def _probe(
    subject: Subject, client: Client, place: Environment, folder: Path
) -> tuple[tuple[TokenDifference, ...] | None, str | None]:
    """The texts that the client cuts otherwise, or why nobody knows."""
    reply = run_client(client, place.python, write_probe(subject, folder), "classification", subject.texts)
    problem = reply.failure or reply.refusal
    if problem is not None:
        return None, f"its tokens are unknown: {explain(client, problem, reply.log)}"
    return token_differences(subject, reply), None


def _reasons(client: Client, agreement: Agreement, reply: Reply) -> list[str | None]:
    """Why it disagrees: answers that did not come, then what is wrong with those that did, then tokens."""
    errors = [answer.error for answer in reply.answers if answer.error is not None]
    cut_otherwise = sum(each.tokens_differ for each in agreement.differences)
    return [
        f"no answer to {_texts(len(errors))}: {explain(client, errors[0], reply.log)}" if errors else None,
        agreement.diagnosis,
        f"answers {_texts(cut_otherwise)} otherwise because its tokens are others" if cut_otherwise else None,
    ]


def _texts(count: int) -> str:
    return "1 text" if count == 1 else f"{count:,} texts"
