"""How many parts: what is asked for, what a share comes to, and what no student has."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgebert.compression.shrinking.counts import (
    PARTS,
    Counts,
    block_parameters,
    counts_keeping,
    require_prunable,
    shrunk_config,
    steps_to,
    target_counts,
)
from edgebert.config import EncoderConfig
from edgebert.errors import TrainingError
from tests.data.house_form import assert_house_form
from tests.models.configs import MOBILE, PLAIN, SHARED

TINY4 = EncoderConfig(30522, 312, 4, 12, 1200, 312)
LOW_RANK = dataclasses.replace(TINY4, embedding_width=128, projection="before_sum")
NOTHING = dict.fromkeys(PARTS)


def by_hand(config: EncoderConfig) -> int:
    inside = config.heads * config.head_width
    attention = 3 * (config.width * inside + inside) + inside * config.width + config.width
    feed_forward = 2 * config.width * config.feed_forward_width + config.feed_forward_width + config.width
    return config.layers * (attention + feed_forward + 4 * config.width)


@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 1200), st.integers(1, 312))
def test_the_blocks_weights_are_counted_as_by_hand(layers: int, heads: int, neurons: int, width: int) -> None:
    config = shrunk_config(TINY4, Counts(layers, heads, neurons, width))
    assert block_parameters(config) == by_hand(config)
    assert config.head_width == 26


@pytest.mark.parametrize(("share", "heads", "neurons"), [(None, 6, 600), (0.25, 3, 296), (0.75, 9, 896), (0.4, 5, 464)])
def test_a_share_is_met_by_heads_and_neurons(share: float | None, heads: int, neurons: int) -> None:
    target = target_counts(TINY4, NOTHING, share)
    assert target == Counts(4, heads, neurons, 312)
    found = by_hand(shrunk_config(TINY4, target)) / by_hand(TINY4)
    assert found == pytest.approx(0.5 if share is None else share, abs=0.005)


@given(st.floats(0.12, 0.99))
def test_any_share_is_nearly_met(share: float) -> None:
    config = shrunk_config(TINY4, counts_keeping(TINY4, share))
    assert by_hand(config) / by_hand(TINY4) == pytest.approx(share, abs=0.02)
    assert config.feed_forward_width % 8 == 0 and 1 <= config.heads <= 12


def test_numbers_replace_the_students_and_the_rest_stays() -> None:
    asked = {**NOTHING, "heads": 5, "layers": 2}
    assert target_counts(TINY4, asked) == Counts(2, 5, 1200, 312)
    narrow = shrunk_config(TINY4, target_counts(TINY4, {**NOTHING, "width": 200}))
    assert (narrow.width, narrow.embedding_width, narrow.heads_width) == (200, 200, 312)
    factorised = shrunk_config(LOW_RANK, target_counts(LOW_RANK, {**NOTHING, "width": 200}))
    assert (factorised.width, factorised.embedding_width) == (200, 128)


def test_heads_and_width_that_go_together_leave_an_ordinary_shape() -> None:
    halved = shrunk_config(TINY4, Counts(4, 6, 600, 156))
    assert halved == EncoderConfig(30522, 156, 4, 6, 600, 156)
    assert halved.own_head_width is None


def test_steps_go_evenly_and_end_where_they_should() -> None:
    target = Counts(2, 6, 600, 312)
    assert steps_to(TINY4, target, 1) == (target,)
    assert steps_to(TINY4, target, 3) == (Counts(3, 10, 1000, 312), Counts(3, 8, 800, 312), target)
    three = shrunk_config(TINY4, Counts(1, 4, 8, 12))
    assert steps_to(three, Counts(1, 1, 8, 12), 3) == tuple(Counts(1, heads, 8, 12) for heads in (3, 2, 1))


WRONG = {
    "heads: expected 1 to the student's 12, got 13": lambda: target_counts(TINY4, {**NOTHING, "heads": 13}),
    "heads: expected 1 to the student's 12, got 0": lambda: target_counts(TINY4, {**NOTHING, "heads": 0}),
    "feed_forward_width: expected 1 to the student's 1,200, got 1,201": lambda: target_counts(
        TINY4, {**NOTHING, "feed_forward_width": 1201}
    ),
    "layers: expected 1 to the student's 4, got -1": lambda: target_counts(TINY4, {**NOTHING, "layers": -1}),
    "width: expected 1 to the student's 312, got 400": lambda: target_counts(TINY4, {**NOTHING, "width": 400}),
    "width: expected 128 or more, the width of the student's low-rank table, got 100": lambda: target_counts(
        LOW_RANK, {**NOTHING, "width": 100}
    ),
    "shrink: expected fewer of something": lambda: target_counts(TINY4, {**NOTHING, "heads": 12}),
    "shrink: expected numbers or a share to keep, got both": lambda: target_counts(TINY4, {**NOTHING, "heads": 6}, 0.5),
    "keep: expected a share between 0 and 1, got 1.0": lambda: target_counts(TINY4, NOTHING, 1.0),
    "keep: expected a share between 0 and 1, got 0.0": lambda: target_counts(TINY4, NOTHING, 0.0),
    "keep: expected a share of 0.03 or more for one head, got 0.01": lambda: target_counts(TINY4, NOTHING, 0.01),
    "steps: expected 1 or more, got 0": lambda: steps_to(TINY4, Counts(4, 6, 600, 312), 0),
    "steps: expected at most 1, as many as there are parts to remove, got 2": lambda: steps_to(
        TINY4, Counts(3, 12, 1200, 312), 2
    ),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_no_student_has_is_refused(message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        WRONG[message]()
    assert str(caught.value).startswith(message)
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (MOBILE, "a bottleneck and trigrams"),
        (SHARED, "blocks that layers share and embeddings widened after their norm"),
    ],
)
def test_shapes_whose_parts_depend_on_each_other_are_refused_with_what_is_possible(config, says: str) -> None:
    with pytest.raises(TrainingError) as caught:
        require_prunable(config, "runs/student")
    message = str(caught.value)
    assert_house_form(message)
    assert says in message and "BERT, DistilBERT, TinyBERT and MiniLM" in message
    for possible in (PLAIN, TINY4, LOW_RANK, dataclasses.replace(PLAIN, heads=2, own_head_width=4)):
        require_prunable(possible, "runs/student")
