"""Candidates of masked words against the same computed plainly: one text, one mask, no padding."""

import shutil

import numpy as np
import pytest

from edgebert.augment import masked_words
from edgebert.augment.masked_words import MaskedWords
from edgebert.augment.words import WordFinder
from edgebert.config import MASKED_WORDS
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import TokenizerError
from edgebert.keras import tf
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.masked_word_head import read_masked_word_head
from tests.data.house_form import assert_house_form

TEXT = "Play the song of rainy cities, a film; the red boat is slower"
COUNT = 15


def source(folder, count=COUNT) -> MaskedWords:
    checkpoint, tokenizer = load_checkpoint(folder), WordPiece.from_folder(folder)
    return MaskedWords(checkpoint, read_masked_word_head(checkpoint), tokenizer, WordFinder(tokenizer), count)


def plain_candidates(folder, word) -> tuple[str, ...]:
    """As the published code writes it: the text with its mask, then the text."""
    tokenizer = WordPiece.from_folder(folder)
    pieces = tokenizer.tokenize(TEXT)
    masked = [*pieces[: word.first_piece], "[MASK]", *pieces[word.first_piece + 1 :]]
    sequence = ["[CLS]", *masked, "[SEP]", *pieces, "[SEP]"]
    ids = np.array([[tokenizer.vocabulary.index(piece) for piece in sequence]], np.int32)
    segments = (np.arange(ids.shape[1]) >= len(pieces) + 2)[None].astype(np.int32)
    inputs = {"input_ids": ids, "input_mask": np.ones_like(ids), "segment_ids": segments}
    model = load_model(load_checkpoint(folder), MASKED_WORDS).model
    answer = model({name: tf.constant(values) for name, values in inputs.items()}, training=False)
    scores = answer.numpy()[0, word.first_piece + 1]
    best = [tokenizer.vocabulary[number] for number in np.argsort(-scores)]
    return tuple(piece for piece in best if piece.isalpha() and len(piece) > 1 and piece != word.normalized)[:COUNT]


def test_as_computed_plainly(teacher, monkeypatch):
    monkeypatch.setattr(masked_words, "_MASKED_TEXTS_AT_ONCE", 2)
    words = WordFinder(WordPiece.from_folder(teacher)).find(TEXT)
    single = [word for word in words if word.is_single_piece]
    assert [word.spelling for word in single] == ["Play", "song", "film", "red", "boat"]
    found = source(teacher).candidates(TEXT, single)
    assert found == [plain_candidates(teacher, word) for word in single]
    assert len({*found}) == len(found), "the place of the mask changes nothing"


def test_never_special_unused_continuing_or_itself(teacher):
    words = WordFinder(WordPiece.from_folder(teacher)).find("song")
    (found,) = source(teacher, 1000).candidates("song", words)
    pieces = load_vocabulary(teacher)
    assert set(found) == {piece for piece in pieces if piece.isalpha() and len(piece) > 1} - {"song"}


def load_vocabulary(folder) -> list[str]:
    return (folder / "vocab.txt").read_text(encoding="utf-8").split()


def test_a_word_beyond_what_the_teacher_reads_has_none(teacher):
    text = "song " * 140
    words = WordFinder(WordPiece.from_folder(teacher)).find(text)
    found = source(teacher).candidates(text, words)
    # 128 positions, of which [CLS] and two [SEP] take three.
    assert [bool(candidates) for candidates in found] == [True] * 125 + [False] * 15


def test_a_vocabulary_without_a_mask_is_refused(teacher, tmp_path):
    folder = shutil.copytree(teacher, tmp_path / "teacher")
    vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").replace("[MASK]", "[unused99]")
    (folder / "vocab.txt").write_text(vocabulary, encoding="utf-8")
    with pytest.raises(TokenizerError, match="mask token") as caught:
        source(folder)
    assert_house_form(str(caught.value))
