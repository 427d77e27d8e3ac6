"""Vectors of words out of a checkpoint's embedding table: of single pieces, and of words as the mean of theirs."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from edgebert.augment.nearest_words import NearestWords
from edgebert.augment.words import WordFinder
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.weights import WORD_TABLE

# As many as are read of a file of word vectors.
MOST_CORPUS_WORDS = 100_000


def nearest_pieces(checkpoint: Checkpoint, tokenizer: WordPiece, finder: WordFinder, count: int) -> NearestWords:
    """For words of one piece: the nearest pieces that are whole words themselves."""
    table = checkpoint.tensors[WORD_TABLE]
    rows = np.flatnonzero(finder.usable_pieces(len(table)))
    if not len(rows):
        raise CheckpointError(
            f"{checkpoint.source}: expected pieces that are whole words in the vocabulary, got none. "
            "Do: check that the vocabulary belongs to the checkpoint."
        )
    return NearestWords([tokenizer.vocabulary[row] for row in rows], table[rows], count)


def nearest_corpus_words(
    checkpoint: Checkpoint, tokenizer: WordPiece, counts: Counter[str], count: int
) -> NearestWords:
    """For words of several pieces: the nearest words of the corpus, by the mean of their pieces' embeddings."""
    table = checkpoint.tensors[WORD_TABLE]
    ids = {piece: number for number, piece in enumerate(tokenizer.vocabulary)}
    unknown = tokenizer.settings.unknown_token
    words = [word for word in _most_frequent(counts) if unknown not in tokenizer.tokenize(word)]
    vectors = np.empty((len(words), table.shape[1]), np.float32)
    for row, word in enumerate(words):
        vectors[row] = table[[ids[piece] for piece in tokenizer.tokenize(word)]].mean(axis=0)
    return NearestWords(words, vectors, count)


def count_words(finder: WordFinder, texts: Iterable[str]) -> Counter[str]:
    """How often each word that may be replaced occurs, as the tokenizer normalises it."""
    return Counter(word.normalized for text in texts for word in finder.find(text))


def _most_frequent(counts: Counter[str]) -> list[str]:
    """Equally frequent ones by the alphabet: the order of the corpus changes nothing."""
    return sorted(counts, key=lambda word: (-counts[word], word))[:MOST_CORPUS_WORDS]
