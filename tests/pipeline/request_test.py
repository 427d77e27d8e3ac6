"""Who is trained on what, and in which order labels are read."""

from pathlib import Path

import pytest

from edgebert.data.examples import Dataset
from edgebert.errors import DataError
from edgebert.pipeline.budget import Decision
from edgebert.pipeline.budgeting import decided, trainings_of
from edgebert.pipeline.probing import Speeds
from edgebert.pipeline.reading import spread_texts, thinned
from edgebert.pipeline.request import names_of, prepare
from tests.cli.labelled import write_examples
from tests.pipeline.conftest import SETTINGS


@pytest.fixture
def augmented(tmp_path: Path) -> Path:
    return write_examples(tmp_path / "augmented.csv", 100, seed=5)


def test_a_student_may_have_training_data_of_its_own(configure, augmented: Path) -> None:
    request = prepare(configure({"distill": {"train": augmented}}))
    assert (len(request.finetuning.train), len(request.future_distillation.train)) == (40, 100)
    assert request.future_distillation.train.labels == request.finetuning.train.labels
    finetune, distill = trainings_of(request, Speeds(1.0, 0.0, 0.0, (1.0,)))
    assert (finetune.seconds_an_epoch, distill.seconds_an_epoch) == (40.0, 100.0)
    half = decided(request, Decision({"finetune": 1, "distill 1": 1}, 0.5, 0.0, ()))
    assert (len(half.finetuning.train), len(half.future_distillation.train)) == (20, 50)


def test_its_labels_are_the_teachers(configure, augmented: Path) -> None:
    augmented.write_text(augmented.read_text().replace(",fine", ",splendid"), encoding="utf-8")
    with pytest.raises(DataError, match="expected one of the 2 labels, got 'splendid'"):
        prepare(configure({"distill": {"train": augmented}}))


def test_the_reference_is_the_first_file(configure) -> None:
    several = {"convert": {"teacher_precisions": ["dynamic", "float32"], "precisions": ["float16", "dynamic"]}}
    assert list(names_of(prepare(configure(several)).exports)) == [
        "teacher-float32",
        "teacher-dynamic",
        "student-float16",
        "student-dynamic",
    ]
    alone = {"distill": dict.fromkeys(SETTINGS["distill"]) | {"student": "none", "start": "truncated", "recipes": []}}
    alone |= {"convert": {"precisions": ["dynamic", "float32"]}}
    assert list(names_of(prepare(configure(alone)).exports)) == ["teacher-float32", "teacher-dynamic"]


def test_examples_are_thinned_evenly(configure) -> None:
    data = prepare(configure()).train
    assert thinned(data, None) is data and thinned(data, 40) is data
    assert thinned(data, 4).examples == (data.examples[0], data.examples[10], data.examples[20], data.examples[30])
    assert spread_texts(data, 1) == ((data.examples[0].text, None),)
    assert isinstance(thinned(data, 1), Dataset)


def test_examples_that_were_left_out_are_counted(configure) -> None:
    request = prepare(configure({"data": {"max_examples": 20}}))
    assert (len(request.all_train), request.train_available) == (20, 40)
