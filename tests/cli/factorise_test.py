"""`edgebert factorise` on the command line: plan, folder, healing, and what is refused."""

from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.models.checkpoint import load_checkpoint
from tests.cli.labelled import answer, refusal
from tests.cli.trim_test import DEV, TRAIN
from tests.stations.small_model import CONFIG, PIECES, write_model


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("factorise")
    write_model(folder / "model")
    (folder / "train.csv").write_text(TRAIN)
    (folder / "dev.csv").write_text(DEV)
    return folder


def data(place: Path) -> list[object]:
    return ["--train", place / "train.csv", "--dev", place / "dev.csv"]


def command(place: Path, output: Path, *flags: object) -> list[object]:
    return ["factorise", "--model", place / "model", "--output", output, "--no-files", *flags]


def test_the_folder_is_the_model_with_a_narrow_table(place: Path, tmp_path: Path, capsys) -> None:
    told = answer(capsys, *command(place, tmp_path / "out", "--rank", 8))
    numbers = len(PIECES) * 8 + 8 * CONFIG.width + CONFIG.width
    assert (told["rank"], told["table_before"], told["table_after"]) == (8, len(PIECES) * CONFIG.width, numbers)
    made = load_checkpoint(tmp_path / "out")
    assert (made.encoder.projection, made.encoder.embedding_width) == ("before_sum", 8)
    assert answer(capsys, *command(place, tmp_path / "out", "--rank", 8)) == told | {"found": True}
    weighted = answer(capsys, *command(place, tmp_path / "weighted", "--rank", 8, *data(place)))
    assert weighted["kept_energy"] > told["kept_energy"] and weighted["healed"] is None


def test_a_dry_run_says_how_it_would_heal_and_writes_nothing(place: Path, tmp_path: Path, capsys) -> None:
    flags = ["--rank", 8, *data(place), "--teacher", place / "model", "--epochs", 2, "--learning-rate", 1e-3]
    plan = answer(capsys, *command(place, tmp_path / "out", *flags), "--dry-run")
    (step,) = plan["healing"]["steps"]
    assert (step["training"]["epochs"], step["training"]["learning_rate"]) == (2, 1e-3)
    assert step["recipe"]["projection"] == "none" and plan["rank"] == 8
    assert main([*map(str, command(place, tmp_path / "out", *flags)), "--dry-run"]) == 0
    shown = capsys.readouterr()
    assert "of its squares about the mean" in shown.out and "tinybert_joint" in shown.out
    assert "rank 8 is no multiple of 32" in shown.err
    assert not (tmp_path / "out").exists()


def test_a_rank_that_makes_nothing_smaller_is_remarked_on(place: Path, tmp_path: Path, capsys) -> None:
    assert main([*map(str, command(place, tmp_path / "out", "--rank", 32)), "--dry-run"]) == 0
    assert "makes the table no smaller" in capsys.readouterr().err


@pytest.mark.long
def test_healed_trimmed_and_converted_it_answers(place: Path, tmp_path: Path, capsys) -> None:
    flags = ["--rank", 16, *data(place), "--teacher", place / "model", "--epochs", 1, "--batch-size", 2]
    healed = answer(capsys, *command(place, tmp_path / "narrow", *flags))
    assert healed["healed"]["metric"] == "accuracy" and len(healed["healed"]["steps"][0]["epochs"]) == 1
    trim = ["trim", "--model", tmp_path / "narrow", "--output", tmp_path / "both", *data(place)]
    told = answer(capsys, *trim, "--precision", "int4-embedding-rows")
    assert told["files"]["precision"] == "int4-embedding-rows"
    assert told["files"]["after"]["size_bytes"] < told["files"]["before"]["size_bytes"]
    assert main(["convert", str(tmp_path / "both"), "--out", str(tmp_path / "files"), "--precision", "dynamic"]) == 0
    capsys.readouterr()
    told = answer(capsys, "predict", tmp_path / "files" / "both-dynamic.tflite", "the cat sat.", "zebra")
    assert [one["label"] in ("bad", "fine") for one in told["answers"]] == [True, True]


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--rank", 0], "--rank: expected 1 or more, got 0"),
        (["--rank", 33], "--rank: expected 1 to 32, the width of the table that there is, got 33"),
        (["--keep-energy", 1.5], "--keep-energy: expected a share above 0 and below 1, got 1.5"),
        (["--rank", 8, "--epochs", 2], "--epochs: expected --teacher beside it, got none"),
        (["--rank", 8, "--learning-rate", 1], "--learning-rate: expected --teacher beside it"),
        (["--rank", 8, "--teacher", "model"], "--teacher: expected data of the task to heal on, got none"),
        (["--rank", 8, "--train", "train.csv"], "expected --train FILE with --dev FILE"),
        (
            ["--rank", 8, "--teacher", "model", "--train", "train.csv", "--dev", "dev.csv", "--recipe", "tinybert"],
            "expected one of a single step",
        ),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(place, tmp_path, capsys, monkeypatch, dry, flags, says) -> None:
    monkeypatch.chdir(place)
    given = command(place, tmp_path / "out", *flags, *(["--dry-run"] if dry else []))
    assert says in refusal(capsys, *given)
    assert not list(tmp_path.rglob("*.json"))


def test_neither_rank_nor_share_is_a_wrong_flag(place: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit) as exited:
        main([str(one) for one in command(place, tmp_path / "out")])
    assert exited.value.code == 2 and "--rank --keep-energy" in capsys.readouterr().err
