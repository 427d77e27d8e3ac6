"""Saving: what a source states is kept, what has changed is written."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy

from edgebert.config import HeadConfig
from edgebert.errors import CheckpointError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from edgebert.models.families import OWN_FAMILY
from tests.data.house_form import assert_house_form
from tests.models.configs import PLAIN, PUBLISHED, UNPUBLISHED, values_for
from tests.models.folders import (
    CASES,
    MEAN,
    REFERENCE,
    WEIGHTS,
    change_config,
    change_tensors,
    config_of,
    copy_of,
    tensors_of,
)

LABELS = HeadConfig(kind="classification", pooling="pooler", labels=("b", "a", "c"))


def assert_same(read: dict[str, np.ndarray], values: dict[str, np.ndarray]) -> None:
    """Bit for bit."""
    assert read.keys() == values.keys()
    for name, expected in values.items():
        assert read[name].dtype == np.float32 and read[name].tobytes() == expected.tobytes(), name


def save_again(folder: Path, out: Path) -> Checkpoint:
    checkpoint = load_checkpoint(folder)
    saved = save_checkpoint(out, checkpoint.tensors, checkpoint.encoder, checkpoint.head, checkpoint)
    assert saved == (out, checkpoint.family, ())
    return load_checkpoint(out)


@pytest.mark.parametrize("case", CASES)
def test_what_was_read_is_written_byte_for_byte(case: str, tmp_path: Path) -> None:
    read = save_again(REFERENCE / case, tmp_path / "out")
    for path in (REFERENCE / case).iterdir():
        if path.suffix in (".safetensors", ".txt"):
            assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()
    assert config_of(tmp_path / "out") == config_of(REFERENCE / case)
    assert read.left_aside == load_checkpoint(REFERENCE / case).left_aside


@pytest.mark.parametrize("case", CASES)
def test_other_values_go_through_the_table_and_back(case: str, tmp_path: Path) -> None:
    """The byte comparison above may keep tensors as they were; here each is turned, named and written anew."""
    source = load_checkpoint(REFERENCE / case)
    values = values_for(source.encoder, source.head)
    save_checkpoint(tmp_path / "out", values, source.encoder, source.head, source)
    read = load_checkpoint(tmp_path / "out")
    assert (read.family, read.encoder, read.head) == (source.family, source.encoder, source.head)
    assert_same(read.tensors, values)
    written, before = tensors_of(tmp_path / "out"), tensors_of(REFERENCE / case)
    assert {name: values.shape for name, values in written.items()}.items() <= {
        name: values.shape for name, values in before.items()
    }.items()
    assert set(before) - set(written) <= {*source.left_aside, "bert.embeddings.position_ids"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_the_types_of_a_file_are_kept_while_its_values_are(dtype: str, tmp_path: Path) -> None:
    folder = change_config(copy_of("bert", tmp_path), {"dtype": dtype})
    change_tensors(folder, {name: values.astype(dtype) for name, values in tensors_of(folder).items()})
    save_again(folder, tmp_path / "same")
    assert (tmp_path / "same" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()
    assert config_of(tmp_path / "same")["dtype"] == dtype
    source = load_checkpoint(folder)
    values = {name: array + np.float32(0.1) for name, array in source.tensors.items()}
    save_checkpoint(tmp_path / "other", values, source.encoder, source.head, source)
    assert_same(load_checkpoint(tmp_path / "other").tensors, values)
    # transformers would cut the values back to the type that stands here.
    assert config_of(tmp_path / "other")["dtype"] == "float32"


def test_one_bit_of_zero_is_kept(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "minilm")
    values = {name: array.copy() for name, array in source.tensors.items()}
    row = values["encoder.embeddings.word.weight"][0]
    assert not row.any()
    row[3] = -0.0
    save_checkpoint(tmp_path / "out", values, source.encoder, source.head, source)
    assert_same(load_checkpoint(tmp_path / "out").tensors, values)


@pytest.mark.parametrize("case", ["bert_masked_lm", "bert_legacy_names"])
def test_what_was_left_aside_goes_when_the_encoder_it_was_trained_on_goes(case: str, tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / case)
    assert source.left_aside
    with_head = {**source.tensors, **values_for(source.encoder, MEAN)} | source.tensors
    assert save_checkpoint(tmp_path / "same", with_head, source.encoder, MEAN, source).left_out == ()
    assert tensors_of(tmp_path / "same").keys() == tensors_of(REFERENCE / case).keys()
    assert config_of(tmp_path / "same")["architectures"] == config_of(REFERENCE / case)["architectures"]
    values = values_for(source.encoder, MEAN)
    assert save_checkpoint(tmp_path / "other", values, source.encoder, MEAN, source).left_out == source.left_aside
    assert not [name for name in tensors_of(tmp_path / "other") if name.startswith("cls.")]
    assert config_of(tmp_path / "other")["architectures"] == ["BertModel"]


def test_mobileberts_unread_projection_is_kept(tmp_path: Path) -> None:
    config, _ = PUBLISHED["mobile without projection"]
    save_checkpoint(tmp_path / "written", values_for(config, MEAN), config, MEAN)
    extras = {
        "embeddings.embedding_transformation.weight": np.ones((12, 12), np.float32),
        "embeddings.embedding_transformation.bias": np.ones(12, np.float32),
    }
    folder = change_tensors(tmp_path / "written", extras)
    assert set(load_checkpoint(folder).left_aside) == set(extras)
    save_again(folder, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


def test_mobileberts_unread_bottleneck_is_kept(tmp_path: Path) -> None:
    """transformers makes it wherever queries and keys are shared, and reads it only if not all inputs are narrow."""
    narrow = {"key_query_shared_bottleneck": True}
    folder = change_config(copy_of("mobilebert_narrow", tmp_path), narrow)
    extras = {
        f"mobilebert.encoder.layer.{layer}.bottleneck.attention.{leaf}": np.full(shape, layer + 1, np.float32)
        for layer in range(2)
        for leaf, shape in (
            ("dense.weight", (24, 48)),
            ("dense.bias", 24),
            ("LayerNorm.weight", 24),
            ("LayerNorm.bias", 24),
        )
    }
    change_tensors(folder, extras)
    assert set(load_checkpoint(folder).left_aside) == set(extras)
    save_again(folder, tmp_path / "out")
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (folder / WEIGHTS).read_bytes()


@pytest.mark.parametrize("with_head", [True, False])
@pytest.mark.parametrize("name", PUBLISHED)
def test_without_a_source_the_first_family_that_says_it_all_is_written(
    name: str, with_head: bool, tmp_path: Path
) -> None:
    config, family = PUBLISHED[name]
    head = dataclasses.replace(LABELS, pooling="pooler" if config.pooler else "mean") if with_head else MEAN
    values = values_for(config, head)
    assert save_checkpoint(tmp_path / "out", values, config, head).family == family
    read = load_checkpoint(tmp_path / "out")
    assert (read.family, read.encoder, read.head) == (family, config, head)
    assert_same(read.tensors, values)


@pytest.mark.parametrize("name", UNPUBLISHED)
def test_what_no_family_says_is_written_in_our_own_layout(name: str, tmp_path: Path) -> None:
    config = UNPUBLISHED[name]
    head = HeadConfig(kind="classification", pooling="mean", transform="tanh", labels=("b", "a"))
    values = values_for(config, head)
    assert save_checkpoint(tmp_path / "out", values, config, head).family == OWN_FAMILY
    assert tensors_of(tmp_path / "out").keys() == values.keys()
    read = load_checkpoint(tmp_path / "out")
    assert (read.family, read.encoder, read.head) == (OWN_FAMILY, config, head)
    assert_same(read.tensors, values)
    save_again(tmp_path / "out", tmp_path / "again")
    for file in (WEIGHTS, "config.json"):
        assert (tmp_path / "again" / file).read_bytes() == (tmp_path / "out" / file).read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"projection": "before_sum", "embedding_width": 6},
        {"normalization": "no_norm"},
        {"projection": "before_sum", "trigram": True},
        {"segments": 0},
    ],
)
def test_a_student_that_its_teachers_family_cannot_express_is_written_in_our_layout(
    changes: dict, tmp_path: Path
) -> None:
    source = load_checkpoint(REFERENCE / "bert")
    student = dataclasses.replace(source.encoder, **changes)
    values = values_for(student, source.head)
    saved = save_checkpoint(tmp_path / "out", values, student, source.head, source)
    read = load_checkpoint(tmp_path / "out")
    assert saved.family == read.family == OWN_FAMILY
    assert (read.encoder, read.head) == (student, source.head)
    assert "hidden_size" not in config_of(tmp_path / "out")
    assert (tmp_path / "out" / "vocab.txt").exists()


def test_a_smaller_student_is_of_its_teachers_family(tmp_path: Path) -> None:
    source = load_checkpoint(change_config(copy_of("bert", tmp_path), {"_name_or_path": "the teacher"}))
    student = dataclasses.replace(
        source.encoder,
        layers=1,
        layer_blocks=(),
        width=12,
        embedding_width=12,
        feed_forward_width=30,
        activation="relu",
    )
    values = values_for(student, LABELS)
    assert save_checkpoint(tmp_path / "out", values, student, LABELS, source).family == "bert"
    read = load_checkpoint(tmp_path / "out")
    assert (read.encoder, read.head) == (student, LABELS)
    assert_same(read.tensors, values)
    config = config_of(tmp_path / "out")
    assert (config["num_hidden_layers"], config["hidden_size"], config["hidden_act"]) == (1, 12, "relu")
    assert config["_name_or_path"] == "the teacher" and config["architectures"] == ["BertForSequenceClassification"]


def test_a_classifier_on_a_bare_encoder_is_named_as_transformers_names_it(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "minilm")
    values = {**values_for(source.encoder, LABELS), **source.tensors}
    save_checkpoint(tmp_path / "out", values, source.encoder, LABELS, source)
    names = tensors_of(tmp_path / "out").keys()
    assert {name.split(".")[0] for name in names} == {"bert", "classifier"}
    assert config_of(tmp_path / "out")["architectures"] == ["BertForSequenceClassification"]
    assert_same(load_checkpoint(tmp_path / "out").tensors, values)


def test_a_head_that_takes_the_place_of_another_is_reported(tmp_path: Path) -> None:
    """A token classifier's `classifier` is left aside, and ours has the same name."""
    folder = change_config(copy_of("bert", tmp_path), {"architectures": ["BertForTokenClassification"]})
    source = load_checkpoint(folder)
    assert source.left_aside == ("classifier.bias", "classifier.weight")
    values = {**values_for(source.encoder, LABELS), **source.tensors}
    assert save_checkpoint(tmp_path / "out", values, source.encoder, LABELS, source).left_out == source.left_aside
    assert_same(load_checkpoint(tmp_path / "out").tensors, values)


def test_a_sentence_models_files_are_kept_with_its_head(tmp_path: Path) -> None:
    folder = copy_of("minilm", tmp_path)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Normalize"}]')
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    kept = ["vocab.txt", "tokenizer_config.json"]
    stating_the_head = ["modules.json", "1_Pooling/config.json"]
    again = save_again(folder, tmp_path / "same")
    assert again.head == HeadConfig(kind="embedding", pooling="mean", unit_length=True)
    for name in kept + stating_the_head:
        assert (tmp_path / "same" / name).read_bytes() == (folder / name).read_bytes()
    assert config_of(folder).items() <= config_of(tmp_path / "same").items()
    source = load_checkpoint(folder)
    values = {**values_for(source.encoder, LABELS), **source.tensors}
    save_checkpoint(tmp_path / "other", values, source.encoder, LABELS, source)
    assert all((tmp_path / "other" / name).exists() for name in kept)
    assert not any((tmp_path / "other" / name).exists() for name in stating_the_head)


def test_a_folder_can_be_written_over_its_own_source(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    save_again(folder, folder)
    assert (folder / WEIGHTS).read_bytes() == (REFERENCE / "bert" / WEIGHTS).read_bytes()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", WEIGHTS, "vocab.txt"]


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    values = values_for(PLAIN, MEAN)
    values["encoder.pooler.bias"][2] = np.nan
    with pytest.raises(CheckpointError) as caught:
        save_checkpoint(tmp_path / "out", values, PLAIN, MEAN)
    assert "encoder.pooler.bias" in str(caught.value) and not (tmp_path / "out").exists()
    assert_house_form(str(caught.value))


def test_tensors_of_another_configuration_are_a_mistake_of_the_caller(tmp_path: Path) -> None:
    values = values_for(PLAIN, MEAN)
    with pytest.raises(ValueError, match=r"head\.classifier\.bias"):
        save_checkpoint(tmp_path / "out", values, PLAIN, LABELS)
    values["encoder.pooler.bias"] = values["encoder.pooler.bias"][:1]
    with pytest.raises(ValueError, match=r"encoder\.pooler\.bias"):
        save_checkpoint(tmp_path / "out", values, PLAIN, MEAN)
    assert not (tmp_path / "out").exists()


def test_the_library_reads_what_we_write(tmp_path: Path) -> None:
    values = values_for(PLAIN, MEAN)
    save_checkpoint(tmp_path / "out", values, PLAIN, MEAN)
    with safetensors.safe_open(tmp_path / "out" / WEIGHTS, framework="np") as file:
        assert file.metadata() == {"format": "pt"}
        np.testing.assert_array_equal(
            file.get_tensor("encoder.layer.1.intermediate.dense.weight").T,
            values["encoder.blocks.1.feed_forward.up.kernel"],
        )


def test_a_source_whose_tokenizer_has_gone_is_saved_without(tmp_path: Path) -> None:
    source = load_checkpoint(copy_of("bert", tmp_path))
    shutil.rmtree(tmp_path / "bert")
    save_checkpoint(tmp_path / "out", source.tensors, source.encoder, source.head, source)
    assert (tmp_path / "out" / WEIGHTS).read_bytes() == (REFERENCE / "bert" / WEIGHTS).read_bytes()
