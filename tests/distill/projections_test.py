"""Projections: made where widths differ, shared or not, in float32 under every policy."""

import numpy as np
import pytest

from edgebert.distill.projections import (
    make_projections,
    projection_tensors,
    read_projections,
    save_projections,
    take_over,
)
from edgebert.distill.published import published
from edgebert.distill.recipe import Recipe, Term
from edgebert.keras import keras, tf
from tests.distill.cases import encoder_config

TEACHER = encoder_config(layers=6, width=24)
STUDENT = encoder_config(layers=3, width=12)


def shapes(projections) -> list[tuple[int, ...]]:
    return [tuple(variable.shape) for variable in projections.trainable_variables]


def test_one_shared_map_as_in_the_published_tinybert() -> None:
    projections = make_projections(published("tinybert_intermediate"), TEACHER, STUDENT)
    assert projections.student_layers == (0, 1, 2, 3)
    assert shapes(projections) == [(12, 24), (24,)]
    states = tf.ones([1, 2, 12])
    np.testing.assert_array_equal(projections.project(0, states), projections.project(3, states))


def test_a_map_for_each_layer() -> None:
    projections = make_projections(published("align_incremental"), TEACHER, STUDENT)
    assert projections.student_layers == (1, 2, 3)
    assert shapes(projections) == [(12, 24), (24,)] * 3
    states = tf.ones([1, 2, 12])
    first, third = projections.project(1, states), projections.project(3, states)
    assert first.shape == (1, 2, 24)
    assert np.any(first != third)
    np.testing.assert_allclose(third, states @ projections.maps[2].kernel, rtol=1e-6)


@pytest.mark.parametrize(
    "recipe",
    [
        published("logits_only"),
        published("minilm"),
        Recipe((Term("hidden_mse"),), projection="none"),
    ],
    ids=lambda recipe: recipe.name,
)
def test_none_where_nothing_is_projected(recipe) -> None:
    projections = make_projections(recipe, TEACHER, STUDENT)
    assert projections.trainable_variables == []
    states = tf.ones([1, 2, 12])
    assert projections.project(1, states) is states


def test_none_between_equal_widths() -> None:
    wide = encoder_config(layers=3, width=24)
    assert make_projections(published("tinybert_intermediate"), TEACHER, wide).trainable_variables == []


def test_float32_under_mixed_precision() -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        projections = make_projections(published("align"), TEACHER, STUDENT)
        assert {variable.dtype for variable in projections.trainable_variables} == {tf.float32}
        assert projections.project(1, tf.ones([1, 2, 12], tf.float16)).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_a_seed_repeats_them() -> None:
    kernels = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        kernels.append(make_projections(published("align"), TEACHER, STUDENT).maps[1].kernel.numpy())
    np.testing.assert_array_equal(*kernels)


def test_what_was_learnt_is_taken_over_by_layer_and_shape(tmp_path) -> None:
    learnt = make_projections(published("align_incremental"), TEACHER, STUDENT)
    save_projections(tmp_path, projection_tensors(learnt))
    kept = read_projections(tmp_path)
    assert sorted(kept) == [f"layer_{number}.{part}" for number in (1, 2, 3) for part in ("bias", "kernel")]
    # Of other layers: those that both have.
    other = make_projections(Recipe((Term("hidden_mse"),), projection="per_layer"), TEACHER, STUDENT)
    take_over(other, kept)
    for number, dense in zip(other.student_layers, other.maps, strict=True):
        np.testing.assert_array_equal(dense.kernel, kept[f"layer_{number}.kernel"])
    # Of another teacher's width: none.
    wider = make_projections(published("align_incremental"), encoder_config(layers=6, width=36), STUDENT)
    before = projection_tensors(wider)
    take_over(wider, kept)
    np.testing.assert_array_equal(projection_tensors(wider)["layer_1.kernel"], before["layer_1.kernel"])
    assert read_projections(tmp_path / "elsewhere") == {}
