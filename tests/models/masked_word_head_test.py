"""The masked-word head against PyTorch transformers' scores, its way to disk and back, and the heads that are none."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.errors import CheckpointError
from edgebert.keras import tf
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.masked_word_head import read_masked_word_head
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.models.weights import head_rows
from tests.data.house_form import assert_house_form
from tests.models.configs import PUBLISHED, UNPUBLISHED
from tests.models.folders import MEAN, REFERENCE, WEIGHTS, change_config, change_tensors, config_of, copy_of, tensors_of

TOLERANCE = 2e-4
CASES = ("bert_masked_lm", "distilbert_masked_lm")
LENGTHS = ("length_001", "length_002", "length_007", "length_033", "length_128")
TRANSFORM = "cls.predictions.transform."
BERT_TENSORS = (
    f"{TRANSFORM}dense.weight",
    f"{TRANSFORM}dense.bias",
    f"{TRANSFORM}LayerNorm.weight",
    f"{TRANSFORM}LayerNorm.bias",
    "cls.predictions.bias",
)
DECODER, DECODER_BIAS = "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"


def model_of(folder: Path) -> TaskModel:
    return load_model(load_checkpoint(folder), MASKED_WORDS).model


def inputs_of(length: int = 6) -> dict[str, tf.Tensor]:
    random = np.random.default_rng(length)
    mask = np.ones([2, length], np.int32)
    mask[1, length // 2 :] = 0
    tokens = {"input_ids": random.integers(1, 10, [2, length]) * mask, "input_mask": mask, "segment_ids": 0 * mask}
    return {name: tf.constant(values, tf.int32) for name, values in tokens.items()}


def scores_of(model: TaskModel, inputs: dict[str, tf.Tensor]) -> np.ndarray:
    return model(inputs, training=False).numpy()


@pytest.mark.parametrize("name", LENGTHS)
@pytest.mark.parametrize("case", CASES)
def test_scores_are_those_of_the_reference(case: str, name: str) -> None:
    expected = dict(np.load(REFERENCE / case / "expected.npz"))
    key = f"{name}/token_logits"
    inputs = {field: tf.constant(expected[f"{name}/{field}"]) for field in ("input_ids", "input_mask", "segment_ids")}
    scores = scores_of(model_of(REFERENCE / case), inputs)
    if key in expected:
        np.testing.assert_allclose(scores, expected[key], rtol=0, atol=TOLERANCE)
    else:
        assert scores.shape == tuple(expected[f"{key}.shape"])
        sample = scores.ravel()[expected[f"{key}.index"]]
        np.testing.assert_allclose(sample, expected[f"{key}.value"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("case", CASES)
def test_tokens_that_are_asked_for_have_the_scores_that_they_have_among_all(case: str) -> None:
    model, inputs = model_of(REFERENCE / case), inputs_of()
    asked = np.random.default_rng(0).random(inputs["input_ids"].shape) < 0.4
    trace = model.trace(inputs, asked=tf.constant(asked))
    np.testing.assert_allclose(trace.output.numpy(), scores_of(model, inputs)[asked], atol=1e-5)
    np.testing.assert_array_equal(model.trace(inputs).output.numpy(), scores_of(model, inputs))
    np.testing.assert_allclose(model.infer(inputs).numpy(), scores_of(model, inputs), atol=1e-5)


@pytest.mark.parametrize("case", CASES)
def test_saved_as_it_was_loaded(case: str, tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / case)
    model = load_model(source, MASKED_WORDS).model
    saved = save_checkpoint(tmp_path, model_tensors(model), model.config, MASKED_WORDS, source)
    assert saved.left_out == ()
    before, after = (safetensors.numpy.load_file(folder / WEIGHTS) for folder in (REFERENCE / case, tmp_path))
    assert before.keys() == after.keys()
    for name, values in before.items():
        np.testing.assert_array_equal(after[name], values, err_msg=name)
    assert config_of(tmp_path) == config_of(REFERENCE / case)


@pytest.mark.parametrize(
    ("name", "family"),
    [("plain", "bert"), ("no segments", "distilbert"), ("two groups", "albert"), ("mobile", "mobilebert")],
)
def test_a_model_of_any_family_computes_the_same_after_a_round_trip(name: str, family: str, tmp_path: Path) -> None:
    round_trip(PUBLISHED[name][0], family, tmp_path)


@pytest.mark.parametrize("name", ["ReLU, NoNorm, factorised", "trigrams without a bottleneck"])
def test_a_model_of_our_own_layout_computes_the_same_after_a_round_trip(name: str, tmp_path: Path) -> None:
    round_trip(UNPUBLISHED[name], "edgebert", tmp_path)


def round_trip(config, family: str, folder: Path) -> None:
    model = build_model(config, MASKED_WORDS)
    random = np.random.default_rng(1)
    for variable in named_variables(model.head).values():
        variable.assign(random.normal(size=variable.shape))
    saved = save_checkpoint(folder, model_tensors(model), config, MASKED_WORDS)
    read = load_model(load_checkpoint(folder), MASKED_WORDS)
    assert saved.family == family and read.fresh == () and read.model.config == config
    np.testing.assert_array_equal(scores_of(read.model, inputs_of()), scores_of(model, inputs_of()))
    classes = {"bert": ["BertForMaskedLM"], "distilbert": ["DistilBertForMaskedLM"]}
    described = config_of(folder)
    assert "id2label" not in described
    if family in classes:
        assert described["architectures"] == classes[family] and "edgebert_head" not in described
        prefixes = (f"{family}.", "cls.predictions.", "vocab_")
        assert all(name.startswith(prefixes) for name in tensors_of(folder))
    else:
        assert described["edgebert_head"]["kind"] == "masked_words"


def test_variables_are_those_of_the_weight_table() -> None:
    for config in (PUBLISHED["plain"][0], PUBLISHED["two groups"][0], UNPUBLISHED["trigrams without a bottleneck"]):
        variables = named_variables(build_model(config, MASKED_WORDS).head, "head.")
        rows = {row.ours: row.shape for row in head_rows(config, MASKED_WORDS, own_names=True)}
        assert {name: tuple(variable.shape) for name, variable in variables.items()} == rows


def test_a_trained_head_replaces_the_old_one_under_whatever_name(tmp_path: Path) -> None:
    """LayerNorm.gamma, a second decoder and a second bias would contradict what is written."""
    table = tensors_of(REFERENCE / "bert_legacy_names")["bert.embeddings.word_embeddings.weight"]
    bias = np.ones(120, np.float32)
    folder = change_tensors(copy_of("bert_legacy_names", tmp_path), {DECODER: table, DECODER_BIAS: bias})
    source = load_checkpoint(folder)
    model = load_model(source, MASKED_WORDS).model
    np.testing.assert_array_equal(model.head.decoder.bias.numpy(), bias)
    model.head.norm.gain.assign(model.head.norm.gain + 1)
    model.head.decoder.bias.assign(2 * bias)
    saved = save_checkpoint(tmp_path / "out", model_tensors(model), model.config, MASKED_WORDS, source)
    assert saved.left_out == ()
    names = tensors_of(tmp_path / "out").keys()
    assert set(BERT_TENSORS) <= names and not names & {DECODER, DECODER_BIAS}
    assert "cls.seq_relationship.weight" in names
    read = model_of(tmp_path / "out")
    np.testing.assert_array_equal(scores_of(read, inputs_of()), scores_of(model, inputs_of()))


def test_a_student_of_another_width_is_what_transformers_reads(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "bert_masked_lm")
    config = dataclasses.replace(source.encoder, width=24, embedding_width=24, layers=1, layer_blocks=())
    untied = dataclasses.replace(source, raw_config=source.raw_config | {"tie_word_embeddings": False})
    model = build_model(config, MASKED_WORDS)
    save_checkpoint(tmp_path, model_tensors(model), config, MASKED_WORDS, untied)
    assert config_of(tmp_path)["tie_word_embeddings"] is True
    # One layer instead of three, and otherwise transformers' own names.
    kept = {name for name in tensors_of(REFERENCE / "bert_masked_lm") if not name.startswith("bert.encoder.layer")}
    written = tensors_of(tmp_path)
    assert {name for name in written if not name.startswith("bert.encoder.layer")} == kept
    assert written[f"{TRANSFORM}dense.weight"].shape == (24, 24)


def test_an_answering_model_must_not_come_of_it_unasked() -> None:
    for folder in (REFERENCE / case for case in CASES):
        with pytest.raises(CheckpointError, match=r"expected a head in config\.json") as caught:
            load_model(load_checkpoint(folder))
        assert_house_form(str(caught.value))


def test_nor_of_our_own_layout(tmp_path: Path) -> None:
    config = UNPUBLISHED["trigrams without a bottleneck"]
    save_checkpoint(tmp_path, model_tensors(build_model(config, MASKED_WORDS)), config, MASKED_WORDS)
    with pytest.raises(CheckpointError, match=r"expected a head in config\.json"):
        load_model(load_checkpoint(tmp_path))
    assert load_model(load_checkpoint(tmp_path), MEAN).fresh == ()


@pytest.mark.parametrize("case", ["minilm", "bert", "distilbert", "mobilebert"])
def test_none_where_there_is_none(case: str) -> None:
    checkpoint = load_checkpoint(REFERENCE / case)
    assert read_masked_word_head(checkpoint) is None
    with pytest.raises(CheckpointError, match="of a BERT or DistilBERT, got none") as caught:
        load_model(checkpoint, MASKED_WORDS)
    assert_house_form(str(caught.value))


def test_a_decoder_of_its_own_wins_over_the_word_table_and_makes_no_model(tmp_path: Path) -> None:
    own = np.random.default_rng(0).normal(size=[120, 48]).astype(np.float32)
    bias = np.random.default_rng(1).normal(size=120).astype(np.float32)
    folder = change_tensors(copy_of("bert_masked_lm", tmp_path), {DECODER: own, DECODER_BIAS: bias})
    head = read_masked_word_head(load_checkpoint(folder))
    np.testing.assert_array_equal(head.table, own)
    np.testing.assert_array_equal(head.output_bias, bias)
    with pytest.raises(CheckpointError, match="a decoder of its own") as caught:
        model_of(folder)
    assert_house_form(str(caught.value))


def test_old_names_of_the_norm_are_known() -> None:
    head = read_masked_word_head(load_checkpoint(REFERENCE / "bert_legacy_names"))
    stored = tensors_of(REFERENCE / "bert_legacy_names")
    np.testing.assert_array_equal(head.norm_gain, stored[f"{TRANSFORM}LayerNorm.gamma"])


@pytest.mark.parametrize("name", BERT_TENSORS)
def test_a_part_of_a_head_is_refused(tmp_path: Path, name: str) -> None:
    folder = change_tensors(copy_of("bert_masked_lm", tmp_path), without=(name,))
    with pytest.raises(CheckpointError, match=f"got no {name}") as caught:
        read_masked_word_head(load_checkpoint(folder))
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    "change",
    [
        {"cls.predictions.bias": np.zeros(119, np.float32)},
        {f"{TRANSFORM}dense.weight": np.zeros([48, 47], np.float32)},
        {f"{TRANSFORM}dense.bias": np.full(48, np.nan, np.float32)},
        {f"{TRANSFORM}LayerNorm.weight": np.ones(48, np.int32)},
    ],
)
def test_a_broken_tensor_is_named(tmp_path: Path, change: dict) -> None:
    folder = change_tensors(copy_of("bert_masked_lm", tmp_path), change)
    with pytest.raises(CheckpointError, match=next(iter(change))) as caught:
        read_masked_word_head(load_checkpoint(folder))
    assert_house_form(str(caught.value))


def test_the_activation_is_the_configurations(tmp_path: Path) -> None:
    plain = scores_of(model_of(REFERENCE / "bert_masked_lm"), inputs_of())
    other = change_config(shutil.copytree(REFERENCE / "bert_masked_lm", tmp_path / "relu"), {"hidden_act": "relu"})
    assert np.abs(scores_of(model_of(other), inputs_of()) - plain).max() > 100 * TOLERANCE


@pytest.mark.parametrize(("kind", "pooling"), [("masked_words", "mean"), ("embedding", "none")])
def test_pooling_none_is_for_masked_words_alone(kind: str, pooling: str) -> None:
    with pytest.raises(CheckpointError, match=f"got {pooling} for {kind}") as caught:
        HeadConfig(kind=kind, pooling=pooling)
    assert_house_form(str(caught.value))
