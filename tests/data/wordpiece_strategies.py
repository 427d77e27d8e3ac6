"""Texts, settings and vocabularies that hypothesis draws."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from edgebert.data.wordpiece import TokenizerSettings
from tests.data.wordpiece_reference import reference_words
from tests.data.wordpiece_texts import POOLS, WRITTEN

# No deadline: other work on the machine is no defect of the tokenizer.
DRAWN = settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def nasty_texts(longest: int = 24) -> st.SearchStrategy[str]:
    """Mixtures of the pools, of any character at all, and of the written texts."""
    parts = st.one_of(
        st.sampled_from([string for name in ("letters", "words", "spaces", "marks", "case") for string in POOLS[name]]),
        st.sampled_from(list(POOLS)).flatmap(lambda name: st.sampled_from(POOLS[name])),
        st.sampled_from(WRITTEN),
        st.text(max_size=4),
        st.characters(min_codepoint=0x300),
    )
    return st.lists(parts, max_size=longest).map("".join)


def switches() -> st.SearchStrategy[TokenizerSettings]:
    return st.builds(
        TokenizerSettings,
        lowercase=st.booleans(),
        strip_accents=st.sampled_from([None, False, True]),
        split_cjk=st.booleans(),
        clean_text=st.booleans(),
        special_tokens_in_text=st.booleans(),
    )


@st.composite
def small_vocabularies(draw: st.DrawFn, text: str, settings: TokenizerSettings) -> list[str]:
    """Special tokens and some parts of the text's own words, so that most lookups find something."""
    words = sorted(set(reference_words(text, settings)))
    pieces: list[str] = []
    for word in words:
        for _ in range(draw(st.integers(0, 4))):
            start = draw(st.integers(0, len(word) - 1))
            end = draw(st.integers(start + 1, min(len(word), start + 6)))
            pieces.append(("##" if start else "") + word[start:end])
            pieces += [f"##{word[end]}"] if end < len(word) else []
    mask = ["[MASK]"] if draw(st.booleans()) else []
    return draw(st.permutations(list(dict.fromkeys(SPECIAL + mask + pieces))))
