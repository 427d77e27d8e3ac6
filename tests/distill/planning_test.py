"""A plan says what a run will do, and refuses what it could not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.distill.initialisation.starting import Initialisation
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.planning import Plan, Teacher, TrainingChoices, choose_start, count_parameters, make_plan
from edgebert.distill.published import published
from edgebert.distill.recipe_choice import choose_recipes
from edgebert.distill.running import CacheSettings
from edgebert.distill.stages import distil_task
from edgebert.errors import TrainingError
from edgebert.models.task import named_variables
from edgebert.training.settings import TrainingSettings
from tests.data.house_form import assert_house_form
from tests.distill.cases import CLASSES, encoder_config
from tests.training.cases import CONFIG, HEAD, fresh_model, learnable

TRAIN, DEV = learnable(20, seed=1), learnable(8, seed=2)
TEACHER = Teacher(encoder_config(layers=6), CLASSES)
STUDENT = encoder_config(layers=4, width=6, feed_forward_width=8)
TRUNCATED = Initialisation("truncated")
CACHE = CacheSettings()


def plan(
    student=STUDENT, recipes=("tinybert",), layer_map=None, teachers=(TEACHER,), start=TRUNCATED, **changes
) -> Plan:
    training, cache = changes.get("training", TrainingChoices()), changes.get("cache", CACHE)
    chosen = choose_recipes(recipes, teachers[0].head.kind)
    head = changes.get("head", teachers[0].head)
    data = changes.get("train", TRAIN), DEV
    return make_plan(teachers, student, head, start, chosen, layer_map, training, cache, *data)


def test_by_default_tinyberts_steps_with_their_own_settings() -> None:
    steps = [planned.step for planned in plan().steps]
    assert [step.recipe.name for step in steps] == ["tinybert_intermediate", "tinybert_prediction"]
    assert [step.settings.epochs for step in steps] == [10, 3]
    assert [step.settings.learning_rate for step in steps] == [5e-5, 3e-5]
    assert [planned.training_steps for planned in plan().steps] == [10, 3]


def test_from_six_to_four_layers_start_and_recipe_take_the_same_and_it_is_said() -> None:
    """There is no uniform map; 1, 3, 5, 6 was the best of those measured."""
    made = plan()
    assert made.start.layer_map == LayerMap("explicit", teacher_layers=(1, 3, 5, 6))
    assert made.steps[0].layers == ((1, 1), (2, 3), (3, 5), (4, 6))
    assert made.steps[1].layers == ()
    assert made.notes == ("step 1: layers 1 to 4 learn from the teacher's 1, 3, 5, 6",)


def test_a_folder_to_start_from_is_not_read(tmp_path: Path) -> None:
    """Of a model that is yet to be made a plan knows the shape, and the folder is another's, of other norms too."""
    start = Initialisation("from_folder", folder=tmp_path / "to be made")
    assert plan(start=start).start == start


def test_where_there_is_a_uniform_map_the_recipe_keeps_it() -> None:
    made = plan(encoder_config(layers=3))
    assert made.steps[0].layers == ((1, 2), (2, 4), (3, 6)) and made.notes == ()
    assert made.start.layer_map == LayerMap("explicit", teacher_layers=(1, 4, 6))


def test_a_map_that_is_asked_for_is_the_starts_and_the_recipes() -> None:
    made = plan(layer_map=LayerMap("last"))
    assert made.start.layer_map == LayerMap("last")
    assert made.steps[0].layers == ((1, 3), (2, 4), (3, 5), (4, 6))
    assert plan(layer_map=LayerMap("explicit", teacher_layers=(1, 3, 5, 6))).notes == ()


def test_epochs_and_rates_are_one_for_all_or_one_for_each() -> None:
    common = TrainingSettings(batch_size=8, seed=3)
    made = plan(training=TrainingChoices(common, epochs=(4,), learning_rates=(1e-3, 1e-4), patience=1))
    assert [planned.step.settings for planned in made.steps] == [
        dataclasses.replace(common, epochs=4, learning_rate=1e-3, patience=1),
        dataclasses.replace(common, epochs=4, learning_rate=1e-4, patience=1),
    ]
    assert [planned.training_steps for planned in made.steps] == [12, 12]
    with pytest.raises(TrainingError, match="one for each of tinybert_intermediate, tinybert_prediction, got 3"):
        plan(training=TrainingChoices(epochs=(1, 2, 3)))


def test_what_the_plan_says_is_what_the_run_does(tmp_path: Path) -> None:
    """Bytes kept, steps trained and layers compared, against the run's own account and the files on disk."""
    student = dataclasses.replace(CONFIG, width=8, embedding_width=8)
    training = TrainingChoices(TrainingSettings(batch_size=8), epochs=(2, 2))
    teacher = fresh_model()
    made = plan(student, teachers=(Teacher(CONFIG, HEAD),), training=training)
    steps, seen = [planned.step for planned in made.steps], []
    done = distil_task(fresh_model(HEAD, student), teacher, TRAIN, DEV, steps, tmp_path, seen.append)
    assert [planned.cache_bytes for planned in made.steps] == [step.cache_bytes for step in done.steps]
    kept = [path for path in (tmp_path / "teacher").rglob("*") if path.is_file() and path.suffix != ".json"]
    assert sum(path.stat().st_size for path in kept) == sum(planned.cache_bytes for planned in made.steps)
    trained = [progress for progress in seen if progress.task.startswith("distil ")]
    assert len(trained) == sum(planned.training_steps for planned in made.steps) == 12
    taken = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
    assert taken < made.disk_bytes


def test_parameters_are_those_of_the_model() -> None:
    for config in (CONFIG, dataclasses.replace(CONFIG, embedding_width=4, projection="before_sum", pooler=False)):
        values = named_variables(fresh_model(HEAD, config)).values()
        assert count_parameters(config, HEAD) == sum(int(np.prod(value.shape)) for value in values)


def test_a_cache_beyond_the_budget_is_not_made_and_it_is_said() -> None:
    made = plan(cache=CacheSettings(budget_bytes=300))
    assert [planned.is_cached for planned in made.steps] == [False, True]
    assert any("more than the cache's 300; the teacher runs in every epoch" in remark for remark in made.notes)
    assert made.disk_bytes < plan().disk_bytes


def test_a_student_that_learns_no_answers_is_told() -> None:
    assert "no step teaches answers: the student's head stays as it starts" in plan(recipes=("minilm",)).notes
    assert plan(recipes=("minilm", "logits_only")).notes == ()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"student": encoder_config(layers=7)}, "student layers: expected at most the teacher's 6, got 7"),
        ({"student": encoder_config(layers=4, width=24)}, "student width: expected at most the teacher's 12, got 24"),
        (
            {"student": encoder_config(layers=7), "start": Initialisation("random")},
            "expected a student of at most the teacher's 6 layers, got 7",
        ),
        ({"student": encoder_config(heads=2, width=4)}, "as many attention heads in the student as in the teacher"),
        ({"start": Initialisation("from_layers")}, "student width: expected the teacher's 12 for from_layers, got 6"),
        ({"layer_map": LayerMap()}, "layer_map uniform: expected a teacher whose layers are a multiple"),
        ({"layer_map": LayerMap("explicit", teacher_layers=(1, 2))}, "expected 4 teacher layers"),
        ({"recipes": ("distilbert",)}, "expected a corpus with masked tokens"),
        (
            {"recipes": ("distilbert_task",), "train": dataclasses.replace(TRAIN, targets=None)},
            "expected a label for every example",
        ),
        (
            {"head": dataclasses.replace(CLASSES, labels=("yes", "no", "maybe"))},
            "the student's labels to be the teacher's in the teacher's order",
        ),
        ({"teachers": (TEACHER, Teacher(CONFIG, HEAD))}, "teacher 2 with as many outputs as the teacher (3), got 2"),
    ],
)
def test_the_impossible_is_refused(changes: dict, says: str) -> None:
    with pytest.raises(TrainingError) as caught:
        plan(**changes)
    assert says in str(caught.value)
    assert_house_form(str(caught.value))


def test_starts_are_methods_or_folders(tmp_path: Path) -> None:
    assert choose_start("truncated", "magnitude", 64, 3) == Initialisation(
        "truncated", importance="magnitude", examples=64, seed=3
    )
    assert choose_start(str(tmp_path), "taylor", 512, 0) == Initialisation("from_folder", folder=tmp_path)
    for wrong in ("trunctated", "from_folder", str(tmp_path / "none")):
        with pytest.raises(TrainingError, match="expected from_layers, truncated, random or a student's folder"):
            choose_start(wrong, "taylor", 512, 0)


def test_published_recipes_are_not_changed_where_a_uniform_map_exists() -> None:
    made = plan(encoder_config(layers=3))
    assert made.steps[0].step.recipe == published("tinybert_intermediate")
