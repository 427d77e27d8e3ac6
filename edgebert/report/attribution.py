"""Which tokens an answer hangs on, asked of the produced file itself: leave each one out and see what is lost.

It needs no gradient and no attention weights, which a .tflite does not give; it says how this file's score of its own
answer changes, and nothing about why. Tokens that stand for each other (the same word twice) each seem to matter
little, since the other one remains.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgebert.data.wordpiece import Encoded
from edgebert.export.answering import AnsweringModel
from edgebert.report.model import Attribution

# The task whose outputs are an embedding has no answer whose score could change.
_EXPLAINED_TASKS = ("classification", "regression")


class Explainer:
    """One file, opened once for all texts."""

    def __init__(self, path: Path, row: int):
        self._model, self._row = AnsweringModel(path), row

    @property
    def can_explain(self) -> bool:
        return self._model.description.task in _EXPLAINED_TASKS

    def explain(self, text: str, second_text: str | None = None) -> Attribution:
        encoded = self._model.encode(text, second_text)
        outputs = self._model.answer(encoded)
        chosen = int(np.argmax(outputs))
        score = float(outputs[chosen])
        places = self._told_places(encoded.input_ids)
        changes = [score - float(self._model.answer(_without(encoded, place))[chosen]) for place in places]
        labels = self._model.description.labels
        return Attribution(
            row=self._row,
            text=text,
            second_text=second_text,
            answer=labels[chosen] if labels else f"{score:.3f}",
            score=score,
            pieces=tuple(self._model.tokenizer.vocabulary[encoded.input_ids[place]] for place in places),
            changes=tuple(changes),
        )

    def _told_places(self, input_ids: Sequence[int]) -> list[int]:
        """Of the text's own tokens: what stands around them is the same for every text."""
        vocabulary, settings = self._model.tokenizer.vocabulary, self._model.tokenizer.settings
        _, *around = settings.required_tokens
        return [place for place, number in enumerate(input_ids) if vocabulary[number] not in around]


def _without(encoded: Encoded, place: int) -> Encoded:
    return Encoded(
        *((*row[:place], *row[place + 1 :]) for row in (encoded.input_ids, encoded.input_mask, encoded.segment_ids))
    )
