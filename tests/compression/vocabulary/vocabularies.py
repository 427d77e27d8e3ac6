"""Complete vocabularies that hypothesis draws, and independent tokenizers to hold ours to."""

from hypothesis import strategies as st

from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from tests.data.wordpiece_reference import reference_words
from tests.data.wordpiece_strategies import SPECIAL, nasty_texts, small_vocabularies, switches

PREFIX = TokenizerSettings().continuation_prefix


def completed(pieces: list[str]) -> list[str]:
    """With every character of a piece as a piece, at the start of a word and inside it."""
    characters = sorted({one for piece in pieces if piece not in (*SPECIAL, "[MASK]") for one in text_of(piece)})
    return list(dict.fromkeys([*pieces, *characters, *(PREFIX + one for one in characters)]))


def text_of(piece: str) -> str:
    return piece.removeprefix(PREFIX)


@st.composite
def drawn_cases(draw: st.DrawFn, *, complete: bool = True) -> tuple[WordPiece, list[str], list[int]]:
    """A tokenizer, texts of which it knows some words, and the ids that are counted (its corpus)."""
    settings = draw(switches())
    texts = draw(st.lists(nasty_texts(12), min_size=1, max_size=3))
    vocabulary = draw(small_vocabularies(" ".join(texts), settings))
    words = reference_words(" ".join(texts), settings)
    # Whole words too, so that a text can be of kept pieces alone.
    vocabulary = list(
        dict.fromkeys([*vocabulary, *draw(st.lists(st.sampled_from(words), max_size=4))] if words else vocabulary)
    )
    tokenizer = WordPiece(completed(vocabulary) if complete else vocabulary, settings)
    ids = st.integers(0, len(tokenizer.vocabulary) - 1)
    return tokenizer, texts, draw(st.lists(ids, max_size=12))
