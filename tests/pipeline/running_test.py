"""The road as a whole: what it leaves behind, that nothing is done twice, and what makes a stage run anew."""

import json
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest

from edgebert.errors import DataError, MeasurementError, OutputError
from edgebert.export.answering import AnsweringModel
from edgebert.models.checkpoint import load_checkpoint
from edgebert.pipeline import converting, measuring, scoring, training, verifying
from edgebert.pipeline.config_file import build_config
from edgebert.pipeline.request import prepare
from edgebert.pipeline.running import compress
from edgebert.pipeline.standings import FINISHED, TO_DO, standings
from edgebert.predictions import read_predictions
from edgebert.run_directory import RunDirectory
from tests.pipeline.conftest import result_of

STAGES = ("finetune", "distill", "convert", "score", "verify", "benchmark")


def times_of(folder: Path) -> dict[str, int]:
    """When each stage was finished."""
    return {name: (folder / name / "stage.json").stat().st_mtime_ns for name in STAGES}


def test_every_file_has_a_row_and_the_reference_is_first(made) -> None:
    names = [(row.model, row.precision) for row in made.rows]
    assert names == [("teacher", "float32"), ("student", "dynamic")]
    assert made.metric == "accuracy" and made.rows[0].agreement == 1.0
    for row in made.rows:
        assert row.path.stat().st_size == row.size_bytes and row.clients == {"litert": "agrees"}
        assert row.latency_ms > 0
    assert made.rows[1].parameters < made.rows[0].parameters


def test_scores_and_predictions_are_those_of_the_files(made, place: Path) -> None:
    kept = read_predictions(place / "run" / "score" / "predictions.json")
    targets = np.array(kept.targets)
    answered = {}
    for row, file in zip(made.rows, kept.files, strict=True):
        model = AnsweringModel(row.path)
        answers = [int(np.argmax(model.answer(model.encode(text)))) for text in kept.texts]
        assert tuple(answers) == file.labels
        assert row.score == np.mean(np.array(answers) == targets)
        answered[row.path.stem] = answers
    reference = np.array(answered["teacher-float32"])
    for row in made.rows:
        assert row.agreement == np.mean(np.array(answered[row.path.stem]) == reference)
    assert kept.label_names == ("bad", "fine") == load_checkpoint(place / "run/finetune/checkpoint").head.labels


def test_the_student_is_the_one_that_was_asked_for(made, place: Path) -> None:
    student = load_checkpoint(place / "run" / "distill" / "checkpoint")
    assert student.encoder.layers == 1 and student.head.labels == ("bad", "fine")
    result = result_of(place / "run", "distill")
    assert [(step["recipe"], len(step["epochs"])) for step in result["steps"]] == [("logits_only", 2)]
    assert list((place / "run").glob("*/checkpoint/training/**/events.out.tfevents.*"))


def test_what_is_needed_to_repeat_it_is_written(made, place: Path, configure) -> None:
    record = json.loads((place / "run" / "run.json").read_text())
    assert record["python"].startswith("3.11") and {"tensorflow", "numpy"} <= set(record["packages"])
    assert record["stages"] == ["finetune", "distill", "convert", "score", "verify", "benchmark", "report"]
    train = record["inputs"]["train"]
    assert (train["examples"], train["examples_read"]) == (40, 40)
    assert record["inputs"]["dev"]["sha256"] == prepare(configure()).dev.sha256
    assert build_config(tomllib.loads((place / "run" / "config.toml").read_text())) == configure()
    log = (place / "run" / "log.txt").read_text()
    assert "fine-tune 3/3: 5/5" in log and log.rstrip().endswith("done")


def test_repeated_and_moved_nothing_is_done_again(made, place: Path, configure, tmp_path: Path) -> None:
    folder = tmp_path / "moved" / "elsewhere"
    shutil.copytree(place / "run", folder)
    before = times_of(folder)
    again = compress(prepare(configure()), folder)
    assert times_of(folder) == before
    assert [(row.score, row.latency_ms) for row in again.rows] == [(row.score, row.latency_ms) for row in made.rows]
    assert all(row.path.is_relative_to(folder) for row in again.rows)
    assert len(json.loads((folder / "run.json").read_text())["starts"]) == 2
    assert str(place) not in "".join((folder / name / "stage.json").read_text() for name in ("finetune", "convert"))


def test_a_stage_is_done_again_from_where_something_changed(made, place: Path, configure) -> None:
    def to_do(*layers: dict, redo_from: str | None = None) -> list[str]:
        found = standings(prepare(configure(*layers)), place / "run", redo_from)
        assert [name for name in found if name in STAGES] == list(STAGES)
        return [name for name in STAGES if found[name] != FINISHED]

    assert to_do() == []
    assert to_do({"benchmark": {"runs": 6}}) == ["benchmark"]
    assert to_do({"verify": {"texts": 3}}) == ["verify", "benchmark"]
    assert to_do({"convert": {"precisions": ["float32"]}}) == list(STAGES[2:])
    assert to_do({"distill": {"epochs": 1}}) == list(STAGES[1:])
    assert to_do({"finetune": {"pooling": "first"}}) == list(STAGES)
    assert to_do(redo_from="score") == ["score", "verify", "benchmark"]


@pytest.fixture
def copied(made, place: Path, tmp_path: Path) -> Path:
    return shutil.copytree(place / "run", tmp_path / "run")


@pytest.mark.long
def test_a_damaged_file_is_made_anew_and_nothing_before_it(copied: Path, place: Path, configure) -> None:
    file = copied / "convert" / "student-dynamic.tflite"
    whole = file.read_bytes()
    file.write_bytes(whole[:-100])
    before = times_of(copied)
    compress(prepare(configure()), copied)
    after = times_of(copied)
    assert file.read_bytes() == whole
    assert {name for name in STAGES if before[name] != after[name]} == {"convert"}


@pytest.mark.long
def test_from_a_stage_on_all_is_made_anew(copied: Path, configure) -> None:
    before = times_of(copied)
    compress(prepare(configure()), copied, redo_from="verify")
    after = times_of(copied)
    assert {name for name in STAGES if before[name] != after[name]} == {"verify", "benchmark"}


@pytest.mark.parametrize(
    ("module", "name", "stage"),
    [
        (training, "finetune_checkpoint", "finetune"),
        (training, "distil_checkpoint", "distill"),
        (converting, "_exporter", "convert"),
        (scoring, "write_predictions", "score"),
        (verifying, "verify", "verify"),
        (measuring, "measure", "benchmark"),
    ],
)
def test_what_stops_in_a_stage_goes_on_there(
    copied: Path, configure, monkeypatch: pytest.MonkeyPatch, module, name: str, stage: str
) -> None:
    """Stopped while it works: then it has begun, all before it stay and all after it are to do."""

    def stop(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(module, name, stop)
        with pytest.raises(KeyboardInterrupt):
            compress(prepare(configure()), copied, redo_from=stage)
    found = standings(prepare(configure()), copied)
    number = STAGES.index(stage)
    assert [found[name] for name in STAGES] == [FINISHED] * number + ["begun"] + [TO_DO] * (len(STAGES) - number - 1)
    assert (copied / "log.txt").read_text().rstrip().endswith("stopped: KeyboardInterrupt")


def test_a_run_that_somebody_works_on_is_refused(copied: Path, configure) -> None:
    with RunDirectory(copied), pytest.raises(OutputError, match="expected a run that nobody works on"):
        compress(prepare(configure()), copied)


@pytest.mark.long
def test_a_teacher_that_knows_the_task_is_taken_as_it_is(made, place: Path, configure, tmp_path: Path) -> None:
    teacher = {"teacher": str(place / "run" / "finetune" / "checkpoint"), "finetune": {"epochs": 0}}
    alone = {"distill": {"student": "none", "layers": None}, "convert": {"precisions": ["float32", "dynamic"]}}
    request = prepare(configure(teacher, alone))
    outcome = compress(request, tmp_path / "run")
    assert [row.path.name for row in outcome.rows] == ["teacher-float32.tflite", "teacher-dynamic.tflite"]
    assert outcome.rows[0].score == made.rows[0].score
    assert not (tmp_path / "run" / "finetune").exists()
    with pytest.raises(DataError, match="expected one of the 2 labels, got"):
        prepare(configure(teacher, {"data": {"train": None, "dev": None, "source": "snips"}}))


def test_progress_says_which_stage_it_is_of(copied: Path, configure) -> None:
    heard = []
    compress(prepare(configure()), copied, lambda progress: heard.append(progress.task), redo_from="score")
    assert {task.split()[0] for task in heard} == {"[4/7]", "[5/7]", "[6/7]"}
    assert any(task.startswith("[4/7] score ") for task in heard)
    assert "[4/7]" not in (copied / "log.txt").read_text()


def test_what_somebody_puts_into_the_folder_stays(copied: Path, configure) -> None:
    (copied / "answers").mkdir()
    (copied / "answers" / "mine.txt").write_text("mine")
    compress(prepare(configure()), copied)
    assert (copied / "answers" / "mine.txt").read_text() == "mine"


def test_a_card_that_somebody_edited_stays_and_is_told(copied: Path, configure) -> None:
    card = copied / "README.md"
    card.write_text(f"{card.read_text()}\nMine.\n")
    compress(prepare(configure()), copied)
    assert card.read_text().endswith("\nMine.\n")
    assert "README.md was edited by somebody and is kept" in (copied / "log.txt").read_text()


def test_a_plan_that_is_refused_removes_nothing(copied: Path, configure) -> None:
    impossible = prepare(configure({"benchmark": {"runs": 0}}))
    with pytest.raises(MeasurementError, match="--runs"):
        compress(impossible, copied, redo_from="finetune")
    assert set(standings(prepare(configure()), copied).values()) <= {FINISHED, TO_DO}
    assert (copied / "finetune" / "stage.json").exists()


def test_an_unknown_stage_is_refused_before_anything_is_removed(made, place: Path, configure) -> None:
    with pytest.raises(OutputError, match=r"expected budget, finetune, .* got 'verifi'"):
        compress(prepare(configure()), place / "run", redo_from="verifi")
