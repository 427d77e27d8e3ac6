import numpy as np

from edgebert.keras import tf
from edgebert.training.schedule import WarmupThenLinear, adamw


def test_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    schedule = WarmupThenLinear(peak=1.0, warmup_steps=4, total_steps=12)
    rates = [float(schedule(step)) for step in range(13)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[4:], [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0])


def test_no_warmup_starts_at_the_peak() -> None:
    assert float(WarmupThenLinear(peak=2.0, warmup_steps=0, total_steps=5)(0)) == 2.0


def test_biases_and_gains_are_not_decayed() -> None:
    """With no gradient at all only the decay moves a weight."""
    optimizer = adamw(peak=0.1, total_steps=10, warmup_share=0.0, weight_decay=0.5)
    variables = [tf.Variable([1.0], name=name) for name in ("kernel", "bias", "gain")]
    optimizer.apply_gradients([(tf.zeros([1]), variable) for variable in variables])
    kernel, bias, gain = (variable.numpy()[0] for variable in variables)
    np.testing.assert_allclose(kernel, 1.0 - 0.1 * 0.5, rtol=1e-6)
    assert bias == 1.0 and gain == 1.0
