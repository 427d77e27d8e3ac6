"""A corpus as counts, what it holds out, and what is no corpus."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.vocabulary.counting import (
    Corpus,
    HeldOut,
    corpus_of_examples,
    corpus_of_text,
    count_words,
    require_known,
)
from edgebert.compression.vocabulary.measuring import measure_effect, with_pieces
from edgebert.data.examples import Dataset, Example
from edgebert.data.plain_text import read_plain_text
from edgebert.data.wordpiece import TokenizerSettings, WordPiece
from edgebert.errors import DataError
from tests.data.house_form import assert_house_form

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "c", "##a", "##t", "a", "t", "##c", ".", "##at"]
TOKENIZER = WordPiece(PIECES)


def by_piece(corpus: Corpus) -> dict[str, int]:
    return {PIECES[number]: int(count) for number, count in enumerate(corpus.counts) if count}


def dataset(*texts: str | tuple[str, str]) -> Dataset:
    pairs = [(text, None) if isinstance(text, str) else text for text in texts]
    return Dataset(tuple(Example(*pair) for pair in pairs), None, "some.tsv")


def test_pieces_of_texts_and_pairs_are_counted_without_the_tokens_around_them() -> None:
    corpus = corpus_of_examples(dataset("the cat.", ("the cta", "dog [SEP]")), dataset(("a", "cat")), TOKENIZER)
    assert by_piece(corpus) == {"the": 2, "cat": 1, ".": 1, "c": 1, "##t": 1, "##a": 1, "[UNK]": 1, "[SEP]": 1}
    assert corpus.held_out == (HeldOut("some.tsv, dev", ("a", "cat")),)


def test_texts_longer_than_any_model_are_counted_whole() -> None:
    assert by_piece(corpus_of_examples(dataset("the " * 3000), None, TOKENIZER)) == {"the": 3000}


@pytest.mark.parametrize("in_text", [True, False])
def test_plain_text_is_counted_but_for_what_is_held_out_and_that_reads_back(tmp_path: Path, in_text: bool) -> None:
    documents = ["the cat.", "cta cat\nthe the", "dog at a cat", *(f"the {'a' * count}" for count in range(1, 30))]
    (tmp_path / "a.txt").write_text("\n\n".join(documents) + "\n")
    tokenizer = WordPiece(PIECES, TokenizerSettings(special_tokens_in_text=in_text))
    read = read_plain_text(tmp_path / "a.txt", tokenizer)
    corpus = corpus_of_text(read, tokenizer)
    everything = Counter(piece for document in documents for piece in tokenizer.tokenize(document))
    (held_out,) = corpus.held_out
    effect = measure_effect(held_out, tokenizer, with_pieces(tokenizer, tokenizer.vocabulary))
    assert corpus.pieces + effect.pieces_before == sum(everything.values())
    assert effect.pieces_after == effect.pieces_before and not effect.changed_texts
    again = WordPiece(PIECES)
    expected = [[PIECES[number] for number in one.input_ids[1:-1]] for one in read.dev.encoded]
    assert [again.tokenize(text) for text in held_out.texts] == expected


def test_two_corpora_are_one() -> None:
    first, second = (corpus_of_examples(dataset(text), dataset("a"), TOKENIZER) for text in ("the", "the cat"))
    assert by_piece(first + second) == {"the": 2, "cat": 1}
    assert len((first + second).held_out) == 2 and (first + second).sha256 != first.sha256


def test_the_effect_on_unseen_text() -> None:
    after = with_pieces(TOKENIZER, [piece for piece in PIECES if piece not in ("cat", "##at")])
    held_out = HeldOut("unseen", ("the cat.", "the dog", "a t"))
    effect = measure_effect(held_out, TOKENIZER, after)
    assert (effect.texts, effect.words, effect.changed_texts) == (3, 7, 1)
    assert (effect.pieces_before, effect.pieces_after) == (7, 9)
    assert effect.pieces_per_word == (1.0, 9 / 7) and effect.changed_share == 1 / 3
    assert effect.unknown_share == (1 / 7, 1 / 7)


def test_words_are_pieces_that_begin_one() -> None:
    assert count_words(["the", "c", "##a", "##t", "[UNK]", "."], TOKENIZER) == 4


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (("  ", "\u200b"), "expected a corpus with words in it, got none"),
        (("dog dog the",), "got [UNK] for 67% of 3 words. Do: give text in the model's own language"),
    ],
)
def test_what_says_nothing_about_the_vocabulary_is_refused(texts, says: str) -> None:
    corpus = corpus_of_examples(dataset(*texts), None, TOKENIZER)
    with pytest.raises(DataError) as caught:
        require_known(corpus, TOKENIZER)
    assert_house_form(str(caught.value))
    assert says in str(caught.value)


def test_half_of_the_words_may_be_unknown() -> None:
    require_known(corpus_of_examples(dataset("dog the"), None, TOKENIZER), TOKENIZER)
    assert np.issubdtype(corpus_of_examples(dataset("dog"), None, TOKENIZER).counts.dtype, np.integer)
