import numpy as np

from edgebert.training.schedule import WarmupThenLinear


def test_rate_rises_to_its_peak_and_falls_to_nothing() -> None:
    schedule = WarmupThenLinear(peak=1.0, warmup_steps=4, total_steps=12)
    rates = [float(schedule(step)) for step in range(13)]
    np.testing.assert_allclose(rates[:4], [0.25, 0.5, 0.75, 1.0])
    np.testing.assert_allclose(rates[4:], [1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0.0])


def test_no_warmup_starts_at_the_peak() -> None:
    assert float(WarmupThenLinear(peak=2.0, warmup_steps=0, total_steps=5)(0)) == 2.0
