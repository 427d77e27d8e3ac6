"""Recipes on real models: every term from the right tensors of the right layers, in eager, graph, XLA and float16."""

import numpy as np
import pytest

from edgebert.config import HeadConfig
from edgebert.distill import computing
from edgebert.distill.computing import compute, teacher_needs
from edgebert.distill.layer_maps import LayerMap
from edgebert.distill.objectives import OBJECTIVES, Reads
from edgebert.distill.prediction_losses import NOT_MASKED
from edgebert.distill.projections import make_projections
from edgebert.distill.published import PUBLISHED, published
from edgebert.distill.recipe import Recipe, Term
from edgebert.keras import keras, tf
from edgebert.models.encoder import Trace
from edgebert.models.layers import Attention
from edgebert.models.task import TaskTrace
from tests.distill import reference
from tests.distill.cases import CLASSES, inputs_of, model

INPUTS = inputs_of(5, 2, 4)
MASK = INPUTS["input_mask"]
LABELS = tf.constant([0, 2, 1])
TEACHER_SIZES = {"layers": 4, "width": 12}
STUDENT_SIZES = {"layers": 2, "width": 6}
TASK_RECIPES = [name for name in PUBLISHED if name not in ("distilbert", "distilbert_masked")]
TASK_OBJECTIVES = [name for name, facts in OBJECTIVES.items() if facts.reads is not Reads.TOKENS]


@pytest.fixture(scope="module")
def teacher():
    return model(1, **TEACHER_SIZES)


@pytest.fixture(scope="module")
def student():
    return model(2, **STUDENT_SIZES)


def float64(tensor) -> np.ndarray:
    return tensor.numpy().astype(np.float64)


def single(objective: str, **fields) -> Recipe:
    return Recipe((Term(objective, **fields),), temperature=2.0)


def test_the_table_of_facts_and_the_tables_of_losses_name_the_same_objectives() -> None:
    assert computing._LAYERS.keys() | computing._OUTPUTS.keys() == OBJECTIVES.keys()
    assert not computing._LAYERS.keys() & computing._OUTPUTS.keys()
    for name, facts in OBJECTIVES.items():
        assert (name in computing._OUTPUTS) == (facts.reads in (Reads.OUTPUT, Reads.TOKENS))


@pytest.mark.parametrize("objective", TASK_OBJECTIVES)
def test_a_student_that_is_its_teacher_learns_nothing(objective, teacher) -> None:
    with tf.GradientTape() as tape:
        trace = teacher.trace(INPUTS)
        [loss] = compute(single(objective), trace, trace, MASK).values()
    if "cross_entropy" not in objective:
        assert float(loss) == pytest.approx(0, abs=2e-6)
    for gradient in tape.gradient(loss, teacher.trainable_variables):
        if gradient is not None:
            np.testing.assert_allclose(tf.convert_to_tensor(gradient), 0, atol=2e-5)


@pytest.mark.parametrize("objective", TASK_OBJECTIVES)
def test_padding_changes_no_term(objective, teacher, student) -> None:
    recipe = single(objective)
    projections = make_projections(recipe, teacher.config, student.config)
    values = []
    for padding in (2, 6):
        inputs = inputs_of(5, 2, 4, padding=padding)
        traces = teacher.trace(inputs), student.trace(inputs)
        [loss] = compute(recipe, *traces, inputs["input_mask"], projections=projections).values()
        values.append(float(loss))
    assert values[0] == pytest.approx(values[1], rel=1e-5, abs=1e-6)
    assert values[0] > 1e-4


def test_tinybert_s_terms_are_the_reference_s_on_mapped_layers(teacher, student) -> None:
    recipe = published("tinybert_intermediate")
    projections = make_projections(recipe, teacher.config, student.config)
    traces = teacher.trace(INPUTS).encoder, student.trace(INPUTS).encoder
    kernel, bias = (float64(variable) for variable in projections.trainable_variables)
    mask = MASK.numpy()

    def hidden(student_layer, teacher_layer):
        projected = float64(traces[1].hidden[student_layer]) @ kernel + bias
        return reference.hidden_mse(projected, float64(traces[0].hidden[teacher_layer]), mask)

    def attention(student_layer, teacher_layer):
        scores = [
            float64(trace.attention[layer - 1].scores)
            for trace, layer in zip(traces[::-1], (student_layer, teacher_layer), strict=True)
        ]
        return reference.attention_mse(*scores, mask)

    found = compute(recipe, teacher.trace(INPUTS), student.trace(INPUTS), MASK, projections=projections)
    assert list(found) == ["embedding_mse", "hidden_mse", "attention_scores_mse"]
    assert float(found["embedding_mse"]) == pytest.approx(hidden(0, 0), rel=1e-5)
    assert float(found["hidden_mse"]) == pytest.approx(hidden(1, 2) + hidden(2, 4), rel=1e-5)
    assert float(found["attention_scores_mse"]) == pytest.approx(attention(1, 2) + attention(2, 4), rel=1e-5)


def test_raw_scores_are_the_products_of_the_models_own_weights(teacher) -> None:
    """The tensors that are compared are what the papers mean: A = Q K^T / sqrt(d), and relations of Q without d."""
    trace = teacher.trace(INPUTS).encoder
    block = teacher.encoder.blocks[3]
    rows = float64(trace.hidden[3])

    def heads(dense) -> np.ndarray:
        values = rows @ float64(dense.kernel) + float64(dense.bias)
        return values.reshape(*rows.shape[:2], 3, 4).transpose(0, 2, 1, 3)

    query, key = heads(block.query), heads(block.key)
    attention = trace.attention[3]
    np.testing.assert_allclose(attention.scores, query @ key.transpose(0, 1, 3, 2) / 2, rtol=1e-4, atol=1e-5)
    other = model(5, **TEACHER_SIZES)
    found = compute(
        single("attention_relation_kl", layers="last", relations=("query",), relation_heads=2),
        TaskTrace(None, trace),
        other.trace(INPUTS),
        MASK,
    )
    block, rows = other.encoder.blocks[3], float64(other.trace(INPUTS).encoder.hidden[3])
    expected = reference.relation_kl(heads(block.query), query, MASK.numpy(), 2)
    assert float(found["attention_relation_kl"]) == pytest.approx(expected, rel=1e-4)


def test_minilm_sums_three_relations_of_the_last_layers(teacher, student) -> None:
    traces = student.trace(INPUTS).encoder.attention[-1], teacher.trace(INPUTS).encoder.attention[-1]
    expected = 0.0
    for field in ("query", "key", "value"):
        vectors = [float64(getattr(attention, field)) for attention in traces]
        if field == "query":
            vectors = [values * np.sqrt(values.shape[-1]) for values in vectors]
        # The largest number that divides 6 and 12.
        expected += reference.relation_kl(*vectors, MASK.numpy(), 6)
    found = compute(published("minilm"), teacher.trace(INPUTS), student.trace(INPUTS), MASK)
    assert float(found["attention_relation_kl"]) == pytest.approx(expected, rel=1e-4)


def test_heads_and_widths_may_all_differ_for_relations(teacher) -> None:
    odd = model(3, layers=3, width=10, heads=5)
    [loss] = compute(published("minilm"), teacher.trace(INPUTS), odd.trace(INPUTS), MASK).values()
    assert np.isfinite(loss) and float(loss) > 0


def test_attention_cross_entropy_and_kl_read_scores(teacher, student) -> None:
    scores = [float64(side.trace(INPUTS).encoder.attention[-1].scores) for side in (student, teacher)]
    for objective, function in (
        ("attention_cross_entropy", reference.attention_cross_entropy),
        ("attention_kl", reference.attention_kl),
    ):
        recipe = single(objective, layers="last")
        [loss] = compute(recipe, teacher.trace(INPUTS), student.trace(INPUTS), MASK).values()
        assert float(loss) == pytest.approx(function(*scores, MASK.numpy()), rel=1e-4)


def test_attention_probabilities_are_the_softmax_of_scores(teacher, student) -> None:
    probabilities = [float64(side.trace(INPUTS).encoder.attention[-1].probabilities) for side in (student, teacher)]
    recipe = single("attention_probabilities_mse", layers="last")
    [loss] = compute(recipe, teacher.trace(INPUTS), student.trace(INPUTS), MASK).values()
    assert float(loss) == pytest.approx(reference.attention_mse(*probabilities, MASK.numpy()), rel=1e-4)


def test_prediction_terms_and_hard_labels(teacher, student) -> None:
    outputs = float64(student.trace(INPUTS).output), float64(teacher.trace(INPUTS).output)
    found = compute(published("distilbert_task"), teacher.trace(INPUTS), student.trace(INPUTS), MASK, LABELS)
    assert float(found["soft_kl"]) == pytest.approx(0.5 * reference.soft_kl(*outputs, 2.0), rel=1e-4)
    hard = reference.label_cross_entropy(outputs[0], LABELS.numpy())
    assert float(found["hard_label"]) == pytest.approx(0.5 * hard, rel=1e-5)


def test_scores_as_targets_are_regressed() -> None:
    head = HeadConfig("regression")
    student = model(4, head, **STUDENT_SIZES)
    trace = student.trace(INPUTS)
    targets = tf.constant([0.5, -1.0, 2.0])
    found = compute(Recipe((), hard_label_weight=2.0), trace, trace, MASK, targets)
    expected = 2 * np.mean((trace.output.numpy()[:, 0] - targets.numpy()) ** 2)
    assert float(found["hard_label"]) == pytest.approx(expected, rel=1e-5)


def test_weights_of_layers_and_means_over_them(teacher, student) -> None:
    traces = teacher.trace(INPUTS), student.trace(INPUTS)

    def loss(**fields) -> float:
        return float(compute(single("attention_kl", **fields), *traces, MASK)["attention_kl"])

    lower, upper = loss(layers=((1, 2),)), loss(layers=((2, 4),))
    assert loss() == pytest.approx(lower + upper, rel=1e-5)
    assert loss(over_layers="mean") == pytest.approx((lower + upper) / 2, rel=1e-5)
    assert loss(weight=3.0, layer_weights=(2.0, 0.5)) == pytest.approx(3 * (2 * lower + 0.5 * upper), rel=1e-5)
    assert loss(layer_weights=(0.0, 1.0)) == pytest.approx(loss(layers="last"), rel=1e-5)


def test_increments_follow_the_map(teacher, student) -> None:
    recipe = published("align_incremental")
    projections = make_projections(recipe, teacher.config, student.config)
    traces = teacher.trace(INPUTS), student.trace(INPUTS)
    found = compute(recipe, *traces, MASK, projections=projections)
    states = [float64(projections.project(layer, traces[1].encoder.hidden[layer])) for layer in (1, 2)]
    targets = [float64(traces[0].encoder.hidden[layer]) for layer in (2, 4)]
    mask = MASK.numpy()
    align = [reference.hidden_mse(state, target, mask) for state, target in zip(states, targets, strict=True)]
    increment = reference.hidden_mse(states[0] - states[1], targets[0] - targets[1], mask)
    assert float(found["hidden_mse"]) == pytest.approx(sum(align), rel=1e-5)
    assert float(found["hidden_increment_mse"]) == pytest.approx(increment + align[1], rel=1e-5)


def test_token_terms_of_a_language_model(teacher, student) -> None:
    generator = np.random.default_rng(0)
    logits = [generator.normal(size=(3, MASK.shape[1], 9)).astype(np.float32) for _ in range(2)]
    targets = np.full(MASK.shape, NOT_MASKED, np.int32)
    targets[0, 1], targets[2, 3] = 4, 8
    student_side = student.trace(INPUTS)._replace(output=tf.constant(logits[0]))
    teacher_side = teacher.trace(INPUTS)._replace(output=tf.constant(logits[1]))
    recipe = published("distilbert")
    projections = make_projections(recipe, teacher.config, student.config)
    found = compute(recipe, teacher_side, student_side, MASK, tf.constant(targets), projections)
    real, asked = MASK.numpy() == 1, targets != NOT_MASKED
    pairs = [values.astype(np.float64) for values in logits]
    assert float(found["token_soft_kl"]) == pytest.approx(
        5 * reference.soft_kl(pairs[0][real], pairs[1][real], 2.0), rel=1e-4
    )
    expected = 2 * reference.label_cross_entropy(pairs[0][asked], targets[asked])
    assert float(found["masked_language_model"]) == pytest.approx(expected, rel=1e-4)
    masked = single("token_soft_kl", positions="masked")
    [loss] = compute(masked, teacher_side, student_side, MASK, tf.constant(targets)).values()
    assert float(loss) == pytest.approx(reference.soft_kl(pairs[0][asked], pairs[1][asked], 2.0), rel=1e-4)


@pytest.mark.parametrize("name", TASK_RECIPES)
def test_the_teacher_s_needs_are_all_that_is_read(name, teacher, student) -> None:
    recipe = published(name)
    projections = make_projections(recipe, teacher.config, student.config)
    whole = teacher.trace(INPUTS)
    needs = teacher_needs(recipe, 2, 4)
    kept = TaskTrace(
        whole.output if needs.output else None,
        Trace(
            tuple(state if layer in needs.hidden else None for layer, state in enumerate(whole.encoder.hidden)),
            tuple(
                Attention(
                    *(
                        getattr(attention, field) if (layer, field) in needs.attention else None
                        for field in Attention._fields
                    )
                )
                for layer, attention in enumerate(whole.encoder.attention, start=1)
            ),
        ),
    )
    # An entry more than needed is a cache twice as large; an entry less fails here.
    expected = compute(recipe, whole, student.trace(INPUTS), MASK, LABELS, projections)
    found = compute(recipe, kept, student.trace(INPUTS), MASK, LABELS, projections)
    assert found.keys() == expected.keys() == set(recipe.term_names)
    for term in expected:
        assert float(found[term]) == float(expected[term])


def test_needs_by_hand() -> None:
    assert teacher_needs(published("logits_only"), 2, 4) == (True, (), ())
    assert teacher_needs(published("minilm"), 2, 4) == (False, (), ((4, "key"), (4, "query"), (4, "value")))
    assert teacher_needs(published("tinybert_intermediate"), 2, 4) == (
        False,
        (0, 2, 4),
        ((2, "scores"), (4, "scores")),
    )
    assert teacher_needs(single("masked_language_model"), 2, 4) == (False, (), ())
    assert teacher_needs(Recipe((), hard_label_weight=1.0), 2, 4) == (False, (), ())


@pytest.mark.parametrize("name", TASK_RECIPES)
def test_every_recipe_trains_and_the_teacher_stays(name, teacher, student) -> None:
    recipe = published(name)
    projections = make_projections(recipe, teacher.config, student.config)
    with tf.GradientTape() as tape:
        losses = compute(recipe, teacher.trace(INPUTS), student.trace(INPUTS), MASK, LABELS, projections)
        total = tf.add_n(list(losses.values()))
    variables = student.trainable_variables + projections.trainable_variables
    to_student, to_teacher = tape.gradient(total, [variables, teacher.trainable_variables])
    assert all(gradient is None for gradient in to_teacher)
    moved = [tf.convert_to_tensor(gradient) for gradient in to_student if gradient is not None]
    assert moved and all(np.all(np.isfinite(gradient)) for gradient in moved)
    assert sum(float(tf.norm(gradient)) for gradient in moved) > 1e-3
    for gradient in to_student[len(student.trainable_variables) :]:
        assert gradient is not None


def mixture(*objectives: str) -> Recipe:
    terms = tuple(Term(name) for name in objectives)
    return Recipe(terms, layer_map=LayerMap("last"), temperature=3.0, hard_label_weight=1.0)


EVERYTHING = mixture(*TASK_OBJECTIVES)
# Compiling takes most of the time of these tests: one objective for each part that is read.
SOMETHING = mixture("hidden_increment_mse", "attention_scores_mse", "attention_relation_kl", "soft_kl")


def loss_and_gradients(recipe, teacher, student, projections, inputs, labels):
    with tf.GradientTape() as tape:
        traces = teacher.trace(inputs), student.trace(inputs)
        losses = compute(recipe, *traces, inputs["input_mask"], labels, projections)
        total = tf.add_n(list(losses.values()))
    return losses, tape.gradient(total, student.trainable_variables)


def test_xla_gives_eager_s_losses_and_gradients() -> None:
    teacher, student = model(1, layers=1, width=12), model(2, layers=1, width=6)
    projections = make_projections(SOMETHING, teacher.config, student.config)
    traces = teacher.trace(INPUTS), student.trace(INPUTS)

    def losses_and_gradients(teacher_trace, student_trace, mask, labels):
        with tf.GradientTape() as tape:
            tape.watch(student_trace)
            losses = compute(SOMETHING, teacher_trace, student_trace, mask, labels, projections)
            total = tf.add_n(list(losses.values()))
        return losses, tape.gradient(total, tf.nest.flatten(student_trace), unconnected_gradients="zero")

    expected = losses_and_gradients(*traces, MASK, LABELS)
    found = tf.function(losses_and_gradients, jit_compile=True)(*traces, MASK, LABELS)
    assert_same(*found, *expected)


@pytest.mark.parametrize(
    ("recipe", "xla"),
    [
        (SOMETHING, False),
        pytest.param(EVERYTHING, False, marks=pytest.mark.long),
        pytest.param(EVERYTHING, True, marks=pytest.mark.long),
    ],
)
def test_graph_and_xla_give_eager_s_losses_and_gradients_without_retracing(recipe, xla) -> None:
    teacher, student = model(1, layers=1, width=12), model(2, layers=1, width=6)
    projections = make_projections(recipe, teacher.config, student.config)
    traced = []

    def step(inputs, labels):
        traced.append(1)
        return loss_and_gradients(recipe, teacher, student, projections, inputs, labels)

    specification = {name: tf.TensorSpec([None, None], tf.int32) for name in INPUTS}
    signature = [specification, tf.TensorSpec([None], tf.int32)]
    compiled = tf.function(step, jit_compile=xla, input_signature=signature)
    for inputs, labels in ((INPUTS, LABELS), (inputs_of(3, 7, padding=0), LABELS[:2])):
        expected = loss_and_gradients(recipe, teacher, student, projections, inputs, labels)
        assert_same(*compiled(inputs, labels), *expected)
    assert len(traced) == 1


def assert_same(losses, gradients, expected_losses, expected_gradients) -> None:
    assert losses.keys() == expected_losses.keys()
    for name, loss in losses.items():
        assert float(loss) == pytest.approx(float(expected_losses[name]), rel=1e-4, abs=1e-6), name
    for gradient, expected in zip(gradients, expected_gradients, strict=True):
        assert (gradient is None) == (expected is None)
        if expected is not None:
            np.testing.assert_allclose(
                tf.convert_to_tensor(gradient), tf.convert_to_tensor(expected), rtol=1e-3, atol=1e-4
            )


def test_mixed_float16_computes_losses_in_float32_near_float32_s(teacher, student) -> None:
    projections = make_projections(EVERYTHING, teacher.config, student.config)
    expected, _ = loss_and_gradients(EVERYTHING, teacher, student, projections, INPUTS, LABELS)
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        halves = [model(seed, **sizes) for seed, sizes in ((1, TEACHER_SIZES), (2, STUDENT_SIZES))]
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for half, whole in zip(halves, (teacher, student), strict=True):
        half.set_weights(whole.get_weights())
    assert halves[1].trace(INPUTS).output.dtype == tf.float16
    losses, gradients = loss_and_gradients(EVERYTHING, *halves, projections, INPUTS, LABELS)
    for name, loss in losses.items():
        assert loss.dtype == tf.float32, name
        assert float(loss) == pytest.approx(float(expected[name]), rel=0.05, abs=5e-3), name
    assert all(np.all(np.isfinite(tf.convert_to_tensor(one))) for one in gradients if one is not None)


def test_labels_of_the_cases_are_in_range() -> None:
    assert LABELS.numpy().max() < CLASSES.outputs
