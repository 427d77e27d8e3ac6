"""`edgebert shrink` on the command line: the plan, the smaller checkpoint and its files, resumption, and refusals."""

import json
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.data.batches import encode_dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.inspect import Summary, summarize
from edgebert.files import write_atomically
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model
from edgebert.training.scoring import predict, score
from tests.cli.labelled import SMALL, answer, encoder, files_of, refusal
from tests.models.folders import copy_of

FEWER = ["--heads", "2", "--feed-forward", "40"]
HEALING = ["--batch-size", "8", "--epochs", "2", "--learning-rate", "1e-3"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a student of 3 layers, 4 heads, 96 neurons and 48 channels that knows the task."""
    folder = tmp_path_factory.mktemp("shrink")
    command = ["finetune", str(encoder(folder)), *files_of(folder), "--output", str(folder / "student"), *SMALL]
    assert main([*command, "--quiet"]) == 0
    return folder


def command(place: Path, output: Path, *flags: object) -> list[str]:
    given = ["shrink", "--student", place / "student", *files_of(place), "--output", output, *flags]
    return [str(flag) for flag in given]


def taught(place: Path, output: Path, *flags: object) -> list[str]:
    return command(place, output, "--teacher", place / "student", *flags)


@pytest.fixture(scope="module")
def shrunk(place: Path) -> list[str]:
    """The command that made `place`/small."""
    made = taught(place, place / "small", *FEWER, *HEALING)
    assert main([*made, "--quiet"]) == 0
    return made


def dev_score(place: Path, folder: Path) -> float:
    checkpoint = load_checkpoint(folder)
    data = read_examples(place / "dev.csv", labels=checkpoint.head.labels)
    dev = encode_dataset(data, WordPiece.from_folder(folder), 128)
    return score(checkpoint.head, predict(load_model(checkpoint).model, dev), dev.targets)


def test_the_folder_is_a_smaller_model_and_all_scores_are_told(shrunk, place: Path, capsys) -> None:
    told = answer(capsys, *shrunk)
    made, student = load_checkpoint(place / "small"), load_checkpoint(place / "student")
    assert (made.encoder.heads, made.encoder.head_width, made.encoder.feed_forward_width) == (2, 12, 40)
    assert (made.encoder.layers, made.encoder.width, made.head) == (3, 48, student.head)
    assert made.notes == student.notes == ()
    assert told["found"] and told["dev_score"] == dev_score(place, place / "small")
    assert told["start_score"] == dev_score(place, place / "student")
    assert [step["counts"]["heads"] for step in told["steps"]] == [3, 2]
    assert told["steps"][0]["score_healed"] == told["steps"][1]["score_before"]
    last = told["steps"][-1]
    assert last["parameters"] == sum(values.size for values in made.tensors.values())
    assert all(len(heads) == 2 and set(heads) <= {1, 2, 3, 4} for heads in last["remaining"]["heads"])
    assert 0 < last["importance_kept"]["heads"] < 1 and last["importance_kept"]["layers"] == 1.0
    assert (place / "small" / "vocab.txt").read_bytes() == (place / "student" / "vocab.txt").read_bytes()


def test_only_checkpoint_record_and_curves_remain(shrunk, place: Path) -> None:
    found = {path.relative_to(place / "small") for path in (place / "small").rglob("*") if path.is_file()}
    assert {str(path) for path in found if "tfevents" not in path.name} == {
        "config.json",
        "model.safetensors",
        "vocab.txt",
        "training/.lock",
        "training/record.json",
    }
    assert {path.parts[1] for path in found if "tfevents" in path.name} == {"step-1", "step-2"}
    record = json.loads((place / "small" / "training" / "record.json").read_text())
    assert record["result"]["steps"][1]["remaining"]["layers"] == [1, 2, 3]


def converted(folder: Path, out: Path, *flags: str) -> dict[str, Summary]:
    assert main(["convert", str(folder), "--out", str(out), "--name", "m", *flags]) == 0
    return {path.stem.removeprefix("m-"): summarize(path) for path in out.glob("*.tflite")}


def pieces(summary: Summary) -> list[tuple[int, int, int]]:
    """Of each graph: nodes, those that XNNPACK takes, and in how many pieces."""
    return [(len(one.verdicts), one.taken, one.partitions) for one in summary.delegations]


def compare_files(place: Path, out: Path, *flags: str) -> tuple[Summary, Summary]:
    """The float32 files' facts, once all small files were seen to be the big ones in small."""
    big, small = (converted(place / name, out / name, *flags) for name in ("student", "small"))
    assert set(big) == set(small)
    for precision, summary in small.items():
        assert pieces(summary) == pieces(big[precision]), precision
        assert {(row.name, row.count) for row in summary.operators} == {
            (row.name, row.count) for row in big[precision].operators
        }
    return big["float32"], small["float32"]


def test_its_files_are_smaller_in_proportion_and_xnnpack_takes_them_as_it_takes_the_students(
    shrunk, place: Path, tmp_path: Path, capsys
) -> None:
    big, small = compare_files(place, tmp_path, "--precision", "float32,dynamic")
    capsys.readouterr()
    told = answer(capsys, *shrunk)
    removed = told["start_block_parameters"] - told["steps"][-1]["block_parameters"]
    assert removed == 3 * 2 * (4 * 48 * 12 + 3 * 12) + 3 * 56 * (2 * 48 + 1)
    assert big.parameters - small.parameters == removed
    # Buffers are padded to whole lines of memory.
    assert big.size_bytes - small.size_bytes == pytest.approx(4 * removed, rel=0.01)


@pytest.mark.long
def test_int8_activations_too(shrunk, place: Path, tmp_path: Path) -> None:
    """Whose quantisers look for heads by their shapes."""
    words = [line.rpartition(",")[0] for line in (place / "train.csv").read_text().splitlines()[1:]]
    (tmp_path / "texts.txt").write_text("\n".join(words) + "\n")
    compare_files(place, tmp_path, "--precision", "float32,hybrid,static", "--calibration", str(tmp_path / "texts.txt"))


def test_the_table_shows_steps_and_models(shrunk, place: Path, capsys) -> None:
    assert main(shrunk) == 0
    shown = capsys.readouterr()
    for expected in ("importance kept", "distilbert_task", "layer 3 of the student's: heads", "dev accuracy"):
        assert expected in shown.out
    assert "nothing was trained" in shown.err and "edgebert's own layout" in shown.err


def test_a_dry_run_says_what_the_run_did_and_writes_nothing(shrunk, place: Path, tmp_path: Path, capsys) -> None:
    plan = answer(capsys, *taught(place, tmp_path / "dry", *FEWER, *HEALING), "--dry-run")
    done = answer(capsys, *shrunk)
    assert not (tmp_path / "dry").exists()
    assert plan["start"]["parameters"] == done["start_parameters"]
    for planned, step in zip(plan["steps"], done["steps"], strict=True):
        assert [planned[name] for name in ("parameters", "block_parameters")] == [
            step["parameters"],
            step["block_parameters"],
        ]
    assert main([*command(place, tmp_path / "dry"), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "taylor on 40 training texts" in shown and "labels" in shown and "50.8%" in shown
    assert not (tmp_path / "dry").exists()


def test_what_is_left_alone_is_healed_into_what_it_was(place: Path, tmp_path: Path, capsys) -> None:
    """One neuron of 96 and a step too small to move anything: the answers stay, and the rest to the bit."""
    flags = ["--feed-forward", 95, "--steps", 1, "--importance", "magnitude", "--epochs", 1, "--learning-rate", 1e-12]
    told = answer(capsys, *command(place, tmp_path / "same", *flags))
    assert told["steps"][0]["score_cut"] == told["dev_score"]
    assert told["steps"][0]["healing"]["recipe"] == "labels"
    ours, theirs = (load_checkpoint(folder) for folder in (tmp_path / "same", place / "student"))
    assert ours.family == "bert"
    for name in theirs.tensors:
        if "feed_forward" not in name:
            np.testing.assert_allclose(ours.tensors[name], theirs.tensors[name], atol=1e-6, err_msg=name)


def test_every_part_at_once_and_again_from_the_result(shrunk, place: Path, tmp_path: Path, capsys) -> None:
    flags = ["--layers", 2, "--width", 32, "--heads", 1, "--steps", 1, "--epochs", 1]
    told = answer(
        capsys, "shrink", "--student", place / "small", *files_of(place), "--output", tmp_path / "again", *flags
    )
    made = load_checkpoint(tmp_path / "again")
    assert (made.encoder.layers, made.encoder.width, made.encoder.heads_width, made.encoder.heads) == (2, 32, 12, 1)
    assert told["dev_score"] == dev_score(place, tmp_path / "again")


def test_unlabelled_texts_are_ranked_and_healed_by_what_the_teacher_says(place: Path, tmp_path, capsys) -> None:
    texts = [line.rpartition(",")[0] for line in (place / "train.csv").read_text().splitlines()]
    (tmp_path / "texts.csv").write_text("\n".join(texts) + "\n")
    data = ["--train", tmp_path / "texts.csv", "--dev", place / "dev.csv", "--student", place / "student"]
    given = ["shrink", *data, "--output", tmp_path / "out", "--keep", 0.7, "--steps", 1, "--epochs", 1]
    error = refusal(capsys, *given)
    assert "expected a label for every train example" in error
    teacher = ["--teacher", place / "student", "--recipe", "logits_only"]
    told = answer(capsys, *given, *teacher)
    assert set(told["steps"][0]["healing"]["epochs"][0]["losses"]) == {"soft_kl"}


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--heads", "5"], "heads: expected 1 to the student's 4, got 5"),
        (["--heads", "0"], "heads: expected 1 to the student's 4, got 0"),
        (["--feed-forward", "97"], "feed_forward_width: expected 1 to the student's 96, got 97"),
        (["--width", "49"], "width: expected 1 to the student's 48, got 49"),
        (["--layers", "4"], "layers: expected 1 to the student's 3, got 4"),
        (["--layers", "3"], "shrink: expected fewer of something than the student has"),
        (["--keep", "1.5"], "keep: expected a share between 0 and 1"),
        (["--keep", "0.5", "--heads", "2"], "shrink: expected numbers or a share to keep, got both"),
        (["--layers", "2", "--steps", "2"], "steps: expected at most 1"),
        (["--importance-examples", "0"], "examples: expected 1 or more, got 0"),
        (["--recipe", "distilbert_task"], "recipe: expected one where there is a teacher and only there"),
        (["--teacher", "{student}", "--recipe", "tinybert"], "recipe: expected one of a single step"),
        (["--teacher", "{student}", "--heads", "2", "--recipe", "tinybert_intermediate"], "as many attention heads"),
        (["--teacher", "{bert}"], "the student's answers in the student's order"),
        (["--length", "1000"], "length: expected 2 to 128"),
        (["--epochs", "0"], "training epochs: expected 1 or more"),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(place: Path, tmp_path, capsys, dry, flags, says) -> None:
    flags = [flag.format(student=place / "student", bert=place / "bert") for flag in flags]
    dry_run = ["--dry-run"] if dry else []
    assert says in refusal(capsys, *command(place, tmp_path / "out", *flags, *dry_run))
    assert not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.parametrize("family", ["albert_groups", "mobilebert"])
def test_shapes_whose_parts_depend_on_each_other_are_refused(family: str, place: Path, tmp_path, capsys) -> None:
    student = copy_of(family, tmp_path)
    error = refusal(capsys, "shrink", "--student", student, *files_of(place), "--output", tmp_path / "out")
    assert "BERT, DistilBERT, TinyBERT and MiniLM" in error and "Do: distil" in error


def test_another_plan_for_the_same_folder_is_refused(shrunk, place: Path, capsys) -> None:
    assert "expected a result of these very inputs" in refusal(capsys, *shrunk, "--importance", "magnitude")


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def test_stopped_anywhere_the_same_command_ends_with_the_same_bits(shrunk, place: Path, tmp_path, monkeypatch) -> None:
    """After each file that a step leaves."""
    output = tmp_path / "stopped"
    again = [*shrunk, "--output", str(output), "--save-every", "0", "--quiet"]
    marks = iter(("cut.json", "outcome.json"))
    wanted = next(marks)

    def stopping(path, *content):
        nonlocal wanted
        write_atomically(path, *content)
        if Path(path).name == wanted:
            wanted = next(marks, None)
            raise StoppedError

    monkeypatch.setattr("edgebert.stations.shrinking.write_atomically", stopping)
    for _ in range(2):
        with pytest.raises(StoppedError):
            main(again)
        assert json.loads((output / "training" / "record.json").read_text())["state"] == "begun"
    assert main(again) == 0
    same_bits(output, place / "small")


def same_bits(one: Path, other: Path) -> None:
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    records = [json.loads((folder / "training" / "record.json").read_text()) for folder in (one, other)]
    assert records[0]["result"] == records[1]["result"]


@pytest.mark.long
def test_killed_by_the_kernel_the_same_command_ends_with_the_same_bits(
    shrunk, place: Path, tmp_path: Path, commands
) -> None:
    """While the first step cuts, the teacher answers, either step heals, and between the steps."""
    output = tmp_path / "killed"
    again = [*shrunk, "--output", str(output), "--save-every", "0", "--quiet"]
    moments = (
        "training/step-1/cut/config.json",
        "training/step-1/teacher",
        "training/step-1/step-1-distilbert_task/state.safetensors",
        "training/step-1/healed/config.json",
        "training/step-2/cut.json",
        "training/step-2/teacher",
        "training/step-2/step-1-distilbert_task/best-1.safetensors",
    )
    for moment in moments:
        commands.kill(again, (output / moment).exists)
        assert json.loads((output / "training" / "record.json").read_text())["state"] == "begun"
    assert main(again) == 0
    same_bits(output, place / "small")
