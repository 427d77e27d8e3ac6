"""The training step: what it trains, what it leaves alone; under fit, XLA, half precision and replicas."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.distill.distiller import Distiller
from edgebert.distill.published import logits_only, published, tinybert_intermediate
from edgebert.errors import TrainingError
from edgebert.keras import keras, tf
from edgebert.models.loading import model_tensors
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.training.optimizer import adamw

HEAD = HeadConfig(kind="classification", pooling="first", labels=("a", "b", "c"))
TEACHER = EncoderConfig(60, 16, 4, 4, 32, 16, pooler=False, dropout=0.0, attention_dropout=0.0, initializer_range=0.2)
STUDENT = dataclasses.replace(TEACHER, width=8, embedding_width=8, layers=2, layer_blocks=(), feed_forward_width=16)
RECIPES = (
    "logits_only",
    "tinybert_intermediate",
    "tinybert_prediction",
    "distilbert_task",
    "minilm",
    "patient_kd",
    "align",
)


def model(config: EncoderConfig, seed: int, head: HeadConfig = HEAD) -> TaskModel:
    keras.utils.set_random_seed(seed)
    return build_model(config, head)


def data(count: int = 32, batch_size: int = 8, seed: int = 0) -> tf.data.Dataset:
    generator = np.random.default_rng(seed)
    ids = generator.integers(5, 60, (count, 12), np.int32)
    mask = (np.arange(12) < generator.integers(2, 13, (count, 1))).astype(np.int32)
    inputs = dict(zip(INPUT_NAMES, (ids, mask, np.zeros_like(ids)), strict=True))
    return tf.data.Dataset.from_tensor_slices((inputs, generator.integers(0, 3, count))).batch(batch_size)


def distiller(recipe, student: TaskModel, *teachers: TaskModel, **compiling) -> Distiller:
    made = Distiller(student, teachers, recipe)
    made.compile(optimizer=keras.optimizers.Adam(1e-2), **compiling)
    return made


@pytest.mark.parametrize("name", RECIPES)
def test_training_lowers_every_recipes_loss_and_never_touches_the_teacher(name: str) -> None:
    teacher, student = model(TEACHER, 1), model(STUDENT, 2)
    before, untrained = model_tensors(teacher), model_tensors(student)
    history = distiller(published(name), student, teacher).fit(data(), epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    np.testing.assert_allclose(
        history["loss"], sum(np.array(values) for term, values in history.items() if term != "loss"), rtol=1e-5
    )
    for term, values in model_tensors(teacher).items():
        np.testing.assert_array_equal(values, before[term])
    assert any(not np.array_equal(values, untrained[term]) for term, values in model_tensors(student).items())


def test_a_copy_of_the_teacher_has_nothing_to_learn_from_it() -> None:
    teacher, student = model(TEACHER, 1), model(TEACHER, 2)
    for name, variable in named_variables(student).items():
        variable.assign(named_variables(teacher)[name])
    losses = distiller(tinybert_intermediate(), student, teacher).evaluate(data(), verbose=0, return_dict=True)
    assert max(losses.values()) < 1e-10


def test_the_gradient_is_that_of_the_sum_and_padding_has_no_part_in_it() -> None:
    """One step of plain gradient descent, taken again with other ids under the padding."""
    teacher, results = model(TEACHER, 1), []
    for replaced in (0, 7):
        student = model(STUDENT, 2)
        made = Distiller(student, (teacher,), tinybert_intermediate())
        keras.utils.set_random_seed(5)
        for variable in made.projections.trainable_variables:
            variable.assign(tf.random.normal(variable.shape, seed=3))
        made.compile(optimizer=keras.optimizers.SGD(0.1))
        inputs, targets = next(iter(data()))
        inputs["input_ids"] = tf.where(inputs["input_mask"] == 1, inputs["input_ids"], replaced)
        made.train_on_batch(inputs, targets)
        tensors = model_tensors(student)
        # Rows of the table that only padding names do get the gradient of no loss.
        results.append({name: values for name, values in tensors.items() if "embeddings.word" not in name})
    for name, values in results[0].items():
        np.testing.assert_allclose(values, results[1][name], atol=1e-6, err_msg=name)


def test_keras_callbacks_see_the_terms_and_keep_and_bring_back_weights(tmp_path: Path) -> None:
    """At a rate at which it gets worse after the first epoch: what was best is kept in a file, and brought back."""
    teacher, student, seen = model(TEACHER, 1), model(STUDENT, 2), []
    made = distiller(logits_only(), student, teacher)
    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(dict(logs))),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.weights.h5", monitor="val_loss", save_weights_only=True, save_best_only=True
        ),
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=2, restore_best_weights=True),
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-3 if epoch == 0 else 1.0),
    ]
    made.fit(data(), validation_data=data(seed=1), epochs=9, verbose=0, callbacks=callbacks)
    losses = [logs["val_loss"] for logs in seen]
    assert len(losses) == 3 and min(losses) == losses[0] and {"soft_kl", "val_soft_kl"} <= set(seen[0])
    brought_back = made.evaluate(data(seed=1), verbose=0, return_dict=True)["loss"]
    assert brought_back == pytest.approx(losses[0], rel=1e-4)
    made.set_weights([np.zeros_like(values) for values in made.get_weights()])
    made.load_weights(tmp_path / "best.weights.h5")
    assert made.evaluate(data(seed=1), verbose=0, return_dict=True)["loss"] == pytest.approx(losses[0], rel=1e-4)


def test_a_teacher_of_other_tokens_is_not_asked_of_the_students() -> None:
    larger = dataclasses.replace(STUDENT, vocabulary_size=70)
    made = Distiller(model(larger, 2), [model(TEACHER, 1)], logits_only())
    inputs, targets = next(iter(data()))
    with pytest.raises(TrainingError, match="expected its answers in the batch, where its vocabulary"):
        made.term_losses(inputs, targets, training=False)


def test_xla_computes_the_same_steps() -> None:
    histories = []
    for jit_compile in (False, True):
        made = distiller(logits_only(), model(STUDENT, 2), model(TEACHER, 1), jit_compile=jit_compile)
        histories.append(made.fit(data(), epochs=2, verbose=0).history["loss"])
    np.testing.assert_allclose(*histories, rtol=1e-4)


def test_half_precision_learns_and_keeps_float32_variables() -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        teacher, student = model(TEACHER, 1), model(STUDENT, 2)
        made = Distiller(student, (teacher,), tinybert_intermediate())
        optimizer = keras.mixed_precision.LossScaleOptimizer(keras.optimizers.Adam(1e-2))
        made.compile(optimizer=optimizer)
        history = made.fit(data(), epochs=4, verbose=0).history
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert np.isfinite(history["loss"]).all() and history["loss"][-1] < history["loss"][0]
    assert {variable.dtype for variable in student.trainable_variables} == {tf.float32}


@pytest.fixture(scope="module")
def two_replicas() -> tf.distribute.Strategy:
    """One for all tests: a second one in a process would number its reductions as the first has, and TensorFlow takes
    them for the same."""
    if len(tf.config.list_logical_devices("CPU")) < 2:
        pytest.fail("expected two logical CPUs from conftest")
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])


# Of the last batch one replica gets an example and the other none, or two and one.
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("tinybert_intermediate", 17),
        *(pytest.param(name, 19, marks=pytest.mark.long) for name in ("logits_only", "patient_kd")),
    ],
)
def test_two_replicas_take_the_steps_of_one(two_replicas, name: str, count: int) -> None:
    """Though their shares of a batch differ in tokens, and of the last one in examples."""
    told, results = [], []
    for strategy in (tf.distribute.OneDeviceStrategy("CPU:0"), two_replicas):
        with strategy.scope():
            teacher, student = model(TEACHER, 1), model(STUDENT, 2)
            made = Distiller(student, (teacher,), published(name))
            made.compile(optimizer=keras.optimizers.SGD(0.1))
        told.append(made.fit(data(count), epochs=1, verbose=0).history)
        results.append(model_tensors(student))
    for term, values in told[0].items():
        np.testing.assert_allclose(told[1][term], values, rtol=1e-5, err_msg=term)
    for name, values in results[0].items():
        np.testing.assert_allclose(values, results[1][name], atol=1e-6, err_msg=name)


def test_the_optimizer_of_all_trainings_takes_one_step_on_two_replicas_too(two_replicas) -> None:
    """What it computes once a step is seen by every replica's updates. Adam makes a step of any gradient, of one that
    is only rounding too: hence the tolerance, as large under Keras' own."""
    results = []
    for strategy in (tf.distribute.OneDeviceStrategy("CPU:0"), two_replicas):
        with strategy.scope():
            teacher, student = model(TEACHER, 1), model(STUDENT, 2)
            before = model_tensors(student)
            made = Distiller(student, (teacher,), logits_only())
            made.compile(optimizer=adamw(1e-3, 8, 0.25, 0.5))
        made.fit(data(17), epochs=2, verbose=0)
        results.append(model_tensors(student))
    for name, values in results[0].items():
        np.testing.assert_allclose(values, results[1][name], atol=5e-4, err_msg=name)
    assert np.abs(results[1]["head.classifier.kernel"] - before["head.classifier.kernel"]).max() > 2e-3


def test_several_teachers_count_as_their_mean() -> None:
    one, other = model(TEACHER, 1), model(TEACHER, 3)
    losses = {}
    for name, teachers in {"both": (one, other), "one twice": (one, one), "one": (one,)}.items():
        made = distiller(logits_only(), model(STUDENT, 2), *teachers)
        losses[name] = made.evaluate(data(), verbose=0, return_dict=True)["loss"]
    np.testing.assert_allclose(losses["one twice"], losses["one"], rtol=1e-5)
    assert abs(losses["both"] - losses["one"]) > 1e-4


def test_impossible_pairs_are_refused_before_training() -> None:
    other = HeadConfig(kind="classification", pooling="first", labels=("a", "b"))
    with pytest.raises(TrainingError, match="expected"):
        Distiller(model(STUDENT, 2, other), (model(TEACHER, 1),), logits_only())


@pytest.mark.parametrize("option", [{"metrics": ["accuracy"]}, {"loss": "mse"}, {"weighted_metrics": ["accuracy"]}])
def test_what_no_recipe_reads_is_refused_and_not_ignored(option) -> None:
    made = Distiller(model(STUDENT, 1), model(TEACHER, 2), published("logits_only"))
    with pytest.raises(TrainingError, match=f"compile: expected the recipe's losses alone, got {next(iter(option))}"):
        made.compile(optimizer="sgd", **option)


def test_teachers_are_one_or_several() -> None:
    with pytest.raises(TrainingError, match="teachers: expected one or more, got none"):
        Distiller(model(STUDENT, 1), (), published("logits_only"))
