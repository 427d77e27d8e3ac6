"""What the C++ tokenizers of Task Library and MediaPipe make of difficult texts, as observed on 0.4.4 and 1.2.2.

Both are one code: lower-case the ASCII letters, split at ASCII white space and at what a regular expression holds for
punctuation or CJK, then the longest piece first. So they agree with each other on every text here, and differ from BERT
where a text has accents, capitals beyond ASCII, other spaces, invisible characters, special tokens or very long words.
"""

from pathlib import Path

import pytest

from edgebert.data.characters import WordSplitter
from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.data.wordpiece import WordPiece
from edgebert.export.clients.environments import environment
from edgebert.export.clients.probe import build_probe, read_probe
from edgebert.export.clients.process import Answer, run_client
from edgebert.export.clients.registry import MEDIAPIPE, TASK_LIBRARY
from tests.export.client_models import VOCABULARY, client_cache  # noqa: F401, a fixture

pytestmark = pytest.mark.long

LENGTH = 128
UNCASED = TokenizerSettings()
PIECES = (
    *VOCABULARY,
    "é",
    "##é",
    "日",
    "本",
    "語",
    "α",
    "##α",
    "ß",
    "ö",
    "[",
    "]",
    "#",
    "$",
    "€",
    "ั",
    "cafe",
    "##!",
    "…",
    "“",
)

# A text and the client's pieces between [CLS] and [SEP], where they are BERT's too.
SAME = {
    "the film is good": "the film is good",
    "The FILM, is Good!": "the film , is good !",
    "don't-stop": "d ##o ##n ' t - s ##t ##o ##p",
    "\t the\n\r film ": "the film",
    "": "",
    "   ": "",
    "日本語": "日 本 語",
    "the日film": "the 日 film",
    "漢": "[UNK]",
    "α αα": "α α ##α",
    "ß": "ß",
    "$5 €": "$ 5 €",
    "“…": "“ …",
    "😀 good": "[UNK] good",
    "x" * 100: "x " + " ".join(["##x"] * 99),
    "x" * 101: "[UNK]",
    "##ing": "# # i ##n ##g",
}

# A text, the client's pieces and BERT's.
DIFFERENT = {
    "accents are not stripped": ("café", "c ##a ##f ##é", "cafe"),
    "nor are combining ones": ("cafe\u0301", "[UNK]", "cafe"),
    "lower case is ASCII alone": ("É ΑΑ", "[UNK] [UNK]", "e α ##α"),
    "a no-break space is no space": ("the\u00a0film", "[UNK]", "the film"),
    "nor is an em space": ("the\u2003film", "[UNK]", "the film"),
    "nor is an ideographic one": ("the\u3000film", "[UNK]", "the film"),
    "a zero-width space stays": ("the\u200b film", "[UNK] film", "the film"),
    "a soft hyphen stays": ("go\u00adod", "[UNK]", "good"),
    "a byte order mark stays": ("\ufeffthe film", "[UNK] film", "the film"),
    "a control character stays": ("the\x01 film", "[UNK] film", "the film"),
    "a next-line character stays": ("the\u0085 film", "[UNK] film", "the film"),
    "a replacement character stays": ("the\ufffd film", "[UNK] film", "the film"),
    "nul ends the text": ("the\x00 film", "the", "the film"),
    "special tokens are text": ("a [SEP] b", "a [ s ##e ##p ] b", "a [SEP] b"),
    "100 bytes are the longest word": ("α" * 51, "[UNK]", "α " + " ".join(["##α"] * 50)),
}


@pytest.fixture(scope="module", params=[TASK_LIBRARY, MEDIAPIPE], ids=lambda client: client.name)
def tokenize(request, client_cache: Path, tmp_path_factory):  # noqa: F811
    """Texts to the client's pieces, by one run of its own code."""

    def run(texts: list[str], settings: TokenizerSettings = UNCASED) -> list[str]:
        path = tmp_path_factory.mktemp("probe") / "probe.tflite"
        path.write_bytes(build_probe(PIECES, settings, LENGTH))
        reply = run_client(request.param, environment(request.param).python, path, "classification", texts)
        assert reply.failure is None and reply.refusal is None
        return [pieces(answer) for answer in reply.answers]

    return run


def pieces(answer: Answer) -> str:
    if answer.error is not None:
        return f"error: {answer.error}"
    tokens = read_probe(answer.names, answer.values)
    assert set(tokens.segments) == {0}
    found = [PIECES[number] for number in tokens.ids]
    assert (found[0], found[-1]) == ("[CLS]", "[SEP]")
    return " ".join(found[1:-1])


def ours(text: str, settings: TokenizerSettings = UNCASED) -> str:
    ids = WordPiece(PIECES, settings).encode(text, length=LENGTH).input_ids
    return " ".join(PIECES[number] for number in ids[1:-1])


def test_these_texts_are_cut_as_bert_cuts_them(tokenize) -> None:
    assert dict(zip(SAME, tokenize(list(SAME)), strict=True)) == SAME == {text: ours(text) for text in SAME}


def test_these_texts_are_cut_otherwise_and_so(tokenize) -> None:
    texts = [text for text, _, _ in DIFFERENT.values()]
    found = zip(texts, tokenize(texts), map(ours, texts), strict=True)
    assert dict(zip(DIFFERENT, found, strict=True)) == DIFFERENT


def test_our_words_joined_by_spaces_are_cut_as_bert_cuts_them(tokenize) -> None:
    """What an app can do about it: hand over the text as BERT's cleaning leaves it."""
    settings = TokenizerSettings(special_tokens_in_text=False)
    splitter = WordSplitter(lowercase=True, strip_accents=True, split_cjk=True, clean_text=True)
    texts = [text for text, _, _ in DIFFERENT.values() if text != "α" * 51 and "[SEP]" not in text]
    cleaned = [" ".join(splitter.words(text)) for text in texts]
    assert tokenize(cleaned) == [ours(text, settings) for text in texts]


def test_case_is_lost_whatever_the_settings_say(tokenize) -> None:
    """A cased checkpoint cannot be handed a text: the clients have no setting for it."""
    cased = TokenizerSettings(lowercase=False)
    assert tokenize(["The Film"], cased) == ["the film"]
    assert ours("The Film", cased) == "[UNK] [UNK]"


def test_a_long_text_keeps_its_head(tokenize) -> None:
    text = "the film " * 100
    assert tokenize([text]) == [ours(text)]


def test_a_lone_surrogate_is_an_error_of_that_text_alone(tokenize) -> None:
    first, second, third = tokenize(["the film", "\ud800", "good"])
    assert (first, third) == ("the film", "good")
    assert second.startswith("error: ") and "surrogates not allowed" in second
