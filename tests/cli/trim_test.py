"""`edgebert trim` on the command line: plan, folder, repetition, and what is refused."""

import json
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.data.vocabulary import read_vocabulary
from edgebert.models.checkpoint import load_checkpoint
from tests.cli.labelled import answer, refusal
from tests.stations.small_model import PIECES, write_model

TRAIN = "text,label\nthe cat sat on the mat.,bad\ngood dog and red cat,fine\nthe dog sat,bad\n"
DEV = "text,label\nthe blue zebra,fine\nthe dog sat.,bad\n"
KEPT = len(PIECES) - len({"blue", "of", "zebra", "##ing", "house"})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trim")
    write_model(folder / "model")
    (folder / "train.csv").write_text(TRAIN)
    (folder / "dev.csv").write_text(DEV)
    (folder / "plain.txt").write_text("\n\n".join(f"the cat sat on {'mat ' * count}" for count in range(1, 21)))
    (folder / "foreign.txt").write_text("\n\n".join(f"{'ß ' * count} cat" for count in range(2, 21)))
    return folder


def command(place: Path, output: Path, *flags: object, data: bool = True) -> list[object]:
    files = ["--train", place / "train.csv", "--dev", place / "dev.csv"] if data else []
    return ["trim", "--model", place / "model", "--output", output, "--no-files", *files, *flags]


def test_the_folder_is_the_model_with_the_corpus_pieces(place: Path, tmp_path: Path, capsys) -> None:
    told = answer(capsys, *command(place, tmp_path / "out"))
    reasons = {"special": 5, "characters": 53, "held": 0, "corpus": KEPT - 58, "further": 0}
    assert told["pieces"] == {"before": len(PIECES), "kept": KEPT, **reasons}
    assert told["is_complete"] and told["files"] is None and not told["found"]
    (held_out,) = told["held_out"]
    assert held_out["source"].endswith("dev.csv, dev") and held_out["changed_share"] == 0.5
    assert held_out["pieces_per_word"] == [1.0, (7 + 3 + 4) / 7]
    made = load_checkpoint(tmp_path / "out")
    assert made.encoder.vocabulary_size == KEPT == len(read_vocabulary(tmp_path / "out" / "vocab.txt"))
    again = answer(capsys, *command(place, tmp_path / "out"))
    assert again == told | {"found": True}


def test_a_dry_run_says_the_same_and_writes_nothing(place: Path, tmp_path: Path, capsys) -> None:
    plan = answer(capsys, *command(place, tmp_path / "dry"), "--dry-run")
    assert not (tmp_path / "dry").exists()
    done = answer(capsys, *command(place, tmp_path / "out"))
    for name in ("pieces", "held_out", "parameters_before", "parameters_after"):
        assert plan[name] == done[name]
    assert plan["parameters_after"] == sum(v.size for v in load_checkpoint(tmp_path / "out").tensors.values())
    assert main([*map(str, command(place, tmp_path / "dry")), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert f"{KEPT} of {len(PIECES)} kept: 5 special tokens, 53 single characters" in shown
    assert "2.000" in shown and "50.0%" in shown


def test_plain_text_holds_a_share_out_and_adds_to_labelled_data(place: Path, tmp_path: Path, capsys) -> None:
    alone = answer(capsys, *command(place, tmp_path / "a", "--texts", place / "plain.txt", data=False))
    (held_out,) = alone["held_out"]
    assert held_out["source"].endswith("plain.txt, held out") and held_out["texts"] == 2
    assert alone["pieces"]["corpus"] == len({"the", "cat", "sat", "on", "mat"})
    both = answer(capsys, *command(place, tmp_path / "b", "--texts", place / "plain.txt"))
    assert both["pieces"]["kept"] == KEPT and len(both["held_out"]) == 2


def test_more_pieces_are_kept_where_they_are_asked_for(place: Path, tmp_path: Path, capsys) -> None:
    told = answer(capsys, *command(place, tmp_path / "more", "--keep-pieces", KEPT + 2))
    assert (told["pieces"]["kept"], told["pieces"]["further"]) == (KEPT + 2, 2)
    fewer = answer(capsys, *command(place, tmp_path / "fewer", "--minimum-count", 2))
    assert fewer["pieces"]["corpus"] == len({"the", "cat", "sat", "dog"})


def test_other_inputs_need_force(place: Path, tmp_path: Path, capsys) -> None:
    answer(capsys, *command(place, tmp_path / "out"))
    other = command(place, tmp_path / "out", "--minimum-count", 2)
    assert "choice.minimum_count 1 there, 2 here" in refusal(capsys, *other)
    assert answer(capsys, *other, "--force")["pieces"]["kept"] < KEPT


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("flags", "data", "says"),
    [
        ([], False, "corpus: expected --data SOURCE, --train FILE with --dev FILE, or --texts PATH, got none"),
        (["--keep-pieces", 57], True, "--keep-pieces: expected at least 58 of"),
        (["--keep-pieces", 5000], True, "--keep-pieces: expected fewer than the vocabulary's"),
        (["--minimum-count", 0], True, "--minimum-count: expected 1 or more, got 0"),
        (["--texts", "foreign.txt"], False, "expected text that the vocabulary knows, got [UNK] for"),
        (["--texts", "nowhere.txt"], False, "nowhere.txt"),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(
    place, tmp_path, capsys, monkeypatch, flags, data, says, dry
) -> None:
    monkeypatch.chdir(place)
    given = command(place, tmp_path / "out", *flags, *(["--dry-run"] if dry else []), data=data)
    assert says in refusal(capsys, *given)
    assert not list(tmp_path.rglob("*.json"))


def test_a_model_without_a_vocabulary_and_a_folder_of_somebody_elses_are_refused(place, tmp_path, capsys) -> None:
    write_model(tmp_path / "bare")
    (tmp_path / "bare" / "vocab.txt").unlink()
    given = ["trim", "--model", tmp_path / "bare", "--output", tmp_path / "out", "--texts", place / "plain.txt"]
    assert "expected vocab.txt or tokenizer.json, got neither" in refusal(capsys, *given)
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "letter.txt").write_text("dear")
    assert "expected a new or empty folder" in refusal(capsys, *command(place, tmp_path / "taken"))


def test_a_vocabulary_whose_characters_are_not_all_pieces_is_remarked_on(place: Path, tmp_path: Path, capsys) -> None:
    pieces = [piece if piece != "##q" else "##qu" for piece in PIECES]
    write_model(tmp_path / "model")
    (tmp_path / "model" / "vocab.txt").write_text("\n".join(pieces) + "\n")
    given = ["trim", "--model", tmp_path / "model", *command(place, tmp_path / "out", "--dry-run")[3:]]
    assert main([*map(str, given), "--json"]) == 0
    shown = capsys.readouterr()
    assert "pieces with a character that is no piece by itself: 1;" in shown.err
    assert not json.loads(shown.out)["is_complete"]
