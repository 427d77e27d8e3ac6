"""What a cut must not change, what it must rank first, and that it is the model which does without."""

import dataclasses

import numpy as np
import pytest

from edgebert.compression.shrinking.counts import Counts, shrunk_config
from edgebert.compression.shrinking.cutting import Ranking, cut
from edgebert.compression.shrinking.remaining import Remaining
from edgebert.data.batches import EncodedDataset, batches
from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.models.layers import MASKED_SCORE
from edgebert.models.loading import model_tensors
from edgebert.truncation.magnitude import magnitude_importance
from edgebert.truncation.measuring import measure
from edgebert.truncation.values import Source
from tests.compression.shrinking.cases import BIG, HEAD, changed, filled, loss, model, outputs, texts

MAGNITUDE, TAYLOR = Ranking("magnitude"), Ranking("taylor")
FEWER = {"heads": 2, "feed_forward_width": 14}


def smaller(**counts: int):
    return shrunk_config(BIG, dataclasses.replace(Counts.of(BIG), **counts))


def silenced(big, kept):
    """The big model in which the parts that were not kept say nothing."""
    heads = [np.repeat([head in block.heads for head in range(4)], 4) for block in kept.blocks]
    neurons = [np.isin(np.arange(24), block.neurons) for block in kept.blocks]

    def change(name, array):
        if name.endswith("attention_output.kernel"):
            return array * heads[int(name.split(".")[2])][:, None]
        if name.endswith("feed_forward.down.kernel"):
            return array * neurons[int(name.split(".")[2])][:, None]
        return array

    return changed(big, change)


def test_without_heads_and_neurons_it_is_the_model_in_which_they_say_nothing() -> None:
    big, data = model(), texts()
    made = cut(big, smaller(**FEWER), MAGNITUDE, data)
    assert (made.config.heads, made.config.head_width, made.config.width) == (2, 4, 16)
    assert made.tensors["encoder.blocks.0.query.kernel"].shape == (16, 8)
    found = outputs(filled(made.config, made.tensors), data)
    np.testing.assert_allclose(found, outputs(silenced(big, made.kept), data), atol=1e-5)
    assert not np.allclose(found, outputs(big, data), atol=1e-2), "what went must matter here"


def test_without_layers_it_is_the_model_that_skips_them() -> None:
    big, data = model(), texts()
    made = cut(big, smaller(layers=2), MAGNITUDE, data)
    assert made.kept.teacher_layers != (1, 2, 3) and len(made.kept.teacher_layers) == 2
    found = np.zeros((len(data), 3), np.float32)
    for positions, inputs in batches(data, 8):
        inputs = {name: tf.constant(values) for name, values in inputs.items()}
        mask = inputs["input_mask"]
        bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * MASKED_SCORE
        x = big.encoder.embeddings(inputs["input_ids"], inputs["segment_ids"])
        for layer in made.kept.teacher_layers:
            x, _ = big.encoder.blocks[layer - 1](x, bias)
        weights = tf.cast(mask, tf.float32)[:, :, None]
        pooled = tf.reduce_sum(x * weights, axis=1) / tf.reduce_sum(weights, axis=1)
        found[positions] = big.head(pooled).numpy()
    np.testing.assert_allclose(outputs(filled(made.config, made.tensors), data), found, atol=1e-5)


@pytest.mark.parametrize("ranking", [MAGNITUDE, TAYLOR], ids=lambda ranking: ranking.importance)
def test_parts_without_effect_go_first_and_without_a_trace(ranking: Ranking) -> None:
    dead_heads, dead_neurons = [1, 3], [0, 2, 5, 7, 11, 13, 17, 19, 22, 23]

    def change(name, array):
        if name.endswith("attention_output.kernel"):
            array.reshape(4, 4, 16)[dead_heads] = 0
        if name.endswith("feed_forward.down.kernel"):
            array[dead_neurons] = 0
        return array

    big, data = changed(model(), change), texts()
    made = cut(big, smaller(**FEWER), ranking, data)
    for block in made.kept.blocks:
        assert not set(block.heads) & set(dead_heads) and not set(block.neurons) & set(dead_neurons)
    np.testing.assert_allclose(outputs(filled(made.config, made.tensors), data), outputs(big, data), atol=1e-5)
    assert made.importance_kept["heads"] == pytest.approx(1.0, rel=1e-12)
    assert made.importance_kept["neurons"] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("ranking", [MAGNITUDE, TAYLOR], ids=lambda ranking: ranking.importance)
def test_channels_that_carry_nothing_go_first_and_without_a_trace(ranking: Ranking) -> None:
    """With NoNorm, which treats every channel apart; all heads stay, as wide as they are."""
    plain, dead = dataclasses.replace(BIG, normalization="no_norm"), [0, 5, 6, 14]

    def change(name, array):
        if name.endswith(("word.weight", "position.weight", "segment.weight", "norm.gain", "norm.bias")):
            array[..., dead] = 0
        if name.endswith(("attention_output.kernel", "attention_output.bias", "down.kernel", "down.bias")):
            array[..., dead] = 0
        return array * 0.3 if name.endswith("kernel") else array

    big, data = changed(model(plain), change), texts()
    target = shrunk_config(plain, dataclasses.replace(Counts.of(plain), width=12))
    made = cut(big, target, ranking, data)
    assert not set(made.kept.channels) & set(dead)
    assert (made.config.heads, made.config.heads_width, made.config.own_head_width) == (4, 16, 4)
    found = outputs(filled(made.config, made.tensors), data)
    np.testing.assert_allclose(found, outputs(big, data), rtol=1e-4, atol=1e-5)


def test_a_layer_that_adds_nothing_goes_first() -> None:
    """With NoNorm, whose layers can be the identity."""
    plain = dataclasses.replace(BIG, normalization="no_norm")

    def change(name, array):
        if not name.startswith("encoder.blocks.1."):
            # Without norms, three random layers would overflow the answers.
            return array * 0.3 if name.endswith("down.kernel") else array
        if name.endswith("norm.gain"):
            return np.ones_like(array)
        return np.zeros_like(array)

    big, data = changed(model(plain), change), texts()
    target = shrunk_config(plain, dataclasses.replace(Counts.of(plain), layers=2))
    for ranking in (MAGNITUDE, TAYLOR):
        made = cut(big, target, ranking, data)
        assert made.kept.teacher_layers == (1, 3) and made.importance_kept["layers"] == 1.0
        found = outputs(filled(made.config, made.tensors), data)
        np.testing.assert_allclose(found, outputs(big, data), rtol=1e-4, atol=1e-4)


def test_all_of_it_is_the_model_unchanged() -> None:
    big = model()
    made = cut(big, shrunk_config(BIG, Counts.of(BIG)), TAYLOR, texts())
    assert made.config == BIG
    for name, values in model_tensors(big).items():
        np.testing.assert_array_equal(made.tensors[name], values, err_msg=name)


def test_taylor_importance_ranks_as_the_loss_changes_when_parts_are_weakened() -> None:
    """Against finite differences over single texts: every head, every neuron and every layer's contribution."""
    big, data = model(), texts(6)
    importance, step = measure(big, data).importance, 1e-2

    def slopes(name_ends: str, block: int, rows: slice) -> float:
        def scaled(factor):
            def change(name, array):
                if name == f"encoder.blocks.{block}.{name_ends}":
                    array[rows] *= factor
                return array

            return loss(changed(big, change), data)

        return float(np.mean(np.abs(scaled(1 + step) - scaled(1 - step)))) / (2 * step)

    heads = [slopes("attention_output.kernel", 1, slice(4 * head, 4 * head + 4)) for head in range(4)]
    np.testing.assert_allclose(importance.blocks[1].heads, heads, rtol=0.05, atol=1e-4)
    assert np.argsort(importance.blocks[1].heads).tolist() == np.argsort(heads).tolist()
    neurons = [slopes("feed_forward.down.kernel", 0, slice(neuron, neuron + 1)) for neuron in range(0, 24, 5)]
    np.testing.assert_allclose(importance.blocks[0].neurons[::5], neurons, rtol=0.05, atol=1e-4)


def test_a_layers_importance_is_the_slope_towards_skipping_it() -> None:
    """x + (1 - s) (layer(x) - x): against a finite difference in s, one text at a time."""
    big, data, step = model(), texts(5), 1e-2
    importance = measure(big, data).importance.layers

    def mixed(number: int, layer: int, share: float) -> float:
        inputs = next(batches(EncodedDataset(data.encoded[number : number + 1], None), 1))[1]
        inputs = {name: tf.constant(values) for name, values in inputs.items()}
        mask = inputs["input_mask"]
        bias = (1.0 - tf.cast(mask, tf.float32))[:, None, None, :] * MASKED_SCORE
        x = big.encoder.embeddings(inputs["input_ids"], inputs["segment_ids"])
        for place, block in enumerate(big.encoder.blocks):
            y, _ = block(x, bias)
            x = y + share * (x - y) if place == layer else y
        weights = tf.cast(mask, tf.float32)[:, :, None]
        logits = big.head(tf.reduce_sum(x * weights, axis=1) / tf.reduce_sum(weights, axis=1)).numpy()[0]
        return float(np.log(np.sum(np.exp(logits))) - logits[data.targets[number]])

    expected = [
        np.mean([abs(mixed(number, layer, step) - mixed(number, layer, -step)) / (2 * step) for number in range(5)])
        for layer in range(3)
    ]
    np.testing.assert_allclose(importance, expected, rtol=0.05)


def test_a_teachers_logits_are_as_good_as_labels_where_they_are_certain() -> None:
    big, data = model(), texts(8)
    certain = EncodedDataset(data.encoded, 1000.0 * np.eye(3, dtype=np.float32)[data.targets])
    hard, soft = (measure(big, one).importance for one in (data, certain))
    np.testing.assert_allclose(soft.blocks[0].heads, hard.blocks[0].heads, rtol=1e-4)
    np.testing.assert_allclose(soft.layers, hard.layers, rtol=1e-4)


def test_magnitudes_are_products_of_what_leads_in_and_out() -> None:
    big = model()
    values = model_tensors(big)
    importance = magnitude_importance(Source(BIG, HEAD, values))
    block = "encoder.blocks.2."
    value, output = values[f"{block}value.kernel"], values[f"{block}attention_output.kernel"]
    up, down = values[f"{block}feed_forward.up.kernel"], values[f"{block}feed_forward.down.kernel"]
    for head in range(4):
        channels = range(4 * head, 4 * head + 4)
        expected = sum((value[:, one] ** 2).sum() * (output[one] ** 2).sum() for one in channels)
        np.testing.assert_allclose(importance.blocks[2].heads[head], expected, rtol=1e-5)
    for neuron in range(24):
        expected = np.sqrt((up[:, neuron] ** 2).sum() * (down[neuron] ** 2).sum())
        np.testing.assert_allclose(importance.blocks[2].neurons[neuron], expected, rtol=1e-5)
    np.testing.assert_allclose(importance.layers[2], (output**2).sum() + (down**2).sum(), rtol=1e-5)


@pytest.mark.parametrize("ranking", [MAGNITUDE, TAYLOR], ids=lambda ranking: ranking.importance)
def test_a_model_with_few_heads_left_is_cut_again_by_the_same_rules(ranking: Ranking) -> None:
    """Every part at once, twice; the second time the heads are no part of the width."""
    big, data = model(), texts()
    first = cut(big, smaller(heads=3, feed_forward_width=20, width=14, layers=3), ranking, data)
    between = filled(first.config, first.tensors)
    target = shrunk_config(first.config, Counts(layers=2, heads=1, feed_forward_width=10, width=10))
    second = cut(between, target, ranking, data)
    found = filled(second.config, second.tensors)
    assert (found.config.width, found.config.heads_width, found.config.embedding_width) == (10, 4, 10)
    assert np.isfinite(outputs(found, data)).all()
    remaining = Remaining.all_of(BIG).after(first.kept).after(second.kept)
    assert remaining.layers == second.kept.teacher_layers
    for layer, heads, block in zip(remaining.layers, remaining.heads, second.kept.blocks, strict=True):
        assert heads == tuple(first.kept.blocks[layer - 1].heads[head] + 1 for head in block.heads)


def test_refitting_lets_what_is_left_stand_in_for_what_went() -> None:
    """A head that repeats another: with data, the other takes over what it wrote."""

    def change(name, array):
        parts = array.reshape(-1, 4, 4) if name.endswith(("query.kernel", "key.kernel", "value.kernel")) else None
        if parts is not None:
            parts[:, 3] = parts[:, 0]
        if name.endswith(("query.bias", "key.bias", "value.bias")):
            array[12:] = array[:4]
        if name.endswith("attention_output.kernel"):
            # Weak enough to be the head that goes.
            array[12:] *= 0.05
        return array

    big, data = changed(model(), change), texts(48)
    made = cut(big, smaller(heads=3), TAYLOR, data)
    assert [block.heads for block in made.kept.blocks] == [(0, 1, 2)] * 3
    gone = silenced(big, made.kept)
    fitted = np.abs(outputs(filled(made.config, made.tensors), data) - outputs(big, data)).mean()
    plain = np.abs(outputs(gone, data) - outputs(big, data)).mean()
    assert fitted < 0.2 * plain


@pytest.mark.parametrize(
    ("wrong", "says"), [({"importance": "luck"}, "importance: expected taylor or magnitude"), ({"examples": 0}, "1 or")]
)
def test_a_ranking_that_means_nothing_is_refused(wrong: dict, says: str) -> None:
    with pytest.raises(TrainingError, match=says):
        Ranking(**wrong)
