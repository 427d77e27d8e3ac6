"""Dynamic masking: which words of a text are hidden, anew in every epoch and the same on every run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Self

import numpy as np

from edgebert.data.batches import INPUT_NAMES, EncodedDataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.prediction_losses import NOT_MASKED
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.training.feed import Feed


@dataclass(frozen=True, slots=True)
class WordMasking:
    """Devlin et al. 2018: of 15 % of the tokens 80 % become the mask, 10 % another token, 10 % stay as they are.

    A text loses `share` of its tokens as exactly as whole numbers allow, and one at least; whether a token becomes the
    mask, another or itself is drawn for each.
    """

    mask_id: int
    # Never chosen, and never put in another's place.
    special_ids: tuple[int, ...]
    vocabulary_size: int
    share: float = 0.15
    masked_share: float = 0.8
    other_share: float = 0.1

    def __post_init__(self) -> None:
        self._require(0 < self.share < 1, "share", "a number between 0 and 1", self.share)
        for name in ("masked_share", "other_share"):
            self._require(0 <= getattr(self, name) <= 1, name, "0 to 1", getattr(self, name))
        together = self.masked_share + self.other_share
        self._require(together <= 1, "masked_share and other_share", "at most 1 together", together)
        size = self.vocabulary_size
        self._require(set(range(size)) > set(self.special_ids), "vocabulary_size", "more than special tokens", size)

    @classmethod
    def of(cls, tokenizer: WordPiece, share: float = 0.15) -> Self:
        vocabulary, settings = tokenizer.vocabulary, tokenizer.settings
        if settings.mask_token not in vocabulary:
            raise TrainingError(
                f"vocabulary: expected the mask token {settings.mask_token}, got none. Do: name it in "
                "tokenizer_config.json, or choose a recipe without masked words."
            )
        special = tuple(vocabulary.index(token) for token in settings.special_tokens)
        return cls(vocabulary.index(settings.mask_token), special, len(vocabulary), share)

    def hide(self, input_ids: np.ndarray, key: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """The text's ids with some hidden, and what is to be found in their places: NOT_MASKED in all others.

        Depends on the text and on `key` alone.
        """
        generator = np.random.default_rng(key)
        words = np.flatnonzero(~np.isin(input_ids, self.special_ids))
        count = min(max(round(len(words) * self.share), 1), len(words))
        chosen = generator.permutation(words)[:count]
        drawn = generator.random(count)
        others = generator.choice(_plain_ids(self.vocabulary_size, self.special_ids), count)
        hidden, targets = input_ids.copy(), np.full_like(input_ids, NOT_MASKED)
        targets[chosen] = input_ids[chosen]
        stays = np.where(drawn < self.masked_share + self.other_share, others, input_ids[chosen])
        hidden[chosen] = np.where(drawn < self.masked_share, self.mask_id, stays)
        return hidden, targets

    def _require(self, holds: bool, field: str, expected: str, got: object) -> None:
        if not holds:
            raise TrainingError(f"masking {field}: expected {expected}, got {got}. Do: correct it.")


@lru_cache(maxsize=1)
def _plain_ids(vocabulary_size: int, special_ids: tuple[int, ...]) -> np.ndarray:
    return np.setdiff1d(np.arange(vocabulary_size), special_ids)


class MaskedFeed(Feed):
    """Batches of texts with hidden words, and the words [B, T]: the key of a text is seed, epoch and its position.

    Out of epochs, for dev, the same words are hidden every time.
    """

    def __init__(self, data: EncodedDataset, batch_size: int, seed: int, masking: WordMasking):
        super().__init__(data, batch_size, seed)
        self._masking = masking

    @property
    def signature(self) -> tuple[Any, ...]:
        return super().signature[0], tf.TensorSpec([None, None], tf.int32)

    def epoch(self, epoch: int | None, skipped: int = 0) -> Iterator[tuple[Any, ...]]:
        for positions, inputs in self._positioned(epoch, skipped):
            targets = np.full_like(inputs[INPUT_NAMES[0]], NOT_MASKED)
            for row, position in enumerate(positions):
                tokens = len(self.data.encoded[position].input_ids)
                key = (self._seed, 0 if epoch is None else epoch + 1, int(position))
                text = inputs[INPUT_NAMES[0]][row, :tokens]
                text[:], targets[row, :tokens] = self._masking.hide(text, key)
            yield inputs, targets
