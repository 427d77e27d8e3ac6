"""`edgebert distill` on the command line: the plan, the student's folder, resumption, and what is refused."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.data.batches import encode_dataset
from edgebert.data.reading import read_examples
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.projections import read_projections
from edgebert.distill.published import PUBLISHED
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model
from edgebert.training.scoring import predict, score
from tests.cli.labelled import SMALL, answer, encoder, files_of, refusal

SHAPE = ["--layers", "2", "--width", "24", "--feed-forward", "40"]
STEPS = ["--epochs", "1,3", "--learning-rate", "1e-3,1e-2", "--batch-size", "8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a teacher that knows the task."""
    folder = tmp_path_factory.mktemp("distill")
    command = ["finetune", str(encoder(folder)), *files_of(folder), "--output", str(folder / "teacher"), *SMALL]
    assert main([*command, "--quiet"]) == 0
    return folder


def command(place: Path, output: Path, *flags: object, teacher: str = "teacher") -> list[str]:
    given = ["distill", "--teacher", place / teacher, *files_of(place), "--output", output, *flags]
    return [str(flag) for flag in given]


@pytest.fixture(scope="module")
def distilled(place: Path) -> list[str]:
    """The command that made `place`/student."""
    made = command(place, place / "student", *SHAPE, *STEPS)
    assert main([*made, "--quiet"]) == 0
    return made


def dev_score(place: Path, folder: Path) -> float:
    checkpoint = load_checkpoint(folder)
    data = read_examples(place / "dev.csv", labels=checkpoint.head.labels)
    dev = encode_dataset(data, WordPiece.from_folder(folder), 128)
    return score(checkpoint.head, predict(load_model(checkpoint).model, dev), dev.targets)


def test_the_folder_is_the_student_and_both_scores_are_told(distilled, place: Path, capsys) -> None:
    told = answer(capsys, *distilled)
    made = load_checkpoint(place / "student")
    assert (made.encoder.layers, made.encoder.width, made.encoder.feed_forward_width) == (2, 24, 40)
    assert made.head == load_checkpoint(place / "teacher").head
    assert told["found"] and told["dev_score"] == dev_score(place, place / "student")
    assert told["teacher_scores"] == [dev_score(place, place / "teacher")]
    assert told["retention"] == told["dev_score"] / told["teacher_scores"][0]
    assert [(step["recipe"], len(step["epochs"])) for step in told["steps"]] == [
        ("tinybert_intermediate", 1),
        ("tinybert_prediction", 3),
    ]
    assert told["parameters"] == sum(values.size for values in made.tensors.values())


def test_only_checkpoint_record_and_curves_remain(distilled, place: Path) -> None:
    found = {path.relative_to(place / "student") for path in (place / "student").rglob("*") if path.is_file()}
    assert {path.parent.name for path in found if "tfevents" in path.name} == {"events"}
    assert {str(path) for path in found if "tfevents" not in path.name} == {
        "config.json",
        "model.safetensors",
        "projections.safetensors",
        "vocab.txt",
        "training/.lock",
        "training/record.json",
    }
    steps = {path.parts[1] for path in found if "tfevents" in path.name}
    assert steps == {"step-1-tinybert_intermediate", "step-2-tinybert_prediction"}


def test_the_table_shows_steps_and_models(distilled, place: Path, capsys) -> None:
    assert main(distilled) == 0
    shown = capsys.readouterr()
    for expected in ("tinybert_intermediate", "negated dev loss", "dev accuracy", "% of ", "layers: 1, 3 of"):
        assert expected in shown.out
    assert "nothing was trained" in shown.err


def test_a_dry_run_says_what_the_run_did_and_writes_nothing(distilled, place: Path, tmp_path: Path, capsys) -> None:
    plan = answer(capsys, *command(place, tmp_path / "dry", *SHAPE, *STEPS), "--dry-run")
    done = answer(capsys, *distilled)
    assert not (tmp_path / "dry").exists()
    assert plan["student_parameters"] == done["parameters"]
    planned_bytes = [step["cache_bytes"] if step["is_cached"] else None for step in plan["steps"]]
    assert planned_bytes == [step["cache_bytes"] for step in done["steps"]]
    assert [step["training_steps"] for step in plan["steps"]] == [5, 15]
    assert main([*command(place, tmp_path / "dry", *SHAPE), "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert "the teacher's layers 1, 3, truncated by importance (taylor on 40 texts)" in shown and "1:1 2:3" in shown


def test_a_student_that_is_its_teacher_keeps_all_of_it(place: Path, tmp_path: Path, capsys) -> None:
    """Whole layers, all of them, and a step too small to move anything."""
    flags = ["--layers", 3, "--start", "from_layers", "--recipe", "logits_only", "--epochs", 1]
    told = answer(capsys, *command(place, tmp_path / "same", *flags, "--learning-rate", 1e-12))
    assert told["retention"] == 1.0
    ours, theirs = (load_checkpoint(folder).tensors for folder in (tmp_path / "same", place / "teacher"))
    for name, values in ours.items():
        np.testing.assert_allclose(values, theirs[name], atol=1e-6, err_msg=name)


def test_a_student_trained_before_is_a_start_with_a_shape_of_its_own(distilled, place: Path, tmp_path, capsys) -> None:
    flags = ["--start", place / "student", "--recipe", "logits_only", "--epochs", 1, "--learning-rate", 1e-12]
    told = answer(capsys, *command(place, tmp_path / "on", *flags))
    assert told["dev_score"] == dev_score(place, place / "student")
    assert load_checkpoint(tmp_path / "on").encoder == load_checkpoint(place / "student").encoder
    error = refusal(capsys, *command(place, tmp_path / "no", *flags, "--layers", 1))
    assert "expected no shape beside the start" in error


def test_it_goes_on_with_the_projections_that_it_learnt(distilled, place: Path, tmp_path, capsys) -> None:
    flags = ["--start", place / "student", "--recipe", "tinybert_intermediate", "--epochs", 1, "--learning-rate", 1e-12]
    answer(capsys, *command(place, tmp_path / "on", *flags))
    before, after = read_projections(place / "student"), read_projections(tmp_path / "on")
    assert before.keys() == after.keys() and before
    for name, values in before.items():
        np.testing.assert_allclose(after[name], values, atol=1e-6, err_msg=name)


def test_a_student_trained_before_learns_on_with_what_integers_need(distilled, place: Path, tmp_path, capsys) -> None:
    """The kernels that it starts with are the student's, also the head's, on the first token; NoNorm is fitted."""
    start = ["--start", place / "student", "--recipe", "logits_only", "--epochs", 1, "--learning-rate", 1e-12]
    integer = ["--normalization", "no_norm", "--activation", "relu", "--pooling", "first"]
    asked = command(place, tmp_path / "on", *start, *integer, "--importance-examples", 7)
    planned = answer(capsys, *asked, "--dry-run")["start"]
    assert planned == f"the student in {place / 'student'}, NoNorm fitted on 7 texts"
    told = answer(capsys, *asked)
    assert told["started"][-1].endswith("LayerNorm does on 7 texts")
    before, made = load_checkpoint(place / "student"), load_checkpoint(tmp_path / "on")
    assert made.encoder == dataclasses.replace(before.encoder, normalization="no_norm", activation="relu")
    assert made.head == dataclasses.replace(before.head, pooling="first")
    for name, values in before.tensors.items():
        if name.endswith(".kernel"):
            np.testing.assert_allclose(made.tensors[name], values, atol=1e-6, err_msg=name)
    # And back there is no way.
    start[1] = tmp_path / "on"
    error = refusal(capsys, *command(place, tmp_path / "no", *start, "--normalization", "layer_norm"))
    assert "student normalization: expected no_norm, got layer_norm" in error


def test_a_trimmed_student_learns_on_from_its_teachers_answers(distilled, place: Path, tmp_path, capsys) -> None:
    """The teacher is asked of its own tokens, and what comes out has the student's vocabulary."""
    trim = ["trim", "--model", place / "student", *files_of(place), "--output", tmp_path / "small", "--no-files"]
    assert main([*map(str, trim), "--quiet"]) == 0
    capsys.readouterr()
    flags = ["--start", tmp_path / "small", "--recipe", "logits_only", "--epochs", 2]
    told = answer(capsys, *command(place, tmp_path / "on", *flags))
    assert told["dev_score"] == dev_score(place, tmp_path / "on")
    assert told["teacher_scores"] == [dev_score(place, place / "teacher")]
    pieces = [WordPiece.from_folder(folder).vocabulary for folder in (tmp_path / "on", tmp_path / "small")]
    assert pieces[0] == pieces[1] and len(pieces[0]) < len(WordPiece.from_folder(place / "student").vocabulary)
    error = refusal(capsys, *command(place, tmp_path / "no", *flags[:2], "--recipe", "tinybert"))
    assert "a student with the teacher's vocabulary" in error


def test_two_teachers_and_a_recipe_of_ones_own(place: Path, tmp_path: Path, capsys) -> None:
    recipe = tmp_path / "own.toml"
    recipe.write_text('like = "logits_only"\nteacher_weighting = "entropy"\nhard_label_weight = 0.5\n')
    flags = ["--teacher", place / "teacher", "--recipe", recipe, *SHAPE, "--start", "random", "--epochs", 1]
    told = answer(capsys, *command(place, tmp_path / "two", *flags))
    assert len(told["teacher_scores"]) == 2 and told["teacher_scores"][0] == told["teacher_scores"][1]
    assert told["steps"][0]["recipe"] == "own"
    assert set(told["steps"][0]["epochs"][0]["losses"]) == {"soft_kl", "hard_label"}


def test_scores_are_learnt_as_scores(place: Path, tmp_path: Path, capsys) -> None:
    """Whole numbers, which data alone would not tell from classes: the teacher's head does."""
    for name in ("train", "dev"):
        text = (place / f"{name}.csv").read_text()
        (tmp_path / f"{name}.csv").write_text(text.replace(",bad", ",1").replace(",fine", ",4"))
        (tmp_path / f"{name}-fractions.csv").write_text(text.replace(",bad", ",1.25").replace(",fine", ",4.5"))
    fractions = ["--train", tmp_path / "train-fractions.csv", "--dev", tmp_path / "dev-fractions.csv"]
    teacher = answer(capsys, "finetune", place / "bert", *fractions, "--output", tmp_path / "teacher", *SMALL)
    assert teacher["metric"] == "spearman"
    flags = ["--start", "from_layers", "--recipe", "distilbert_task", "--epochs", 1, "--learning-rate", 1e-12]
    told = answer(capsys, *command(tmp_path, tmp_path / "out", "--layers", 3, *flags))
    assert told["metric"] == "spearman" and set(told["steps"][0]["epochs"][0]["losses"]) == {"output_mse", "hard_label"}
    assert told["teacher_scores"] == [pytest.approx(teacher["dev_score"])] and told["retention"] == pytest.approx(1.0)
    assert load_checkpoint(tmp_path / "out").head.kind == "regression"
    classes = ["distill", "--teacher", place / "teacher", *fractions, "--output", tmp_path / "no", *SHAPE]
    assert "expected one of the 2 labels, got '1.25'" in refusal(capsys, *classes)


def test_recipes_are_listed_without_any_other_flag(capsys) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["distill", "--list-recipes"])
    shown = capsys.readouterr().out
    assert not exited.value.code
    assert all(f"{name}\n    " in shown for name in (*PUBLISHED, "tinybert"))


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--student", "tiny5"], "Do: write tiny4"),
        (["--student", "tiny4"], "student layers: expected at most the teacher's 3, got 4"),
        ([*SHAPE, "--heads", "5"], "student heads: expected a divisor"),
        ([*SHAPE, "--recipe", "tinybrt"], "Do: write tinybert."),
        ([*SHAPE, "--recipe", "distilbert"], "expected a corpus with masked tokens"),
        ([*SHAPE, "--layer-map", "3,1"], "layer_map: expected layers that rise"),
        ([*SHAPE, "--layer-map", "middle"], "layer map: expected uniform, last"),
        ([*SHAPE, "--start", "nowhere"], "start: expected from_layers, truncated, random or a student's folder"),
        ([*SHAPE, "--epochs", "1,2,3"], "training epochs: expected one number, or one for each"),
        ([*SHAPE, "--length", "1000"], "length: expected 2 to 128"),
        ([*SHAPE, "--patience", "0"], "training patience: expected 1 or more"),
        ([*SHAPE, "--importance-examples", "0"], "initialisation examples: expected 1 or more"),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(place: Path, tmp_path, capsys, dry, flags, says) -> None:
    dry_run = ["--dry-run"] if dry else []
    assert says in refusal(capsys, *command(place, tmp_path / "out", *flags, *dry_run))
    assert not list((tmp_path / "out").rglob("*.json"))


def test_labels_are_read_in_the_teachers_order_and_must_be_the_teachers(place: Path, tmp_path, capsys) -> None:
    """The teacher says "neutral", "entailment", "contradiction", in this order."""
    assert "expected one of the 3 labels, got 'bad'" in refusal(
        capsys, *command(place, tmp_path / "out", *SHAPE, teacher="bert")
    )


def test_a_teacher_without_a_task_is_refused(place: Path, tmp_path: Path, capsys) -> None:
    plain = load_checkpoint(place / "bert")
    tensors = {name: values for name, values in plain.tensors.items() if not name.startswith("head.")}
    save_checkpoint(place / "plain", tensors, plain.encoder, None, plain)
    error = refusal(capsys, *command(place, tmp_path / "out", *SHAPE, teacher="plain"))
    assert "expected a teacher with a head for classification or regression, got none. Do: fine-tune it" in error


def test_a_second_teacher_that_reads_other_tokens_is_refused(place: Path, tmp_path: Path, capsys) -> None:
    teacher = load_checkpoint(place / "teacher")
    save_checkpoint(tmp_path / "other", dict(teacher.tensors), teacher.encoder, teacher.head, teacher)
    pieces = (tmp_path / "other" / "vocab.txt").read_text().splitlines()
    (tmp_path / "other" / "vocab.txt").write_text("\n".join([*pieces[:-2], pieces[-1], pieces[-2]]) + "\n")
    error = refusal(capsys, *command(place, tmp_path / "out", *SHAPE, "--teacher", tmp_path / "other"))
    assert "expected the first teacher's vocabulary, got other pieces" in error


def test_labels_without_names_take_the_datas(place: Path, tmp_path: Path, capsys) -> None:
    teacher = load_checkpoint(place / "teacher")
    head = dataclasses.replace(teacher.head, labels=("LABEL_0", "LABEL_1"))
    save_checkpoint(tmp_path / "nameless", dict(teacher.tensors), teacher.encoder, head, teacher)
    flags = ["distill", "--teacher", tmp_path / "nameless", *files_of(place), "--output", tmp_path / "out", *SHAPE]
    told = answer(capsys, *flags, "--recipe", "logits_only", "--epochs", 1)
    assert load_checkpoint(tmp_path / "out").head.labels == ("bad", "fine")
    assert told["teacher_scores"] == [dev_score(place, place / "teacher")]


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(place, tmp_path, capsys, monkeypatch) -> None:
    full = SimpleNamespace(free=70_000)
    monkeypatch.setattr("edgebert.stations.making_student.shutil.disk_usage", lambda path: full)
    error = refusal(capsys, *command(place, tmp_path / "out", *SHAPE))
    assert "bytes while it trains, got 70,0" in error and not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.long
def test_killed_by_the_kernel_the_same_command_ends_with_the_same_bits(
    distilled, place: Path, tmp_path: Path, commands
) -> None:
    """While the student starts, the teacher answers, and in either step."""
    output = tmp_path / "killed"
    again = [*distilled, "--output", str(output), "--save-every", "0", "--quiet"]
    moments = (
        "training/start/config.json",
        "training/teacher",
        "training/step-1-tinybert_intermediate/state.safetensors",
        "training/step-2-tinybert_prediction/state.safetensors",
        "training/step-2-tinybert_prediction/best-1.safetensors",
    )
    for moment in moments:
        commands.kill(again, (output / moment).exists)
        assert json.loads((output / "training" / "record.json").read_text())["state"] == "begun"
    assert main(again) == 0
    ours, whole = (load_checkpoint(folder).tensors for folder in (output, place / "student"))
    for name, values in whole.items():
        np.testing.assert_array_equal(ours[name], values, err_msg=name)
    records = [json.loads((folder / "training" / "record.json").read_text()) for folder in (output, place / "student")]
    assert records[0]["result"] == records[1]["result"]
