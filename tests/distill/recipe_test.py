"""Recipes as values: what is refused when one is made, read and written."""

import dataclasses
import json
import tomllib

import pytest

from edgebert.distill.layer_maps import LayerMap, LayerPair
from edgebert.distill.objectives import OBJECTIVES
from edgebert.distill.published import PUBLISHED, for_head, published
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.recipe_fields import recipe_from_dict, recipe_to_dict
from edgebert.errors import TrainingError
from tests.data.house_form import assert_house_form

EVERYTHING = Recipe(
    (
        Term("hidden_mse", 2.0, layers=((1, 2), (3, 5)), layer_weights=(0.5, 1.0), over_layers="mean"),
        Term("attention_relation_kl", name="values", layers="last", relations=("value",), relation_heads=6),
        Term("token_soft_kl", positions="masked"),
    ),
    layer_map=LayerMap("explicit", teacher_layers=(2, 4)),
    temperature=4.0,
    temperature_squared=False,
    hard_label_weight=0.25,
    projection="per_layer",
    teacher_weighting="entropy",
    name="everything",
)


def message(make, *arguments, **fields) -> str:
    with pytest.raises(TrainingError) as caught:
        make(*arguments, **fields)
    assert_house_form(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize("recipe", [EVERYTHING, *(published(name) for name in PUBLISHED)], ids=lambda one: one.name)
def test_a_written_recipe_reads_back_the_same(recipe) -> None:
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    assert recipe_from_dict(json.loads(json.dumps(recipe_to_dict(recipe)))) == recipe


@pytest.mark.parametrize("layer_map", [LayerMap("last"), LayerMap("skip", every=2), LayerMap("explicit", 0, (1, 3))])
def test_every_layer_map_reads_back_the_same(layer_map) -> None:
    recipe = dataclasses.replace(EVERYTHING, layer_map=layer_map)
    assert recipe_from_dict(recipe_to_dict(recipe)) == recipe


def test_a_published_recipe_with_changes_in_toml() -> None:
    text = """
    like = "tinybert_intermediate"
    layer_map = [2, 3, 5, 6]
    hard_label_weight = 1
    """
    recipe = recipe_from_dict(tomllib.loads(text))
    assert recipe.terms == published("tinybert_intermediate").terms
    assert recipe.layer_map == LayerMap("explicit", teacher_layers=(2, 3, 5, 6))
    assert recipe.hard_label_weight == 1.0
    assert recipe.name == "like tinybert_intermediate"


def test_terms_in_toml() -> None:
    text = """
    [[terms]]
    objective = "hidden_mse"
    layers = [[4, 12]]
    [[terms]]
    objective = "soft_kl"
    weight = 2
    """
    assert recipe_from_dict(tomllib.loads(text)).terms == (
        Term("hidden_mse", layers=(LayerPair(4, 12),)),
        Term("soft_kl", 2.0),
    )


@pytest.mark.parametrize(
    ("fields", "path", "advice"),
    [
        ({"temperatures": 2}, "recipe.temperatures", "write temperature"),
        ({"terms": [{"objective": "soft_kl", "weights": 2}]}, "recipe.terms[0].weights", "write weight"),
        ({"like": "tinybert"}, "tinybert", "write tinybert_"),
        ({"terms": [{"objective": "hiden_mse"}]}, "hiden_mse", "write hidden_mse"),
        ({"terms": [{"weight": 2}]}, "recipe.terms[0]", "objective"),
        ({"terms": {"objective": "soft_kl"}}, "recipe.terms", "list"),
        ({"terms": ["soft_kl"]}, "recipe.terms[0]", "table"),
        ({"like": "minilm", "temperature": "2"}, "recipe.temperature", "number"),
        ({"like": "minilm", "temperature": True}, "recipe.temperature", "number"),
        ({"like": "minilm", "temperature_squared": 1}, "recipe.temperature_squared", "true or false"),
        ({"like": "minilm", "layer_map": "skip"}, "recipe.layer_map", "skip = 2"),
        ({"like": "minilm", "layer_map": {"skp": 2}}, "recipe.layer_map.skp", "write skip"),
        ({"like": "minilm", "layer_map": {}}, "recipe.layer_map.skip", "whole number"),
        ({"like": "minilm", "layer_map": [1.5]}, "recipe.layer_map", "whole number"),
        ({"like": "minilm", "layer_map": "uniformly"}, "layer_map", "uniform"),
        ({"terms": [{"objective": "hidden_mse", "layers": [[1, 2, 3]]}]}, "recipe.terms[0].layers", "pairs"),
    ],
)
def test_a_slip_in_a_table_is_named_with_what_was_meant(fields, path, advice) -> None:
    text = message(recipe_from_dict, fields)
    assert path in text
    assert advice in text


@pytest.mark.parametrize(
    ("term", "word"),
    [
        ({"weight": 0}, "weight"),
        ({"weight": float("nan")}, "weight"),
        ({"weight": float("inf")}, "weight"),
        ({"layers": "all"}, "layers"),
        ({"layers": ()}, "pair"),
        ({"layer_weights": (1.0, -1.0)}, "layer_weights"),
        ({"over_layers": "max"}, "over_layers"),
        ({"relation_heads": 4}, "relation_heads"),
        ({"relations": ("value",)}, "relations"),
        ({"positions": "masked"}, "positions"),
        ({"objective": "attention_relation_kl", "relations": ("values",)}, "relations"),
        ({"objective": "attention_relation_kl", "relation_heads": 0}, "relation_heads"),
        ({"objective": "soft_kl", "layers": "last"}, "layers"),
        ({"objective": "embedding_mse", "layer_weights": (1.0,)}, "layer_weights"),
    ],
)
def test_a_term_that_means_nothing_is_refused(term, word) -> None:
    assert word in message(Term, **{"objective": "hidden_mse", **term})


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"terms": ()}, "terms"),
        ({"terms": (Term("soft_kl"), Term("soft_kl"))}, "soft_kl twice"),
        ({"terms": (Term("soft_kl", name="hard_label"),), "hard_label_weight": 1.0}, "hard_label twice"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"hard_label_weight": -1.0}, "hard_label_weight"),
        ({"projection": "sharded"}, "projection"),
        ({"teacher_weighting": "best"}, "teacher_weighting"),
    ],
)
def test_a_recipe_that_means_nothing_is_refused(fields, word) -> None:
    assert word in message(Recipe, **{"terms": (Term("soft_kl"),), **fields})


def test_hard_labels_alone_are_a_recipe() -> None:
    assert Recipe((), hard_label_weight=1.0).term_names == ("hard_label",)


def test_layers_of_a_term() -> None:
    uniform = LayerMap()
    assert Term("hidden_mse").pairs(uniform, 2, 6) == ((1, 3), (2, 6))
    assert Term("hidden_mse", layers="inner").pairs(uniform, 2, 6) == ((1, 3),)
    assert Term("hidden_mse", layers="last").pairs(LayerMap("first"), 2, 6) == ((2, 6),)
    assert Term("hidden_mse", layers=((1, 5),)).pairs(uniform, 2, 6) == ((1, 5),)
    assert Term("embedding_mse").pairs(uniform, 4, 6) == ((0, 0),)
    assert Term("soft_kl").pairs(uniform, 4, 6) == ()
    # The last layers are paired whatever the map.
    assert Term("hidden_mse", layers="last").pairs(uniform, 4, 6) == ((4, 6),)


def test_patient_kd_leaves_the_last_layer_out() -> None:
    [_, patient] = published("patient_kd").terms
    assert [pair.teacher for pair in patient.pairs(LayerMap(), 6, 12)] == [2, 4, 6, 8, 10]
    assert [pair.teacher for pair in patient.pairs(LayerMap("last"), 6, 12)] == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("kind", ["regression", "embedding"])
def test_softened_classes_become_regression_where_there_are_none(name, kind) -> None:
    recipe = published(name, kind)
    plain = published(name)
    for term, before in zip(recipe.terms, plain.terms, strict=True):
        softened = before.objective in ("soft_kl", "soft_cross_entropy")
        assert term.objective == ("output_mse" if softened else before.objective)
        assert term.weight == before.weight
    assert recipe.hard_label_weight == (0 if kind == "embedding" else plain.hard_label_weight)
    assert for_head(plain, "classification") == plain


def test_what_every_objective_demands_is_consistent() -> None:
    for name, facts in OBJECTIVES.items():
        assert not (facts.same_heads and not facts.attention), name
        assert not (facts.heads and facts.layered), name
