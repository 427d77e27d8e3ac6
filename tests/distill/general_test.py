"""General distillation: what it teaches, what it saves, what it refuses, and that it survives."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.config import MASKED_WORDS, HeadConfig
from edgebert.data.batches import EncodedDataset
from edgebert.data.wordpiece import WordPiece
from edgebert.distill.general import distil_general, general_steps
from edgebert.distill.initialisation.starting import Initialisation, initialise
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.published import GENERAL, general_without_masked_words, published
from edgebert.distill.running import DEV_LOSS, CacheSettings, Step
from edgebert.distill.word_masking import WordMasking
from edgebert.errors import DataError, TrainingError
from edgebert.keras import keras
from edgebert.models.checkpoint import load_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel
from edgebert.training.settings import CheckpointSettings, TrainingSettings
from tests.data.house_form import assert_house_form
from tests.models.folders import REFERENCE
from tests.training.cases import CONFIG, HEAD, WITH_DROPOUT, fresh_model, learnable

MEAN = HeadConfig(kind="embedding", pooling="mean")
FAST = TrainingSettings(epochs=2, batch_size=16, learning_rate=1e-2)
TEACHER = dataclasses.replace(CONFIG, layers=2, layer_blocks=())
STUDENT = dataclasses.replace(WITH_DROPOUT, width=8, embedding_width=8, feed_forward_width=16)


def text(count: int, seed: int) -> EncodedDataset:
    return dataclasses.replace(learnable(count, seed), targets=None)


MASKING = WordMasking(mask_id=7, special_ids=(0, 7), vocabulary_size=40)
TRAIN, DEV = text(64, seed=1), text(24, seed=2)


def student(head: HeadConfig = MEAN, **changes) -> TaskModel:
    return fresh_model(head, dataclasses.replace(STUDENT, **changes), seed=5)


@pytest.fixture(scope="module")
def teacher() -> TaskModel:
    return fresh_model(MEAN, TEACHER)


QUICK = ("tinybert_intermediate", "minilm", "align_incremental")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else pytest.mark.long) for name in general_without_masked_words()],
)
def test_every_recipe_without_masked_words_works_on_an_embedder_and_its_loss_on_held_out_text_falls(
    teacher: TaskModel, tmp_path: Path, name: str
) -> None:
    before = model_tensors(teacher)
    done = distil_general(student(), teacher, TRAIN, DEV, general_steps(name, FAST), tmp_path)
    assert [step.recipe for step in done.steps][-1] == name and done.metric == DEV_LOSS
    for step in done.steps:
        assert step.chosen_by == DEV_LOSS
        assert 0 > step.epochs[1].dev_score > step.epochs[0].dev_score
    assert done.dev_score == done.steps[-1].best.dev_score
    for variable, values in model_tensors(teacher).items():
        np.testing.assert_array_equal(values, before[variable])


def test_incremental_follows_alignment() -> None:
    steps = general_steps("align_incremental", layer_map=LayerMap("last"))
    assert [step.recipe.name for step in steps] == ["align", "align_incremental"]
    assert {step.recipe.layer_map for step in steps} == {LayerMap("last")}


def test_the_published_bert_reads_the_saved_student_and_a_task_starts_from_it(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "minilm")
    teacher = load_model(source, MEAN).model
    config = dataclasses.replace(source.encoder, layers=2, layer_blocks=(), width=24, embedding_width=24, pooler=False)
    words = text(32, seed=3)
    taught = fresh_model(MEAN, config)
    done = distil_general(taught, teacher, words, words, general_steps("minilm", FAST), tmp_path, source=source)
    saved = load_checkpoint(done.checkpoint)
    assert (saved.family, saved.encoder, saved.head) == ("bert", config, MEAN)
    assert (done.checkpoint / "vocab.txt").read_bytes() == (REFERENCE / "minilm" / "vocab.txt").read_bytes()
    started = initialise(config, HEAD, Initialisation("from_folder", folder=done.checkpoint))
    assert started.fresh == ("head.classifier.kernel", "head.classifier.bias")
    for name, values in model_tensors(taught).items():
        np.testing.assert_array_equal(started.tensors[name], values)


class StoppedError(Exception):
    """Stands for a kill that this process survives."""


def distilled(folder: Path, names: tuple[str, ...], head: HeadConfig, stop_after: int | None = None):
    taught, seen = student(head), []

    def report(progress) -> None:
        seen.append(progress)
        if stop_after is not None and len(seen) > stop_after:
            raise StoppedError

    teacher = fresh_model(head, TEACHER)
    # Another process stands elsewhere in its random numbers; what is made of them here must not notice.
    keras.utils.set_random_seed(17 if stop_after is None else stop_after)
    settings = TrainingSettings(epochs=2, batch_size=4, learning_rate=1e-2)
    steps = [Step(published(name), settings) for name in names]
    done = distil_general(
        taught,
        teacher,
        text(20, 1),
        DEV,
        steps,
        folder,
        report,
        CacheSettings(budget_bytes=0),
        CheckpointSettings(every_steps=2),
        masking=MASKING,
    )
    return done, model_tensors(taught)


def assert_resumes(tmp_path: Path, *arguments) -> None:
    whole = distilled(tmp_path / "whole", *arguments)
    for more_reports in (0, 4):
        with pytest.raises(StoppedError):
            distilled(tmp_path / "stopped", *arguments, more_reports)
    stopped = distilled(tmp_path / "stopped", *arguments)
    assert stopped[0].steps == whole[0].steps
    for name, values in whole[1].items():
        np.testing.assert_array_equal(stopped[1][name], values, err_msg=name)


@pytest.mark.long
def test_goes_on_where_it_was_and_ends_with_the_same_bits(tmp_path: Path) -> None:
    assert_resumes(tmp_path, ("tinybert_intermediate",), MEAN)


def test_hidden_words_are_the_same_after_a_kill(tmp_path: Path) -> None:
    assert_resumes(tmp_path, ("distilbert",), MASKED_WORDS)


def test_words_are_learnt_and_what_is_saved_is_a_masked_word_model(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "bert_masked_lm")
    teacher = load_model(source, MASKED_WORDS).model
    taught = fresh_model(MASKED_WORDS, dataclasses.replace(source.encoder, layers=1, layer_blocks=()))
    words = dataclasses.replace(TRAIN, encoded=TRAIN.encoded[:32])
    masking = WordMasking.of(WordPiece.from_folder(REFERENCE / "bert_masked_lm"))
    steps = general_steps("distilbert", FAST, LayerMap("last"))
    done = distil_general(taught, teacher, words, words, steps, tmp_path, source=source, masking=masking)
    [step] = done.steps
    assert set(step.epochs[0].losses) == {"token_soft_kl", "masked_language_model", "hidden_cosine"}
    # Other words are hidden in every epoch: nothing of the teacher is worth keeping.
    assert step.cache_bytes is None and not (tmp_path / "teacher").exists()
    assert step.epochs[1].dev_score > step.epochs[0].dev_score
    read = load_model(load_checkpoint(done.checkpoint), MASKED_WORDS).model
    for name, values in model_tensors(taught).items():
        np.testing.assert_array_equal(model_tensors(read)[name], values, err_msg=name)


def test_labels_are_not_read_and_words_are_hidden_only_where_they_are_predicted(
    teacher: TaskModel, tmp_path: Path
) -> None:
    ended = []
    labelled = learnable(64, seed=1), learnable(24, seed=2)
    # The third only loads what the first has done: the labels make no other run of it.
    for name, texts, masking in (("one", (TRAIN, DEV), None), ("two", labelled, MASKING), ("one", labelled, MASKING)):
        taught = student()
        steps = [Step(published("align"), dataclasses.replace(FAST, epochs=1))]
        distil_general(taught, teacher, *texts, steps, tmp_path / name, masking=masking)
        ended.append(model_tensors(taught))
    for name, values in ended[0].items():
        np.testing.assert_array_equal(ended[1][name], values)
        np.testing.assert_array_equal(ended[2][name], values)


def test_masking_must_be_told_and_fit_the_vocabulary(tmp_path: Path) -> None:
    models = student(MASKED_WORDS), fresh_model(MASKED_WORDS, TEACHER)
    message = refused(TrainingError, tmp_path, *models, TRAIN, DEV, general_steps("distilbert"))
    assert "expected how words are hidden" in message
    too_many = dataclasses.replace(MASKING, vocabulary_size=41)
    message = refused(TrainingError, tmp_path, *models, TRAIN, DEV, general_steps("distilbert"), masking=too_many)
    assert "got 41 pieces" in message


def test_teachers_of_two_vocabularies_predict_no_word_together(tmp_path: Path) -> None:
    one, other = (fresh_model(MASKED_WORDS, dataclasses.replace(TEACHER, vocabulary_size=size)) for size in (40, 50))
    steps = general_steps("distilbert")
    message = refused(TrainingError, tmp_path, student(MASKED_WORDS), (one, other), TRAIN, DEV, steps, masking=MASKING)
    assert "vocabulary of 40 pieces, got 50 pieces in teacher 2" in message


def refused(kind: type, tmp_path: Path, *arguments, **named) -> str:
    with pytest.raises(kind) as caught:
        distil_general(*arguments, tmp_path, **named)
    assert_house_form(str(caught.value))
    assert not list(tmp_path.iterdir())
    return str(caught.value)


def test_a_recipe_that_needs_the_masked_word_head_says_which_do_not(teacher: TaskModel, tmp_path: Path) -> None:
    message = refused(TrainingError, tmp_path, student(), teacher, TRAIN, DEV, general_steps("distilbert"))
    assert "token_soft_kl and masked_language_model" in message and "got none on the teacher" in message
    assert message.endswith(
        "tinybert_intermediate, minilm, minilm_v1, align, align_incremental, attention_cross_entropy_pretraining."
    )
    assert set(GENERAL) - set(general_without_masked_words()) == {"distilbert", "distilbert_masked"}


def test_a_students_head_for_a_task_is_refused(teacher: TaskModel, tmp_path: Path) -> None:
    message = refused(TrainingError, tmp_path, student(HEAD), teacher, TRAIN, DEV, published("align"))
    assert "got one for classification" in message


def test_no_text_is_refused(teacher: TaskModel, tmp_path: Path) -> None:
    nothing = EncodedDataset((), None)
    assert "train text" in refused(DataError, tmp_path, student(), teacher, nothing, DEV, published("align"))
    assert "dev text" in refused(DataError, tmp_path, student(), teacher, TRAIN, nothing, published("align"))


def test_text_that_a_model_has_no_rows_for_is_refused(teacher: TaskModel, tmp_path: Path) -> None:
    short = student(maximum_length=4)
    assert "at most 4 tokens, which the student reads" in refused(
        DataError, tmp_path, short, teacher, TRAIN, DEV, published("align")
    )
    small = student(vocabulary_size=20)
    assert "the student's vocabulary (20 pieces)" in refused(
        DataError, tmp_path, small, teacher, TRAIN, DEV, published("minilm")
    )


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(TrainingError, match="Do: write tinybert_intermediate, or give") as caught:
        general_steps("tinybert_general")
    assert_house_form(str(caught.value))
