"""full-int8 with ranges that were trained: what file they make, what it answers, and whose they are not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.bundle import read_bundle
from edgebert.compression.quantizing.ranges import PlaceSite, QuantizationRanges, StoredRanges
from edgebert.compression.quantizing.wrapping import rounded_tables, wrap
from edgebert.errors import ArtefactError
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.export.flatbuffer import read_model
from edgebert.export.inspect import require, summarize
from edgebert.export.quantization.integer_output import with_logits
from edgebert.export.quantization.learnt_integers import full_int8_with, integer_start
from edgebert.export.quantization.marking import placed_graph
from edgebert.keras import tf
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel
from edgebert.training.hashing import values_sha256
from tests.data.house_form import assert_house_form
from tests.export.quantization.cases import answers, calibration, calibration_inputs, sentences, tokenizer
from tests.export.quantization.integer_cases import STUDENTS, balanced, placed, started, student, values_of

TEXTS = sentences(40, seed=9)


def rounded(model: TaskModel, ranges: QuantizationRanges, length: int | None = None) -> np.ndarray:
    wrap(model, ranges)
    texts = calibration_inputs(TEXTS, length)
    return np.concatenate([model.infer({name: tf.constant(ids) for name, ids in one.items()}) for one in texts])


def moved(ranges: QuantizationRanges, factor: float) -> QuantizationRanges:
    return ranges.mapped(lambda site: dataclasses.replace(site, range=(site.range[0] * factor, site.range[1] * factor)))


def file_logits(content: bytes, length: int | None = None) -> np.ndarray:
    quantization = summarize(with_logits(content)).calls[0].outputs[0].quantization
    scale, zero_point = quantization
    return (answers(with_logits(content), calibration_inputs(TEXTS, length)).astype(np.float32) - zero_point) * scale


@pytest.mark.parametrize(
    ("name", "length", "factor"),
    [
        ("relu", 24, 0.7),
        ("gelu", None, 1.0),
        pytest.param("relu", None, 0.7, marks=pytest.mark.long),
        pytest.param("narrow", None, 1.0, marks=pytest.mark.long),
    ],
)
def test_the_files_logits_are_the_rounding_models(name: str, length: int | None, factor: float) -> None:
    """With ranges that no calibration would choose as well: what was learnt is what the file has."""
    ranges, model = moved(started(*STUDENTS[name]).ranges, factor), balanced(*STUDENTS[name])
    content = full_int8_with(placed_graph(model, length), model_tensors(model), ranges)
    require(summarize(content), precision="full-int8")
    theirs, ours = file_logits(content, length), rounded(model, ranges, length)
    logits = next(site for site in ranges.written if site.layer == "head.classifier").range
    steps = np.abs(theirs - ours) / ((logits[1] - logits[0]) / 255)
    # Where the middle between two steps is rounded up here and down there, it is a step, which grows on its way.
    assert steps.mean() < 0.6 and np.quantile(steps, 0.9) < 2.1
    assert (theirs.argmax(1) == ours.argmax(1)).mean() >= 0.95
    assert theirs.std() > 20 * np.abs(theirs - ours).mean()


def test_a_range_that_moves_moves_the_answers() -> None:
    """Else the parity above would hold for ranges that nobody reads."""
    ranges, graph, values = started().ranges, placed(), values_of(*STUDENTS["relu"])
    before = answers(full_int8_with(graph, values, ranges), calibration_inputs(TEXTS))
    for place in (ranges.places[3], next(site for site in ranges.places if site.name.endswith("1.context"))):
        narrow = dataclasses.replace(place, range=(place.range[0] * 0.3, place.range[1] * 0.3))
        others = tuple(narrow if site is place else site for site in ranges.places)
        changed = dataclasses.replace(ranges, places=others)
        content = full_int8_with(graph, values, changed)
        assert np.abs(answers(content, calibration_inputs(TEXTS)) - before).mean() > 0.002


@pytest.mark.parametrize("lacks", ["tables", "a place"])
def test_another_models_graph_is_refused_where_channels_were_scaled(lacks: str) -> None:
    """Else training would start from another function than the one that the ranges are of."""
    graph, tables = placed(), rounded_tables(student(*STUDENTS["relu"]), 1)
    if lacks == "tables":
        tables = ()
    else:
        gone = next(place for place in graph.places if place.endswith(".scaled"))
        graph = dataclasses.replace(
            graph, places={place: index for place, index in graph.places.items() if place != gone}
        )
    with pytest.raises(ArtefactError, match="constants that were scaled to be the model's, got") as refused:
        integer_start(graph, values_of(*STUDENTS["relu"]), calibration().inputs(None), tables)
    assert_house_form(str(refused.value))


def test_the_mask_is_as_deep_as_the_ranges_say() -> None:
    """In the file and in the rounding model alike: at so little padding weighs something."""
    deep, shallow = started().ranges, dataclasses.replace(started().ranges, masked_below=1.0)
    graph, values, padded = placed(), values_of(*STUDENTS["relu"]), calibration_inputs(TEXTS, 40)
    files = [answers(full_int8_with(graph, values, one), padded) for one in (deep, shallow)]
    assert np.abs(files[1] - files[0]).mean() > 0.002
    models = [rounded(student(), one, 40) for one in (deep, shallow)]
    assert np.abs(models[1] - models[0]).mean() > 0.02


def test_of_a_fixed_length_positions_have_the_scale_of_their_whole_table() -> None:
    model = student()
    content = full_int8_with(placed_graph(model, 24), model_tensors(model), started().ranges)
    read = read_model(content)
    tensors = read.subgraphs[0].tensors
    (rows,) = (one for one in tensors if one.is_constant and list(one.shape) == [1, 24, 32])
    table = values_of(*STUDENTS["relu"])["encoder.embeddings.position.weight"]
    assert rows.dtype == "int8"
    assert rows.quantization.scales.tolist() == pytest.approx([(table.max() - table.min()) / 255])
    assert np.abs(table).max() > np.abs(table[:24]).max()


def test_it_starts_where_calibration_puts_it_and_names_every_place() -> None:
    ranges = started().ranges
    assert (ranges.scheme, len(ranges.reads), len(ranges.written), len(ranges.scores)) == ("full-int8", 0, 14, 2)
    assert ranges.tables == tuple(f"encoder.embeddings.{name}" for name in ("word", "position", "segment"))
    places = {site.place for site in ranges.places}
    assert len(places) == 4 + 7 * 2 and "encoder.blocks.0.context" in places
    fixed = {"encoder.pooled", "encoder.blocks.0.probabilities", "encoder.blocks.0.masked", "encoder.blocks.0.scores"}
    assert not fixed & places and fixed <= set(placed().places)
    gelu = {site.place for site in started(*STUDENTS["gelu"]).ranges.places}
    assert gelu - places == {f"encoder.blocks.{block}.feed_forward.activated" for block in (0, 1)}


def test_ranges_of_another_model_are_refused() -> None:
    ranges, graph, values = started().ranges, placed(), values_of(*STUDENTS["relu"])
    for told, changes in (
        ("layers, got none for", {"written": ranges.written[1:]}),
        ("places, got none for encoder.embeddings.placed", {"places": ranges.places[1:]}),
        ("places, got none for none and some for x", {"places": (*ranges.places, PlaceSite("x", (-1.0, 1.0)))}),
        ("blocks with scores", {"scores": ranges.scores[1:]}),
    ):
        with pytest.raises(ArtefactError, match=f"expected the graph's {told}"):
            full_int8_with(graph, values, dataclasses.replace(ranges, **changes))


def test_a_tensor_without_a_range_is_named() -> None:
    """As of a place that the graph has and the marks do not know."""
    graph, ranges = placed(), started().ranges
    lost = {place: index for place, index in graph.places.items() if not place.endswith("0.attended")}
    places = tuple(site for site in ranges.places if not site.place.endswith("0.attended"))
    with pytest.raises(ArtefactError, match=r"expected one for everything that the graph computes, got none for ADD '"):
        full_int8_with(
            dataclasses.replace(graph, places=lost),
            values_of(*STUDENTS["relu"]),
            dataclasses.replace(ranges, places=places),
        )


def test_what_has_no_integer_form_is_refused_at_the_start() -> None:
    config, head = STUDENTS["relu"]
    mean = dataclasses.replace(head, pooling="mean")
    with pytest.raises(ArtefactError, match=r"operators that have an integer form, got .*DIV"):
        integer_start(placed(config, mean), values_of(config, mean), calibration().inputs(None), ())


@pytest.mark.parametrize("integer_output", [False, True])
def test_an_export_takes_them_in_place_of_texts(integer_output: bool, tmp_path: Path) -> None:
    model = balanced()
    stored = StoredRanges(started().ranges, values_sha256(model_tensors(model)), {"epochs": 2}, sha256="cd" * 32)
    exporter = Exporter(model, tokenizer(), {"checkpoint": "random"}, learnt=stored)
    path = tmp_path / "model.tflite"
    path.write_bytes(exporter.export(ExportRequest("full-int8", integer_output=integer_output)))
    require(summarize(path), precision="full-int8", integer_output=integer_output)
    provenance = read_bundle(path).description.provenance
    assert provenance["ranges"] == {"from": "learnt", "sha256": "cd" * 32, "epochs": 2}
    with pytest.raises(ArtefactError, match=r"static: expected ranges that were learnt for it, .* for full-int8"):
        exporter.check(ExportRequest("static"))
