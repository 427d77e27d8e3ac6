"""A teacher of the golden weights with a vocabulary of English words, and sentences out of it."""

from pathlib import Path

import pytest

from edgebert.data.examples import Dataset, Example
from tests.models.folders import copy_of

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
STOP = "the of and to in is it that was for on are with as at be this have from or had by not but all were"
WORDS = (
    "play music song film movie book table city weather rain snow sun cold warm red green blue train boat river road "
    "house garden bread soup apple water good bad small large early late bright quiet loud happy sad angry"
)
PARTS = "##s ##ing ##er ##ly ##est ##a ##e ##i ##o ##u ##n ##t ##l ##d ##m ##y ##w"
MARKS = ". , ! ? ' - 3 7 [ ] x"
ROWS = 120
EXAMPLES = (
    Example("Play the song of rainy cities.", None, "music"),
    Example("The weather in the city is cold, is it?", None, "weather"),
    Example("PLAY A FILM", None, "film"),
    Example("A red boat on the river; a Green house at the road.", None, "music"),
    Example("the of and", None, "weather"),
    Example("planted suns and slower trains", None, "film"),
    Example("bread", None, "music"),
)


@pytest.fixture(scope="session")
def teacher(tmp_path_factory) -> Path:
    """BERT with its masked-word head, weights as in the golden files."""
    folder = copy_of("bert_masked_lm", tmp_path_factory.mktemp("teacher"))
    pieces = [
        *SPECIAL,
        *STOP.split(),
        *WORDS.split(),
        *PARTS.split(),
        *MARKS.split(),
        "sl",
        "pl",
        "cit",
        "##an",
        "##ted",
    ]
    pieces += [f"[unused{number}]" for number in range(ROWS - len(pieces))]
    assert len(pieces) == len(set(pieces)) == ROWS
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    return folder


@pytest.fixture
def data() -> Dataset[Example]:
    return Dataset(EXAMPLES, ("film", "music", "weather"), "test")
