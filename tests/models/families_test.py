"""config.json of the published families, of our own, and what neither may say."""

import dataclasses
import json

import pytest

from edgebert.config import EncoderConfig
from edgebert.errors import CheckpointError
from edgebert.models.families import (
    FAMILIES,
    OWN_FAMILY,
    expressible,
    family_name,
    read_encoder_config,
    write_encoder_config,
)
from tests.data.house_form import assert_house_form
from tests.models.configs import EVERY, MOBILE, PLAIN, PUBLISHED, UNPUBLISHED
from tests.models.folders import CASES, REFERENCE


def through_json(written: dict) -> dict:
    return json.loads(json.dumps(written))


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_family_says_all_of_it(name: str) -> None:
    config, family = PUBLISHED[name]
    written = through_json(write_encoder_config(config, family, {}))
    assert family_name(written, "config.json") == family
    assert read_encoder_config(written, family, config.pooler, "config.json") == config
    assert expressible(config, family)


@pytest.mark.parametrize("name", UNPUBLISHED)
def test_no_published_family_says_all_of_it(name: str) -> None:
    config = UNPUBLISHED[name]
    for family in FAMILIES:
        assert not expressible(config, family), family
        assert write_encoder_config(config, family, {}) is None


@pytest.mark.parametrize("name", EVERY)
def test_our_own_layout_says_all_of_everything(name: str) -> None:
    written = through_json(write_encoder_config(EVERY[name], OWN_FAMILY, {}))
    assert read_encoder_config(written, family_name(written, ""), False, "") == EVERY[name]


def test_our_own_layout_carries_each_field() -> None:
    """Also a field that is added to EncoderConfig one day: a reader that forgets it must fail here."""
    other = {
        **{field.name: 1 for field in dataclasses.fields(EncoderConfig)},
        "vocabulary_size": 77,
        "width": 24,
        "layers": 3,
        "heads": 6,
        "feed_forward_width": 21,
        "embedding_width": 5,
        "maximum_length": 10,
        "segments": 4,
        "activation": "relu",
        "normalization": "no_norm",
        "norm_epsilon": 0.5,
        "projection": "before_sum",
        "trigram": True,
        "bottleneck": MOBILE.bottleneck,
        "layer_blocks": (0, 1, 0),
        "pooler": False,
        "dropout": 0.5,
        "attention_dropout": 0.25,
        "initializer_range": 0.75,
        "own_head_width": 2,
    }
    config = EncoderConfig(**other)
    same = [field.name for field in dataclasses.fields(config) if other[field.name] == getattr(PLAIN, field.name)]
    assert not same, "a field whose value is the ordinary one shows nothing"
    written = through_json(write_encoder_config(config, OWN_FAMILY, {}))
    assert read_encoder_config(written, OWN_FAMILY, False, "") == config


@pytest.mark.parametrize("case", CASES)
def test_writing_what_was_read_changes_no_field(case: str) -> None:
    raw = json.loads((REFERENCE / case / "config.json").read_text())
    family = family_name(raw, "")
    config = read_encoder_config(raw, family, family != "distilbert" and case != "mobilebert_narrow", "")
    written = write_encoder_config(config, family, raw)
    assert {name: written[name] for name in raw} == raw


def test_a_students_numbers_replace_the_teachers_and_the_rest_is_kept() -> None:
    raw = write_encoder_config(PLAIN, "bert", {"hidden_act": "gelu_python", "_name_or_path": "teacher"})
    assert raw["hidden_act"] == "gelu_python"
    student = dataclasses.replace(PLAIN, layers=1, layer_blocks=(), width=6, embedding_width=6, activation="relu")
    written = write_encoder_config(student, "bert", raw)
    assert written["_name_or_path"] == "teacher"
    assert (written["num_hidden_layers"], written["hidden_size"], written["hidden_act"]) == (1, 6, "relu")


def test_a_narrower_mobilebert_says_so_in_both_places() -> None:
    narrower = dataclasses.replace(MOBILE, bottleneck=dataclasses.replace(MOBILE.bottleneck, width=3), heads=3)
    written = write_encoder_config(narrower, "mobilebert", write_encoder_config(MOBILE, "mobilebert", {}))
    assert (written["intra_bottleneck_size"], written["true_hidden_size"]) == (3, 3)


BERT = write_encoder_config(PLAIN, "bert", {})
ALBERT = write_encoder_config(PUBLISHED["two groups"][0], "albert", {})
MOBILEBERT = write_encoder_config(MOBILE, "mobilebert", {})
OWN = write_encoder_config(MOBILE, OWN_FAMILY, {})
WRONG_BERT = {
    "hidden_size": ["384", True, -1, 0, 3.0, None, [], {}, 2**17, 10**30],
    "vocab_size": [0, 2**40, "30522", {"a": {"b": {}}}],
    "num_hidden_layers": [-1, 0, False, 10**12, 1001],
    "num_attention_heads": [0, 5, 2**31],
    "intermediate_size": [10**9, "many"],
    "max_position_embeddings": [0, 10**8],
    "type_vocab_size": [0, -2, None],
    "layer_norm_eps": ["1e-12", -1e-12, float("nan"), float("inf"), True],
    "hidden_dropout_prob": [1.5, -0.1, None],
    "initializer_range": [float("nan")],
    "hidden_act": ["swish", None, 3, ["gelu"]],
    "position_embedding_type": ["relative_key", "relative_key_query", None, 3],
    "is_decoder": [True, "yes", 1],
    "add_cross_attention": [True],
}
WRONG_OWN = {
    "layer_blocks": [[0], [0, 2], [0, -1], [0, 10**12], "01", [True, False], None],
    "activation": ["gelu_new", None],
    "normalization": ["rms"],
    "projection": ["none", "after_norm", 1],
    "trigram": [1, None],
    "pooler": ["true"],
    "bottleneck": [
        3,
        [],
        {},
        {"width": 6},
        {"width": 0, "key_query_shared": True, "all_inputs_narrow": False, "feed_forward_networks": 1},
        {"width": 6, "key_query_shared": True, "all_inputs_narrow": False, "feed_forward_networks": 10**9},
        {"width": 6, "key_query_shared": True, "all_inputs_narrow": False, "feed_forward_networks": 1, "more": 1},
    ],
    "segments": [-1],
    "own_head_width": [0, -1, 2**17, 2.0, "4", True],
    "depth": [3],
}


def refused(raw: dict, family: str, field: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_encoder_config(raw, family, True, "config.json")
    message = str(caught.value)
    assert_house_form(message)
    assert message.startswith("config.json") and field in message and len(message) < 400


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_BERT.items() for value in values]
)
def test_a_field_that_means_nothing_is_named(field: str, value: object) -> None:
    refused(BERT | {field: value}, "bert", "heads" if value == 5 else field)


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG_OWN.items() for value in values]
)
def test_a_field_of_ours_that_means_nothing_is_named(field: str, value: object) -> None:
    refused(OWN | {"encoder": OWN["encoder"] | {field: value}}, OWN_FAMILY, field)


@pytest.mark.parametrize(
    "field",
    [field.name for field in dataclasses.fields(EncoderConfig) if field.name not in ("bottleneck", "own_head_width")],
)
def test_a_field_of_ours_that_is_missing_is_named(field: str) -> None:
    refused(
        OWN | {"encoder": {name: value for name, value in OWN["encoder"].items() if name != field}}, OWN_FAMILY, field
    )


@pytest.mark.parametrize("encoder", [None, 3, []])
def test_our_own_layout_needs_its_fields(encoder: object) -> None:
    refused({"model_type": OWN_FAMILY, "encoder": encoder}, OWN_FAMILY, "encoder")


@pytest.mark.parametrize(
    "field", ["vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"]
)
def test_a_size_that_is_missing_is_named(field: str) -> None:
    refused({name: value for name, value in BERT.items() if name != field}, "bert", field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("num_hidden_groups", 0), ("num_hidden_groups", 5), ("inner_group_num", 0), ("inner_group_num", 300)],
)
def test_alberts_groups_must_fit_its_layers(field: str, value: int) -> None:
    refused(ALBERT | {field: value}, "albert", field)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("use_bottleneck", False),
        ("normalization_type", "layer_norm"),
        ("trigram_input", 1),
        ("key_query_shared_bottleneck", False),
        ("intra_bottleneck_size", "24"),
    ],
)
def test_mobilebert_must_be_the_published_one(field: str, value: object) -> None:
    refused(MOBILEBERT | {field: value}, "mobilebert", field)


@pytest.mark.parametrize("model_type", ["roberta", "gpt2", "", None, 3, ["bert"], {"bert": 1}])
def test_an_unknown_architecture_is_named(model_type: object) -> None:
    with pytest.raises(CheckpointError, match="model_type") as caught:
        family_name({"model_type": model_type}, "config.json")
    assert_house_form(str(caught.value))
    assert all(family in str(caught.value) for family in (*FAMILIES, OWN_FAMILY))


def test_tinyberts_config_names_no_architecture_and_is_berts() -> None:
    assert family_name({"hidden_size": 312, "emb_size": 312}, "") == "bert"
    for other in ("num_hidden_groups", "trigram_input"):
        with pytest.raises(CheckpointError):
            family_name({"hidden_size": 312, other: 1}, "")
