"""Documents to windows: nothing lost, nothing twice, none across two documents, and as few as whole lines allow."""

import string
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from edgebert.data.windows import Windows
from edgebert.data.wordpiece import WordPiece
from tests.conftest import GOLDEN

VOCABULARY = tuple((GOLDEN / "tiny_vocab.txt").read_text().split("\n")[:-1])
TOKENIZER = WordPiece(VOCABULARY)
CLASSIFY, SEPARATE, UNKNOWN = (VOCABULARY.index(name) for name in ("[CLS]", "[SEP]", "[UNK]"))

words = st.text(string.ascii_lowercase, min_size=1, max_size=4)
lines = st.lists(words, max_size=9).map(" ".join)
some_documents = st.lists(st.lists(lines, max_size=6), max_size=4)


def ids_of(line: str) -> list[int]:
    return list(TOKENIZER.encode(line, length=10_000).input_ids[1:-1])


def windows_of(documents: list[list[str]], length: int) -> list[list[int]]:
    """Without the tokens around them."""
    found = []
    for one in Windows(TOKENIZER, length).of_documents(documents):
        assert one.input_ids[0] == CLASSIFY and one.input_ids[-1] == SEPARATE
        assert one.input_mask == (1,) * len(one.input_ids) and one.segment_ids == (0,) * len(one.input_ids)
        found.append(list(one.input_ids[1:-1]))
    return found


@given(some_documents, st.integers(3, 24))
def test_windows_are_the_documents_tokens_in_their_order(documents: list[list[str]], length: int) -> None:
    alone = [windows_of([document], length) for document in documents]
    assert windows_of(documents, length) == [window for windows in alone for window in windows]
    for document, windows in zip(documents, alone, strict=True):
        assert all(0 < len(window) <= length - 2 for window in windows)
        assert [number for window in windows for number in window] == [
            number for line in document for number in ids_of(line)
        ]


@given(st.lists(lines, max_size=6), st.integers(3, 24))
def test_a_window_ends_where_the_next_line_does_not_fit(document: list[str], length: int) -> None:
    room, place, line_ends = length - 2, 0, [0]
    for line in document:
        line_ends.append(line_ends[-1] + len(ids_of(line)))
    for window, _ in pairwise(windows_of([document], length)):
        place += len(window)
        next_end = next(end for end in line_ends if end > place)
        assert len(window) == room or (place in line_ends and len(window) + next_end - place > room)


def test_rare_words_are_the_unknown_token() -> None:
    found = windows_of([["a <unk> b", "<unk>"]], 20)
    assert found == [[*ids_of("a"), UNKNOWN, *ids_of("b"), UNKNOWN]]
