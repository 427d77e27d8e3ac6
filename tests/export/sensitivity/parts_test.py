"""Every layer has the name that its variables have, in every architecture."""

import pytest

from edgebert.export.flatbuffer import read_model
from edgebert.export.sensitivity.parts import DENSE, PRODUCT, TABLE, places
from edgebert.models.task import named_variables
from tests.export.golden_models import golden
from tests.export.quantization.balancing_test import ALBERT, MOBILE
from tests.export.quantization.cases import BERT, CLASSIFIER, float_graph, random_model

SHAPES = {"bert": BERT, "albert": ALBERT, "mobilebert": MOBILE}


def found_places(config) -> dict[str, set[str]]:
    """Names by the kind of operator."""
    subgraph = read_model(float_graph(config, CLASSIFIER)).subgraphs[0]
    where = places(subgraph)
    found: dict[str, set[str]] = {}
    for operator in subgraph.operators:
        if operator.index in where:
            found.setdefault(operator.name, set()).add(where[operator.index].name)
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_dense_layers_are_called_as_the_models_kernels(shape: str) -> None:
    kernels = {
        name.removeprefix("encoder.").removesuffix(".kernel")
        for name in named_variables(random_model(SHAPES[shape], CLASSIFIER))
        if name.endswith(".kernel")
    }
    assert found_places(SHAPES[shape])[DENSE] == kernels


@pytest.mark.parametrize("shape", SHAPES)
def test_each_block_has_both_products_and_each_table_its_name(shape: str) -> None:
    found = found_places(SHAPES[shape])
    blocks = range(SHAPES[shape].blocks)
    assert found[PRODUCT] == {f"blocks.{block}.{kind}" for block in blocks for kind in ("scores", "context")}
    assert found[TABLE] == {"embeddings.word", "embeddings.position"}
    assert found["GATHER"] >= {"embeddings.segment"}


def test_what_moves_heads_belongs_to_the_product_that_needs_it() -> None:
    assert found_places(BERT)["TRANSPOSE"] == {
        f"blocks.{block}.{kind}" for block in range(2) for kind in ("scores", "context")
    }


def test_the_answers_softmax_is_none_of_attentions() -> None:
    assert found_places(BERT)["SOFTMAX"] == {"answer", "blocks.0.probabilities", "blocks.1.probabilities"}
    textbook = read_model(golden("plain_float32")).subgraphs[0]
    where = places(textbook)
    (last,) = [each for each in textbook.operators if each.name == "SOFTMAX" and where[each.index].name == "answer"]
    assert textbook.outputs == last.outputs


def test_operators_that_share_weights_are_one_part() -> None:
    subgraph = read_model(float_graph(ALBERT, CLASSIFIER)).subgraphs[0]
    where = places(subgraph)
    users: dict[int, set[str]] = {}
    for operator in subgraph.operators:
        if operator.name == DENSE:
            users.setdefault(operator.inputs[1], set()).add(where[operator.index].name)
    assert all(len(names) == 1 for names in users.values())
    assert sum(where[each.index].name == "blocks.0.query" for each in subgraph.operators if each.name == DENSE) == 3
