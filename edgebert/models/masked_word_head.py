"""The head that BERT and DistilBERT were pre-trained with, out of a checkpoint: rows to scores of the pieces.

A checkpoint keeps its tensors among those that the encoder leaves aside; a fine-tuned one has usually lost them.
"""

from dataclasses import dataclass, field

import numpy as np

from edgebert.config import MASKED_WORDS
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint_reading import Checkpoint
from edgebert.models.families import FAMILIES, OWN_FAMILY, head_rows
from edgebert.models.tensor_file import some
from edgebert.models.weights import NORM_ALIASES, WORD_TABLE

# The decoder's kernel, where it is not only the word table's; and its bias a second time, as transformers 5 writes it
# where nothing is tied. Where both biases are in a file, the decoder's own is added.
DECODER_KERNELS = ("cls.predictions.decoder.weight", "vocab_projector.weight")
DECODER_BIASES = ("cls.predictions.decoder.bias",)


@dataclass(frozen=True)
class MaskedWordHead:
    """score = norm(activation(row @ kernel + bias)) @ table.T + output_bias"""

    kernel: np.ndarray = field(repr=False)  # [W, E], inputs first
    bias: np.ndarray = field(repr=False)
    norm_gain: np.ndarray = field(repr=False)
    norm_bias: np.ndarray = field(repr=False)
    table: np.ndarray = field(repr=False)  # [vocabulary, E]
    output_bias: np.ndarray = field(repr=False)

    @property
    def variables(self) -> dict[str, np.ndarray]:
        """By our names; of a head whose decoder is the word table."""
        return {name: getattr(self, attribute) for name, attribute in _ATTRIBUTES.items()}


_ATTRIBUTES = {
    "head.transform.kernel": "kernel",
    "head.transform.bias": "bias",
    "head.norm.gain": "norm_gain",
    "head.norm.bias": "norm_bias",
    "head.decoder.bias": "output_bias",
}


def read_masked_word_head(checkpoint: Checkpoint) -> MaskedWordHead | None:
    """The checkpoint's head, or None where it has no tensor of one; a part of one is an error."""
    table = checkpoint.tensors[WORD_TABLE]
    if checkpoint.head == MASKED_WORDS:
        values = {attribute: checkpoint.tensors[name] for name, attribute in _ATTRIBUTES.items()}
        return MaskedWordHead(**values, table=table)
    stored = head_tensor_names(checkpoint)
    if not stored:
        return None
    rows = head_rows(checkpoint.encoder, MASKED_WORDS, checkpoint.family)
    missing = [row.theirs for row in rows if row.theirs not in stored]
    if missing:
        raise CheckpointError(
            f"{checkpoint.file.path}: expected a whole masked-word head or none, got no {some(missing)}. "
            "Do: give the checkpoint as it was published."
        )
    values = {_ATTRIBUTES[row.ours]: _values(checkpoint, stored[row.theirs], row.shape) for row in rows}
    values["kernel"] = values["kernel"].T
    for name in DECODER_KERNELS:
        if name in stored:
            table = _values(checkpoint, stored[name], table.shape)
    for name in DECODER_BIASES:
        if name in stored:
            values["output_bias"] = _values(checkpoint, stored[name], values["output_bias"].shape)
    return MaskedWordHead(**values, table=table)


def masked_word_tensors(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """The head's values by our names; an error, where there is no head or its decoder is not the word table."""
    head = read_masked_word_head(checkpoint)
    if head is None:
        raise CheckpointError(
            f"{checkpoint.source}: expected the masked-word head of a BERT or DistilBERT, got none. "
            "Do: give the checkpoint as it was pre-trained."
        )
    if not np.array_equal(head.table, checkpoint.tensors[WORD_TABLE]):
        raise CheckpointError(
            f"{checkpoint.source}: expected a masked-word head that decodes with the word table, got one with a "
            "decoder of its own. Do: give a checkpoint that was pre-trained with tied embeddings."
        )
    return head.variables


def head_tensor_names(checkpoint: Checkpoint) -> dict[str, str]:
    """The head's tensors among those left aside: the names of today -> the names in the file."""
    if checkpoint.family == OWN_FAMILY or not FAMILIES[checkpoint.family].masked_word_names:
        return {}
    known = {row.theirs for row in head_rows(checkpoint.encoder, MASKED_WORDS, checkpoint.family)}
    known.update(DECODER_KERNELS + DECODER_BIASES)
    names = {}
    for stored in checkpoint.left_aside:
        name = stored
        for old, new in NORM_ALIASES:
            if name.endswith(old):
                name = name.removesuffix(old) + new
        if name in known:
            names[name] = stored
    return names


def _values(checkpoint: Checkpoint, name: str, shape: tuple[int, ...]) -> np.ndarray:
    tensor = checkpoint.file.tensors[name]
    values = tensor.float32()
    if tensor.shape != shape or values is None or not np.isfinite(values).all():
        raise CheckpointError(
            f"{checkpoint.file.path} {name}: expected finite floating-point values of the shape {list(shape)}, got "
            f"{tensor.type_name} {list(tensor.shape)}. Do: check that config.json and the weights belong together."
        )
    return values
