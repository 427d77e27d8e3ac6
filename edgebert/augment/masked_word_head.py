"""The masked-word head that BERT and DistilBERT were pre-trained with: rows to scores of the vocabulary's pieces.

A checkpoint keeps its tensors among those that the encoder leaves aside; a fine-tuned one has usually lost them.
"""

from dataclasses import dataclass, field

import numpy as np

from edgebert.augment.piece_vectors import WORD_TABLE
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint
from edgebert.models.tensor_file import some
from edgebert.models.weights import NORM_ALIASES

# Our name -> theirs. The decoder's kernel is stored only where it is not the word table.
BERT_TENSORS = {
    "kernel": "cls.predictions.transform.dense.weight",
    "bias": "cls.predictions.transform.dense.bias",
    "norm_gain": "cls.predictions.transform.LayerNorm.weight",
    "norm_bias": "cls.predictions.transform.LayerNorm.bias",
    "table": "cls.predictions.decoder.weight",
    "output_bias": "cls.predictions.bias",
}
DISTILBERT_TENSORS = {
    "kernel": "vocab_transform.weight",
    "bias": "vocab_transform.bias",
    "norm_gain": "vocab_layer_norm.weight",
    "norm_bias": "vocab_layer_norm.bias",
    "table": "vocab_projector.weight",
    "output_bias": "vocab_projector.bias",
}
# Where a file holds both, this one is added: transformers 5 writes both where nothing is tied.
BERT_DECODER_BIAS = "cls.predictions.decoder.bias"
# MobileBERT's head has a second output kernel and none of its published fine-tuned files keep it.
TENSORS_OF_FAMILY = {"bert": BERT_TENSORS, "distilbert": DISTILBERT_TENSORS}


@dataclass(frozen=True)
class MaskedWordHead:
    """score = norm(activation(row @ kernel + bias)) @ table.T + output_bias"""

    kernel: np.ndarray = field(repr=False)  # [W, W], inputs first
    bias: np.ndarray = field(repr=False)
    norm_gain: np.ndarray = field(repr=False)
    norm_bias: np.ndarray = field(repr=False)
    table: np.ndarray = field(repr=False)  # [vocabulary, W]
    output_bias: np.ndarray = field(repr=False)
    activation: str
    norm_epsilon: float


def read_masked_word_head(checkpoint: Checkpoint) -> MaskedWordHead | None:
    """The checkpoint's head, or None where it has no tensor of one; a part of one is an error."""
    theirs = TENSORS_OF_FAMILY.get(checkpoint.family, {})
    stored = _stored_names(checkpoint)
    if theirs is BERT_TENSORS and BERT_DECODER_BIAS in stored:
        theirs = BERT_TENSORS | {"output_bias": BERT_DECODER_BIAS}
    found = {ours: stored[name] for ours, name in theirs.items() if name in stored}
    if not found:
        return None
    missing = [name for ours, name in theirs.items() if ours not in found and ours != "table"]
    if missing:
        raise CheckpointError(
            f"{checkpoint.file.path}: expected a whole masked-word head or none, got no {some(missing)}. "
            "Do: give the checkpoint as it was published, or take candidates from its table (--candidates-from table)."
        )
    config = checkpoint.encoder
    shapes = {
        "kernel": (config.width, config.width),
        "table": (config.vocabulary_size, config.width),
        "output_bias": (config.vocabulary_size,),
    }
    values = {ours: _values(checkpoint, name, shapes.get(ours, (config.width,))) for ours, name in found.items()}
    values.setdefault("table", checkpoint.tensors[WORD_TABLE])
    values["kernel"] = values["kernel"].T
    return MaskedWordHead(**values, activation=config.activation, norm_epsilon=config.norm_epsilon)


def masked_word_scores(head: MaskedWordHead, rows):
    """Rows [N, W] to scores [N, vocabulary], as TensorFlow tensors."""
    from edgebert.keras import tf
    from edgebert.models.layers import activation_function

    x = activation_function(head.activation)(tf.matmul(rows, head.kernel) + head.bias)
    centred = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
    x = centred * tf.math.rsqrt(variance + head.norm_epsilon) * head.norm_gain + head.norm_bias
    return tf.matmul(x, head.table, transpose_b=True) + head.output_bias


def _stored_names(checkpoint: Checkpoint) -> dict[str, str]:
    """The names of today -> the names in the file."""
    names = {}
    for stored in checkpoint.left_aside:
        name = stored
        for old, new in NORM_ALIASES:
            if name.endswith(old):
                name = name.removesuffix(old) + new
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
