"""Candidates from a masked-word head: what the teacher would write where a word is masked."""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np

from edgebert.augment.words import Word, WordFinder, may_replace
from edgebert.config import HeadConfig
from edgebert.data.batches import INPUT_NAMES, pad
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import TokenizerError
from edgebert.keras import tf, traced
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.loading import load_model
from edgebert.models.masked_word_head import MaskedWordHead
from edgebert.models.masked_word_layer import MaskedWordLayer
from edgebert.models.task import named_variables
from edgebert.models.weights import HEAD

_MASKED_TEXTS_AT_ONCE = 32
# Some of the best may not replace it: other spellings of the word itself (`The`, `THE`), other scripts.
_SPARE = 8
_UNUSABLE_SCORE = -1e9


class MaskedWords:
    """A source of candidates.

    As in TinyBERT's published code the text with the mask is paired with the text without it, so that the candidates
    stay near the word's meaning. A text is computed alone, whatever comes before or after it: rounding depends on the
    batch, and the result must not depend on the corpus.
    """

    def __init__(
        self, checkpoint: Checkpoint, head: MaskedWordHead, tokenizer: WordPiece, finder: WordFinder, count: int
    ):
        mask_token = tokenizer.settings.mask_token
        if mask_token not in tokenizer.vocabulary:
            raise TokenizerError(
                f"{checkpoint.source}: expected the mask token {mask_token} in the vocabulary, got none. "
                "Do: name it in tokenizer_config.json, or take candidates from the table (--candidates-from table)."
            )
        self._tokenizer, self._count = tokenizer, count
        self._mask_id = tokenizer.vocabulary.index(mask_token)
        self._length = checkpoint.encoder.maximum_length
        self._last_segment = max(checkpoint.encoder.segments - 1, 0)
        usable = finder.usable_pieces(checkpoint.encoder.vocabulary_size)
        self._best = _compile(checkpoint, head, usable, min(count + _SPARE, int(usable.sum())))

    def prepare(self, words: Iterable[Word]) -> None:
        """Nothing is shared between texts."""

    def candidates(self, text: str, words: Sequence[Word]) -> list[tuple[str, ...]]:
        """For each of the words the likeliest ones; none for a word beyond what the teacher can read."""
        encoded = self._tokenizer.encode(text, text, length=self._length, truncation="head")
        places = [word.first_piece + 1 for word in words]
        read = [row for row, place in enumerate(places) if place < len(encoded.input_ids) - 2]
        found: list[tuple[str, ...]] = [()] * len(words)
        for start in range(0, len(read), _MASKED_TEXTS_AT_ONCE):
            rows = read[start : start + _MASKED_TEXTS_AT_ONCE]
            inputs = self._masked(encoded, [places[row] for row in rows])
            ids = self._best(inputs, tf.constant([places[row] for row in rows], tf.int32)).numpy()
            for row, best in zip(rows, ids, strict=True):
                pieces = (self._tokenizer.vocabulary[number] for number in best)
                fit = (piece for piece in pieces if may_replace(piece, words[row].normalized))
                found[row] = tuple(islice(fit, self._count))
        return found

    def _masked(self, encoded: Encoded, places: Sequence[int]) -> dict[str, tf.Tensor]:
        inputs = pad([encoded] * len(places))
        inputs["input_ids"][np.arange(len(places)), places] = self._mask_id
        inputs["segment_ids"] = np.minimum(inputs["segment_ids"], self._last_segment)
        return {name: tf.constant(inputs[name]) for name in INPUT_NAMES}


def _compile(checkpoint: Checkpoint, head: MaskedWordHead, usable: np.ndarray, count: int):
    """A function of inputs [B, T] and masked places [B] to the ids of the best pieces [B, count]."""
    encoder = load_model(checkpoint, HeadConfig(kind="embedding", pooling="mean")).model.encoder
    scores_of = filled_layer(checkpoint, head)
    # As a tensor of its own: an array would be copied into the graph, and with its optimised forms there are several.
    table = tf.constant(head.table)
    penalty = tf.constant(np.where(usable, 0, _UNUSABLE_SCORE), tf.float32)
    inputs_signature = {name: tf.TensorSpec([None, None], tf.int32, name=name) for name in INPUT_NAMES}

    @traced(input_signature=[inputs_signature, tf.TensorSpec([None], tf.int32)])
    def best(inputs, places):
        rows = encoder(inputs, training=False).rows
        scores = scores_of(tf.gather(rows, places, batch_dims=1), table) + penalty
        return tf.math.top_k(scores, count).indices

    return best


def filled_layer(checkpoint: Checkpoint, head: MaskedWordHead) -> MaskedWordLayer:
    """The head as a layer; its decoder may be another than the word table."""
    layer = MaskedWordLayer(checkpoint.encoder)
    layer(tf.zeros([1, checkpoint.encoder.width]), tf.constant(head.table))
    for name, variable in named_variables(layer, HEAD).items():
        variable.assign(head.variables[name])
    return layer
