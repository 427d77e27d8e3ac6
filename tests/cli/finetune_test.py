"""`edgebert finetune` on the command line: a checkpoint like any other, made once, resumed after a kill."""

import json
import re
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import finetune as finetune_command
from edgebert.cli import main
from edgebert.cli.data_arguments import remark_on_guessing
from edgebert.data.batches import encode_dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.training.scoring import predict, score
from edgebert.training.storage import STATE_FILE
from tests.cli.labelled import SMALL, answer, encoder, files_of, refusal, write_examples
from tests.models.folders import REFERENCE


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the checkpoint that is trained, `bert`."""
    folder = tmp_path_factory.mktemp("finetune")
    encoder(folder, layers=1)
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> list[str]:
    """The command that made `place`/made."""
    command = ["finetune", str(place / "bert"), *files_of(place), "--output", str(place / "made"), *SMALL]
    assert main([*command, "--quiet"]) == 0
    return command


def test_the_folder_is_a_checkpoint_whose_score_is_the_one_told(trained, place: Path, capsys) -> None:
    """Scored anew from the folder alone, by the library that knows nothing of the command."""
    told = answer(capsys, *trained)
    assert told["found"] and told["metric"] == "accuracy" and len(told["epochs"]) == 3
    made = load_checkpoint(place / "made")
    assert made.head.labels == ("bad", "fine") and made.head.pooling == "mean"
    dev = encode_dataset(read_examples(place / "dev.csv"), WordPiece.from_folder(place / "made"), 128)
    model = load_model(made).model
    assert score(made.head, predict(model, dev), dev.targets) == told["dev_score"]
    assert told["dev_score"] == max(epoch["dev_score"] for epoch in told["epochs"]) > 0.7


def test_only_the_checkpoint_its_record_and_its_curves_remain(trained, place: Path) -> None:
    found = {str(path.relative_to(place / "made")) for path in (place / "made").rglob("*") if path.is_file()}
    curves = {name for name in found if name.startswith("training/events/")}
    assert len(curves) == 1
    assert found - curves == {
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "training/.lock",
        "training/record.json",
    }


def test_a_finished_one_is_shown_and_not_redone(trained, place: Path, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "made").rglob("*.safetensors")}
    assert main(trained) == 0
    shown = capsys.readouterr()
    assert re.match(r"epoch +loss +dev accuracy\n-+ .*\n +1 .*\n +2 ", shown.out) and shown.out.count("kept") == 1
    assert "was finished before with the same inputs; nothing was trained" in shown.err
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_score_that_one_answer_reaches_is_not_left_without_a_word(trained, place, capsys, monkeypatch) -> None:
    dev = read_examples(place / "dev.csv")
    counts = Counter(example.label for example in dev.examples)
    (answer, count), *others = counts.most_common()
    assert others
    remark_on_guessing(dev, count / len(dev) + 1e-9)
    assert capsys.readouterr().err == ""
    remark_on_guessing(dev, count / len(dev))
    assert (
        f"nothing was learnt: always answering {answer!r} scores {100 * count / len(dev):.2f}"
        in capsys.readouterr().err
    )
    # And the command asks.
    asked = []
    monkeypatch.setattr(finetune_command, "remark_on_guessing", lambda data, score: asked.append((len(data), score)))
    assert main([*trained, "--json"]) == 0
    assert asked == [(len(dev), json.loads(capsys.readouterr().out)["dev_score"])]


def test_another_result_is_not_overwritten_unless_forced(trained, place: Path, tmp_path: Path, capsys) -> None:
    made = place / "made" / "model.safetensors"
    before = made.read_bytes()
    assert "settings.seed 0 there, 1 here" in refusal(capsys, *trained, "--seed", "1")
    assert made.read_bytes() == before
    (tmp_path / "precious.txt").write_text("x")
    assert "holds precious.txt" in refusal(capsys, *trained[:-8], "--output", tmp_path, "--force")


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--epochs", "0"], "training epochs: expected 1 or more, got 0"),
        (["--length", "1"], "length: expected 2 to"),
        (["--pooling", "pooler"], "expected a pooler"),
        (["--train", "none.csv"], "none.csv: expected a file or folder"),
        (["--label-column", "text"], "expected"),
    ],
)
def test_what_cannot_work_is_told_before_the_folder_is_taken(place: Path, tmp_path, capsys, flags, says) -> None:
    checkpoint = place / "bert"
    if "pooler" in flags:
        checkpoint = REFERENCE / "distilbert"
    command = ["finetune", checkpoint, *files_of(place), "--output", tmp_path / "out"]
    assert says in refusal(capsys, *command, *flags)
    assert not list((tmp_path / "out").rglob("*.json"))


def test_labels_that_are_all_one_are_refused(place: Path, tmp_path: Path, capsys) -> None:
    same = write_examples(tmp_path / "same.csv", 8)
    same.write_text(same.read_text().replace(",bad", ",fine"))
    command = ["finetune", place / "bert", "--train", same, "--dev", same, "--output", tmp_path / "out"]
    assert "expected two labels or more to learn, got 'fine' for every example" in refusal(capsys, *command)


def test_an_interruption_says_that_the_command_goes_on(place: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    def interrupted(*arguments, **how):
        raise KeyboardInterrupt

    monkeypatch.setattr("edgebert.stations.finetuning.finetune", interrupted)
    command = ["finetune", str(place / "bert"), *files_of(place), "--output", str(tmp_path / "out")]
    assert main(command) == 128 + signal.SIGINT
    assert "interrupted; the same command goes on from here" in capsys.readouterr().err


def written_times(path: Path, times: int) -> Callable[[], bool]:
    """Whether the file was seen to be new so often."""
    seen = set()

    def is_seen() -> bool:
        seen.update({path.stat().st_mtime_ns} if path.exists() else ())
        return len(seen) > times

    return is_seen


@pytest.mark.long
def test_killed_by_the_kernel_the_same_command_ends_with_the_same_bits(
    trained, place: Path, tmp_path: Path, commands
) -> None:
    command = [*trained, "--output", str(tmp_path / "killed"), "--save-every", "0", "--quiet"]
    for checkpoints in (1, 2, 3):
        commands.kill(command, written_times(tmp_path / "killed" / "training" / STATE_FILE, checkpoints))
        assert not (tmp_path / "killed" / "config.json").exists()
    assert main(command) == 0
    ours, whole = (load_checkpoint(folder).tensors for folder in (tmp_path / "killed", place / "made"))
    for name, values in whole.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)
