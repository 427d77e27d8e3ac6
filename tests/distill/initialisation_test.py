"""A student's first values: what must not change, what must rank first, and what is refused."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.config import MASKED_WORDS, EncoderConfig, HeadConfig
from edgebert.data.batches import EncodedDataset, batches
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.distill.initialisation.layers import first_to_last
from edgebert.distill.initialisation.starting import Initialisation, Initialised, initialise
from edgebert.distill.layer_maps import LayerMap
from edgebert.errors import DataError, TrainingError
from edgebert.keras import keras, tf
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.layers import flat
from edgebert.models.loading import load_model, model_tensors
from edgebert.models.task import TaskModel, build_model, named_variables
from edgebert.truncation.magnitude import magnitude_importance
from edgebert.truncation.measuring import MeasureSettings, inside, measure
from edgebert.truncation.refitting import query_key_bases, refit, value_basis
from edgebert.truncation.tables import factorise
from edgebert.truncation.values import Source, Spread
from tests.models.configs import MOBILE, SHARED

HEAD = HeadConfig(kind="classification", pooling="mean", labels=("a", "b", "c"))
EMBEDDING = HeadConfig(kind="embedding", pooling="mean")
TEACHER = EncoderConfig(60, 16, 4, 4, 24, 16, maximum_length=32, initializer_range=0.3)
NARROW = dataclasses.replace(TEACHER, width=12, embedding_width=12, heads=3)


def model(config: EncoderConfig, head: HeadConfig = HEAD, seed: int = 1) -> TaskModel:
    """With biases and gains that are not those of a start."""
    keras.utils.set_random_seed(seed)
    built, generator = build_model(config, head), np.random.default_rng(seed)
    for name, variable in named_variables(built).items():
        if name.endswith((".bias", ".gain")):
            variable.assign_add(generator.normal(0, 0.2, variable.shape))
    return built


def texts(count: int = 48, labelled: bool = True, vocabulary: int = 60) -> EncodedDataset:
    generator = np.random.default_rng(5)
    encoded = []
    for _ in range(count):
        ids = tuple(map(int, generator.integers(5, vocabulary, generator.integers(4, 12))))
        encoded.append(Encoded(ids, (1,) * len(ids), (0,) * len(ids)))
    return EncodedDataset(tuple(encoded), generator.integers(0, 3, count) if labelled else None)


def filled(config: EncoderConfig, head: HeadConfig, start: Initialised) -> TaskModel:
    made = build_model(config, head)
    variables = named_variables(made)
    assert set(variables) == set(start.tensors)
    for name, variable in variables.items():
        variable.assign(start.tensors[name])
    return made


def answers(of: TaskModel, data: EncodedDataset) -> tuple[np.ndarray, np.ndarray]:
    """Outputs and the rows of real tokens."""
    outputs, rows = [], []
    for _, inputs in batches(data, 16):
        trace = of.trace({name: tf.constant(values) for name, values in inputs.items()}, training=False)
        outputs.append(trace.output.numpy())
        rows.append(trace.encoder.rows.numpy()[inputs["input_mask"] > 0])
    return np.concatenate(outputs), np.concatenate(rows)


def same_answers(one: TaskModel, other: TaskModel, tolerance: float = 1e-5) -> None:
    np.testing.assert_allclose(answers(one, texts())[0], answers(other, texts())[0], rtol=0, atol=tolerance)


def change(of: TaskModel, name: str, function) -> None:
    variable = named_variables(of)[name]
    values = variable.numpy()
    function(values)
    variable.assign(values)


@pytest.mark.parametrize("importance", ["taylor", "magnitude", "random"])
def test_a_truncation_to_full_size_is_the_teacher(importance: str) -> None:
    factorised = dataclasses.replace(TEACHER, embedding_width=6, projection="before_sum")
    without_norm = dataclasses.replace(TEACHER, normalization="no_norm", pooler=False)
    for config in (TEACHER, factorised, without_norm):
        teacher = model(config)
        start = initialise(config, HEAD, Initialisation("truncated", importance=importance), teacher, texts())
        assert not start.fresh
        for name, values in model_tensors(teacher).items():
            np.testing.assert_array_equal(start.tensors[name], values, err_msg=name)


def test_all_layers_are_the_teacher_of_every_kind() -> None:
    for config in (TEACHER, MOBILE, SHARED, dataclasses.replace(SHARED, layer_blocks=(0, 1, 0, 1))):
        teacher = model(config)
        start = initialise(config, HEAD, Initialisation("from_layers"), teacher)
        assert not start.fresh
        for name, values in model_tensors(teacher).items():
            np.testing.assert_array_equal(start.tensors[name], values, err_msg=name)


def test_chosen_layers_are_those_and_default_to_distilberts() -> None:
    assert first_to_last(6, 12) == (1, 3, 5, 8, 10, 12)
    assert [first_to_last(count, 4) for count in (1, 2, 4)] == [(1,), (1, 4), (1, 2, 3, 4)]
    teacher, student = model(TEACHER), dataclasses.replace(TEACHER, layers=2, layer_blocks=())
    ours, theirs = "encoder.blocks.{}.feed_forward.up.kernel", model_tensors(teacher)
    for layer_map, layers in (
        (None, (1, 4)),
        (LayerMap(), (2, 4)),
        (LayerMap("explicit", teacher_layers=(2, 3)), (2, 3)),
    ):
        for method in ("from_layers", "truncated"):
            how = Initialisation(method, layer_map, importance="magnitude")
            tensors = initialise(student, HEAD, how, teacher).tensors
            for number, layer in enumerate(layers):
                np.testing.assert_array_equal(tensors[ours.format(number)], theirs[ours.format(layer - 1)])


def test_a_student_that_shares_blocks_takes_its_lowest_layers() -> None:
    teacher, student = model(TEACHER), dataclasses.replace(TEACHER, layer_blocks=(0, 0, 1, 1))
    tensors = initialise(student, HEAD, Initialisation("from_layers"), teacher).tensors
    theirs = model_tensors(teacher)
    for number, block in enumerate((0, 2)):
        np.testing.assert_array_equal(
            tensors[f"encoder.blocks.{number}.query.kernel"], theirs[f"encoder.blocks.{block}.query.kernel"]
        )


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
def test_neurons_that_nothing_reads_are_dropped_without_a_trace(importance: str) -> None:
    teacher = model(TEACHER)
    dead = np.array([0, 7, 13, 23])
    for block in range(4):
        change(teacher, f"encoder.blocks.{block}.feed_forward.down.kernel", lambda kernel: kernel.__setitem__(dead, 0))
    student = dataclasses.replace(TEACHER, feed_forward_width=20)
    start = initialise(student, HEAD, Initialisation("truncated", importance=importance), teacher, texts())
    assert all(not set(block.neurons) & set(dead) for block in start.kept.blocks)
    same_answers(filled(student, HEAD, start), teacher)


def plant_dead_parts(teacher: TaskModel) -> None:
    """Head 1 writes nothing; channels 3, 4, 9 and 15 carry nothing, and the others' mean is 0 before every norm."""
    dead = [3, 4, 9, 15]
    alive = [channel for channel in range(16) if channel not in dead]

    def centre(values):
        values[..., dead] = 0
        values[..., alive] -= values[..., alive].mean(axis=-1, keepdims=True)

    writers = ("word.weight", "position.weight", "segment.weight", "attention_output.kernel", "attention_output.bias")
    writers += ("down.kernel", "down.bias")
    for name in named_variables(teacher):
        if name.endswith(writers) or name.endswith("norm.bias"):
            change(teacher, name, centre)
        if name.endswith("norm.gain"):
            # Equal gains keep what is centred centred.
            change(teacher, name, lambda gain: (gain.fill(0.9), gain.__setitem__(dead, 0)))
        if name.endswith("attention_output.kernel"):
            change(teacher, name, lambda kernel: kernel.__setitem__(slice(4, 8), 0))


@pytest.mark.parametrize("importance", ["taylor", "magnitude"])
@pytest.mark.parametrize("normalization", ["no_norm", "layer_norm"])
def test_a_head_and_channels_without_effect_are_dropped_without_a_trace(importance: str, normalization: str) -> None:
    """A LayerNorm over 12 of 16 channels sees 16/12 of the variance: only a measured start can put that right."""
    teacher = model(dataclasses.replace(TEACHER, normalization=normalization))
    plant_dead_parts(teacher)
    student = dataclasses.replace(NARROW, normalization=normalization)
    start = initialise(student, HEAD, Initialisation("truncated", importance=importance), teacher, texts())
    assert start.kept.channels == (0, 1, 2, 5, 6, 7, 8, 10, 11, 12, 13, 14)
    assert {block.heads for block in start.kept.blocks} == {(0, 2, 3)}
    if normalization == "no_norm" or importance == "taylor":
        same_answers(filled(student, HEAD, start), teacher, 2e-4)


def test_what_was_made_important_ranks_first() -> None:
    """By leaving the others a twentieth of what they write."""
    teacher = model(TEACHER)
    for block in range(4):
        for name, rows in {"attention_output": slice(8, 12), "feed_forward.down": slice(17, 18)}.items():

            def quieten(kernel, rows=rows):
                kept = kernel[rows].copy()
                kernel *= 0.05
                kernel[rows] = kept

            change(teacher, f"encoder.blocks.{block}.{name}.kernel", quieten)
        # Neurons that rarely fire would matter little however much they write.
        change(teacher, f"encoder.blocks.{block}.feed_forward.up.bias", lambda bias: bias.__setitem__(17, 1))
    source = Source(TEACHER, HEAD, model_tensors(teacher))
    labelled, unlabelled = (measure(teacher, texts(labelled=labelled)).importance for labelled in (True, False))
    for importance in (labelled, unlabelled, magnitude_importance(source)):
        assert [np.argmax(block.heads) for block in importance.blocks] == [2] * 4
        assert [np.argmax(block.neurons) for block in importance.blocks] == [17] * 4


def test_the_one_channel_that_the_answer_depends_on_ranks_first() -> None:
    teacher = model(TEACHER)
    others = np.arange(16) != 6
    for name in named_variables(teacher):
        if name.endswith(("attention_output.kernel", "down.kernel")):
            change(teacher, name, lambda kernel: kernel.__imul__(0.01))
        if name.endswith("norm.gain"):
            change(teacher, name, lambda gain: gain.__setitem__(6, 3))
        if name.endswith("classifier.kernel"):
            change(teacher, name, lambda kernel: kernel.__setitem__(others, 0))
    source = Source(TEACHER, HEAD, model_tensors(teacher))
    for importance in (measure(teacher, texts()).importance, magnitude_importance(source)):
        assert np.argmax(importance.channels) == 6


def test_taylor_importance_is_the_derivative_of_silencing() -> None:
    """Against a finite difference in the weights, one example at a time."""
    teacher, data = model(TEACHER), texts(3)
    importance = measure(teacher, data).importance.blocks[1]
    step, expected_head, expected_neuron = 1e-2, 0.0, 0.0
    for number in range(3):
        inputs = next(batches(EncodedDataset(data.encoded[number : number + 1], None), 1))[1]
        inputs = {name: tf.constant(values) for name, values in inputs.items()}

        def loss(inputs=inputs, number=number) -> float:
            output = teacher(inputs, training=False)
            return float(
                keras.losses.sparse_categorical_crossentropy(data.targets[number], output[0], from_logits=True)
            )

        for name, rows in (("attention_output", slice(8, 12)), ("feed_forward.down", slice(5, 6))):
            kernel = named_variables(teacher)[f"encoder.blocks.1.{name}.kernel"]
            values, losses = kernel.numpy(), []
            for factor in (1 + step, 1 - step):
                changed = values.copy()
                changed[rows] *= factor
                kernel.assign(changed)
                losses.append(loss())
            kernel.assign(values)
            slope = abs(losses[0] - losses[1]) / (2 * step)
            if name == "attention_output":
                expected_head += slope / 3
            else:
                expected_neuron += slope / 3
    np.testing.assert_allclose(importance.heads[2], expected_head, rtol=0.02)
    np.testing.assert_allclose(importance.neurons[5], expected_neuron, rtol=0.02)


def test_padding_and_batches_do_not_change_what_is_measured() -> None:
    teacher, data = model(TEACHER), texts(12)
    alone, together = (measure(teacher, data, MeasureSettings(batch_size=size)) for size in (1, 12))
    for one, other in zip(alone.importance.blocks, together.importance.blocks, strict=True):
        np.testing.assert_allclose(one.heads, other.heads, rtol=1e-3, atol=1e-7)
        np.testing.assert_allclose(one.neurons, other.neurons, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(alone.importance.channels, together.importance.channels, rtol=1e-3)
    for one, other in zip(alone.spread.blocks, together.spread.blocks, strict=True):
        np.testing.assert_allclose(one.neurons.covariance, other.neurons.covariance, atol=1e-4)
        np.testing.assert_allclose(one.keys, other.keys, atol=1e-4)


def test_a_blocks_inner_activations_are_those_that_it_computed() -> None:
    teacher = model(TEACHER)
    inputs = next(batches(texts(6), 6))[1]
    trace = teacher.trace({name: tf.constant(values) for name, values in inputs.items()}).encoder
    for layer, block in enumerate(teacher.encoder.blocks):
        inner, _ = inside(block, trace.hidden[layer], trace.attention[layer], tf.ones_like(trace.hidden[layer]))
        np.testing.assert_allclose(inner.outputs.numpy(), flat(trace.hidden[layer + 1]).numpy(), atol=1e-5)


def test_refitting_is_least_squares() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(4000, 8)) @ (2 * np.eye(8) + 0.6 * generator.normal(size=(8, 8))) + generator.normal(
        size=8
    )
    weight, bias = generator.normal(size=(8, 5)), generator.normal(size=5)
    spread, basis = Spread(x.mean(axis=0), np.cov(x.T, bias=True)), np.eye(8)[:, :5]
    fitted, constant = refit(weight, bias, basis, spread)
    exact = np.linalg.lstsq(np.c_[x[:, :5], np.ones(len(x))], x @ weight + bias, rcond=None)[0]
    wanted = x @ weight + bias
    least = np.mean((np.c_[x[:, :5], np.ones(len(x))] @ exact - wanted) ** 2)
    assert np.mean((x[:, :5] @ fitted + constant - wanted) ** 2) < least * 1.01
    assert np.mean((x[:, :5] @ weight[:5] + bias - wanted) ** 2) > least * 1.5


def test_narrower_heads_keep_what_no_choice_of_channels_can_keep_more_of() -> None:
    generator = np.random.default_rng(0)
    mixing = generator.normal(size=(2, 8, 8))
    queries, keys = generator.normal(size=(2, 300, 8)) @ mixing
    for_queries, for_keys = query_key_bases(queries.T @ queries, keys.T @ keys, 5)
    scores = queries @ keys.T
    left, energies, right = np.linalg.svd(scores)
    best = (left[:, :5] * energies[:5]) @ right[:5]
    np.testing.assert_allclose((queries @ for_queries) @ (keys @ for_keys).T, best, atol=1e-3 * np.abs(best).max())
    output = generator.normal(size=(8, 16))
    basis = value_basis(queries.T @ queries, output, 5)
    np.testing.assert_allclose(basis.T @ basis, np.eye(5), atol=1e-5)
    fitted = np.linalg.lstsq(queries @ basis, queries @ output, rcond=None)[0]
    error = np.sum(((queries @ basis) @ fitted - queries @ output) ** 2)
    np.testing.assert_allclose(error, np.sum(np.linalg.svd(queries @ output)[1][5:] ** 2), rtol=1e-3)


def test_scores_keep_their_scale_when_heads_become_narrower() -> None:
    """Each head has one query channel without effect; dropping it must not change attention."""
    teacher, wide = model(TEACHER), dataclasses.replace(TEACHER, width=12, embedding_width=12)
    plant_dead_parts(teacher)
    for name in named_variables(teacher):
        if name.endswith(("query.kernel", "query.bias")):
            change(teacher, name, lambda values: values[..., 2::4].fill(0))
        if name.endswith("attention_output.kernel"):
            change(teacher, name, lambda values: values[1::4].fill(0))
    start = initialise(wide, HEAD, Initialisation("truncated"), teacher, texts())
    same_answers(filled(wide, HEAD, start), teacher, 5e-4)


def test_a_low_rank_table_is_as_near_as_any() -> None:
    table = np.random.default_rng(0).normal(size=(40, 12)).astype(np.float32)
    words, kernel, bias = factorise(table, 5)
    error = np.sum((words @ kernel + bias - table) ** 2)
    np.testing.assert_allclose(error, np.sum(np.linalg.svd(table - table.mean(axis=0))[1][5:] ** 2), rtol=1e-4)
    np.testing.assert_allclose(np.linalg.multi_dot([*factorise(table, 12)[:2]]) + table.mean(axis=0), table, atol=1e-5)


def test_tables_follow_the_students_vocabulary_length_and_segments() -> None:
    teacher = model(TEACHER)
    rows = [0, 1, 2, 40, 41, 7]
    student = dataclasses.replace(
        TEACHER, vocabulary_size=6, maximum_length=20, segments=0, embedding_width=16, projection="before_sum"
    )
    tensors = initialise(student, HEAD, Initialisation("from_layers"), teacher, vocabulary_rows=rows).tensors
    theirs = model_tensors(teacher)
    table = tensors["encoder.embeddings.word.weight"] @ tensors["encoder.embeddings.projection.kernel"]
    table += tensors["encoder.embeddings.projection.bias"]
    np.testing.assert_allclose(table, theirs["encoder.embeddings.word.weight"][rows], atol=1e-5)
    expected = theirs["encoder.embeddings.position.weight"][:20] + theirs["encoder.embeddings.segment.weight"][0]
    np.testing.assert_array_equal(tensors["encoder.embeddings.position.weight"], expected)


def test_the_head_is_taken_over_as_far_as_it_answers_the_same() -> None:
    teacher = model(TEACHER)
    kernel = model_tensors(teacher)["head.classifier.kernel"]
    turned = dataclasses.replace(HEAD, labels=("c", "a"))
    start = initialise(TEACHER, turned, Initialisation("from_layers"), teacher)
    np.testing.assert_array_equal(start.tensors["head.classifier.kernel"], kernel[:, [2, 0]])
    # The first row is one of those whose mean it was.
    first = initialise(TEACHER, dataclasses.replace(HEAD, pooling="first"), Initialisation("from_layers"), teacher)
    np.testing.assert_array_equal(first.tensors["head.classifier.kernel"], kernel)
    for other in (dataclasses.replace(HEAD, labels=("a", "d")), dataclasses.replace(HEAD, pooling="pooler")):
        start = initialise(TEACHER, other, Initialisation("from_layers"), teacher)
        assert start.fresh == ("head.classifier.kernel", "head.classifier.bias")


def test_a_folder_gives_its_encoder_and_random_is_a_matter_of_the_seed(tmp_path: Path) -> None:
    saved = model(TEACHER, EMBEDDING)
    save_checkpoint(tmp_path / "general", model_tensors(saved), TEACHER, EMBEDDING)
    start = initialise(TEACHER, HEAD, Initialisation("from_folder", folder=tmp_path / "general"))
    assert start.fresh == ("head.classifier.kernel", "head.classifier.bias")
    for name, values in model_tensors(saved).items():
        np.testing.assert_array_equal(start.tensors[name], values, err_msg=name)
    with pytest.raises(TrainingError, match="width: expected 12, got 16"):
        initialise(NARROW, HEAD, Initialisation("from_folder", folder=tmp_path / "general"))
    one, again, other = (initialise(TEACHER, HEAD, Initialisation("random", seed=seed)) for seed in (3, 3, 4))
    name = "encoder.blocks.0.query.kernel"
    np.testing.assert_array_equal(one.tensors[name], again.tensors[name])
    assert not np.array_equal(one.tensors[name], other.tensors[name])
    assert np.abs(one.tensors[name]).max() <= 2 * TEACHER.initializer_range
    assert set(one.fresh) == set(one.tensors)


IMPOSSIBLE = {
    "student width: expected at most the teacher's 16": {"width": 20, "embedding_width": 20},
    "student layers|layer_map": {"layers": 5, "layer_blocks": ()},
    "student heads: expected at most the teacher's 4": {"heads": 8},
    "student feed_forward_width: expected at most": {"feed_forward_width": 25},
    "student head_width: expected at most the teacher's 4, got 6. Do: give the student 3 heads or more": {
        "width": 12,
        "embedding_width": 12,
        "heads": 2,
    },
    "student vocabulary: expected the teacher's 60 pieces": {"vocabulary_size": 50},
    "student maximum_length": {"maximum_length": 64},
    "student segments": {"segments": 3},
    "student embedding_width: expected at most 12": {"width": 12, "heads": 3, "projection": "before_sum"},
    "student embeddings": {"projection": "after_norm", "embedding_width": 8},
}


@pytest.mark.parametrize("message", IMPOSSIBLE)
def test_impossible_students_are_refused_in_plain_words(message: str) -> None:
    student = dataclasses.replace(TEACHER, **IMPOSSIBLE[message])
    with pytest.raises(TrainingError, match=message) as raised:
        initialise(student, HEAD, Initialisation("truncated", importance="magnitude"), model(TEACHER))
    assert ". Do: " in str(raised.value) and "\n" not in str(raised.value)


def test_impossible_asks_are_refused_in_plain_words() -> None:
    teacher, mobile = model(TEACHER), model(MOBILE)
    magnitude = Initialisation("truncated", importance="magnitude")
    for message, ask in {
        "width: expected the teacher's 16 for from_layers": lambda: initialise(
            NARROW, HEAD, Initialisation("from_layers"), teacher
        ),
        "without bottleneck": lambda: initialise(MOBILE, HEAD, magnitude, mobile),
        "teacher: expected a model": lambda: initialise(TEACHER, HEAD, magnitude),
        "texts to measure it on": lambda: initialise(NARROW, HEAD, Initialisation("truncated"), teacher),
        "vocabulary_rows: expected 60 rows": lambda: initialise(TEACHER, HEAD, magnitude, teacher, None, [1, 2]),
        "from 0 to 59, got 60": lambda: initialise(TEACHER, HEAD, magnitude, teacher, None, range(1, 61)),
        "vocabulary_rows: expected none": lambda: initialise(
            TEACHER, HEAD, Initialisation("random"), None, None, range(60)
        ),
        "method: expected from_layers": lambda: Initialisation("magic"),
        "importance: expected taylor": lambda: Initialisation("truncated", importance="luck"),
        "folder: expected": lambda: Initialisation("from_folder"),
    }.items():
        with pytest.raises(TrainingError, match=message):
            ask()
    with pytest.raises(DataError, match="expected texts"):
        measure(teacher, EncodedDataset((), None))
    with pytest.raises(DataError, match="the teacher's 3 classes, got class 5"):
        measure(teacher, dataclasses.replace(texts(4), targets=np.array([0, 1, 5, 2])))


@pytest.mark.long
def test_minilm_truncated_by_importance_stays_closer_than_by_chance(minilm_folder: Path) -> None:
    """384 to 312 channels, 32 to 26 wide heads, 1,536 to 1,200 neurons; then also six layers to four."""
    teacher = load_model(dataclasses.replace(load_checkpoint(minilm_folder), head=None), EMBEDDING).model
    tokenizer = WordPiece.from_folder(minilm_folder)
    lines = [line for line in (Path(__file__).parents[2] / "README.md").read_text().splitlines() if len(line) > 30]
    lines += [
        line.strip()
        for path in sorted((Path(__file__).parents[2] / "edgebert").rglob("*.py"))
        for line in path.read_text().split('"""')[1:2]
    ]
    data = [
        EncodedDataset(tuple(tokenizer.encode(line, None, length=48) for line in part), None)
        # To measure on, and to compare on: there every eighth is enough.
        for part in (lines[::2], lines[1::16])
    ]
    expected = answers(teacher, data[1])[1]
    narrow = dataclasses.replace(teacher.config, width=312, embedding_width=312, feed_forward_width=1200)
    for student in (narrow, dataclasses.replace(narrow, layers=4, layer_blocks=())):
        cosines = {}
        for importance in ("taylor", "magnitude", "random"):
            how = Initialisation("truncated", importance=importance, examples=128)
            start = initialise(student, EMBEDDING, how, teacher, data[0])
            rows, wanted = (
                answers(filled(student, EMBEDDING, start), data[1])[1],
                expected[:, list(start.kept.channels)],
            )
            lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(wanted, axis=1)
            cosines[importance] = float(np.mean(np.sum(rows * wanted, axis=1) / lengths))
        assert cosines["taylor"] > cosines["magnitude"] > cosines["random"]
        assert cosines["taylor"] > cosines["random"] + 0.05


@pytest.mark.parametrize("method", ["from_layers", "truncated"])
def test_a_copy_of_a_masked_word_model_predicts_what_it_predicts(method: str) -> None:
    """With other rows of the table, its answers for these pieces."""
    teacher, rows = model(TEACHER, MASKED_WORDS), [0, *range(59, 0, -1)]
    inputs = {
        name: tf.constant(np.full([2, 5], value, np.int32))
        for name, value in (("input_ids", 9), ("input_mask", 1), ("segment_ids", 0))
    }
    answer = teacher(inputs).numpy()
    how = Initialisation(method, importance="magnitude") if method == "truncated" else Initialisation(method)
    whole = initialise(TEACHER, MASKED_WORDS, how, teacher)
    assert whole.fresh == ()
    np.testing.assert_allclose(filled(TEACHER, MASKED_WORDS, whole)(inputs).numpy(), answer, atol=1e-4)
    turned = filled(TEACHER, MASKED_WORDS, initialise(TEACHER, MASKED_WORDS, how, teacher, vocabulary_rows=rows))
    ids = inputs | {"input_ids": tf.fill([2, 5], rows.index(9))}
    np.testing.assert_allclose(turned(ids).numpy(), answer[..., rows], atol=1e-4)


def test_a_narrower_students_masked_word_head_is_the_part_for_its_channels() -> None:
    teacher = model(TEACHER, MASKED_WORDS)
    start = initialise(NARROW, MASKED_WORDS, Initialisation("truncated", importance="magnitude"), teacher)
    values, channels = model_tensors(teacher), list(start.kept.channels)
    assert start.fresh == ()
    np.testing.assert_array_equal(start.tensors["head.norm.gain"], values["head.norm.gain"][channels])
    np.testing.assert_array_equal(start.tensors["head.decoder.bias"], values["head.decoder.bias"])
    kernel = values["head.transform.kernel"][np.ix_(channels, channels)]
    np.testing.assert_allclose(start.tensors["head.transform.kernel"], kernel, atol=1e-6)


@pytest.mark.parametrize("low_rank", [False, True])
def test_a_masked_word_student_starts_from_the_folder_of_one(tmp_path: Path, low_rank: bool) -> None:
    """In the published layout, and in our own behind a narrower table."""
    config = dataclasses.replace(TEACHER, embedding_width=8, projection="before_sum") if low_rank else TEACHER
    teacher = model(config, MASKED_WORDS)
    save_checkpoint(tmp_path, model_tensors(teacher), config, MASKED_WORDS)
    start = initialise(config, MASKED_WORDS, Initialisation("from_folder", folder=tmp_path))
    assert start.fresh == ()
    for name, values in model_tensors(teacher).items():
        np.testing.assert_array_equal(start.tensors[name], values, err_msg=name)
    answering = initialise(config, HEAD, Initialisation("from_folder", folder=tmp_path))
    assert answering.fresh == ("head.classifier.kernel", "head.classifier.bias")


def test_a_teacher_whose_heads_were_removed_is_measured_and_cut_as_any_other() -> None:
    pruned = dataclasses.replace(TEACHER, heads=3, own_head_width=4)
    teacher = model(pruned)
    whole = initialise(pruned, HEAD, Initialisation("truncated"), teacher, texts())
    for name, values in model_tensors(teacher).items():
        np.testing.assert_array_equal(whole.tensors[name], values, err_msg=name)
    student = dataclasses.replace(pruned, width=12, embedding_width=12, own_head_width=3)
    start = initialise(student, HEAD, Initialisation("truncated"), teacher, texts())
    assert np.isfinite(answers(filled(student, HEAD, start), texts())[0]).all()
