"""What a checkpoint folder may hold, and a refusal that names the tensor or field for everything else."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgebert.errors import EdgebertError
from edgebert.models.checkpoint import load_checkpoint
from tests.models.folders import (
    CASES,
    REFERENCE,
    WEIGHTS,
    change_config,
    change_tensors,
    config_of,
    copy_of,
    refusal,
    tensors_of,
)

LAST_BIAS = {
    "albert_groups": "albert.encoder.albert_layer_groups.1.albert_layers.1.ffn.bias",
    "albert_shared": "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.bias",
    "bert": "bert.encoder.layer.2.attention.self.key.bias",
    "bert_legacy_names": "bert.encoder.layer.0.attention.self.key.bias",
    "bert_masked_lm": "bert.encoder.layer.2.attention.self.key.bias",
    "distilbert": "distilbert.transformer.layer.2.attention.k_lin.bias",
    "distilbert_masked_lm": "distilbert.transformer.layer.1.attention.k_lin.bias",
    "minilm": "encoder.layer.1.attention.self.key.bias",
    "mobilebert": "mobilebert.encoder.layer.1.output.bottleneck.dense.bias",
    "mobilebert_narrow": "mobilebert.encoder.layer.1.output.bottleneck.dense.bias",
    "tinybert": "encoder.layer.2.attention.self.key.bias",
}


def plain(name: str) -> str:
    return name.split(".", 1)[1] if name.split(".")[0] in ("albert", "bert", "distilbert", "mobilebert") else name


@pytest.mark.parametrize("case", CASES)
def test_every_tensor_is_used_or_named(case: str) -> None:
    checkpoint = load_checkpoint(REFERENCE / case)
    names = tensors_of(REFERENCE / case).keys() - {"bert.embeddings.position_ids"}
    assert {*checkpoint.stored_names.values(), *checkpoint.left_aside} == names
    assert len(checkpoint.tensors) + len(checkpoint.left_aside) == len(names)
    assert not checkpoint.notes


@pytest.mark.parametrize("case", CASES)
def test_a_missing_tensor_is_named(case: str, tmp_path: Path) -> None:
    folder = change_tensors(copy_of(case, tmp_path), without=(LAST_BIAS[case],))
    assert plain(LAST_BIAS[case]) in refusal(folder)


@pytest.mark.parametrize("case", CASES)
def test_a_tensor_of_another_shape_is_named(case: str, tmp_path: Path) -> None:
    name = LAST_BIAS[case]
    size = len(tensors_of(REFERENCE / case)[name])
    folder = change_tensors(copy_of(case, tmp_path), {name: np.ones(size + 1, np.float32)})
    message = refusal(folder)
    assert name in message and f"[{size}]" in message and f"[{size + 1}]" in message


@pytest.mark.parametrize("dtype", ["int8", "int64", "bool", "uint16"])
def test_a_tensor_of_whole_numbers_is_named(dtype: str, tmp_path: Path) -> None:
    name = LAST_BIAS["bert"]
    message = refusal(change_tensors(copy_of("bert", tmp_path), {name: np.ones(48, dtype)}))
    assert name in message and "unquantised" in message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_tensor_that_is_not_finite_is_named(value: float, dtype: str, tmp_path: Path) -> None:
    values = np.ones(48, dtype)
    values[7] = value
    message = refusal(change_tensors(copy_of("bert", tmp_path), {LAST_BIAS["bert"]: values}))
    assert LAST_BIAS["bert"] in message and "NaN or infinity" in message


def test_a_float64_beyond_float32_is_not_finite(tmp_path: Path) -> None:
    assert "NaN or infinity" in refusal(
        change_tensors(copy_of("bert", tmp_path), {LAST_BIAS["bert"]: np.full(48, 1e300)})
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_other_floating_point_types_become_float32(dtype: str, tmp_path: Path) -> None:
    folder = copy_of("distilbert", tmp_path)
    change_tensors(folder, {name: values.astype(dtype) for name, values in tensors_of(folder).items()})
    checkpoint, original = load_checkpoint(folder), load_checkpoint(REFERENCE / "distilbert")
    for name, values in original.tensors.items():
        assert checkpoint.tensors[name].dtype == np.float32
        np.testing.assert_array_equal(checkpoint.tensors[name], values.astype(dtype).astype(np.float32))


def test_an_unknown_tensor_is_named(tmp_path: Path) -> None:
    folder = change_tensors(copy_of("bert", tmp_path), {"bert.encoder.adapter.weight": np.ones(3, np.float32)})
    assert "encoder.adapter.weight" in refusal(folder)


def test_names_of_a_hostile_file_are_shown_in_one_short_line(tmp_path: Path) -> None:
    names = {f"evil\n\x1b[31m{number}" + "x" * 999: np.ones(3, np.float32) for number in range(50)}
    assert "and 46 more" in refusal(change_tensors(copy_of("bert", tmp_path), names))


@pytest.mark.parametrize("layers", [1, 4])
def test_more_or_fewer_layers_than_the_file_has(layers: int, tmp_path: Path) -> None:
    message = refusal(change_config(copy_of("bert", tmp_path), {"num_hidden_layers": layers}))
    assert ("encoder.layer.1." if layers == 1 else "encoder.layer.3.") in message and "number of layers" in message


@pytest.mark.parametrize("field", ["hidden_size", "vocab_size", "intermediate_size", "max_position_embeddings"])
def test_a_size_of_terabytes_is_compared_before_anything_is_made(field: str, tmp_path: Path) -> None:
    assert "that config.json implies" in refusal(change_config(copy_of("bert", tmp_path), {field: 2**16}))


def test_a_classifier_without_its_pooler_is_incomplete(tmp_path: Path) -> None:
    without = ("bert.pooler.dense.weight", "bert.pooler.dense.bias")
    assert "pooler.dense" in refusal(change_tensors(copy_of("bert", tmp_path), without=without))
    assert "pooler.dense.bias" in refusal(change_tensors(copy_of("minilm", tmp_path), without=("pooler.dense.bias",)))


def test_an_encoder_may_have_no_pooler(tmp_path: Path) -> None:
    without = ("pooler.dense.weight", "pooler.dense.bias")
    assert not load_checkpoint(change_tensors(copy_of("minilm", tmp_path), without=without)).encoder.pooler


def test_a_label_more_than_the_classifier_has_is_refused(tmp_path: Path) -> None:
    folder = change_config(copy_of("bert", tmp_path), {"id2label": dict(enumerate("abcd"))})
    message = refusal(folder)
    assert "classifier." in message and "4" in message and "3" in message


def test_one_tensor_under_two_names_is_refused(tmp_path: Path) -> None:
    for other in ("bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"):
        folder = change_tensors(copy_of("bert", tmp_path / other), {other: np.ones(48, np.float32)})
        message = refusal(folder)
        assert other in message and "bert.embeddings.LayerNorm.weight" in message


def test_positions_must_count(tmp_path: Path) -> None:
    name = "bert.embeddings.position_ids"
    for positions in (np.arange(128)[None] + 2, np.ones([1, 128], np.int64), np.arange(128.0, dtype=np.float32)):
        folder = change_tensors(copy_of("bert_legacy_names", tmp_path / str(positions.sum())), {name: positions})
        assert name in refusal(folder)


def test_a_config_of_another_architecture_names_what_is_missing(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    shutil.copy(REFERENCE / "distilbert" / "config.json", folder)
    message = refusal(folder)
    assert "got none for embeddings." in message and "but bert.embeddings." in message and "model_type" in message


def test_a_tinybert_names_no_architecture(tmp_path: Path) -> None:
    folder = change_config(copy_of("tinybert", tmp_path), without=("model_type",))
    assert load_checkpoint(folder).encoder == load_checkpoint(REFERENCE / "tinybert").encoder


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"3", b'"bert"', b"null", b"\xff\xfe{", b"[" * 100_000, b'{"hidden_size": %s}' % (b"9" * 9999)],
)
def test_a_config_that_is_no_json_object_is_refused(content: bytes, tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / "config.json").write_bytes(content)
    assert str(folder / "config.json") in refusal(folder)


def test_a_config_of_gigabytes_is_not_read(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    os.truncate(folder / "config.json", 2**33)
    assert "at most 16,777,216 bytes" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_a_folder_in_place_of_a_file_is_refused(name: str, tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / name).unlink()
    (folder / name).mkdir()
    assert "got a folder of that name" in refusal(folder)


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_a_dangling_link_is_refused(name: str, tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / name).unlink()
    (folder / name).symlink_to(tmp_path / "gone")
    assert name in refusal(folder)


def test_no_folder_a_file_and_an_empty_folder(tmp_path: Path) -> None:
    assert "got nothing there" in refusal(tmp_path / "none")
    assert "File name too long" in refusal(tmp_path / ("x" * 300))
    assert "got a file" in refusal(copy_of("bert", tmp_path) / WEIGHTS)
    (tmp_path / "empty").mkdir()
    assert "got no config.json" in refusal(tmp_path / "empty")


@pytest.mark.parametrize("other", ["pytorch_model.bin", "tf_model.h5", "flax_model.msgpack"])
def test_weights_of_another_format_are_named(other: str, tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / WEIGHTS).rename(folder / other)
    assert other in refusal(folder) and "safe_serialization=True" in refusal(folder)


def test_no_weights_at_all(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / WEIGHTS).unlink()
    assert "no weights at all" in refusal(folder)


def test_split_weights_are_refused_with_the_way_to_join_them(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / WEIGHTS).rename(folder / "model-00001-of-00001.safetensors")
    (folder / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": {}}))
    assert "split into several files" in refusal(folder) and "max_shard_size" in refusal(folder)


def change_vocabulary(folder: Path, pieces: int) -> Path:
    (folder / "vocab.txt").write_text("".join(f"piece{number}\n" for number in range(pieces)))
    return folder


def test_pieces_without_a_row_are_refused(tmp_path: Path) -> None:
    message = refusal(change_vocabulary(copy_of("bert", tmp_path), 121))
    assert "vocab.txt" in message and "at most 120 pieces" in message and "got 121" in message


def test_rows_without_a_piece_are_noted(tmp_path: Path) -> None:
    folder = change_vocabulary(copy_of("bert", tmp_path), 113)
    (note,) = load_checkpoint(folder).notes
    assert "113 pieces for 120 rows" in note and "7 rows" in note


def test_the_last_line_of_a_vocabulary_needs_no_end(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / "vocab.txt").write_text((folder / "vocab.txt").read_text().removesuffix("\n"))
    assert not load_checkpoint(folder).notes


@pytest.mark.parametrize(
    "vocabulary", [{f"p{number}": number for number in range(121)}, [[f"p{n}", 0.0] for n in range(121)]]
)
def test_a_vocabulary_in_tokenizer_json_is_counted(vocabulary: object, tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
    assert "got 121" in refusal(folder)


def test_a_tokenizer_that_is_no_json_is_refused(tmp_path: Path) -> None:
    folder = copy_of("bert", tmp_path)
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(EdgebertError, match=r"tokenizer\.json: expected JSON"):
        load_checkpoint(folder)


def test_the_default_teacher(minilm_folder: Path) -> None:
    checkpoint = load_checkpoint(minilm_folder)
    assert (checkpoint.family, checkpoint.encoder.layers, checkpoint.encoder.width) == ("bert", 6, 384)
    assert (checkpoint.head.kind, checkpoint.head.pooling, checkpoint.head.unit_length) == ("embedding", "mean", True)
    assert not checkpoint.left_aside and not checkpoint.notes
    library = safetensors.numpy.load_file(minilm_folder / WEIGHTS)
    assert sum(values.size for values in checkpoint.tensors.values()) == sum(
        values.size for values in library.values() if values.dtype == np.float32
    )


def test_config_is_kept_whole() -> None:
    for case in CASES:
        assert load_checkpoint(REFERENCE / case).raw_config == config_of(REFERENCE / case)
