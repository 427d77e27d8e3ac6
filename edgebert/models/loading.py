"""A checkpoint's values into a model's variables, and back."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.masked_word_head import masked_word_tensors
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.models.weights import HEAD


class Loaded(NamedTuple):
    model: TaskModel
    # Variables of a head that the checkpoint does not have: still random.
    fresh: tuple[str, ...]


def load_model(checkpoint: Checkpoint, head: HeadConfig | None = None) -> Loaded:
    """A model holding the checkpoint's values; with `head` its own head is replaced by a fresh one.

    Every variable of the encoder is filled, or an error names it. With MASKED_WORDS the head is the one that the
    checkpoint was pre-trained with; where there is none, that is an error. It must be asked for: it answers nothing.
    """
    chosen = head or checkpoint.head
    if chosen is None or (head is None and chosen == MASKED_WORDS):
        raise CheckpointError(
            f"{checkpoint.source}: expected a head in config.json or one of your choice, got neither. "
            "Do: name a pooling (--pooling mean) for a sentence embedder, or fine-tune it on labels first."
        )
    if chosen.pooling == "pooler" and not checkpoint.encoder.pooler:
        raise CheckpointError(
            f"{checkpoint.source}: expected a pooler for pooling 'pooler', got a checkpoint without one. "
            "Do: choose pooling 'first' or 'mean'."
        )
    model = build_model(checkpoint.encoder, chosen)
    variables = named_variables(model)
    keeps_head = chosen in (checkpoint.head, MASKED_WORDS)
    tensors = _tensors(checkpoint, chosen)
    unfilled = sorted(set(variables) - set(tensors))
    if any(keeps_head or not name.startswith(HEAD) for name in unfilled):
        raise CheckpointError(
            f"{checkpoint.source}: expected values for every variable, got none for {', '.join(unfilled)}. "
            "Do: check that config.json and the weights belong together."
        )
    for name, values in tensors.items():
        # The shapes were compared with config.json when the file was read.
        variables[name].assign(values)
    return Loaded(model, tuple(unfilled))


def _tensors(checkpoint: Checkpoint, head: HeadConfig) -> dict[str, np.ndarray]:
    if head == checkpoint.head:
        return checkpoint.tensors
    encoder = {name: values for name, values in checkpoint.tensors.items() if not name.startswith(HEAD)}
    return encoder | masked_word_tensors(checkpoint) if head == MASKED_WORDS else encoder


def assign_tensors(model: TaskModel, tensors: Mapping[str, np.ndarray]) -> None:
    """The model's values, every one of them, from what `model_tensors` gave or an initialisation made."""
    for name, variable in named_variables(model).items():
        variable.assign(tensors[name])


def model_tensors(model: TaskModel) -> dict[str, np.ndarray]:
    """The model's values by our names, as `save_checkpoint` takes them."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}
