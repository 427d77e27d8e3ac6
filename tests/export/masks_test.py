"""Integers whose steps are too wide for scores: found where a mask of -10000 meets them, and nowhere else."""

import dataclasses

import pytest

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.masks import check_masks, wide_masks
from edgebert.export.model import Model
from edgebert.export.quantization.observing import observe
from edgebert.export.quantization.recipes import Rule, quantize_by_rules
from tests.data.house_form import assert_house_form
from tests.export.golden_models import golden
from tests.export.quantization.cases import BERT, CLASSIFIER, calibration, float_graph


def with_masked_scores_in(bits: int) -> bytes:
    """Our float graph, calibrated on padded texts, as somebody would quantise it who does not know its masks."""
    graph, texts = float_graph(BERT, CLASSIFIER, 24), calibration().inputs(24)
    observed = observe(graph, texts)
    assert len(observed) > len(read_model(graph).subgraphs[0].operators) / 2
    ranges = {index: (seen.minimum, seen.maximum) for index, seen in observed.items()}
    return quantize_by_rules(graph, [Rule("SOFTMAX", activations=bits)], ranges)


def renamed(model: Model, before: str, after: str) -> Model:
    """With its operators of one kind as another."""
    (graph,) = model.subgraphs
    operators = [dataclasses.replace(each, name=after) if each.name == before else each for each in graph.operators]
    return dataclasses.replace(model, subgraphs=(dataclasses.replace(graph, operators=tuple(operators)),))


def test_a_factor_of_ten_thousand_is_refused() -> None:
    """TensorFlow's own converter quantises it, asked for integers throughout."""
    with pytest.raises(ArtefactError, match=r"static: .*, got steps of 39\.2 in '.*' \(MUL\)\. Do:") as caught:
        check_masks(golden("plain_int8"), "static")
    assert_house_form(str(caught.value))


def test_masked_scores_in_256_steps_are_found_and_in_65536_are_not() -> None:
    content = with_masked_scores_in(8)
    first, *others = wide_masks(read_model(content))
    assert (first.operator, first.tensor) == ("SOFTMAX", "model/encoder/block_0/add_quantized")
    assert 39 < first.step < 40 and len(others) == BERT.layers - 1
    with pytest.raises(ArtefactError, match="got steps of 39"):
        check_masks(content, "static")
    assert not wide_masks(read_model(with_masked_scores_in(16)))


def test_a_large_factor_that_no_softmax_reads_is_no_mask() -> None:
    model = read_model(golden("plain_int8"))
    assert wide_masks(model) and not wide_masks(renamed(model, "SOFTMAX", "LOGISTIC"))


def test_operators_in_a_circle_are_looked_at_once() -> None:
    model = renamed(read_model(golden("plain_int8")), "SOFTMAX", "LOGISTIC")
    (graph,) = model.subgraphs
    factor = next(one for one in graph.operators if one.name == "MUL" and len(one.inputs) == 2)
    circle = dataclasses.replace(factor, inputs=(*factor.inputs, *factor.outputs))
    operators = tuple(circle if each is factor else each for each in graph.operators)
    assert not wide_masks(dataclasses.replace(model, subgraphs=(dataclasses.replace(graph, operators=operators),)))
