"""The configurations of benchmarks/distillation can be run: a slip in one would show after hours."""

import pytest

from benchmarks.distillation.plan import CONFIGS, initialisation, read_general_plan, read_plan, student_config
from edgebert.config import EncoderConfig
from edgebert.distill.published import GENERAL, published
from edgebert.training.settings import TrainingSettings

NAMES = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem != "general")
TEACHER = EncoderConfig(30522, 384, 6, 12, 1536, 384)


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_names_what_there_is(name: str) -> None:
    plan = read_plan(name)
    student = student_config(plan, TEACHER)
    assert (student.layers, student.width) == (4, 312)
    assert {"a", "b", "c", "d", "e", "f"} <= plan.variants.keys()
    for variant in plan.variants.values():
        assert initialisation(variant, seed=0, general=None).method == variant.start
        for step in variant.steps:
            TrainingSettings(**step.settings)
            assert step.recipe == "labels" or published(step.recipe).terms


def test_the_general_plan_names_what_there_is() -> None:
    plan = read_general_plan()
    assert plan.recipe in GENERAL
    assert plan.layers == (1, 3, 5, 6)
