"""`edgebert augment` on the command line."""

from pathlib import Path

import pytest

from edgebert.augment.shards import read_augmented
from edgebert.cli import main
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
    (part,) = read_augmented(out / "augmented")
    assert len(part) == 10 and part.labels == ("music", "weather")
    assert main([*arguments, "--candidates-from", "table", "--seed", "3", "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split()[2:5] == ["2", "8", "0"]


def test_the_bundled_data_and_the_default_teacher(minilm_folder, tmp_path, capsys):
    arguments = ["augment", "--teacher", "minilm", "--data", "snips", "--max-examples", "30", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    made = [example for part in read_augmented(tmp_path / "augmented") for example in part]
    assert len(made) > 30 * 15 and len({example.label for example in made}) == 7


@pytest.mark.parametrize(
    ("extra", "got"),
    [
        ([], "got neither or both"),
        (["--data", "snips", "--train", "x"], "got neither or both"),
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
