"""The head that a folder describes, and its description when it is written."""

import json
from pathlib import Path

import pytest

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.families import OWN_FAMILY, write_encoder_config
from edgebert.models.heads import read_configs, sentence_head, write_head
from tests.data.house_form import assert_house_form
from tests.models.configs import PLAIN, PUBLISHED

BERT = write_encoder_config(PLAIN, "bert", {})
CLASSIFIER = BERT | {"architectures": ["BertForSequenceClassification"]}
OWN_HEAD = HeadConfig(kind="embedding", pooling="mean").to_json()
HEADS = {
    "classifier": HeadConfig(kind="classification", pooling="pooler", labels=("b", "a", "c")),
    "classifier of means": HeadConfig(kind="classification", pooling="mean", labels=("b", "a")),
    "classifier with transform": HeadConfig(
        kind="classification", pooling="first", transform="relu", labels=("b", "a")
    ),
    "regression": HeadConfig(kind="regression", pooling="pooler"),
    "embedding": HeadConfig(kind="embedding", pooling="first", unit_length=True),
    "none": None,
}


def refused(raw: dict, *named: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        read_configs(raw, "bert", True, "config.json")
    assert_house_form(str(caught.value))
    assert str(caught.value).startswith("config.json") and all(one in str(caught.value) for one in named)


def head_of(raw: dict) -> HeadConfig | None:
    return read_configs(raw, "bert", True, "config.json")[1]


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("name", ["plain", "no segments", "two groups", "mobile", "mobile, all narrow, no pooler"])
@pytest.mark.parametrize("before", HEADS.values(), ids=HEADS)
def test_every_head_is_read_as_it_was_written(name: str, head: HeadConfig | None, before: HeadConfig | None) -> None:
    """Whatever head the folder had before."""
    config, family = PUBLISHED[name]
    for layout in (family, OWN_FAMILY):
        old = write_head(write_encoder_config(config, layout, {}), config, before, layout, same_tensors=False)
        written = json.loads(json.dumps(write_head(old, config, head, layout, same_tensors=False)))
        assert read_configs(written, layout, config.pooler, "config.json") == (config, head)
        if head is None or not head.outputs:
            assert "id2label" not in written and "problem_type" not in written


def test_a_published_classifier_needs_no_field_of_ours() -> None:
    for name, transform in (
        ("plain", None),
        ("no segments", "relu"),
        ("two groups", None),
        ("mobile", None),
        ("mobile, all narrow, no pooler", None),
    ):
        config, family = PUBLISHED[name]
        head = HeadConfig(
            kind="classification",
            pooling="pooler" if config.pooler else "first",
            transform=transform,
            labels=("b", "a"),
        )
        written = write_head(write_encoder_config(config, family, {}), config, head, family, same_tensors=False)
        assert "edgebert_head" not in written
        assert written["architectures"][0].endswith("ForSequenceClassification")
        assert written["id2label"] == {"0": "b", "1": "a"} and written["label2id"] == {"b": 0, "a": 1}


def test_a_published_regression_has_one_label() -> None:
    """transformers takes the number of outputs from the names and would make two of none."""
    written = write_head(BERT, PLAIN, HEADS["regression"], "bert", same_tensors=False)
    assert written["architectures"] == ["BertForSequenceClassification"] and "edgebert_head" not in written
    assert written["id2label"] == {"0": "LABEL_0"} and written["problem_type"] == "regression"


def test_a_description_that_still_holds_is_left_as_it_is() -> None:
    raw = CLASSIFIER | {"id2label": {"1": "a", "0": "b"}, "label2id": {"b": "0"}, "problem_type": "single_label"}
    assert write_head(raw, PLAIN, head_of(raw), "bert", same_tensors=True) == raw
    other = HeadConfig(kind="classification", pooling="pooler", labels=("a", "b"))
    assert write_head(raw, PLAIN, other, "bert", same_tensors=True)["id2label"] == {"0": "a", "1": "b"}


def test_a_classifier_trained_elsewhere_comes_before_the_head_we_wrote() -> None:
    """transformers keeps fields that it does not know when it saves."""
    assert head_of(CLASSIFIER | {"edgebert_head": OWN_HEAD}).kind == "classification"
    means = HEADS["classifier of means"]
    written = write_head(CLASSIFIER, PLAIN, means, "bert", same_tensors=True)
    assert read_configs(written, "bert", True, "") == (PLAIN, means)


def test_a_head_that_no_file_can_hold_is_not_written() -> None:
    head = HeadConfig(kind="classification", pooling="pooler", labels=("a", "\ud800"))
    with pytest.raises(CheckpointError) as caught:
        write_head(BERT, PLAIN, head, "bert", same_tensors=False)
    assert_house_form(str(caught.value))


def test_labels_have_the_order_of_their_numbers() -> None:
    names = {str(number): f"label {number}" for number in reversed(range(12))}
    assert head_of(CLASSIFIER | {"id2label": names}).labels == tuple(f"label {number}" for number in range(12))


def test_without_names_labels_are_counted() -> None:
    assert head_of(CLASSIFIER).labels == ("LABEL_0", "LABEL_1")
    assert head_of(CLASSIFIER | {"num_labels": 3}).labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert head_of(CLASSIFIER | {"num_labels": 1}).kind == "regression"


def test_one_label_or_the_problem_says_regression() -> None:
    expected = HeadConfig(kind="regression", pooling="pooler")
    assert head_of(CLASSIFIER | {"id2label": {"0": "score"}}) == expected
    assert head_of(CLASSIFIER | {"id2label": {"0": "score"}, "problem_type": "regression"}) == expected


@pytest.mark.parametrize(
    "names",
    [
        {},
        [],
        "ab",
        3,
        {"0": "a", "2": "b"},
        {"1": "a", "2": "b"},
        {"0": "a", "one": "b"},
        {"0": "a", "01": "b"},
        {"0": "a", "-1": "b"},
        {"0": "a", "1": 3},
        {"0": "a", "1": None},
        {"0": "a", "1": "\ud800"},
        {"0": "a", "1": ["b"]},
    ],
)
def test_broken_label_names_are_refused(names: object) -> None:
    refused(CLASSIFIER | {"id2label": names}, "id2label")


def test_two_labels_of_one_name_are_refused() -> None:
    refused(CLASSIFIER | {"id2label": {"0": "a", "1": "a"}}, "labels", "differ")


@pytest.mark.parametrize("architectures", ["BertModel", 3, [3], [None], {"a": 1}])
def test_broken_architectures_are_refused(architectures: object) -> None:
    refused(BERT | {"architectures": architectures}, "architectures")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", "ranking"),
        ("kind", None),
        ("pooling", "max"),
        ("transform", "gelu"),
        ("transform", ["relu"]),
        ("labels", "ab"),
        ("labels", [1, 2]),
        ("unit_length", 1),
        ("temperature", 1),
    ],
)
def test_a_broken_head_of_ours_is_refused(field: str, value: object) -> None:
    refused(BERT | {"edgebert_head": OWN_HEAD | {field: value}}, "edgebert_head", field)


def test_a_head_of_ours_must_be_whole() -> None:
    refused(BERT | {"edgebert_head": {"kind": "embedding"}}, "edgebert_head", "pooling")
    refused(BERT | {"edgebert_head": "mean"}, "edgebert_head")
    refused(BERT | {"edgebert_head": OWN_HEAD | {"kind": "classification", "labels": ["a"]}}, "labels")


def pooling_folder(folder: Path, content: object, modules: str | None = None) -> Path:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(content))
    if modules is not None:
        (folder / "modules.json").write_text(modules)
    return folder


def test_a_sentence_model_states_its_pooling(tmp_path: Path) -> None:
    modes = {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    folder = pooling_folder(tmp_path, modes)
    assert sentence_head(folder) == HeadConfig(kind="embedding", pooling="mean", unit_length=False)
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
    assert sentence_head(folder) == HeadConfig(kind="embedding", pooling="mean", unit_length=True)


def test_a_folder_of_no_sentence_model_has_no_pooling(tmp_path: Path) -> None:
    assert sentence_head(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"pooling_mode_max_tokens": True},
        {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
        {"pooling_mode_mean_tokens": True, "pooling_mode_weightedmean_tokens": True},
        {"pooling_mode_mean_tokens": "yes"},
        [],
        "mean",
    ],
)
def test_a_pooling_that_we_do_not_have_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as caught:
        sentence_head(pooling_folder(tmp_path, content))
    assert_house_form(str(caught.value))
    assert "1_Pooling" in str(caught.value)
