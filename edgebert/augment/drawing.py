"""New examples out of an example and the candidates of its words."""

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebert.augment.words import Word
from edgebert.data.examples import Example

# TinyBERT draws N times and keeps what differs, which leaves a short text with few. Here up to this many times N are
# drawn until N differ.
DRAWS_PER_TEXT = 5


@dataclass(frozen=True, slots=True)
class Choice:
    """A place in a text and the words that may stand there."""

    word: Word
    candidates: tuple[str, ...]


def draw_examples(
    example: Example,
    choices: Sequence[Sequence[Choice]],
    *,
    count: int,
    probability: float,
    seed: int,
) -> list[Example]:
    """Up to `count` examples that differ from each other and from this one.

    `choices` are those of the text and, for a pair, of the second text; both are drawn for each new example.
    What is drawn depends on the seed and on the example, not on where it stands.
    """
    texts = (example.text,) if example.second_text is None else (example.text, example.second_text)
    generator = _generator(seed, texts)
    drawn = {texts: None}
    if not any(choice.candidates for choices_of_text in choices for choice in choices_of_text):
        return []
    for _ in range(DRAWS_PER_TEXT * count):
        new = tuple(_draw(text, places, probability, generator) for text, places in zip(texts, choices, strict=True))
        drawn[new] = None
        if len(drawn) > count:
            break
    del drawn[texts]
    return [Example(new[0], new[1] if len(new) > 1 else None, example.label) for new in drawn]


def cased_like(candidate: str, spelling: str) -> str:
    """The candidate in capitals, or with a capital, where the word that it replaces is written so."""
    if len(spelling) > 1 and spelling.isupper():
        return candidate.upper()
    return candidate[0].upper() + candidate[1:] if spelling[0].isupper() else candidate


def _draw(text: str, choices: Sequence[Choice], probability: float, generator: random.Random) -> str:
    return "".join(_parts(text, choices, probability, generator))


def _parts(text: str, choices: Sequence[Choice], probability: float, generator: random.Random) -> Iterator[str]:
    read = 0
    for choice in choices:
        if not choice.candidates or generator.random() >= probability:
            continue
        candidate = choice.candidates[int(generator.random() * len(choice.candidates))]
        yield text[read : choice.word.start]
        yield cased_like(candidate, choice.word.spelling)
        read = choice.word.end
    yield text[read:]


def _generator(seed: int, texts: Sequence[str]) -> random.Random:
    # Of Python's generators this one's `random()` is the same in every version (documentation of `random`); numpy's
    # streams may change.
    key = hashlib.sha256(json.dumps([seed, *texts]).encode("ascii")).digest()
    return random.Random(int.from_bytes(key, "big"))
