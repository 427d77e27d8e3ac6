"""What is verified: a file, the texts, and what we make of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.bundle import Description, read_bundle, vocabulary_sha256
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import ArtefactError, DataError
from edgebert.export.answering import TextPair
from edgebert.export.clients.agreement import (
    FLOAT_TOLERANCE,
    INTEGER_TOLERANCE,
    QUANTIZED_EMBEDDING_TOLERANCE,
    QUANTIZED_TOLERANCE,
    ROUNDED_TOLERANCE,
    Yardstick,
)
from edgebert.export.flatbuffer import read_model
from edgebert.export.precisions import DENSE, PRECISIONS

FLOAT_PRECISIONS = ("float32", "float16")


@dataclass(frozen=True, slots=True)
class Subject:
    """One file and the texts that all clients are given."""

    model: Path
    description: Description
    wordpiece: WordPiece
    # What the clients read; another one than ours only in a bad file.
    packed_vocabulary: tuple[str, ...]
    texts: tuple[str, ...]
    # None where a text stands alone; an empty one still makes a pair.
    second_texts: tuple[str | None, ...]
    # Of each text or pair, as our tokenizer cuts it to the model's length.
    encodings: tuple[Encoded, ...]
    yardstick: Yardstick
    # What is wrong with the file before any client has seen it.
    findings: tuple[str, ...]

    @property
    def has_pairs(self) -> bool:
        return any(second is not None for second in self.second_texts)


def open_subject(
    model: Path,
    texts: Sequence[str | TextPair],
    vocabulary: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    tolerance: float | None = None,
) -> Subject:
    """`vocabulary` and `labels`: those that the model was trained with, where the packed ones are in doubt."""
    read_model(model)
    if not texts:
        raise DataError("texts: expected at least one, got none. Do: name a file that has texts.")
    bundle = read_bundle(model)
    description = bundle.description
    if description is None or bundle.vocabulary is None:
        raise ArtefactError(
            f"{model}: expected a model with vocab.txt and edgebert.json packed in, got one without. "
            "Do: export it with edgebert convert; no client takes a text without them."
        )
    expected = tuple(labels or description.labels or ())
    wordpiece = WordPiece(vocabulary or bundle.vocabulary, description.tokenizer)
    limit = description.length or description.maximum_length
    pairs = [(text, None) if isinstance(text, str) else text for text in texts]
    findings = []
    trained_with = vocabulary_sha256(vocabulary) if vocabulary else description.vocabulary_sha256
    if vocabulary_sha256(bundle.vocabulary) != trained_with:
        findings.append("the packed vocabulary is not the one that the model was made with")
    if (bundle.labels or ()) != expected:
        findings.append(f"the packed labels are {_few(bundle.labels or ())}, the model's are {_few(expected)}")
    return Subject(
        model=model,
        description=description,
        wordpiece=wordpiece,
        packed_vocabulary=bundle.vocabulary,
        texts=tuple(text for text, _ in pairs),
        second_texts=tuple(second for _, second in pairs),
        encodings=tuple(_encode(wordpiece, *pair, limit) for pair in pairs),
        yardstick=Yardstick(
            description.task, expected, usual_tolerance(description) if tolerance is None else tolerance
        ),
        findings=tuple(findings),
    )


def usual_tolerance(description: Description) -> float:
    if description.precision in FLOAT_PRECISIONS:
        return FLOAT_TOLERANCE
    if description.task == "embedding":
        return QUANTIZED_EMBEDDING_TOLERANCE
    known = PRECISIONS.get(description.precision)
    if known is not None and known.demand.is_integer_throughout:
        return INTEGER_TOLERANCE
    # A mixture that was chosen for one model has a name of its own.
    keeps_outputs = known is not None and "float32" in known.demand.products[DENSE]
    return QUANTIZED_TOLERANCE if keeps_outputs else ROUNDED_TOLERANCE


def _encode(wordpiece: WordPiece, text: str, second_text: str | None, limit: int) -> Encoded:
    """Clients keep the head of a long text, and so must we; a pair, which they do not take, is cut as in training."""
    truncation = "head" if second_text is None else "longest_first"
    return wordpiece.encode(text, second_text, length=limit, truncation=truncation)


def _few(labels: Sequence[str]) -> str:
    return ", ".join(labels[:4]) + (", ..." if len(labels) > 4 else "") if labels else "none"
