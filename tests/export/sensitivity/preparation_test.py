"""A file of all parts is the scheme's own, and one of some parts has the others in float32."""

import numpy as np
import pytest

from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.precisions import PRECISIONS, quantize
from edgebert.export.quantization.operator_rules import quantize_operators
from edgebert.export.quantization.recipes import Rule, quantize_by_rules
from edgebert.export.sensitivity.packing import require_plan
from edgebert.export.sensitivity.parts import DENSE
from edgebert.export.sensitivity.preparation import check_scheme, prepare
from tests.data.house_form import assert_house_form
from tests.export.quantization.balancing_test import ALBERT
from tests.export.quantization.cases import BERT, CLASSIFIER, EMBEDDER, answers, calibration, float_graph, sentences
from tests.export.quantization.cases import calibration_inputs as inputs_of_all
from tests.export.quantization.integer_cases import placed

SCHEMES = tuple(name for name in PRECISIONS if name != "float32")


def prepared(scheme: str, config=BERT, head=CLASSIFIER):
    return prepare(float_graph(config, head), scheme, calibration().inputs(None))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_parts_make_the_schemes_own_file(scheme: str) -> None:
    one = prepared(scheme)
    expected = quantize(float_graph(), scheme, texts=calibration().inputs(None))
    texts = inputs_of_all(sentences(6, seed=4))
    np.testing.assert_array_equal(answers(one.build(one.whole()), texts), answers(expected, texts))
    assert _types(one.build(one.whole())) == _types(expected)


def test_so_they_do_where_all_channels_are_evened_out() -> None:
    """As no LayerNorm lets them be."""
    graph, texts = placed().content, inputs_of_all(sentences(6, seed=4))
    one = prepare(graph, "full-int8", calibration().inputs(None))
    expected = quantize(graph, "full-int8", texts=calibration().inputs(None))
    np.testing.assert_array_equal(answers(one.build(one.whole()), texts), answers(expected, texts))


def _types(content: bytes) -> list[tuple[str, list[str]]]:
    subgraph = read_model(content).subgraphs[0]
    return [
        (
            operator.name,
            [subgraph.tensors[index].dtype for index in (*operator.inputs, *operator.outputs) if index >= 0],
        )
        for operator in subgraph.operators
    ]


def test_no_part_makes_the_float_graph() -> None:
    one = prepared("dynamic")
    assert one.build({}) == one.graph == float_graph()


@pytest.mark.parametrize("config", [BERT, ALBERT])
def test_each_part_alone_is_quantised_and_nothing_else(config) -> None:
    one = prepared("static", config)
    for part in one.parts:
        content = one.build({part.name: 0})
        require_plan(content, one, {part.name: part.treatments[0].name})
        with pytest.raises(ArtefactError, match="as the plan has it") as refused:
            require_plan(content, one, {})
        assert_house_form(str(refused.value))


def test_gentler_treatments_are_what_they_are_called() -> None:
    one = prepared("static")
    assert {tuple(treatment.name for treatment in part.treatments) for part in one.parts} == {
        ("int8", "dynamic", "float32"), ("int8", "float32")
    }  # fmt: skip
    mixed = {"blocks.0.query": 1, "blocks.1.scores": 0, "blocks.1.feed_forward.down": 0, "embeddings.word": 0}
    names = {part.name: part.treatments[mixed[part.name]].name for part in one.parts if part.name in mixed}
    require_plan(one.build(mixed), one, names)
    table = next(part for part in prepared("int4-embedding").parts if part.name == "embeddings.word")
    assert [treatment.name for treatment in table.treatments] == ["int4", "int8", "float32"]


def test_full_int8_names_what_the_others_leave_in_float() -> None:
    kinds = {part.kind for part in prepared("full-int8").parts}
    assert kinds >= {
        "residual", "attention_norm", "norm", "activation_function", "probabilities", "masked_scores", "scores",
        "feed_forward.down", "embeddings.word", "answer",
    }  # fmt: skip


def test_rules_by_operator_are_rules_by_kind() -> None:
    graph = float_graph(head=EMBEDDER)
    dense = [each.index for each in read_model(graph).subgraphs[0].operators if each.name == DENSE]
    one = quantize_operators(graph, dict.fromkeys(dense, Rule(DENSE)))
    assert one == quantize_by_rules(graph, [Rule(DENSE)])


@pytest.mark.parametrize(
    ("scheme", "has_texts", "told"),
    [
        ("float32", True, "expected a scheme that quantises something"),
        ("int3", True, "precision: expected"),
        ("static", False, "expected texts to calibrate its ranges with, got none"),
    ],
)
def test_refused_before_any_work(scheme: str, has_texts: bool, told: str) -> None:
    with pytest.raises(ArtefactError, match=told) as refused:
        check_scheme(scheme, has_texts)
    assert_house_form(str(refused.value))
