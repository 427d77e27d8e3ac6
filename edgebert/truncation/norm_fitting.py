"""NoNorm in the place of LayerNorm: of each channel the affine map that comes closest to what the norm did with it.

A student that starts at random has everything to learn anew. NoNorms that are fitted to real text, from the embeddings'
norm up and each behind those that were fitted before it, leave most of what it knows, ReLU in the place of GELU too:
benchmarks/methods can measure it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset, batches
from edgebert.errors import DataError
from edgebert.keras import keras, tf
from edgebert.models.layers import flat
from edgebert.models.loading import assign_tensors
from edgebert.models.places import layer_at, put
from edgebert.models.task import TaskModel, build_model
from edgebert.progress import Progress, Report, silent
from edgebert.truncation.values import Source

BATCH_SIZE = 32


@dataclass(frozen=True)
class NormPlace:
    norm: str
    # Where what it reads can be seen.
    reads: str


def norm_places(config: EncoderConfig) -> tuple[NormPlace, ...]:
    """In the order in which they are computed."""
    embeddings = NormPlace("encoder.embeddings.norm", "encoder.embeddings.summed")
    blocks = [
        NormPlace(f"encoder.blocks.{block}.{norm}", f"encoder.blocks.{block}.{reads}")
        for block in range(config.blocks)
        for norm, reads in (("attention_norm", "attended"), ("feed_forward.norm", "feed_forward.summed"))
    ]
    return embeddings, *blocks


def fitted_norms(
    source: Source, student: EncoderConfig, head: HeadConfig, data: EncodedDataset, report: Report = silent
) -> dict[str, np.ndarray]:
    """Gains and biases of the student's NoNorms, by name. source: the student whole, as it is with LayerNorm."""
    if not len(data):
        raise DataError("norm data: expected texts to fit NoNorm on, got none. Do: give the training file.")
    normed, fitted = _filled(source.config, head, source.tensors), _filled(student, head, source.tensors)
    places = norm_places(student)
    # First each to what it would read if all others were LayerNorms: what is fitted below it is then not all wrong
    # where a block that several layers share is behind itself.
    for place, moments in _moments(normed, normed, places, data).items():
        _assign(fitted, place, moments)
    for done, place in enumerate(places, 1):
        _assign(fitted, place, _moments(normed, fitted, [place], data)[place])
        report(Progress("fitting norms", done, len(places)))
    norms = {place.norm: layer_at(fitted, place.norm) for place in places}
    return {f"{name}.{part}": getattr(norm, part).numpy() for name, norm in norms.items() for part in ("gain", "bias")}


def _filled(config: EncoderConfig, head: HeadConfig, tensors: Mapping[str, np.ndarray]) -> TaskModel:
    model = build_model(config, head)
    assign_tensors(model, tensors)
    return model


def _assign(model: TaskModel, place: NormPlace, moments: "_Moments") -> None:
    norm, (gain, bias) = layer_at(model, place.norm), moments.line()
    norm.gain.assign(gain)
    norm.bias.assign(bias)


class _Keeping(keras.layers.Layer):
    """Keeps what passes, of a block that several layers share for each of them."""

    def __init__(self):
        super().__init__()
        self.seen: list[tf.Tensor] = []

    def call(self, x, training=None):
        self.seen.append(flat(x))
        return x


def _moments(
    normed: TaskModel, fitted: TaskModel, places: Sequence[NormPlace], data: EncodedDataset
) -> "dict[NormPlace, _Moments]":
    """Of what the NoNorms of `fitted` read, and what the LayerNorms answer at the same tokens."""
    found = {place: _Moments(layer_at(normed, place.norm).gain.shape[0]) for place in places}
    for _, inputs in batches(data, BATCH_SIZE):
        inputs = {name: tf.constant(values) for name, values in inputs.items()}
        real = tf.reshape(inputs["input_mask"], [-1]) > 0
        answered = _seen(normed, places, inputs)
        read = answered if fitted is normed else _seen(fitted, places, inputs)
        for place, moments in found.items():
            norm = layer_at(normed, place.norm)
            for one, other in zip(read[place], answered[place], strict=True):
                moments.add(tf.boolean_mask(one, real).numpy(), tf.boolean_mask(norm(other), real).numpy())
    return found


def _seen(
    model: TaskModel, places: Sequence[NormPlace], inputs: Mapping[str, tf.Tensor]
) -> dict[NormPlace, list[tf.Tensor]]:
    keeping = {place: _Keeping() for place in places}
    for place, site in keeping.items():
        put(model, place.reads, site)
    try:
        # Not the whole model: a head that predicts words has an answer for every piece of the vocabulary.
        model.encoder(inputs, training=False)
    finally:
        for place in places:
            put(model, place.reads, None)
    return {place: site.seen for place, site in keeping.items()}


class _Moments:
    """Sums over tokens, in float64: what a line of least squares needs, channel by channel."""

    def __init__(self, width: int):
        self.tokens = 0
        self.x, self.y, self.xx, self.xy = np.zeros((4, width))

    def add(self, read: np.ndarray, wanted: np.ndarray) -> None:
        x, y = read.astype(np.float64), wanted.astype(np.float64)
        self.tokens += len(x)
        self.x += x.sum(axis=0)
        self.y += y.sum(axis=0)
        self.xx += (x * x).sum(axis=0)
        self.xy += (x * y).sum(axis=0)

    def line(self) -> tuple[np.ndarray, np.ndarray]:
        """Gain and bias. A channel that never changes says nothing about a gain: then the bias says it all."""
        x, y = self.x / self.tokens, self.y / self.tokens
        variance, together = self.xx / self.tokens - x * x, self.xy / self.tokens - x * y
        changes = variance > np.finfo(np.float32).eps * (self.xx / self.tokens)
        gain = np.divide(together, variance, out=np.zeros_like(x), where=changes)
        return gain.astype(np.float32), (y - gain * x).astype(np.float32)
