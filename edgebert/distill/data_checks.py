"""What of the data no model here could read, or no head answer: known before a run that it would end in its midst."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgebert.config import HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.errors import DataError
from edgebert.models.task import TaskModel


def require_readable(data: EncodedDataset, readers: Mapping[str, Sequence[TaskModel]]) -> None:
    """Every model has a row for each token and each place. readers: `student` or `teacher`, and those."""
    longest = max(len(one.input_ids) for one in data.encoded)
    highest = max(int(np.max(one.input_ids)) for one in data.encoded)
    for owner, model in ((owner, model) for owner, models in readers.items() for model in models):
        if longest > model.config.maximum_length:
            raise DataError(
                f"text: expected sequences of at most {model.config.maximum_length} tokens, which the {owner} reads, "
                f"got one of {longest}. Do: cut the text into shorter ones."
            )
        if highest >= model.config.vocabulary_size:
            raise DataError(
                f"text: expected tokens of the {owner}'s vocabulary ({model.config.vocabulary_size:,} pieces), got the "
                f"token {highest:,}. Do: read the text with the {owner}'s tokenizer."
            )


def require_answerable(subject: str, data: EncodedDataset, head: HeadConfig) -> None:
    """Every label is one of the head's."""
    if head.kind != "classification" or data.targets is None or data.targets.ndim != 1:
        return
    lowest, highest = int(np.min(data.targets)), int(np.max(data.targets))
    if lowest < 0 or highest >= head.outputs:
        raise DataError(
            f"{subject}: expected classes from 0 to {head.outputs - 1}, the student's, got "
            f"{lowest if lowest < 0 else highest}. Do: read the data with the student's labels, in their order."
        )
