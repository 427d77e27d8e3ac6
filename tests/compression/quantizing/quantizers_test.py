"""What is rounded in training is what int8 holds; ranges move, stand still, and hand gradients through."""

import numpy as np
import pytest

from edgebert.compression.quantizing.quantizers import (
    PROBABILITIES,
    TANH,
    Channels,
    MaskedScores,
    MovingRange,
    Site,
    Whole,
    rounded_in,
    rounded_rows,
)
from edgebert.compression.quantizing.ranges import PlaceSite, ReadSite, ScoresSite, WrittenSite
from edgebert.keras import tf
from tests.compression.quantizing.cases import int8_channels, int8_round_trip

DRAW = np.random.default_rng(5)
VALUES = DRAW.normal(0, 1, (64, 8)).astype(np.float32)


def site(written: WrittenSite | ReadSite, frozen: bool = False) -> Site:
    return Site(MovingRange(written, tf.Variable(frozen, trainable=False)), written.name)


@pytest.mark.parametrize("low, high", [(-2.0, 3.0), (0.0, 1.5), (-0.7, 0.0), (-1.0, 127 / 128)])
def test_activations_are_rounded_as_int8_with_that_range_is(low: float, high: float) -> None:
    rounded = site(WrittenSite("layer", (low, high)))(tf.constant(VALUES)).numpy()
    expected = int8_round_trip(VALUES, low, high)
    step = (high - low) / 255
    # In the middle between two steps one kernel rounds up, the other down: next to never, and by one step.
    apart = np.abs(rounded - expected)
    assert (apart > 1e-5).mean() < 0.01 and apart.max() < 1.01 * step
    assert len(np.unique(rounded)) > 50


def test_factors_make_each_channel_as_wide_as_it_is() -> None:
    factors = np.array([1, 10, 100, 1, 1, 1, 1, 0.01], np.float32)
    rounded = site(ReadSite(("layer",), (-4.0, 4.0), factors))(tf.constant(VALUES * factors)).numpy()
    np.testing.assert_allclose(rounded, int8_round_trip(VALUES, -4.0, 4.0) * factors, rtol=1e-5, atol=1e-7)


def test_weights_have_one_symmetric_scale_a_column() -> None:
    weights = VALUES * np.array([1, 10, 0.1, 1, 1, 1, 1, 0], np.float32)
    np.testing.assert_allclose(Channels()(tf.constant(weights), True, {}), int8_channels(weights), rtol=1e-5, atol=1e-7)
    factors = DRAW.uniform(0.1, 10, len(VALUES)).astype(np.float32)
    expected = int8_channels(weights * factors[:, None]) / factors[:, None]
    np.testing.assert_allclose(Channels(factors)(tf.constant(weights), True, {}), expected, rtol=1e-5, atol=1e-7)


def test_every_weight_and_every_row_has_its_gradient() -> None:
    """The largest of each column too, which stands at the end of the range."""
    for rounding in (lambda values: Channels()(values, True, {}), rounded_rows):
        values = tf.Variable(VALUES)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(rounding(values))
        np.testing.assert_array_equal(tape.gradient(total, values), np.ones_like(VALUES))


def test_rows_of_a_table_have_a_scale_each_and_one_of_zeros_stays() -> None:
    table = VALUES * 10.0 ** np.arange(len(VALUES))[:, None].clip(max=4).astype(np.float32)
    table[3] = 0
    np.testing.assert_allclose(rounded_rows(tf.constant(table)), int8_channels(table.T).T, rtol=1e-5)


def test_probabilities_have_the_range_of_the_kernel() -> None:
    rounded = PROBABILITIES(tf.constant([0.0, 0.001, 0.002, 0.5, 1.0]), True, {}).numpy()
    np.testing.assert_allclose(rounded, np.array([0, 0, 1, 128, 255]) / 256, atol=1e-7)


def test_a_range_moves_in_training_alone_and_stands_still_when_frozen() -> None:
    frozen = tf.Variable(False, trainable=False)
    one = Site(MovingRange(WrittenSite("layer", (-1.0, 1.0)), frozen), "layer.output")

    def ends() -> list[float]:
        return [float(end) for end in one.range.values()]

    loud = tf.constant(VALUES * 100)
    one(loud, training=False)
    assert ends() == [-1.0, 1.0]
    one(loud, training=True)
    low, high = VALUES.min() * 100, VALUES.max() * 100
    np.testing.assert_allclose(ends(), [-0.999 + 0.001 * low, 0.999 + 0.001 * high], rtol=1e-5)
    frozen.assign(True)
    before = ends()
    one(loud, training=True)
    assert ends() == before


def test_a_site_that_does_not_learn_keeps_its_range() -> None:
    one = site(WrittenSite("layer", (-1.0, 1.0), learns=False))
    one(tf.constant(VALUES * 100), training=True)
    assert [float(end) for end in one.range.values()] == [-1.0, 1.0]


def test_a_symmetric_range_keeps_its_zero_point_at_zero() -> None:
    """Else XNNPACK leaves the product of attention to a kernel ten times slower."""
    one = site(WrittenSite("layer", (-1.0, 127 / 128), symmetric=True))
    for scale in (3, 0.1, 7):
        one(tf.constant(VALUES * scale), training=True)
    low, high = (float(end) for end in one.range.values())
    assert low != -1.0
    assert high == pytest.approx(-low * 127 / 128, rel=1e-5)


def test_what_an_operator_cuts_itself_does_not_widen_its_range() -> None:
    one = site(WrittenSite("layer", (0.0, 2.0), rectified=True))
    rounded = one(tf.constant(VALUES), training=True).numpy()
    assert float(one.range["min_var"]) == 0.0
    assert rounded.min() == 0.0 and (rounded[VALUES > 0.01] > 0).all()


def test_tanh_counts_from_one_below_zero_to_a_step_below_one() -> None:
    values = np.array([-1.0, -0.3, 0.0, 0.5, 0.999], np.float32)
    np.testing.assert_allclose(TANH(tf.constant(values), True, {}), np.clip(np.rint(values * 128), -128, 127) / 128)


def test_masked_scores_follow_the_scores_range_and_leave_room_below_it() -> None:
    scores = site(ScoresSite("block", (-2.0, 3.0)))
    scores(tf.constant(VALUES))
    masked = Site(MaskedScores(scores, 8.0), "block.masked")
    given = np.array([[-10000.0, -12.0, -2.0, 0.0, 1.7, 3.0, 9.0]], np.float32)
    np.testing.assert_allclose(masked(tf.constant(given)), int8_round_trip(given, -10.0, 3.0), atol=1e-5)
    scores.range["max_var"].assign(7.0)
    assert masked(tf.constant([[9.0]])).numpy().item() == pytest.approx(7.0, abs=0.04)
    assert not masked.weights


def test_a_vector_is_rounded_in_the_range_it_spans_and_hands_its_gradient_through() -> None:
    gain = tf.Variable([0.5, 1.0, 1.5, 1.51])
    with tf.GradientTape() as tape:
        rounded = Site(Whole(), "norm.gain")(gain)
    np.testing.assert_allclose(rounded, int8_round_trip(gain.numpy(), 0.0, 1.51), atol=1e-6)
    assert tape.gradient(rounded, gain).numpy().tolist() == [1, 1, 1, 1]


def test_looked_up_rows_are_rounded_as_their_whole_table_is() -> None:
    expected = int8_round_trip(VALUES, float(VALUES.min()), float(VALUES.max()))
    apart = np.abs(rounded_in(tf.constant(VALUES[:3]), tf.constant(VALUES)).numpy() - expected[:3])
    assert (apart > 1e-5).mean() < 0.05
    alone = rounded_in(tf.constant(VALUES[:3]), tf.constant(VALUES[:3])).numpy()
    assert not np.allclose(alone, expected[:3], atol=1e-5)


def test_a_place_moves_and_stands_still_as_what_a_layer_returns_does() -> None:
    for frozen in (False, True):
        made = site(PlaceSite("encoder.blocks.0.attended", (-1.0, 1.0)), frozen)
        made(tf.constant(VALUES), training=True)
        assert (float(made.range["max_var"]) == 1.0) is frozen
