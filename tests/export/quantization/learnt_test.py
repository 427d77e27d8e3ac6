"""Ranges by the model's own names: where they start, what file they make, and whose they are not."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebert.bundle import read_bundle
from edgebert.compression.quantizing.ranges import QuantizationRanges, StoredRanges
from edgebert.compression.quantizing.wrapping import rounded_tables, wrap
from edgebert.config import EncoderConfig, HeadConfig
from edgebert.errors import ArtefactError
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.layers_in_graph import find_layers
from edgebert.export.quantization.learnt import Start, calibrated_start, static_with
from edgebert.files import write_atomically
from edgebert.keras import tf
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel, build_model
from edgebert.training.hashing import values_sha256
from tests.export.quantization.cases import (
    BERT,
    answers,
    calibration,
    calibration_inputs,
    float_graph,
    random_model,
    sentences,
    tokenizer,
)

HEAD = HeadConfig(kind="classification", pooling="mean", labels=("a", "b", "c"))
FIRST = dataclasses.replace(HEAD, pooling="first")
NARROW_TABLE = dataclasses.replace(BERT, embedding_width=16, projection="before_sum")
TEXTS = calibration().inputs(None)


def started(config: EncoderConfig = BERT, head: HeadConfig = HEAD) -> Start:
    model = random_model(config, head)
    return calibrated_start(float_graph(config, head), model_tensors(model), TEXTS, rounded_tables(model))


def balanced(start: Start, config: EncoderConfig = BERT, head: HeadConfig = HEAD) -> TaskModel:
    model = build_model(config, head)
    assign_tensors(model, model_tensors(random_model(config, head)) | dict(start.balanced))
    return model


def moved(ranges: QuantizationRanges, factor: float) -> QuantizationRanges:
    return ranges.mapped(lambda site: dataclasses.replace(site, range=(site.range[0] * factor, site.range[1] * factor)))


@pytest.fixture(scope="module")
def start() -> Start:
    return started()


@pytest.mark.parametrize("config, head", [(BERT, HEAD), (NARROW_TABLE, FIRST)])
def test_where_it_starts_is_what_calibration_makes(config: EncoderConfig, head: HeadConfig) -> None:
    """The same answers to the last bit: site for site, factor for factor it is the same file."""
    from edgebert.export.quantization.schemes import static

    start = started(config, head)
    model = balanced(start, config, head)
    ours = static_with(convert_graph(model, None), model_tensors(model), start.ranges)
    theirs = static(float_graph(config, head), False, TEXTS)
    texts = calibration_inputs(sentences(12, seed=9))
    np.testing.assert_allclose(answers(ours, texts), answers(theirs, texts), atol=1e-6)
    assert not np.allclose(answers(ours, texts), answers(float_graph(config, head), texts), atol=1e-4)


@pytest.mark.parametrize("factor", [1.0, 0.8])
def test_the_file_answers_as_the_rounding_model_does(start: Start, factor: float) -> None:
    """With ranges that no calibration would choose as well: what was learnt is what the file has."""
    model = balanced(start)
    ranges = moved(start.ranges, factor)
    content = static_with(convert_graph(model, None), model_tensors(model), ranges)
    wrap(model, ranges)
    texts = calibration_inputs(sentences(40, seed=9))
    rounding = np.concatenate(
        [tf.nn.softmax(model.infer({name: tf.constant(ids) for name, ids in text.items()})).numpy() for text in texts]
    )
    told = answers(content, texts)
    assert np.abs(told - rounding).max() < 0.02
    # What is between them are steps where one kernel rounds up and another down; a site too many or too few, or with
    # another range, costs as much as rounding itself.
    assert np.abs(told - rounding).mean() < 0.35 * np.abs(told - answers(float_graph(BERT, HEAD), texts)).mean()
    assert (told.argmax(1) == rounding.argmax(1)).all()


def test_every_dense_operator_is_a_layer_of_the_model(start: Start) -> None:
    model = random_model(BERT, HEAD)
    found = find_layers(read_model(float_graph(BERT, HEAD)), model_tensors(model))
    assert len(found) == 13 and "encoder.pooler" not in found
    folded = {name: layer.factor for name, layer in found.items() if layer.factor != 1.0}
    assert set(folded) == {"encoder.blocks.0.query", "encoder.blocks.1.query"}
    assert list(folded.values()) == pytest.approx([BERT.head_width**-0.5] * 2)
    assert {site.layer for site in start.ranges.written} == set(found)
    assert {site.layer.rpartition(".")[2] for site in start.ranges.written if site.symmetric} == {"key", "value"}


def test_a_norms_bias_that_the_converter_folds_into_the_next_layer_is_known(start: Start) -> None:
    """Else training would round what is read with the bias, and the file without."""
    offsets = {site.layers: site.offset for site in start.ranges.reads if site.offset}
    assert offsets == {
        (f"encoder.blocks.{block}.feed_forward.up",): f"encoder.blocks.{block}.attention_norm.bias" for block in (0, 1)
    }
    reads = tuple(dataclasses.replace(site, offset=None) for site in start.ranges.reads)
    with pytest.raises(ArtefactError, match="expected the graph's folded biases, got none for"):
        model = balanced(start)
        static_with(convert_graph(model, None), model_tensors(model), dataclasses.replace(start.ranges, reads=reads))


def test_shared_blocks_are_refused_by_name() -> None:
    shared = dataclasses.replace(BERT, layer_blocks=(0, 0))
    with pytest.raises(ArtefactError, match=r"encoder\.blocks\.0\.\w+: expected one place for each layer, got several"):
        started(shared)


def test_a_graph_of_other_weights_is_refused(start: Start) -> None:
    other = model_tensors(random_model(BERT, HEAD, seed=4))
    with pytest.raises(ArtefactError, match="expected each dense operator to have the weights of one layer, got those"):
        static_with(float_graph(BERT, HEAD), other, start.ranges)


def test_ranges_that_miss_a_layer_or_divide_what_is_read_once_are_refused(start: Start) -> None:
    graph, values = float_graph(BERT, HEAD), model_tensors(random_model(BERT, HEAD))
    for what, parts in (
        ("layers, got none for", {"written": start.ranges.written[1:]}),
        ("layers that round, got none for", {"reads": start.ranges.reads[1:]}),
        ("blocks with scores, got none for", {"scores": start.ranges.scores[1:]}),
    ):
        with pytest.raises(ArtefactError, match=f"expected the graph's {what}"):
            static_with(graph, values, dataclasses.replace(start.ranges, **parts))
    first, *others = start.ranges.reads
    assert len(first.layers) == 3
    alone = [dataclasses.replace(first, layers=first.layers[:1]), dataclasses.replace(first, layers=first.layers[1:])]
    with pytest.raises(ArtefactError, match="expected one for what several layers read, got"):
        static_with(graph, values, dataclasses.replace(start.ranges, reads=(*alone, *others)))


def exporter(start: Start, weights_sha256: str | None = None, **changes) -> Exporter:
    model = balanced(start)
    own = values_sha256(model_tensors(model))
    stored = StoredRanges(start.ranges, weights_sha256 or own, {"epochs": 2}, sha256="cd" * 32)
    return Exporter(model, tokenizer(), {"checkpoint": "random"}, learnt=stored, **changes)


def provenance_of(content: bytes, folder: Path) -> Mapping[str, Any]:
    return read_bundle(write_atomically(folder / "model.tflite", content)).description.provenance


def test_an_export_needs_no_texts_and_says_that_its_ranges_were_learnt(start: Start, tmp_path: Path) -> None:
    provenance = provenance_of(exporter(start).export(ExportRequest("static")), tmp_path)
    assert provenance["ranges"] == {"from": "learnt", "sha256": "cd" * 32, "epochs": 2}
    assert "calibration" not in provenance


def test_learnt_ranges_win_over_texts_in_their_scheme_alone(start: Start, tmp_path: Path) -> None:
    both = exporter(start, calibration=calibration())
    assert both.export(ExportRequest("static")) == exporter(start).export(ExportRequest("static"))
    assert "calibration" in provenance_of(both.export(ExportRequest("hybrid")), tmp_path)


def test_ranges_of_other_weights_or_of_another_scheme_are_refused(start: Start) -> None:
    with pytest.raises(ArtefactError, match=r"quantization\.json: expected ranges that were learnt with these weights"):
        exporter(start, weights_sha256="00" * 32).check(ExportRequest("static"))
    exporter(start, weights_sha256="00" * 32).check(ExportRequest("dynamic"))
    with pytest.raises(ArtefactError, match=r"hybrid: expected ranges that were learnt for it, .* for static"):
        exporter(start).check(ExportRequest("hybrid"))
