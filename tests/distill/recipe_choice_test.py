"""Recipes by name and by file."""

import json
from pathlib import Path

import pytest

from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.published import PUBLISHED, published
from edgebert.distill.recipe_choice import choose_recipes, explanations, parse_layer_map, recipe_names
from edgebert.distill.stages import joint_step
from edgebert.errors import TrainingError
from tests.data.house_form import assert_house_form

KIND = "classification"


def test_every_published_recipe_is_explained_and_can_be_chosen() -> None:
    explained = explanations()
    assert set(PUBLISHED) < set(explained) == set(recipe_names())
    for name, text in explained.items():
        assert text.endswith(".") and "\n" not in text and len(text) > 30
        assert choose_recipes([name], KIND)
    assert explained["distilbert"].endswith("For plain text only, before a task.")
    assert explained["distilbert_task"].endswith("Needs labels.")
    assert "Needs labels" not in explained["tinybert_prediction"]


def test_tinyberts_names_are_its_two_steps_and_the_joint_one() -> None:
    both = (published("tinybert_intermediate"), published("tinybert_prediction"))
    assert choose_recipes(["tinybert"], KIND) == both
    assert choose_recipes(["tinybert_joint"], KIND) == (joint_step()[0].recipe,)
    assert choose_recipes(["logits_only", "tinybert"], KIND) == (published("logits_only"), *both)


def test_recipes_are_adapted_to_scores() -> None:
    (recipe,) = choose_recipes(["logits_only"], "regression")
    assert [term.objective for term in recipe.terms] == ["output_mse"]


def test_a_file_is_a_recipe_called_like_it(tmp_path: Path) -> None:
    toml, plain = tmp_path / "warm.toml", tmp_path / "warm.json"
    toml.write_text('like = "logits_only"\ntemperature = 4.0\nlayer_map = [1, 3]\n')
    plain.write_text(json.dumps({"like": "logits_only", "temperature": 4, "layer_map": [1, 3]}))
    for path in (toml, plain):
        (recipe,) = choose_recipes([str(path)], KIND)
        assert (recipe.name, recipe.temperature) == ("warm", 4.0)
        assert recipe.layer_map == LayerMap("explicit", teacher_layers=(1, 3))
        assert recipe.terms == published("logits_only").terms
    toml.write_text('like = "logits_only"\nname = "hot"\n')
    assert choose_recipes([str(toml)], KIND)[0].name == "hot"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("tinybrt", None, "got 'tinybrt'. Do: write tinybert."),
        ("none.toml", None, "none.toml: expected a recipe in TOML, got 'No such file or directory'"),
        ("bad.toml", "like = ", "bad.toml: expected a recipe in TOML, got 'Invalid value"),
        ("bad.json", "{", "bad.json: expected a recipe in JSON, got 'Expecting"),
        ("list.json", "[]", "expected a table"),
        ("latin.toml", b"# \xe9", "latin.toml: expected a recipe in TOML, got"),
        ("key.toml", "temprature = 2.0", "key.toml.temprature: expected one of like, terms"),
        ("up.toml", 'like = "logits_only"\nname = "../up"', "expected a plain name, got '../up'"),
    ],
)
def test_what_is_no_recipe_is_refused(tmp_path: Path, name: str, content: str | bytes | None, says: str) -> None:
    given = name
    if "." in name:
        given = str(tmp_path / name)
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(TrainingError) as caught:
        choose_recipes([given], KIND)
    assert says in str(caught.value)
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uniform", LayerMap()),
        ("last", LayerMap("last")),
        ("skip:2", LayerMap("skip", every=2)),
        ("1,3, 5,6", LayerMap("explicit", teacher_layers=(1, 3, 5, 6))),
        ("4", LayerMap("explicit", teacher_layers=(4,))),
    ],
)
def test_layer_maps(text: str, expected: LayerMap) -> None:
    assert parse_layer_map(text) == expected


@pytest.mark.parametrize("text", ["", "skip", "skip:x", "explicit", "1,,3", "-1,2", "lsat"])
def test_what_is_no_layer_map_is_refused(text: str) -> None:
    with pytest.raises(TrainingError, match="layer map: expected uniform, last, first"):
        parse_layer_map(text)
