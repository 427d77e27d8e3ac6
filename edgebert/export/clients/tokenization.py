"""Which texts a client's own tokenizer cuts otherwise than ours, found by running it on a probe."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.export.clients.probe import build_probe, read_probe
from edgebert.export.clients.process import Reply
from edgebert.export.clients.subject import Subject

# Room in the probe for a text that a client cuts into more tokens than we do.
SLACK_TOKENS = 16
# A probe has a label for each token. A longer text is told apart by then: no encoder here has as many positions.
LONGEST_PROBE_TOKENS = 4096


@dataclass(frozen=True, slots=True)
class TokenDifference:
    """The pieces of a text, ours and a client's."""

    text_number: int
    ours: tuple[str, ...]
    theirs: tuple[str, ...]


def write_probe(subject: Subject, folder: Path) -> Path:
    """A probe that is long enough for the texts at hand and, as clients do, cuts only where the length is fixed."""
    fixed = subject.description.length
    limit = fixed or LONGEST_PROBE_TOKENS
    uncut = (len(subject.wordpiece.encode(text, length=limit).input_ids) for text in subject.texts)
    length = min(limit, max(uncut) + SLACK_TOKENS)
    path = folder / "probe.tflite"
    path.write_bytes(build_probe(subject.packed_vocabulary, subject.wordpiece.settings, length))
    return path


def token_differences(subject: Subject, reply: Reply) -> tuple[TokenDifference, ...]:
    """Compare what a client answered to the probe. A text it would not take is not compared.

    Pieces are named by the vocabulary of the training: what the model sees, whatever the client thinks it is.
    """
    vocabulary = subject.wordpiece.vocabulary
    found = []
    for number, (ours, answer) in enumerate(zip(subject.encodings, reply.answers, strict=True)):
        if answer.error is None:
            theirs = read_probe(answer.names, answer.values).ids
            if theirs != ours.input_ids:
                cuts = (_pieces(vocabulary, ids) for ids in (ours.input_ids, theirs))
                found.append(TokenDifference(number, *cuts))
    return tuple(found)


def _pieces(vocabulary: Sequence[str], ids: Sequence[int]) -> tuple[str, ...]:
    return tuple(vocabulary[number] if number < len(vocabulary) else f"<{number}>" for number in ids)
