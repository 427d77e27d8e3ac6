"""Task distillation in steps: what they teach, what they are chosen by, when the teacher runs."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import Encoded
from edgebert.distill import stages
from edgebert.distill.distiller import Distiller
from edgebert.distill.published import logits_only, published, tinybert_intermediate
from edgebert.distill.recipe import Recipe, Term
from edgebert.distill.running import StepResult
from edgebert.distill.stages import CacheSettings, Step, distil_task, distilbert_step, joint_step, tinybert_steps
from edgebert.errors import DataError, TrainingError
from edgebert.keras import keras
from edgebert.models.loading import assign_tensors, model_tensors
from edgebert.models.task import TaskModel
from edgebert.training.finetune import finetune
from edgebert.training.hashing import dataset_sha256
from edgebert.training.scoring import predict, score
from edgebert.training.settings import TrainingSettings
from tests.training.cases import CONFIG, HEAD, SETTINGS, fresh_model, learnable

TRAIN, DEV = learnable(96, seed=1), learnable(48, seed=2)
FAST = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-2)
STUDENT = dataclasses.replace(CONFIG, width=8, embedding_width=8, feed_forward_width=16)


def student(head=HEAD) -> TaskModel:
    return fresh_model(head, STUDENT, seed=5)


@pytest.fixture(scope="module")
def teacher() -> TaskModel:
    model = fresh_model()
    finetune(model, learnable(256, seed=1), DEV, SETTINGS)
    return model


def test_two_steps_follow_each_other_and_learn_the_teachers_task_without_labels(
    teacher: TaskModel, tmp_path: Path
) -> None:
    taught, before = student(), model_tensors(teacher)
    unlabelled = dataclasses.replace(learnable(256, seed=1), targets=None)
    steps = tinybert_steps(intermediate=FAST, prediction=dataclasses.replace(FAST, epochs=6))
    done = distil_task(taught, teacher, unlabelled, DEV, steps, tmp_path)
    first, second = done.steps
    assert (first.recipe, first.chosen_by) == ("tinybert_intermediate", stages.DEV_LOSS)
    assert first.epochs[1].dev_score > first.epochs[0].dev_score
    assert set(first.epochs[0].losses) == {"embedding_mse", "hidden_mse", "attention_scores_mse"}
    assert (second.recipe, second.chosen_by, done.metric) == ("tinybert_prediction", "accuracy", "accuracy")
    assert done.dev_score == second.best.dev_score == score(HEAD, predict(taught, DEV), DEV.targets)
    assert done.dev_score > 0.85
    for name, values in model_tensors(teacher).items():
        np.testing.assert_array_equal(values, before[name])


def test_kept_and_running_teachers_train_the_same_student(teacher: TaskModel, tmp_path: Path) -> None:
    ended = {}
    for name, budget_bytes in (("kept", 2**30), ("running", 0)):
        taught = student()
        cache = CacheSettings(budget_bytes, "float32")
        done = distil_task(taught, teacher, TRAIN, DEV, joint_step(settings=FAST), tmp_path / name, cache=cache)
        ended[name] = done.steps[0], model_tensors(taught)
    assert ended["kept"][0].cache_bytes > 0 and ended["running"][0].cache_bytes is None
    for kept, running in zip(ended["kept"][0].epochs, ended["running"][0].epochs, strict=True):
        assert kept.losses == pytest.approx(running.losses, rel=1e-4)
    for name, values in ended["running"][1].items():
        np.testing.assert_allclose(ended["kept"][1][name], values, atol=2e-3, err_msg=name)


def test_a_loss_on_dev_asks_the_teacher_once_too(teacher: TaskModel, tmp_path: Path, monkeypatch) -> None:
    """With what it said of both kept, epochs are trained and chosen without it."""

    def distilled(budget_bytes: int, folder: Path) -> StepResult:
        cache = CacheSettings(budget_bytes, "float32")
        return distil_task(
            student(), teacher, TRAIN, DEV, [Step(tinybert_intermediate(), FAST)], folder, cache=cache
        ).steps[0]

    running, kept = distilled(0, tmp_path / "running"), distilled(2**30, tmp_path / "kept")
    assert kept.chosen_by == stages.DEV_LOSS
    scores = [[epoch.dev_score for epoch in one.epochs] for one in (kept, running)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-4)
    places = [json.loads(path.read_text()) for path in (tmp_path / "kept").rglob("cache.json")]
    hashes = {dataset_sha256(data, with_targets=False) for data in (TRAIN, DEV)}
    assert {place["inputs"] for place in places} == hashes
    assert kept.cache_bytes == sum(sum(place["sizes_bytes"].values()) for place in places)
    shutil.rmtree(next((tmp_path / "kept").glob("step-1-*")))
    monkeypatch.setattr(Distiller, "teach", None)
    assert distilled(2**30, tmp_path / "kept") == kept


def test_answers_that_are_shared_are_computed_once(teacher: TaskModel, tmp_path: Path) -> None:
    """By the next training with the same teacher and texts; hidden states, which are large, go with their training."""
    cache = CacheSettings(answers_folder=tmp_path / "answers")
    heard: dict[str, list[str]] = {}

    def distilled(name: str, recipe: Recipe, cache: CacheSettings) -> dict[str, np.ndarray]:
        taught, heard[name] = student(), []
        steps = [Step(recipe, FAST)]
        distil_task(
            taught, teacher, TRAIN, DEV, steps, tmp_path / name, lambda one: heard[name].append(one.task), cache
        )
        return model_tensors(taught)

    first, second = (distilled(name, logits_only(), cache) for name in ("first", "second"))
    alone = distilled("alone", logits_only(), CacheSettings())
    assert ["teacher's answers" in heard[name] for name in ("first", "second", "alone")] == [True, False, True]
    for name, values in alone.items():
        np.testing.assert_array_equal(first[name], values, err_msg=name)
        np.testing.assert_array_equal(second[name], values, err_msg=name)
    # Half precision answers a little differently.
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        rounding = fresh_model()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assign_tensors(rounding, model_tensors(teacher))
    told: list[str] = []
    report = lambda one: told.append(one.task)  # noqa: E731
    distil_task(student(), rounding, TRAIN, DEV, [Step(logits_only(), FAST)], tmp_path / "half", report, cache)
    assert "teacher's answers" in told
    distilled("hidden", tinybert_intermediate(), cache)
    assert len(list((tmp_path / "answers").iterdir())) == 2 and (tmp_path / "hidden" / "teacher").is_dir()


def test_distilberts_step_reads_the_labels_and_says_so(teacher: TaskModel, tmp_path: Path) -> None:
    done = distil_task(student(), teacher, TRAIN, DEV, distilbert_step(settings=FAST), tmp_path)
    assert set(done.steps[0].epochs[0].losses) == {"soft_kl", "hard_label"}
    with pytest.raises(TrainingError, match="expected a label for every example"):
        unlabelled = dataclasses.replace(TRAIN, targets=None)
        distil_task(student(), teacher, unlabelled, DEV, published("distilbert_task"), tmp_path)


def test_a_later_step_that_cannot_work_is_refused_before_the_first_is_run(teacher: TaskModel, tmp_path: Path) -> None:
    impossible = dataclasses.replace(tinybert_intermediate(), projection="none")
    with pytest.raises(TrainingError, match="as wide as the teacher"):
        distil_task(student(), teacher, TRAIN, DEV, [Step(logits_only(), FAST), (impossible, FAST)], tmp_path)
    assert not list(tmp_path.iterdir())


def test_empty_data_is_refused(teacher: TaskModel, tmp_path: Path) -> None:
    nothing = EncodedDataset((), None)
    for train, dev in ((nothing, DEV), (TRAIN, nothing)):
        with pytest.raises(DataError, match="expected"):
            distil_task(student(), teacher, train, dev, logits_only(), tmp_path)


def test_a_step_goes_on_with_the_projections_of_the_one_before(teacher: TaskModel, tmp_path: Path) -> None:
    """Nothing is learnt in the second step: its loss is the first one's at its best, and not that of a random map."""
    recipe = Recipe((Term("hidden_mse"),), projection="shared", name="states")
    learning = dataclasses.replace(FAST, epochs=4, patience=4)
    still = dataclasses.replace(FAST, epochs=1, learning_rate=1e-12)
    done = distil_task(student(), teacher, TRAIN, DEV, [(recipe, learning), (recipe, still)], tmp_path / "two")
    first, second = done.steps
    assert second.best.dev_score == pytest.approx(first.best.dev_score, rel=1e-4)
    assert first.best.dev_score > 1.2 * first.epochs[0].dev_score
    # Finished steps are loaded with their projections too.
    again = distil_task(student(), teacher, TRAIN, DEV, [(recipe, learning), (recipe, still)], tmp_path / "two")
    assert [step.epochs for step in again.steps] == [step.epochs for step in done.steps]


def renumbered(data: EncodedDataset, size: int) -> EncodedDataset:
    """The same texts under another vocabulary: its pieces stand in the opposite order."""
    encoded = [
        dataclasses.replace(one, input_ids=tuple(size - 1 - token for token in one.input_ids)) for one in data.encoded
    ]
    return dataclasses.replace(data, encoded=tuple(encoded))


def test_a_student_of_another_vocabulary_learns_from_answers_to_the_teachers_own_tokens(
    teacher: TaskModel, tmp_path: Path
) -> None:
    larger = dataclasses.replace(STUDENT, vocabulary_size=50)
    train, dev = (renumbered(data, 50) for data in (learnable(256, seed=1), DEV))
    taught = fresh_model(HEAD, larger, seed=5)
    step = Step(logits_only(), dataclasses.replace(FAST, epochs=8))
    done = distil_task(taught, teacher, train, dev, [step], tmp_path, teacher_train=learnable(256, seed=1))
    assert done.dev_score > 0.85
    # What compares token by token cannot.
    with pytest.raises(TrainingError, match="since it compares"):
        distil_task(taught, teacher, train, dev, tinybert_steps(), tmp_path, teacher_train=learnable(256, seed=1))
    # Nor is the teacher asked of tokens that are not its own.
    with pytest.raises(DataError, match="expected tokens of the teacher's vocabulary"):
        distil_task(
            taught, teacher, train, dev, [Step(logits_only(), dataclasses.replace(FAST, epochs=1))], tmp_path / "b"
        )


def test_teachers_are_several_where_answers_are_read_and_one_elsewhere(teacher: TaskModel, tmp_path: Path) -> None:
    wider = fresh_model(HEAD, dataclasses.replace(CONFIG, width=24, embedding_width=24, heads=2))
    done = distil_task(
        student(), [teacher, wider], TRAIN, DEV, tinybert_steps(intermediate=FAST, prediction=FAST), tmp_path
    )
    assert len(done.steps) == 2


@pytest.mark.parametrize("recipe", [logits_only(), published("distilbert_task"), Recipe((), hard_label_weight=0.5)])
def test_answers_that_diverge_to_numbers_are_told(teacher: TaskModel, tmp_path: Path, recipe: Recipe) -> None:
    """By what guessing costs in the recipe's own terms: at temperature 2, four times as much."""
    fast = dataclasses.replace(SETTINGS, epochs=9, learning_rate=3.0)
    with pytest.raises(TrainingError, match="that of guessing, or below"):
        distil_task(fresh_model(), teacher, learnable(256, seed=1), DEV, [Step(recipe, fast)], tmp_path)


def with_text(data: EncodedDataset, ids: tuple[int, ...]) -> EncodedDataset:
    text = Encoded(ids, (1,) * len(ids), (0,) * len(ids))
    return dataclasses.replace(data, encoded=(*data.encoded[:-1], text))


@pytest.mark.parametrize(
    ("train", "dev", "says"),
    [
        (with_text(TRAIN, (5,) * 513), DEV, "at most 512 tokens, which the student reads, got one of 513"),
        (TRAIN, with_text(DEV, (5, 99)), "got the token 99. Do: read the text with the student's tokenizer"),
        (dataclasses.replace(TRAIN, targets=TRAIN.targets + 2), DEV, "train data: expected classes from 0 to 1, the"),
        (TRAIN, dataclasses.replace(DEV, targets=DEV.targets - 1), "dev data: expected classes from 0 to 1, the"),
    ],
)
def test_data_that_no_step_could_take_is_refused_before_the_first(teacher, tmp_path: Path, train, dev, says) -> None:
    with pytest.raises(DataError, match=says):
        distil_task(student(), teacher, train, dev, logits_only(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_a_second_teacher_cannot_read_is_refused(teacher: TaskModel, tmp_path: Path) -> None:
    short = fresh_model(HEAD, dataclasses.replace(CONFIG, maximum_length=4))
    with pytest.raises(DataError, match="which the teacher reads"):
        distil_task(student(), [teacher, short], TRAIN, DEV, logits_only(), tmp_path)
    larger = fresh_model(HEAD, dataclasses.replace(CONFIG, vocabulary_size=CONFIG.vocabulary_size + 1))
    with pytest.raises(TrainingError, match="teachers: expected the first one's vocabulary"):
        distil_task(student(), [teacher, larger], TRAIN, DEV, logits_only(), tmp_path)
