"""A budget's stage: measured once, decided once, kept by a resumed run, and what its figures are made of."""

from pathlib import Path

import pytest

from edgebert.errors import TrainingError
from edgebert.pipeline import budgeting
from edgebert.pipeline.budget import Decision
from edgebert.pipeline.budgeting import budget_inputs, decided, fixed_seconds, trainings_of, within_budget
from edgebert.pipeline.probing import STEPS, UNCOUNTED_STEPS, Speeds, StepClock, measure_speeds, sample
from edgebert.pipeline.request import prepare
from edgebert.pipeline.standings import FINISHED, standings
from edgebert.progress import Progress, silent
from edgebert.run_directory import RunDirectory

TWO_STEPS = {"distill": {"recipes": ["tinybert"], "epochs": [10, 3], "learning_rates": 1e-2}}
# An epoch of 40 examples takes 40 s.
SLOW = Speeds(finetune=1.0, teacher_answer=0.1, student_answer=0.05, distill=(1.0, 0.5))


def request_of(configure, minutes: float = 10):
    return prepare(configure(TWO_STEPS, {"budget_minutes": minutes}))


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[Speeds]:
    """What `measure_speeds` will say, one a call."""
    waiting: list[Speeds] = []
    monkeypatch.setattr(budgeting, "measure_speeds", lambda request, report: waiting.pop(0))
    return waiting


def test_without_a_budget_nothing_is_measured(configure, measured, tmp_path: Path) -> None:
    request = prepare(configure())
    with RunDirectory(tmp_path) as run:
        assert within_budget(run, request, silent) == (request, ())
    assert not (tmp_path / "budget").exists()


def test_a_resumed_run_keeps_to_what_was_decided(configure, measured, tmp_path: Path) -> None:
    measured += [SLOW, Speeds(1e-9, 1e-9, 1e-9, (1e-9, 1e-9))]
    request = request_of(configure)
    with RunDirectory(tmp_path) as run:
        first, told = within_budget(run, request, silent)
        again, told_again = within_budget(run, request, silent)
    assert len(measured) == 1 and first.config == again.config and told == told_again
    epochs = (first.config.finetune.epochs, *first.config.distill.epochs)
    assert epochs != (3, 10, 3) and all(1 <= one <= most for one, most in zip(epochs, (3, 10, 3), strict=True))
    assert f"epochs: finetune {epochs[0]}, distill 1 {epochs[1]}, distill 2 {epochs[2]}" in told[0]
    assert told[1].startswith("gave up: ")
    assert standings(request, tmp_path)["budget"] == FINISHED


def test_with_time_enough_nothing_is_given_up(configure, measured, tmp_path: Path) -> None:
    measured.append(SLOW)
    with RunDirectory(tmp_path) as run:
        request, told = within_budget(run, request_of(configure, 1000), silent)
    assert (request.config.finetune.epochs, request.config.distill.epochs) == (3, (10, 3))
    assert told[1] == "nothing given up" and request.train is not None and len(request.train) == 40


def test_too_little_time_is_refused_and_asked_again_next_time(configure, measured, tmp_path: Path) -> None:
    measured += [SLOW, SLOW]
    with RunDirectory(tmp_path) as run:
        for _ in range(2):
            with pytest.raises(TrainingError, match="budget: expected"):
                within_budget(run, request_of(configure, 0.5), silent)
    assert not measured


def test_only_what_training_depends_on_asks_for_another_decision(configure) -> None:
    request = request_of(configure)
    same = prepare(configure(TWO_STEPS, {"budget_minutes": 10.0, "benchmark": {"runs": 7}, "run": "elsewhere"}))
    assert budget_inputs(same) == budget_inputs(request)
    for other in ({"finetune": {"epochs": 2}}, {"budget_minutes": 11}, {"data": {"max_examples": 20}}):
        assert budget_inputs(prepare(configure(TWO_STEPS, {"budget_minutes": 10}, other))) != budget_inputs(request)


def test_fewer_examples_are_evenly_taken_for_every_station(configure) -> None:
    request = request_of(configure)
    fewer = decided(request, Decision({"finetune": 1, "distill 1": 1, "distill 2": 1}, 0.5, 60.0, ()))
    assert [fewer.finetuning.train, fewer.future_distillation.train] == [fewer.train] * 2
    assert fewer.train.examples == request.train.examples[::2]
    assert (fewer.finetuning.settings.epochs, fewer.future_distillation.training.epochs) == (1, (1, 1))


def test_an_epoch_costs_its_examples_and_its_scoring(configure) -> None:
    finetune, layers, outputs = trainings_of(request_of(configure), SLOW)
    assert [one.name for one in (finetune, layers, outputs)] == ["finetune", "distill 1", "distill 2"]
    assert [one.epochs for one in (finetune, layers, outputs)] == [3, 10, 3]
    assert (finetune.seconds_an_epoch, finetune.seconds_once) == (40.0, 0.0)
    assert finetune.seconds_an_evaluation == pytest.approx(16 * 0.1)
    # Layers are judged by the loss, for which the teacher answers too, once for all epochs.
    assert layers.seconds_an_evaluation == pytest.approx(16 * 0.05)
    assert layers.seconds_once == pytest.approx(4.0 + 16 * 0.1)
    assert outputs.seconds_an_evaluation == pytest.approx(16 * 0.05) and outputs.seconds_an_epoch == 20.0


def test_the_rest_grows_with_files_and_dev_examples(configure) -> None:
    one, two = (
        fixed_seconds(prepare(configure({"convert": {"precisions": precisions}})), SLOW)
        for precisions in (["dynamic"], ["dynamic", "float16"])
    )
    assert two > one
    assert fixed_seconds(prepare(configure()), Speeds(0, 10, 10, (0,))) - fixed_seconds(
        prepare(configure()), Speeds(0, 0, 0, (0,))
    ) == pytest.approx(10 * 2 * (16 + 1.5 * 5))


def test_fitting_norms_is_counted(configure) -> None:
    """A student of two layers has five norms: one pass for all, and for each one of either model."""
    integer = {"normalization": "no_norm", "activation": "relu"}
    ranked, fitted = (
        fixed_seconds(prepare(configure({"distill": {"start": "truncated", "layers": 2, **given}})), SLOW)
        for given in ({}, integer)
    )
    assert fitted - ranked == pytest.approx(11 * 40 * SLOW.student_answer)


def test_steps_are_timed_without_the_first_and_without_what_lies_between_epochs() -> None:
    now = [0.0]
    clock = StepClock(lambda: now[0])
    for epoch in range(3):
        # Scoring the epoch before.
        now[0] += 1000
        for step in range(1, UNCOUNTED_STEPS + 3):
            now[0] += 50 if epoch == 0 and step <= UNCOUNTED_STEPS + 1 else 2
            clock(Progress(f"epoch {epoch}", step, UNCOUNTED_STEPS + 2))
    assert clock.seconds_a_step == 2.0


def test_a_sample_is_even_and_no_larger_than_the_data(configure) -> None:
    data = prepare(configure()).future_distillation.encoded[0]
    assert sample(data, 100).encoded == data.encoded
    few = sample(data, 1)
    assert len(few) == STEPS and few.encoded[1] is data.encoded[40 // STEPS] and len(few.targets) == STEPS


@pytest.mark.long
def test_speeds_are_measured_for_every_training(configure) -> None:
    told: list[Progress] = []
    speeds = measure_speeds(request_of(configure), told.append)
    assert min(speeds.finetune, speeds.teacher_answer, speeds.student_answer, *speeds.distill) > 0
    assert len(speeds.distill) == 2 and told[-1].done == told[-1].total == 3
