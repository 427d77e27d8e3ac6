"""A student of real texts trained for int8: its file answers as the rounding model does, and as well as in float32."""

import dataclasses
import json
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.reading import read_examples
from edgebert.distill.recipe_choice import choose_recipes
from edgebert.errors import ArtefactError, EdgebertError, TrainingError
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.models.task import build_model
from edgebert.stations.quantize_request import (
    check_encoder,
    check_integer_form,
    check_own_matrices,
    check_unscaled,
)
from edgebert.stations.rounding_parity import compare_rounding
from edgebert.training.loop import begin
from tests.models.configs import MOBILE, SHARED
from tests.training.cases import HEAD

# The pieces that BERT's vocabulary begins with, its most frequent: a step walks over the whole table.
PIECES = 8000
SMALL = EncoderConfig(PIECES, 64, 2, 2, 128, 64, maximum_length=64)


def write_start(folder: Path, config: EncoderConfig, head: HeadConfig, vocabulary: Path) -> None:
    save_checkpoint(folder, model_tensors(build_model(config, head)), config, head)
    pieces = vocabulary.read_text(encoding="utf-8").splitlines()[:PIECES]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")


@pytest.mark.long
def test_on_snips_the_file_answers_as_the_rounding_model(minilm_folder: Path, tmp_path: Path) -> None:
    write_start(tmp_path / "random", SMALL, HEAD, minilm_folder / "vocab.txt")
    data = ["--data", "snips", "--max-examples", "2000", "--quiet", "--patience", "9"]
    student, int8 = tmp_path / "student", tmp_path / "int8"
    finetune = ["finetune", str(tmp_path / "random"), "--output", str(student), "--epochs", "3"]
    assert main([*finetune, *data, "--learning-rate", "1e-3"]) == 0
    quantize = ["quantize", "--student", str(student), "--teacher", str(student), "--output", str(int8)]
    assert main([*quantize, *data, "--epochs", "1", "--learning-rate", "1e-4"]) == 0
    assert main(["convert", str(int8), "--out", str(tmp_path), "--precision", "static"]) == 0
    dev = read_examples("snips", split="dev", labels=load_checkpoint(int8).head.labels)
    found = compare_rounding(int8, tmp_path / "int8-static.tflite", dev)
    assert found.agreement >= 0.995
    assert found.largest_difference < 0.2 * found.standard_deviation
    assert found.rounding_score > 0.9
    assert abs(found.file_score - found.rounding_score) <= 0.005
    with pytest.raises(ArtefactError, match=r"expected quantization\.json in it, got none"):
        compare_rounding(student, tmp_path / "int8-static.tflite", dev)


@pytest.mark.long
def test_on_snips_a_full_int8_file_answers_as_the_rounding_model(minilm_folder: Path, tmp_path: Path) -> None:
    """Of a student without LayerNorm; what it is trained for here is not what it loses without (next to nothing)."""
    config = dataclasses.replace(SMALL, normalization="no_norm", activation="relu")
    head = dataclasses.replace(HEAD, pooling="first")
    # One that learns something: of others it takes more epochs.
    begin(1)
    write_start(tmp_path / "random", config, head, minilm_folder / "vocab.txt")
    data = ["--data", "snips", "--max-examples", "2000", "--quiet", "--patience", "9"]
    student, int8 = tmp_path / "student", tmp_path / "int8"
    finetune = ["finetune", str(tmp_path / "random"), "--output", str(student), "--epochs", "6", "--pooling", "first"]
    assert main([*finetune, *data, "--learning-rate", "1e-3"]) == 0
    quantize = ["quantize", "--student", str(student), "--output", str(int8), "--scheme", "full-int8"]
    assert main([*quantize, *data, "--epochs", "1", "--learning-rate", "1e-4"]) == 0
    asked = ["--precision", "full-int8", "--integer-output"]
    assert main(["convert", str(int8), "--out", str(tmp_path), *asked]) == 0
    dev = read_examples("snips", split="dev", labels=load_checkpoint(int8).head.labels)
    found = compare_rounding(int8, tmp_path / "int8-full-int8-integer-output.tflite", dev)
    assert found.agreement >= 0.995
    assert found.largest_difference < 0.2 * found.standard_deviation
    before = json.loads((int8 / "training" / "record.json").read_bytes())["result"]["score_before"]
    assert found.rounding_score > before - 0.05
    assert abs(found.file_score - found.rounding_score) <= 0.005


@pytest.mark.parametrize(
    ("changes", "pooling", "told"),
    [
        ({}, "first", "expected NoNorm for full-int8, got layer_norm, whose squares 256 steps do not hold"),
        (
            {"normalization": "no_norm"},
            "mean",
            "expected a head that reads the first token, got one of mean",
        ),
    ],
)
def test_what_integers_do_not_hold_is_refused(changes: dict, pooling: str, told: str) -> None:
    with pytest.raises(EdgebertError, match=told):
        check_integer_form(dataclasses.replace(SMALL, **changes), dataclasses.replace(HEAD, pooling=pooling))
    for fits in ("first", "pooler"):
        integer = dataclasses.replace(SMALL, normalization="no_norm")
        check_integer_form(integer, dataclasses.replace(HEAD, pooling=fits))


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("full-int8", "distilbert_hidden"),
        ("full-int8", "tinybert_intermediate"),
        ("full-int8", "minilm"),
        ("static", "minilm"),
    ],
)
def test_recipes_that_compare_what_is_scaled_are_refused(scheme: str, name: str) -> None:
    """The student starts with channels that are evened out: they are not what the teacher's are."""
    (recipe,) = choose_recipes([name], "classification")
    with pytest.raises(TrainingError, match=f"compares nothing whose channels {scheme} evens out, got {name} with"):
        check_unscaled(scheme, recipe)


def test_recipes_that_compare_what_stays_are_taken() -> None:
    for scheme, fits in (("full-int8", "logits_only distilbert_task"), ("static", "distilbert_hidden")):
        for name in fits.split():
            check_unscaled(scheme, *choose_recipes([name], "classification"))
    check_unscaled("full-int8", None)


def test_norms_that_become_part_of_a_matrix_are_refused_for_static() -> None:
    with pytest.raises(TrainingError, match="expected LayerNorm for static, got NoNorm"):
        check_own_matrices(dataclasses.replace(SMALL, normalization="no_norm"))
    check_own_matrices(SMALL)


def test_encoders_that_run_a_layer_twice_or_through_a_bottleneck_are_refused() -> None:
    """Before any text is read for them."""
    with pytest.raises(TrainingError, match="expected a block of its own for each of"):
        check_encoder(SHARED)
    with pytest.raises(TrainingError, match="expected blocks as wide inside as outside, got MobileBERT's bottleneck"):
        check_encoder(MOBILE)
    check_encoder(dataclasses.replace(SMALL, embedding_width=16, projection="before_sum"))
