"""What of a teacher matters on real texts: first-order Taylor importance, and the spread of its activations.

Importance is |sum over tokens of activation * gradient|, averaged over examples: to first order, how much the loss
changes when the head, neuron or channel is silenced (Molchanov et al. 2017, Michel et al. 2019). A layer's activation
is what it adds to its input.
"""

from dataclasses import dataclass

import numpy as np

from edgebert.data.batches import EncodedDataset, batches
from edgebert.errors import DataError
from edgebert.keras import keras, tf
from edgebert.models.block import Block
from edgebert.models.layers import Attention, flat, merge_heads
from edgebert.models.task import TaskModel, TaskTrace
from edgebert.progress import Progress, Report, silent
from edgebert.truncation.values import (
    BlockImportance,
    BlockSpread,
    Importance,
    Measured,
    Spread,
    TeacherSpread,
)


@dataclass(frozen=True, slots=True)
class MeasureSettings:
    examples: int = 512
    batch_size: int = 32
    seed: int = 0


def measure(
    model: TaskModel, data: EncodedDataset, settings: MeasureSettings = MeasureSettings(), report: Report = silent
) -> Measured:
    """Importance and spread over a random part of the data.

    With targets the loss is the task's; targets [N, C] are a teacher's logits. Without, or where the head gives
    embeddings, it is a random sign for each value of the last rows: the squared gradient is then, on average, how much
    these rows move.
    """
    if not len(data):
        raise DataError("importance data: expected texts, got none. Do: give the training file.")
    _check_targets(model, data)
    chosen = sample(data, settings)
    sums = _Sums(model)
    signs = np.random.default_rng(settings.seed)
    done = 0
    for positions, inputs in batches(chosen, settings.batch_size):
        targets = None if chosen.targets is None else chosen.targets[positions]
        sums.add({name: tf.constant(values) for name, values in inputs.items()}, targets, signs)
        done += len(positions)
        report(Progress("importance", done, len(chosen)))
    return sums.measured()


def _check_targets(model: TaskModel, data: EncodedDataset) -> None:
    head = model.head_config
    if head.kind != "classification" or data.targets is None or data.targets.ndim == 2:
        return
    if np.max(data.targets) >= head.outputs:
        raise DataError(
            f"importance data: expected the teacher's {head.outputs} classes, got class {np.max(data.targets)}. "
            "Do: give the data that the teacher was fine-tuned on, or data without labels."
        )


def sample(data: EncodedDataset, settings: MeasureSettings) -> EncodedDataset:
    """What is measured on. A sample's sample of the same size is the same examples."""
    order = np.random.default_rng(settings.seed).permutation(len(data))[: settings.examples]
    return EncodedDataset(
        tuple(data.encoded[position] for position in order), None if data.targets is None else data.targets[order]
    )


def _loss(model: TaskModel, trace: TaskTrace, mask, targets: np.ndarray | None, signs: np.random.Generator):
    """A sum over examples, so that each example's gradient is its own."""
    kind = model.head_config.kind
    if targets is None or kind == "embedding":
        rows = trace.encoder.rows
        chosen = tf.constant(signs.choice((-1.0, 1.0), rows.shape), rows.dtype)
        return tf.reduce_sum(rows * chosen * tf.cast(mask, rows.dtype)[:, :, None])
    if kind == "regression":
        return tf.reduce_sum(tf.square(trace.output[:, 0] - tf.constant(targets, trace.output.dtype)))
    if targets.ndim == 2:
        wanted = tf.nn.softmax(tf.constant(targets, trace.output.dtype))
        return tf.reduce_sum(keras.losses.categorical_crossentropy(wanted, trace.output, from_logits=True))
    return tf.reduce_sum(keras.losses.sparse_categorical_crossentropy(targets, trace.output, from_logits=True))


class _Sums:
    """Running sums over batches, by block."""

    def __init__(self, model: TaskModel):
        self.model = model
        config = model.config
        self.examples = 0
        self.heads = np.zeros((config.blocks, config.heads))
        self.neurons = np.zeros((config.blocks, config.feed_forward_width))
        self.channels = np.zeros(config.width)
        self.layers = np.zeros(config.layers)
        self.embeddings = _Moments(config.width)
        self.blocks = [_BlockMoments(model) for _ in range(config.blocks)]

    def add(self, inputs, targets: np.ndarray | None, signs: np.random.Generator) -> None:
        mask = inputs["input_mask"]
        with tf.GradientTape() as tape:
            # Whatever is trainable: the path from the words on is recorded.
            tape.watch(self.model.encoder.embeddings.word.weight)
            trace = self.model.trace(inputs, training=False)
            loss = _loss(self.model, trace, mask, targets, signs)
        hidden = trace.encoder.hidden
        gradients = tape.gradient(loss, hidden)
        texts = len(mask)
        self.examples += texts
        self.embeddings.add(hidden[0], mask)
        self.channels += _taylor(hidden[0], gradients[0], texts)
        for layer, number in enumerate(self.model.config.layer_blocks):
            block, attention = self.model.encoder.blocks[number], trace.encoder.attention[layer]
            inner, inner_gradients = inside(block, hidden[layer], attention, gradients[layer + 1])
            heads = flat(inner.context) * flat(inner_gradients.context)
            by_head = tf.reshape(heads, [texts, -1, self.model.config.heads, self.model.config.head_width])
            self.heads[number] += _absolute_sum(tf.reduce_sum(by_head, axis=[1, 3]))
            self.neurons[number] += _taylor(inner.neurons, inner_gradients.neurons, texts)
            self.channels += _taylor(inner.between, inner_gradients.between, texts)
            self.channels += _taylor(hidden[layer + 1], gradients[layer + 1], texts)
            added = (hidden[layer + 1] - hidden[layer]) * gradients[layer + 1]
            self.layers[layer] += _absolute_sum(tf.reduce_sum(tf.cast(added, tf.float32), axis=[1, 2]))
            self.blocks[number].add(hidden[layer], attention, inner, hidden[layer + 1], mask)

    def measured(self) -> Measured:
        ranked = tuple(
            BlockImportance(heads / self.examples, neurons / self.examples)
            for heads, neurons in zip(self.heads, self.neurons, strict=True)
        )
        spread = TeacherSpread(self.embeddings.spread(), tuple(block.spread() for block in self.blocks))
        importance = Importance(ranked, self.channels / self.examples, self.layers / self.examples)
        return Measured(importance, spread)


@dataclass(frozen=True)
class Inner:
    """What a trace leaves out of a block, as rows [B*T, ...]."""

    context: tf.Tensor
    between: tf.Tensor
    neurons: tf.Tensor
    outputs: tf.Tensor


def inside(block: Block, hidden, attention: Attention, gradient) -> tuple[Inner, Inner]:
    """A block's inner activations, computed again from its trace, and their gradients from that of its output."""
    feed_forward = block.feed_forward
    context = merge_heads(tf.matmul(attention.probabilities, attention.value))
    with tf.GradientTape() as tape:
        tape.watch(context)
        between = block.attention_norm(flat(hidden) + block.attention_output(context))
        neurons = feed_forward.activation(feed_forward.up(between))
        outputs = feed_forward.norm(between + feed_forward.down(neurons))
    inner = Inner(context, between, neurons, outputs)
    given = flat(gradient)
    found = tape.gradient(outputs, [context, between, neurons], output_gradients=given)
    return inner, Inner(*found, given)


class _Moments:
    """Sums of x and of its products over real tokens; float32, as the widest has 3,072 squared of them."""

    def __init__(self, width: int):
        self.tokens, self.total = 0, np.zeros(width)
        self.products = np.zeros((width, width), np.float32)

    def add(self, x, mask) -> None:
        real = tf.cast(tf.boolean_mask(flat(x), tf.reshape(mask, [-1]) > 0), tf.float32)
        self.tokens += len(real)
        self.total += tf.reduce_sum(real, axis=0).numpy()
        self.products += tf.matmul(real, real, transpose_a=True).numpy()

    def spread(self) -> Spread:
        mean = (self.total / self.tokens).astype(np.float32)
        return Spread(mean, self.products / self.tokens - np.outer(mean, mean))


class _BlockMoments:
    def __init__(self, model: TaskModel):
        config = model.config
        self.inputs, self.between, self.outputs = (_Moments(config.width) for _ in range(3))
        self.context = _Moments(config.heads_width)
        self.neurons = _Moments(config.feed_forward_width)
        self.queries, self.keys = np.zeros((2, config.heads, config.head_width, config.head_width))

    def add(self, hidden, attention: Attention, inner: Inner, outputs, mask) -> None:
        for moments, x in (
            (self.inputs, hidden),
            (self.context, inner.context),
            (self.between, inner.between),
            (self.neurons, inner.neurons),
            (self.outputs, outputs),
        ):
            moments.add(x, mask)
        real = tf.cast(mask, hidden.dtype)[:, None, :, None]
        keys = attention.key * real
        keys = (keys - tf.reduce_sum(keys, axis=2, keepdims=True) / tf.reduce_sum(real, axis=2, keepdims=True)) * real
        self.queries += _products(attention.query * real)
        self.keys += _products(keys)

    def spread(self) -> BlockSpread:
        tokens = self.inputs.tokens
        return BlockSpread(
            self.inputs.spread(),
            self.context.spread(),
            self.between.spread(),
            self.neurons.spread(),
            self.outputs.spread(),
            self.queries / tokens,
            self.keys / tokens,
        )


def _products(x) -> np.ndarray:
    """[B, A, T, D] to [A, D, D]."""
    return tf.einsum("batd,bate->ade", x, x).numpy()


def _taylor(activation, gradient, texts: int) -> np.ndarray:
    product = tf.cast(flat(activation), tf.float32) * tf.cast(flat(gradient), tf.float32)
    return _absolute_sum(tf.reduce_sum(tf.reshape(product, [texts, -1, product.shape[-1]]), axis=1))


def _absolute_sum(by_example) -> np.ndarray:
    return tf.reduce_sum(tf.abs(by_example), axis=0).numpy()
