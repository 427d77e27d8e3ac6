"""`edgebert average` on the command line: table, JSON, repetition, and what is refused."""

import shutil
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.models.checkpoint import load_checkpoint
from tests.cli.labelled import answer, encoder, files_of, refusal, write_examples
from tests.stations.averaging_test import write_training

SHORT = ["--batch-size", "8", "--epochs", "1", "--learning-rate", "1e-2", "--length", "16"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a training, `one`, and its weights moved a little as another would move them, `two`."""
    folder = tmp_path_factory.mktemp("average")
    given = ["finetune", encoder(folder, layers=1), *files_of(folder), "--output", folder / "one", *SHORT, "--quiet"]
    assert main([*map(str, given)]) == 0
    write_training(folder / "two", folder / "one", 1)
    return folder


def command(place: Path, output: Path, *flags: object) -> list[object]:
    return ["average", place / "one", place / "two", "--output", output, *flags]


def test_scores_are_those_that_a_training_told(place: Path, tmp_path: Path, capsys) -> None:
    given = command(place, tmp_path / "mean", "--dev", place / "dev.csv", "--length", 16)
    told = answer(capsys, *given)
    trained = answer(capsys, "finetune", place / "bert", *files_of(place), "--output", place / "one", *SHORT)
    assert told["dev_scores"][0] == trained["dev_score"] and len(told["dev_scores"]) == 2
    assert told["metric"] == "accuracy" and not told["found"]
    assert told["checkpoints"] == [str(place / "one"), str(place / "two")] and 0 <= told["dev_score"] <= 1
    assert load_checkpoint(tmp_path / "mean").head.labels == ("bad", "fine")
    assert answer(capsys, *given) == told | {"found": True}
    assert main([*map(str, given)]) == 0
    shown = capsys.readouterr()
    assert "checkpoint" in shown.out and "dev accuracy" in shown.out and "\nmean " in shown.out
    assert "was finished before with the same inputs; nothing was made" in shown.err


def test_without_data_it_only_averages_and_other_inputs_need_force(place: Path, tmp_path: Path, capsys) -> None:
    told = answer(capsys, *command(place, tmp_path / "mean"))
    assert told["metric"] is None and told["dev_score"] is None and all(0 < one < 0.5 for one in told["distances"])
    other = ["average", place / "two", place / "one", "--output", tmp_path / "mean"]
    assert "checkpoints" in refusal(capsys, *other)
    assert not answer(capsys, *other, "--force")["found"]


def test_what_a_person_should_know_is_remarked_on(place: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    def made(*_, **how):
        from edgebert.stations.averaging import Averaged

        return Averaged("accuracy", (0.1, 0.9), (0.5, 0.7), 0.6)

    monkeypatch.setattr("edgebert.stations.averaging.average_checkpoints", made)
    assert main([*map(str, command(place, tmp_path / "mean", "--dev", place / "dev.csv"))]) == 0
    shown = capsys.readouterr()
    assert "the checkpoints lie far apart" in shown.err and "the mean scores below the best" in shown.err
    assert "90.0%" in shown.out and "60.00" in shown.out


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--dev", "dev.csv", "--data", "snips"], "expected --data SOURCE or --dev FILE, got both"),
        (["--length", "16"], "--length: expected with --data or --dev, got neither"),
        (["--dev", "nowhere.csv"], "nowhere.csv"),
        (["--dev", "other.csv"], "other.csv"),
        (["--dev", "dev.csv", "--length", "1"], "length: expected 2 to"),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(place, tmp_path, capsys, monkeypatch, flags, says) -> None:
    monkeypatch.chdir(place)
    other = write_examples(place / "other.csv", 8)
    other.write_text(other.read_text().replace(",fine", ",great"))
    assert says in refusal(capsys, *command(place, tmp_path / "mean", *flags))
    assert not list(tmp_path.rglob("*.json"))


def test_one_folder_and_a_folder_of_somebody_elses_are_refused(place: Path, tmp_path: Path, capsys) -> None:
    alone = ["average", place / "one", "--output", tmp_path / "mean"]
    assert "expected two or more to average, got 1" in refusal(capsys, *alone)
    shutil.copytree(place / "one", tmp_path / "copy")
    assert "expected weights of its own" in refusal(capsys, *alone[:2], tmp_path / "copy", *alone[2:])
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("dear")
    assert "expected a new or empty folder" in refusal(capsys, *command(place, tmp_path / "taken"))
