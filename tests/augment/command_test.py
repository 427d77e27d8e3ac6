"""`edgebert augment` on the command line."""

import argparse
from pathlib import Path

import pytest

from edgebert.augment.shards import read_augmented
from edgebert.cli import main
from edgebert.cli.data_arguments import add_data_arguments, read_train_and_dev
from tests.data.house_form import assert_house_form


@pytest.fixture
def train(tmp_path) -> Path:
    path = tmp_path / "train.csv"
    path.write_text("text,label\nPlay a song,music\nThe cold rain,weather\n", encoding="utf-8")
    return path


def test_writes_shards_and_says_how_fast(teacher, train, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["augment", "--teacher", str(teacher), "--train", str(train), "--out", str(out), "--per-example", "4"]
    assert main([*arguments, "--candidates-from", "table", "--seed", "3"]) == 0
    shown = capsys.readouterr()
    assert "sentences/s" in shown.out and "candidates: words of one piece from the nearest pieces" in shown.err
    made = read_augmented(out / "augmented")
    assert len(made) == 10 and made.labels == ("music", "weather")
    assert main([*arguments, "--candidates-from", "table", "--seed", "3", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[2:5] == ["2", "8", "0"]


def test_the_bundled_data_and_the_default_teacher(minilm_folder, tmp_path, capsys):
    arguments = ["augment", "--teacher", "minilm", "--data", "snips", "--max-examples", "30", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    made = read_augmented(tmp_path / "augmented")
    assert len(made) > 30 * 15 and len({example.label for example in made.examples}) == 7


@pytest.mark.parametrize(
    ("extra", "got"),
    [
        ([], "expected --data SOURCE or --train FILE, got neither"),
        (["--data", "snips", "--train", "x"], "expected --data SOURCE or --train FILE, got both"),
        (["--data", "snips", "--max-examples", "0"], "--max-examples: expected 1 or more"),
        (["--data", "snips", "--replace", "0"], "replace_probability: expected more than 0"),
        (["--data", "snips", "--max-examples", "5", "--word-vectors", "none.txt"], "none.txt: expected a file"),
    ],
)
def test_one_line_and_exit_code_2(teacher, tmp_path, capsys, extra, got):
    assert main(["augment", "--teacher", str(teacher), "--out", str(tmp_path / "out"), *extra]) == 2
    error = capsys.readouterr().err.strip()
    assert_house_form(error)
    assert got in error


@pytest.mark.parametrize("named", ["the folder", "the shards' folder"])
def test_what_it_made_is_training_data(teacher, train, tmp_path, named):
    out = tmp_path / "out"
    made = ["augment", "--teacher", str(teacher), "--train", str(train), "--out", str(out), "--per-example", "4"]
    assert main([*made, "--quiet"]) == 0
    parser = argparse.ArgumentParser()
    add_data_arguments(parser)
    source = out if named == "the folder" else out / "augmented"
    read, dev = read_train_and_dev(parser.parse_args(["--train", str(source), "--dev", str(train)]), None)
    assert read.examples == read_augmented(out / "augmented").examples
    assert read.labels == dev.labels == ("music", "weather")
