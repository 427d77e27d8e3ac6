import dataclasses

import numpy as np
import pytest

from edgebert.errors import TrainingError
from edgebert.keras import tf
from edgebert.training import arithmetic
from edgebert.training.arithmetic import computing_in, has_fast_bfloat16
from edgebert.training.finetune import finetune
from edgebert.training.settings import TrainingSettings
from tests.training.cases import SETTINGS, fresh_model, learnable

needs_bfloat16 = pytest.mark.skipif(not has_fast_bfloat16(), reason="this processor has no bfloat16")


@needs_bfloat16
def test_products_are_rounded_inside_only_and_one_function_serves_both(capfd: pytest.CaptureFixture) -> None:
    generator = np.random.default_rng(0)
    left, right = (tf.constant(generator.normal(size=(64, 64)), tf.float32) for _ in range(2))
    product = tf.function(lambda a, b: tf.matmul(tf.nn.relu(tf.matmul(a, b)), b))
    plain = product(left, right).numpy()
    with computing_in("bfloat16"):
        rounded = product(left, right).numpy()
    error = np.abs(rounded - plain).max() / np.abs(plain).max()
    # bfloat16 keeps 8 bits.
    assert 1e-5 < error < 2e-2
    np.testing.assert_array_equal(product(left, right).numpy(), plain)
    assert capfd.readouterr().err == ""


@needs_bfloat16
def test_trains_as_well_and_repeats_to_the_bit() -> None:
    def trained(kind: str):
        settings = dataclasses.replace(SETTINGS, arithmetic=kind)
        return finetune(fresh_model(), learnable(40, seed=1), learnable(16, seed=2), settings)

    assert trained("bfloat16") == trained("bfloat16")
    plain, rounded = trained("float32")[-1], trained("bfloat16")[-1]
    assert plain.training_loss != rounded.training_loss
    assert rounded.training_loss == pytest.approx(plain.training_loss, rel=0.05)


def test_without_the_instructions_it_says_so_before_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "has_fast_bfloat16", lambda: False)
    settings = dataclasses.replace(SETTINGS, arithmetic="bfloat16")
    with pytest.raises(TrainingError, match="expected a processor with avx512_bf16 or amx_bf16"):
        finetune(fresh_model(), learnable(8, seed=1), learnable(8, seed=2), settings)


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(TrainingError, match="float32 or bfloat16, got half"):
        TrainingSettings(arithmetic="half")
