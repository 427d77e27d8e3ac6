"""`edgebert prune` on the command line: the plan, the pruned folder, its .tflite, resumption, and what is refused."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.config import HeadConfig
from edgebert.data.batches import encode_dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.export.inspect import summarize
from edgebert.export.weights import Role, Weight
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.training.loop import begin
from edgebert.training.scoring import predict, score
from tests.cli.labelled import answer, encoder, files_of, refusal, write_examples

LAYERS = 2
BRIEF = ["--batch-size", 8, "--epochs", 2, "--learning-rate", "1e-3"]
PRUNED = ("query", "key", "value", "attention_output", "feed_forward.up", "feed_forward.down")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model that has a head for the data's two labels: student and teacher in one."""
    folder = tmp_path_factory.mktemp("prune")
    files_of(folder)
    source = load_checkpoint(encoder(folder, LAYERS))
    head = HeadConfig("classification", pooling="mean", labels=("bad", "fine"))
    # The head is drawn; this one gives both answers.
    begin(4)
    model = load_model(source, head).model
    save_checkpoint(folder / "model", model_tensors(model), source.encoder, head, source)
    return folder


def command(place: Path, output: Path, *flags: object, student: str = "model") -> list[str]:
    return [str(flag) for flag in ("prune", "--student", place / student, *files_of(place), "--output", output, *flags)]


@pytest.fixture(scope="module")
def pruned(place: Path) -> list[str]:
    """The command that made `place`/pruned, from its teacher."""
    made = command(place, place / "pruned", "--teacher", place / "model", *BRIEF)
    assert main([*made, "--quiet"]) == 0
    return made


def dev_score(place: Path, folder: Path) -> float:
    checkpoint = load_checkpoint(folder)
    data = read_examples(place / "dev.csv", labels=checkpoint.head.labels)
    dev = encode_dataset(data, WordPiece.from_folder(folder), 128)
    return score(checkpoint.head, predict(load_model(checkpoint).model, dev), dev.targets)


def test_the_folder_is_a_checkpoint_whose_matrices_are_half_zeros(pruned, place: Path, capsys) -> None:
    told = answer(capsys, *pruned)
    made, before = load_checkpoint(place / "pruned"), load_checkpoint(place / "model")
    assert (made.encoder, made.head) == (before.encoder, before.head)
    for name, values in made.tensors.items():
        is_pruned = name.endswith(".kernel") and any(part in name for part in PRUNED)
        assert np.count_nonzero(values) == values.size // (2 if is_pruned else 1) or not is_pruned, name
        assert not np.signbit(values[values == 0]).any()
    assert told["found"] and told["sparsity"] == 0.5 and {layer["zero_share"] for layer in told["layers"]} == {0.5}
    assert len(told["layers"]) == len(PRUNED) * made.encoder.layers
    assert told["dev_score"] == dev_score(place, place / "pruned")
    assert told["score_before"] == dev_score(place, place / "model") == told["teacher_scores"][0]
    assert told["zeros"] == sum(int((values == 0).sum()) for values in made.tensors.values())
    assert set(told["healing"]["epochs"][0]["losses"]) == {"soft_kl", "hard_label"}
    assert [epoch["may_be_kept"] for epoch in told["healing"]["epochs"]] == [False, True]


def test_the_table_says_what_zeros_bring(pruned, capsys) -> None:
    files = answer(capsys, *pruned)["files"]
    assert files["after"]["gzipped_bytes"] < files["before"]["gzipped_bytes"]
    assert abs(files["after"]["size_bytes"] - files["before"]["size_bytes"]) < 512
    assert main(pruned) == 0
    shown = capsys.readouterr()
    gzipped = f"{files['after']['gzipped_bytes']:,}"
    for expected in ("blocks.0.query", "50.00%", "healed by distilbert_task", gzipped, "no inference faster"):
        assert expected in shown.out
    assert "nothing was trained" in shown.err


PRECISIONS = ("float32", "float16", "dynamic", "int4-embedding-rows")


@pytest.fixture(scope="module")
def files(pruned, place: Path) -> Path:
    """With a .tflite of the model before and after, in each precision."""
    for name in ("model", "pruned"):
        flags = ["--precision", ",".join(PRECISIONS), "--name", name, "--length", "16"]
        assert main(["convert", str(place / name), "--out", str(place / "files"), *flags]) == 0
    return place / "files"


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_zeros_are_in_the_bytes_of_the_file(precision: str, files: Path) -> None:
    """At least as many: small weights may round to 0 besides. And gzip finds them."""
    before, after = (files / f"{name}-{precision}.tflite" for name in ("model", "pruned"))
    assert len(matrices_of_blocks(after)) == len(PRUNED) * LAYERS
    for weight in matrices_of_blocks(after):
        assert weight.zero_share >= 0.5, weight
    assert all(weight.zero_share < 0.1 for weight in matrices_of_blocks(before))
    assert abs(after.stat().st_size - before.stat().st_size) < 512
    assert gzipped(after) < gzipped(before)


def gzipped(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), mtime=0))


def matrices_of_blocks(path: Path) -> list[Weight]:
    """The head's, beside them, has a row for each of two labels."""
    found = [weight for weight in summarize(path).weights if weight.is_matrix and weight.role is Role.ENCODER]
    return [weight for weight in found if min(weight.shape) > 2]


def test_a_dry_run_says_what_the_run_did_and_writes_nothing(pruned, place: Path, tmp_path: Path, capsys) -> None:
    flags = ["--teacher", place / "model", *BRIEF]
    plan = answer(capsys, *command(place, tmp_path / "dry", *flags), "--dry-run")
    done = answer(capsys, *pruned)
    assert not (tmp_path / "dry").exists()
    assert plan["training_steps"] == 10 and plan["cuts"] == {"begin": 0, "end": 5, "frequency": 1}
    assert plan["first_kept_epoch"] == 2 == done["healing"]["best_epoch"]
    assert [matrix["name"] for matrix in plan["matrices"]] == [layer["name"] for layer in done["layers"]]
    assert plan["parameters"] == done["parameters"]
    assert main([*command(place, tmp_path / "dry", *flags), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "before steps 1 to 6 of 10; epochs from 2 on can be kept" in shown and "feed_forward" in shown


def test_labels_heal_where_there_is_no_teacher_and_every_class_has_its_own_sparsity(
    place: Path, tmp_path: Path, capsys
) -> None:
    flags = ["--block", "1x2", "--schedule", "constant", "--begin", 0.3, "--exclude", "blocks.0"]
    flags += ["--sparsity", 0, "--include", "embeddings=0.25", "--include", "feed_forward=0.75"]
    told = answer(capsys, *command(place, tmp_path / "own", *flags, *BRIEF, "--no-files"))
    assert told["files"] is None
    assert told["healing"]["recipe"] == "labels" and told["teacher_scores"] == []
    assert set(told["healing"]["epochs"][0]["losses"]) == {"label"}
    shares = {layer["kind"]: layer["zero_share"] for layer in told["layers"]}
    assert shares == {"embeddings": pytest.approx(0.25, abs=1e-3), "feed_forward": 0.75}
    tensors = load_checkpoint(tmp_path / "own").tensors
    for layer in told["layers"]:
        assert not layer["name"].startswith("encoder.blocks.0.")
        values = tensors[layer["name"]] if layer["kind"] == "embeddings" else tensors[layer["name"]].T
        assert set((values.reshape(-1, 2) == 0).sum(axis=1)) == {0, 2}
    assert np.count_nonzero(tensors["encoder.blocks.0.query.kernel"]) == tensors["encoder.blocks.0.query.kernel"].size


@pytest.mark.long
def test_killed_it_goes_on_and_ends_with_the_same_bits(pruned, place: Path, tmp_path: Path, commands) -> None:
    """SIGKILL behind the first step that was kept, while it cuts."""
    flags = ["--teacher", place / "model", *BRIEF, "--no-files", "--save-every", "0"]
    made = command(place, tmp_path / "killed", *flags)
    commands.kill(made, (tmp_path / "killed" / "training" / "step-1-distilbert_task" / "state.safetensors").exists)
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    assert main([*made, "--quiet"]) == 0
    killed, whole = ((folder / "model.safetensors").read_bytes() for folder in (tmp_path / "killed", place / "pruned"))
    assert killed == whole


def test_what_cannot_be_pruned_is_refused_before_anything_is_written(place: Path, tmp_path: Path, capsys) -> None:
    other = tmp_path / "others.csv"
    other.write_text("text,label\n" + "the cat,red\nthe dog,blue\n" * 8)
    cases = [
        (["--sparsity", 1.0], "sparsity of attention: expected 0 to below 1, got 1"),
        (["--sparsity", "-0.5"], "expected 0 to below 1, got -0.5"),
        (["--include", "heads"], "expected embeddings, attention, feed_forward, head, got 'heads'"),
        (["--include", "embeddings=much"], "expected CLASS or CLASS=SHARE"),
        (["--exclude", "blocks.9"], "got 'blocks.9', which this model does not have"),
        (["--exclude", "attention", "--exclude", "feed_forward"], "expected a matrix to prune, got none"),
        (["--block", "1x5"], "columns that make 2 or more whole blocks of 1x5"),
        (["--block", "3:5"], "rows of a length that 5 divides"),
        (["--block", "2by4"], "expected ROWSxCOLUMNS such as 1x4"),
        (["--block", "2:4", "--sparsity", 0.7], "expected 0.5 for 2 of every 4, got 0.7"),
        (["--block", "2:4", "--schedule", "polynomial"], "expected constant for 2 of every 4"),
        (["--block", "2:4", "--include", "embeddings"], "expected a matrix that is multiplied with"),
        (["--begin", 0.7], "above its begin 0.7 and below 1, got 0.5"),
        (["--begin", 0.5, "--end", 0.4], "above its begin 0.5 and below 1, got 0.4"),
        (["--schedule", "constant", "--end", 0.4], "expected none for a constant schedule"),
        (["--begin", 0.31, "--end", 0.32], "got no room for it in 15 training steps"),
        (["--averaging", 0.9], "training averaging: expected 0"),
        (["--recipe", "logits_only"], "got a recipe alone"),
        (["--teacher", place / "model", "--recipe", "tinybert"], "expected one of a single step, got tinybert"),
        (["--train", other, "--dev", other], "others.csv"),
    ]
    for flags, expected in cases:
        asked = command(place, tmp_path / "no", "--batch-size", 8, *flags)
        assert expected in refusal(capsys, *asked), flags
        assert not (tmp_path / "no" / "training" / "record.json").exists()
    labels = command(place, tmp_path / "no", student="bert")
    assert "expected one of the 3 labels, got 'bad'" in refusal(capsys, *labels)


def test_a_folder_without_a_head_is_refused(place: Path, tmp_path: Path, capsys) -> None:
    whole = load_checkpoint(place / "model")
    encoder_alone = {name: values for name, values in whole.tensors.items() if not name.startswith("head.")}
    save_checkpoint(place / "bare", encoder_alone, whole.encoder, None, whole)
    asked = command(place, tmp_path / "no", student="bare")
    assert "expected a checkpoint with a head for classification or regression, got none" in refusal(capsys, *asked)


def test_a_trimmed_student_heals_from_a_teacher_that_reads_its_own_tokens(place: Path, capsys) -> None:
    trimmed = place / "trimmed"
    answer(capsys, "trim", "--model", place / "model", *files_of(place), "--output", trimmed, "--no-files")
    assert len(WordPiece.from_folder(trimmed).vocabulary) < len(WordPiece.from_folder(place / "model").vocabulary)
    said = as_said_by(place / "model", place)
    told = {
        teacher: answer(
            capsys,
            *command(place, place / f"by-{teacher}", "--teacher", place / teacher, *BRIEF, student="trimmed"),
            *("--dev", said),
        )
        for teacher in ("model", "trimmed")
    }
    # Every training text's pieces were kept: trimmed, the teacher says the same.
    losses = [[epoch["losses"] for epoch in one["healing"]["epochs"]] for one in told.values()]
    assert losses[0] == [pytest.approx(epoch, rel=1e-5) for epoch in losses[1]]
    assert told["model"]["teacher_scores"] == [1.0]


def as_said_by(model: Path, folder: Path) -> Path:
    """Examples whose labels are the model's answers, so that it is always right of its own tokens alone."""
    path, checkpoint = write_examples(folder / "said.csv", 100, seed=3), load_checkpoint(model)
    data = read_examples(path, labels=checkpoint.head.labels)
    answers = predict(load_model(checkpoint).model, encode_dataset(data, WordPiece.from_folder(model), 128)).argmax(-1)
    assert set(answers) == {0, 1}
    lines = [f"{one.text},{data.labels[answer]}" for one, answer in zip(data.examples, answers, strict=True)]
    path.write_text("\n".join(["text,label", *lines]) + "\n")
    return path


def test_a_teacher_of_another_task_is_refused_and_one_of_other_tokens_where_layers_are_compared(
    place: Path, tmp_path: Path, capsys
) -> None:
    copied = tmp_path / "other"
    shutil.copytree(place / "model", copied)
    config = json.loads((copied / "config.json").read_text())
    config["edgebert_head"]["labels"].reverse()
    (copied / "config.json").write_text(json.dumps(config))
    asked = command(place, tmp_path / "no", "--teacher", copied, *BRIEF)
    assert "in the student's order (bad, fine), got fine, bad" in refusal(capsys, *asked)
    pieces = (place / "model" / "vocab.txt").read_text().splitlines()
    (copied / "vocab.txt").write_text("\n".join([*pieces[:-2], pieces[-1], pieces[-2]]) + "\n")
    (copied / "config.json").write_bytes((place / "model" / "config.json").read_bytes())
    asked = command(place, tmp_path / "no", "--teacher", copied, *BRIEF)
    asked += ["--recipe", "tinybert_joint"]
    assert "expected a student with the teacher's vocabulary" in refusal(capsys, *asked)
