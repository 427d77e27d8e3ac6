"""A checkpoint's values into a model's variables, and back."""

from typing import NamedTuple

import numpy as np

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.models.weights import HEAD


class Loaded(NamedTuple):
    model: TaskModel
    # Variables of a head that the checkpoint does not have: still random.
    fresh: tuple[str, ...]


def load_model(checkpoint: Checkpoint, head: HeadConfig | None = None) -> Loaded:
    """A model holding the checkpoint's values; with `head` its own head is replaced by a fresh one.

    Every variable of the encoder is filled, or an error names it.
    """
    chosen = head or checkpoint.head
    if chosen is None:
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
    keeps_head = chosen == checkpoint.head
    tensors = {name: a for name, a in checkpoint.tensors.items() if keeps_head or not name.startswith(HEAD)}
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


def model_tensors(model: TaskModel) -> dict[str, np.ndarray]:
    """The model's values by our names, as `save_checkpoint` takes them."""
    return {name: variable.numpy() for name, variable in named_variables(model).items()}
