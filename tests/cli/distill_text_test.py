"""`edgebert distill-text` on the command line: the student's folder, what comes after it, and what is refused."""

import json
import random
from pathlib import Path

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.distill.published import GENERAL, PUBLISHED
from edgebert.models.checkpoint import load_checkpoint
from tests.cli.labelled import SMALL, WORDS, answer, encoder, files_of, refusal
from tests.models.folders import copy_of

SHAPE = ["--layers", "2", "--width", "24", "--feed-forward", "40"]
STEP = ["--epochs", "2", "--learning-rate", "1e-2", "--batch-size", "8", "--length", "24"]
MEAN = HeadConfig(kind="embedding", pooling="mean")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a teacher as it was pre-trained, and a corpus in two files."""
    folder = tmp_path_factory.mktemp("text")
    copy_of("bert_masked_lm", folder)
    (folder / "corpus").mkdir()
    draw = random.Random(3)
    for name in ("one.txt", "two.txt"):
        documents = [" ".join(draw.choices(WORDS, k=draw.randint(4, 14))) for _ in range(24)]
        (folder / "corpus" / name).write_text("\n\n".join(documents) + "\n")
    return folder


def command(place: Path, output: Path, *flags: object, teacher: str | Path = "bert_masked_lm") -> list[str]:
    corpus = ["--corpus", place / "corpus"]
    return [str(flag) for flag in ("distill-text", "--teacher", place / teacher, *corpus, "--output", output, *flags)]


@pytest.fixture(scope="module")
def distilled(place: Path) -> list[str]:
    """The command that made `place`/general."""
    made = command(place, place / "general", *SHAPE, *STEP)
    assert main([*made, "--quiet"]) == 0
    return made


def test_the_folder_is_an_encoder_with_the_teachers_vocabulary(distilled, place: Path, capsys) -> None:
    told = answer(capsys, *distilled)
    made = load_checkpoint(place / "general")
    assert (made.encoder.layers, made.encoder.width, made.encoder.feed_forward_width) == (2, 24, 40)
    assert made.head == MEAN and not made.encoder.pooler
    vocabularies = [(place / name / "vocab.txt").read_bytes() for name in ("general", "bert_masked_lm")]
    assert vocabularies[0] == vocabularies[1]
    assert told["found"] and told["metric"] == "negated dev loss"
    (step,) = told["steps"]
    scores = [epoch["dev_score"] for epoch in step["epochs"]]
    assert step["recipe"] == "tinybert_intermediate" and len(scores) == 2
    assert told["dev_score"] == max(scores) and scores[0] < scores[1] < 0
    assert told["parameters"] == sum(values.size for values in made.tensors.values())
    assert told["started"][0] == "layers: 1, 3 of the teacher's 3"


def test_only_checkpoint_record_and_curves_remain(distilled, place: Path) -> None:
    found = {path.relative_to(place / "general") for path in (place / "general").rglob("*") if path.is_file()}
    assert {str(path) for path in found if "tfevents" not in path.name} == {
        "config.json",
        "model.safetensors",
        "projections.safetensors",
        "vocab.txt",
        "training/.lock",
        "training/record.json",
    }


def test_the_table_shows_steps_and_sizes(distilled, capsys) -> None:
    assert main(distilled) == 0
    shown = capsys.readouterr()
    for expected in ("tinybert_intermediate", "negated dev loss", "parameters", "general"):
        assert expected in shown.out
    assert "nothing was trained" in shown.err and "corpus: 2 files, " in shown.err


def test_a_dry_run_says_what_the_run_did_and_writes_nothing(distilled, place: Path, tmp_path: Path, capsys) -> None:
    plan = answer(capsys, *command(place, tmp_path / "dry", *SHAPE, *STEP), "--dry-run")
    done = answer(capsys, *distilled)
    assert not (tmp_path / "dry").exists()
    assert plan["student_parameters"] == done["parameters"]
    assert [step["cache_bytes"] for step in plan["steps"]] == [step["cache_bytes"] for step in done["steps"]]
    # Three epochs, and a rate for text, where nobody says.
    usual = answer(capsys, *command(place, tmp_path / "dry", *SHAPE), "--dry-run")["steps"][0]["training"]
    assert (usual["epochs"], usual["learning_rate"]) == (3, 1e-4)
    assert main([*command(place, tmp_path / "dry", *SHAPE, *STEP), "--dry-run"]) == 0
    assert f"{plan['train_examples']} sequences of " in capsys.readouterr().out


def test_a_students_task_starts_from_it(distilled, place: Path, tmp_path: Path, capsys) -> None:
    teacher = ["finetune", place / "bert_masked_lm", *files_of(place), "--output", tmp_path / "teacher", *SMALL]
    answer(capsys, *teacher)
    task = ["distill", "--teacher", tmp_path / "teacher", *files_of(place), "--output", tmp_path / "student"]
    steps = ["--recipe", "logits_only", "--epochs", 1, "--learning-rate", 1e-12]
    told = answer(capsys, *task, "--start", place / "general", *steps)
    assert told["started"] == ["random: head.classifier.kernel, head.classifier.bias"]
    ours, general = (load_checkpoint(folder).tensors for folder in (tmp_path / "student", place / "general"))
    for name, values in general.items():
        np.testing.assert_allclose(ours[name], values, atol=1e-6, err_msg=name)


def test_a_text_student_starts_where_another_ended(distilled, place: Path, tmp_path: Path, capsys) -> None:
    flags = ["--start", place / "general", "--epochs", 1, "--learning-rate", 1e-12, "--length", 24]
    told = answer(capsys, *command(place, tmp_path / "on", *flags))
    assert told["started"] == ["random: nothing"]
    # With its projections: under random ones the loss would be what it was at first.
    assert told["dev_score"] == pytest.approx(answer(capsys, *distilled)["dev_score"], rel=1e-3)
    assert load_checkpoint(tmp_path / "on").encoder == load_checkpoint(place / "general").encoder
    assert "expected no shape beside the start" in refusal(
        capsys, *command(place, tmp_path / "no", *flags, "--layers", 1)
    )


def test_hidden_words_are_predicted_and_their_head_is_kept(place: Path, tmp_path: Path, capsys) -> None:
    flags = command(place, tmp_path / "words", "--recipe", "distilbert", *SHAPE, *STEP)
    (planned,) = answer(capsys, *flags, "--dry-run")["steps"]
    assert (planned["cache_bytes"], planned["is_cached"]) == (0, False)
    told = answer(capsys, *flags)
    assert set(told["steps"][0]["epochs"][0]["losses"]) == {"token_soft_kl", "masked_language_model", "hidden_cosine"}
    assert told["steps"][0]["cache_bytes"] is None
    assert load_checkpoint(tmp_path / "words").file.tensors.keys() > {"cls.predictions.bias"}
    record = json.loads((tmp_path / "words" / "training" / "record.json").read_text())
    assert record["inputs"]["head"] == json.loads(json.dumps(MASKED_WORDS.to_json()))
    assert record["inputs"]["masking"]["share"] == 0.15


def test_alignment_comes_before_increments_and_a_recipe_of_ones_own_after(place: Path, tmp_path: Path, capsys) -> None:
    own = tmp_path / "own.toml"
    own.write_text('like = "minilm"\n')
    flags = [*SHAPE, "--recipe", "align_incremental", "--recipe", own, "--layer-map", "last", "--dry-run"]
    plan = answer(capsys, *command(place, tmp_path / "out", *flags))
    assert [step["recipe"]["name"] for step in plan["steps"]] == ["align", "align_incremental", "own"]
    assert plan["steps"][0]["layers"] == [[1, 2], [2, 3]]


def test_as_many_sequences_as_are_asked_for(place: Path, tmp_path: Path, capsys) -> None:
    plan = answer(capsys, *command(place, tmp_path / "out", *SHAPE, "--sequences", 11, "--dry-run"))
    assert plan["train_examples"] + plan["dev_examples"] == 11


def test_other_inputs_are_told_apart(distilled, place: Path, capsys) -> None:
    before = (place / "general" / "config.json").read_bytes()
    for flags, says in (
        (["--sequences", 11], "train_sha256"),
        (["--seed", 1], "start.seed 0 there, 1 here"),
        (["--recipe", "minilm"], "steps.1.recipe"),
    ):
        error = refusal(capsys, *distilled, *flags)
        assert "expected a result of these very inputs, got a finished one of others" in error and says in error
    assert (place / "general" / "config.json").read_bytes() == before


def test_recipes_for_text_are_listed_without_any_other_flag(capsys) -> None:
    with pytest.raises(SystemExit) as exited:
        main(["distill-text", "--list-recipes"])
    shown = [line for line in capsys.readouterr().out.splitlines() if not line.startswith(" ")]
    assert not exited.value.code
    assert set(shown) == set(GENERAL) < set(PUBLISHED)


@pytest.mark.parametrize("dry", [True, False])
@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--student", "tiny5"], "Do: write tiny4"),
        ([*SHAPE, "--recipe", "distilbert_task"], "Do: write distilbert"),
        ([*SHAPE, "--recipe", "tinybert"], "general distillation: expected one of tinybert_intermediate"),
        ([*SHAPE, "--layer-map", "3,1"], "layer_map: expected layers that rise"),
        ([*SHAPE, "--length", "1000"], "length: expected 2 to 128"),
        ([*SHAPE, "--sequences", "0"], "most_sequences: expected 1 or more"),
        ([*SHAPE, "--corpus", "nowhere"], "nowhere: expected"),
        ([*SHAPE, "--start", "nowhere"], "start: expected from_layers, truncated, random or a student's folder"),
    ],
)
def test_what_cannot_work_is_told_and_nothing_written(place: Path, tmp_path, capsys, dry, flags, says) -> None:
    dry_run = ["--dry-run"] if dry else []
    assert says in refusal(capsys, *command(place, tmp_path / "out", *flags, *dry_run))
    assert not list((tmp_path / "out").rglob("*.json"))


def test_words_are_not_predicted_by_a_teacher_that_lost_their_head(place: Path, tmp_path: Path, capsys) -> None:
    copy_of("bert", tmp_path)
    error = refusal(
        capsys,
        *command(tmp_path, tmp_path / "out", "--recipe", "distilbert", *SHAPE, teacher="bert"),
        "--corpus",
        place / "corpus",
    )
    assert "expected the masked-word head of a BERT or DistilBERT, got none" in error
    assert not list((tmp_path / "out").rglob("*.json"))


def test_a_teacher_of_a_task_teaches_what_its_encoder_knows(place: Path, tmp_path: Path, capsys) -> None:
    copy_of("bert", tmp_path)
    flags = ["--corpus", place / "corpus", *SHAPE, *STEP, "--recipe", "minilm"]
    done = answer(capsys, *command(tmp_path, tmp_path / "out", *flags, teacher="bert"))
    assert load_checkpoint(tmp_path / "out").head == MEAN
    # Nothing but the student is trained here, and what is saved is as good as was told.
    again = [*flags[:2], "--start", tmp_path / "out", *STEP, "--recipe", "minilm", "--learning-rate", 1e-12]
    told = answer(capsys, *command(tmp_path, tmp_path / "again", *again, teacher="bert"))
    assert told["dev_score"] == pytest.approx(done["dev_score"], rel=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["tinybert_intermediate", "distilbert"])
def test_killed_by_the_kernel_the_same_command_ends_with_the_same_bits(
    place: Path, tmp_path: Path, recipe, commands
) -> None:
    """While the student starts, and while it learns; one layer from one."""
    teacher = encoder(tmp_path, layers=1, case="bert_masked_lm")
    flags = ["--layers", "1", *SHAPE[2:], *STEP, "--recipe", recipe, "--save-every", "0", "--quiet"]
    whole, killed = (command(place, tmp_path / name, *flags, teacher=teacher) for name in ("whole", "killed"))
    assert main(whole) == 0
    step = f"training/step-1-{recipe}"
    for moment in ("training/start/config.json", f"{step}/state.safetensors", f"{step}/best-1.safetensors"):
        commands.kill(killed, (tmp_path / "killed" / moment).exists)
        assert json.loads((tmp_path / "killed" / "training" / "record.json").read_text())["state"] == "begun"
    assert main(killed) == 0
    ours, theirs = (load_checkpoint(tmp_path / name).file.tensors for name in ("killed", "whole"))
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name].float32(), tensor.float32(), err_msg=name)
