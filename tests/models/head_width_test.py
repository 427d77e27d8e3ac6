"""Heads narrower or fewer than the width has room for: the same arithmetic, on fewer of them."""

import dataclasses

import numpy as np
import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.families import OWN_FAMILY
from edgebert.models.loading import assign_tensors
from edgebert.models.task import build_model
from tests.models.configs import EVERY, MOBILE, PLAIN, SHARED, values_for

HEAD = HeadConfig(kind="classification", pooling="first", labels=("a", "b", "c"))
TEXTS = {
    "input_ids": np.array([[3, 7, 1, 9, 30], [4, 2, 0, 0, 0]], np.int32),
    "input_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]], np.int32),
    "segment_ids": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]], np.int32),
}
ATTENTION_INPUTS = ("query", "key", "value")


def with_heads(values: dict, config: EncoderConfig, heads: list[int]) -> dict:
    """Only these heads, cut out by plain slices."""
    columns = [head * config.head_width + number for head in heads for number in range(config.head_width)]
    cut = dict(values)
    for name, array in values.items():
        layer, leaf = name.split(".")[-2:]
        if layer in ATTENTION_INPUTS:
            cut[name] = array[..., columns]
        elif (layer, leaf) == ("attention_output", "kernel"):
            cut[name] = array[columns]
    return cut


def silenced(values: dict, config: EncoderConfig, heads: list[int]) -> dict:
    """The same, whole, with nothing written by the other heads."""
    kept = np.repeat([head in heads for head in range(config.heads)], config.head_width)
    return {
        name: array * kept[:, None] if name.endswith("attention_output.kernel") else array
        for name, array in values.items()
    }


def output(config: EncoderConfig, values: dict) -> np.ndarray:
    model = build_model(config, HEAD)
    assign_tensors(model, values)
    return model(TEXTS).numpy()


@pytest.mark.parametrize("config", [PLAIN, SHARED, MOBILE], ids=["plain", "shared", "bottleneck"])
@pytest.mark.parametrize("heads", [[0], [1, 2], [0, 1, 2]], ids=str)
def test_a_model_without_heads_is_the_one_in_which_they_say_nothing(config: EncoderConfig, heads: list[int]) -> None:
    values = values_for(config, HEAD)
    fewer = dataclasses.replace(config, heads=len(heads), own_head_width=config.head_width)
    cut = output(fewer, with_heads(values, config, heads))
    assert np.allclose(cut, output(config, silenced(values, config, heads)), atol=1e-5, rtol=1e-5)
    if len(heads) < config.heads:
        assert not np.allclose(cut, output(config, values), atol=1e-2), "the heads that go must matter here"


@pytest.mark.parametrize("name", [name for name, config in EVERY.items() if config.own_head_width])
def test_it_is_saved_in_our_own_layout_and_comes_back_bit_for_bit(tmp_path, name: str) -> None:
    config = EVERY[name]
    values = values_for(config, HEAD)
    saved = save_checkpoint(tmp_path / "one", values, config, HEAD)
    assert saved.family == OWN_FAMILY
    found = load_checkpoint(tmp_path / "one")
    assert (found.encoder, found.head) == (config, HEAD)
    assert found.tensors.keys() == values.keys()
    assert all(np.array_equal(found.tensors[tensor], values[tensor]) for tensor in values)
    save_checkpoint(tmp_path / "two", dict(found.tensors), found.encoder, found.head, found)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_a_head_width_that_is_its_share_is_no_width_of_its_own() -> None:
    """Twelve of twelve heads kept, or half of the heads and half of the width: an ordinary shape, equal to one."""
    assert dataclasses.replace(PLAIN, own_head_width=4) == PLAIN
    halved = dataclasses.replace(PLAIN, heads=1, own_head_width=4, width=4, embedding_width=4)
    assert halved == dataclasses.replace(PLAIN, heads=1, width=4, embedding_width=4)
    assert halved.own_head_width is None


def test_the_ordinary_shape_is_written_as_before() -> None:
    assert "own_head_width" not in PLAIN.to_json()
    other = dataclasses.replace(PLAIN, heads=2, own_head_width=4)
    assert other.to_json()["own_head_width"] == 4
    for config in (PLAIN, other):
        assert EncoderConfig.from_json(config.to_json()) == config


def test_without_it_heads_must_divide_the_width() -> None:
    with pytest.raises(CheckpointError, match="heads: expected a divisor of the attention width 12, got 5"):
        dataclasses.replace(PLAIN, heads=5)
    with pytest.raises(CheckpointError, match="own_head_width: expected a positive number, got 0"):
        dataclasses.replace(PLAIN, heads=5, own_head_width=0)
