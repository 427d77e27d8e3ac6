"""Inputs are found by name, whatever their order; a model that is not a token model is refused."""

import itertools
from typing import Any

import pytest

from edgebert.benchmark.binding import ROLES, bind_inputs
from edgebert.errors import ArtefactError


def described(*names: str, shape: tuple[int, int] = (1, -1), **changes: Any) -> list[dict]:
    return [
        {"name": name, "tensor": 10 + position, "shape": list(shape), "dtype": "int32", "table_rows": 82, **changes}
        for position, name in enumerate(names)
    ]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_the_inputs_means_nothing(order: tuple[int, ...]) -> None:
    inputs = described("input_ids", "input_mask", "segment_ids")
    binding = bind_inputs("m.tflite", [inputs[position] for position in order])
    assert (binding.roles, binding.tensors, binding.length) == (ROLES, (10, 11, 12), None)


@pytest.mark.parametrize(
    "names",
    [
        ("ids", "mask", "segment_ids"),
        ("input_word_ids", "input_mask", "input_type_ids"),
        ("serving_default_ids:0", "serving_default_mask:0", "serving_default_segment_ids:0"),
        ("input_ids", "attention_mask", "token_type_ids"),
    ],
)
def test_the_names_that_clients_use(names: tuple[str, ...]) -> None:
    assert bind_inputs("m.tflite", described(*names)).roles == ROLES


def test_a_model_may_have_no_segments_and_no_mask() -> None:
    assert bind_inputs("m.tflite", described("input_ids", "input_mask", shape=(1, 32))).roles == ROLES[:2]
    assert bind_inputs("m.tflite", described("ids", shape=(1, 32))).length == 32


@pytest.mark.parametrize(
    ("inputs", "named"),
    [
        (described("input_3"), "got input_3"),
        (described("input_mask"), "got input_mask"),
        (described("ids", "input_ids"), "each once, got ids, input_ids"),
        (described("ids", "mask", "positions"), "got ids, mask, positions"),
        ([], "got "),
        (described("ids", dtype="float32"), "got float32"),
        (described("ids", shape=(8, 32)), "got [8, 32]"),
        (described("ids", shape=[32]), "got [32]"),
        (described("ids", shape=(1, 32)) + described("mask", shape=(1, 16)), "got [16, 32]"),
    ],
)
def test_any_other_model_is_refused_by_name(inputs: list[dict], named: str) -> None:
    with pytest.raises(ArtefactError) as caught:
        bind_inputs("m.tflite", inputs)
    assert str(caught.value).startswith("m.tflite: expected ") and named in str(caught.value)
