"""What is fed to a model: real token ids of real texts, or ids that are labelled as synthetic.

A token model's cost depends on how long its text is, and its embedding lookup fails on ids that the table does not
have. So the ids come from the vocabulary that the model was made with, at the length the text has or the model fixes.
"""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.benchmark.binding import Binding
from edgebert.benchmark.texts import Texts
from edgebert.benchmark.tokenizing import Tokenizer
from edgebert.errors import MeasurementError, TokenizerError
from edgebert.measurement import Inputs

SYNTHETIC_SOURCE = "random ids (synthetic)"


@dataclass(frozen=True)
class TokenInput:
    """One row for each role, all of one length, `token_count` of it real and the rest padding."""

    rows: dict[str, tuple[int, ...]]
    token_count: int

    @property
    def length(self) -> int:
        return len(self.rows["input_ids"])


@dataclass(frozen=True)
class Feed:
    """The inputs of one case and how the record describes them."""

    inputs: tuple[TokenInput, ...]
    description: Inputs


def choose_length(model: str, binding: Binding, asked: int | None) -> int | None:
    """The length to pad and truncate to; None: each text's own. A fixed model has only one."""
    if binding.length is not None and asked not in (None, binding.length):
        raise MeasurementError(
            f"{model}: expected --length {binding.length} (its inputs are fixed), got {asked}. "
            f"Do: drop --length, or export the model with a dynamic length."
        )
    return binding.length if binding.length is not None else asked


def feed_texts(model: str, binding: Binding, texts: Texts, tokenizer: Tokenizer, length: int | None) -> Feed:
    if length is not None and tokenizer.positions is not None and length > tokenizer.positions:
        raise MeasurementError(
            f"{model}: expected --length of at most {tokenizer.positions} (its positions), got {length}. "
            "Do: choose a shorter one."
        )
    inputs = []
    for text, second_text in texts.texts:
        rows = tokenizer.encode(text, second_text, length)
        inputs.append(TokenInput(rows=rows, token_count=sum(rows["input_mask"])))
    _check_ids(model, binding, inputs, tokenizer)
    description = Inputs(
        kind="texts",
        source=texts.source,
        source_sha256=texts.sha256,
        tokenizer=tokenizer.name,
        vocabulary_sha256=tokenizer.vocabulary_sha256,
        texts_available=texts.available,
        **_describe_rows(inputs, binding),
    )
    return Feed(tuple(inputs), description)


def feed_synthetic(model: str, binding: Binding, length: int | None, count: int, seed: int) -> Feed:
    """Random ids that the model's own table has, with no padding."""
    if binding.vocabulary_rows is None:
        raise MeasurementError(
            f"{model}: expected an embedding table behind input_ids to draw synthetic ids from, got none. "
            "Do: give its vocabulary with --vocab."
        )
    if length is None:
        raise MeasurementError(
            f"{model}: expected a length for synthetic ids (its inputs are dynamic), got none. Do: add --length 32."
        )
    draw = random.Random(seed)
    inputs = [
        TokenInput(
            rows={
                "input_ids": tuple(draw.randrange(binding.vocabulary_rows) for _ in range(length)),
                "input_mask": (1,) * length,
                "segment_ids": (0,) * length,
            },
            token_count=length,
        )
        for _ in range(count)
    ]
    description = Inputs(
        kind="synthetic",
        source=SYNTHETIC_SOURCE,
        source_sha256=None,
        tokenizer=None,
        vocabulary_sha256=None,
        texts_available=None,
        **_describe_rows(inputs, binding),
    )
    return Feed(tuple(inputs), description)


def _check_ids(model: str, binding: Binding, inputs: Sequence[TokenInput], tokenizer: Tokenizer) -> None:
    """An id beyond the table makes a runtime fail, or read what lies behind it."""
    highest = max(max(token_input.rows["input_ids"]) for token_input in inputs)
    if binding.vocabulary_rows is not None and highest >= binding.vocabulary_rows:
        raise TokenizerError(
            f"{model}: expected token ids below {binding.vocabulary_rows} (the rows of its embedding table), got "
            f"{highest} from {tokenizer.name}. Do: give the vocabulary that the model was trained with (--vocab)."
        )


def _describe_rows(inputs: Sequence[TokenInput], binding: Binding) -> dict[str, object]:
    digest = hashlib.sha256()
    for token_input in inputs:
        for role in binding.roles:
            digest.update(np.asarray(token_input.rows[role], "<i8").tobytes())
        digest.update(b"|")
    return {
        "token_counts": tuple(token_input.token_count for token_input in inputs),
        "lengths": tuple(token_input.length for token_input in inputs),
        "sha256": digest.hexdigest(),
    }
