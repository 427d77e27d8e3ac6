"""What configurations of benchmarks/distillation say can be run, and what commands made is found."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.distillation import tables
from benchmarks.distillation.plan import (
    CONFIGS,
    Plan,
    TeacherPlan,
    initialisation,
    read_general_plan,
    read_plan,
    student_config,
)
from benchmarks.distillation.run import Bench, standings, teacher
from edgebert.cli import main
from edgebert.config import EncoderConfig
from edgebert.distill.published import GENERAL, published
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.task import TaskModel, named_variables
from edgebert.pipeline.config import DataConfig
from edgebert.pipeline.reading import read_data
from edgebert.progress import silent
from edgebert.training.settings import EpochResult, TrainingSettings
from tests.cli.labelled import encoder, write_examples

NAMES = sorted(path.stem for path in CONFIGS.glob("*.toml") if path.stem != "general")
TEACHER = EncoderConfig(30522, 384, 6, 12, 1536, 384)


@pytest.mark.parametrize("name", NAMES)
def test_every_variant_names_what_there_is(name: str) -> None:
    plan = read_plan(name)
    student = student_config(plan, TEACHER)
    assert (student.layers, student.width) == (4, 312)
    # Of one training of the teacher there is the student alone that benchmarks/methods compresses.
    assert plan.variants.keys() >= ({"c"} if name == "one-sst2" else {"a", "b", "c", "d", "e", "f"})
    for variant in plan.variants.values():
        assert initialisation(variant, seed=0, general=None).method == variant.start
        for step in variant.steps:
            TrainingSettings(**step.settings)
            assert step.recipe == "labels" or published(step.recipe).terms


def test_the_general_plan_names_what_there_is() -> None:
    plan = read_general_plan()
    assert plan.recipe in GENERAL
    assert plan.layers == (1, 3, 5, 6)


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """With what `edgebert finetune` leaves of two trainings, each of a moment."""

    def moved(model: TaskModel, train, dev, settings: TrainingSettings, *_) -> tuple[EpochResult, ...]:
        for variable in named_variables(model).values():
            variable.assign_add(settings.learning_rate * np.ones(variable.shape, np.float32))
        return (EpochResult(1, 0.5, 0.5, {"label": 0.5}),)

    monkeypatch.setattr("edgebert.stations.finetuning.finetune", moved)
    checkpoint = encoder(tmp_path)
    for number, name in enumerate(("train", "dev")):
        write_examples(tmp_path / f"{name}.csv", 8, seed=number)
    settings = (TrainingSettings(learning_rate=0.1), TrainingSettings(learning_rate=0.3, averaging=0.9, epochs=2))
    for number, one in enumerate(settings, 1):
        given = ["--learning-rate", one.learning_rate, "--averaging", one.averaging, "--epochs", one.epochs]
        folder = tmp_path / "work" / "small" / "teacher-3" / f"training-{number}"
        data = ["--train", tmp_path / "train.csv", "--dev", tmp_path / "dev.csv", "--length", 12, "--seed", 3]
        assert main([*map(str, ["finetune", checkpoint, "--output", folder, *data, *given]), "--quiet"]) == 0
    plan = Plan("small", "", 12, TeacherPlan(str(checkpoint), "mean", settings), {}, {})
    config = DataConfig(train=str(tmp_path / "train.csv"), dev=str(tmp_path / "dev.csv"))
    train, dev, *_ = read_data(config)

    def fail(*_) -> None:
        pytest.fail("expected finished trainings to be found, got one begun")

    monkeypatch.setattr("edgebert.stations.finetuning.finetune", fail)
    return Bench(plan, train, dev, tmp_path, tmp_path / "work", silent, 3)


def test_a_teacher_is_the_mean_of_what_the_command_line_trained(trained: Bench) -> None:
    assert standings(trained).count(": finished") == 2
    folder, described = teacher(trained)
    trainings = [trained.teacher_folder / f"training-{number}" for number in (1, 2)]
    mean, *each = (load_checkpoint(one).tensors for one in (folder, *trainings))
    for name, values in mean.items():
        np.testing.assert_allclose(values, np.mean([one[name] for one in each], axis=0), atol=1e-6, err_msg=name)
    assert [one["settings"]["learning_rate"] for one in described["trainings"]] == [0.1, 0.3]
    assert described["mean"]["metric"] == "accuracy"


def test_a_student_without_its_seeds_teacher_is_in_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "RESULTS", tmp_path)
    found = {"scores": {"float32": 0.9, "dynamic": 0.9}, "dev_examples": 10}
    for variant, seed in (("teacher", 0), ("c", 0), ("c", 1)):
        content = json.dumps({**found, "variant": variant, "seed": seed})
        (tmp_path / f"clinc150-{variant}-{seed}.json").write_text(content)
    with pytest.raises(SystemExit, match=r"clinc150, c: expected the result of its teacher of seed 1, got none. Do: "):
        tables.tables()


def test_a_single_training_is_the_teacher_itself(trained: Bench) -> None:
    single = TeacherPlan(trained.plan.teacher.checkpoint, "mean", trained.plan.teacher.trainings[:1])
    alone = dataclasses.replace(trained, plan=Plan("small", "", 12, single, {}, {}))
    folder, described = teacher(alone)
    assert folder == trained.teacher_folder / "training-1" and "mean" not in described
    assert not (trained.teacher_folder / "mean").exists()


def test_what_differs_from_a_training_that_is_there_is_named(trained: Bench) -> None:
    other = TeacherPlan(trained.plan.teacher.checkpoint, "mean", (TrainingSettings(learning_rate=0.2),) * 3)
    bench = dataclasses.replace(trained, plan=Plan("small", "", 12, other, {}, {}))
    first, _, third = standings(bench).splitlines()
    assert "settings.learning_rate 0.1 there, 0.2 here" in first and third.endswith("training-3: not begun")
