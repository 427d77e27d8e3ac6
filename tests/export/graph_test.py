"""The converted graph answers what the Keras model answers, at any length, with any padding."""

import dataclasses

import numpy as np
import pytest

from edgebert.config import BottleneckConfig, EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import OUTPUT_NAMES, convert_graph
from edgebert.export.precisions import PRECISIONS, quantize
from edgebert.keras import keras, tf
from edgebert.models.task import build_model

CLASSIFIER = HeadConfig(kind="classification", pooling="pooler", labels=("a", "b", "c"))
BERT = EncoderConfig(90, 16, 2, 2, 32, 16, maximum_length=48, initializer_range=0.3)
VARIANTS = {
    "classifier": (BERT, CLASSIFIER),
    "distilbert": (
        EncoderConfig(90, 16, 2, 2, 32, 16, maximum_length=48, segments=0, pooler=False, initializer_range=0.3),
        HeadConfig(kind="classification", pooling="first", transform="relu", labels=("a", "b")),
    ),
    "albert": (
        EncoderConfig(
            90, 16, 3, 2, 32, 8, 48, activation="gelu_tanh", projection="after_norm", layer_blocks=(0, 0, 0),
            initializer_range=0.3,
        ),
        CLASSIFIER,
    ),
    "mobilebert": (
        EncoderConfig(
            90, 32, 2, 2, 24, 8, 48, activation="relu", normalization="no_norm", projection="before_sum", trigram=True,
            bottleneck=BottleneckConfig(16, True, False, 2), initializer_range=0.3,
        ),
        CLASSIFIER,
    ),
    "embedder": (BERT, HeadConfig(kind="embedding", pooling="mean", unit_length=True)),
    "regression": (BERT, HeadConfig(kind="regression", pooling="mean")),
}  # fmt: skip


QUICK = ("classifier", "embedder")


@pytest.fixture(
    scope="module",
    params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.long) for name in VARIANTS],
)
def variant(request):
    """A random model with its dynamic-length float32 graph."""
    keras.utils.set_random_seed(3)
    model = build_model(*VARIANTS[request.param])
    # MobileBERT's trigrams read the padding beside a text: it changes nothing only where its row is 0.
    model.encoder.embeddings.word.weight[0].assign(tf.zeros_like(model.encoder.embeddings.word.weight[0]))
    return model, convert_graph(model, None)


def texts(count: int, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [generator.integers(5, 90, generator.integers(2, 17)) for _ in range(count)]


def padded(ids: np.ndarray, length: int) -> dict[str, np.ndarray]:
    mask = (np.arange(length) < len(ids)).astype(np.int32)[None]
    segments = ((np.arange(length) >= len(ids) // 2) * mask[0]).astype(np.int32)[None]
    return dict(
        zip(INPUT_NAMES, (np.pad(ids, (0, length - len(ids))).astype(np.int32)[None], mask, segments), strict=True)
    )


def runner(graph: bytes):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=graph, num_threads=1).get_signature_runner()


def answer(run, ids: np.ndarray, length: int) -> np.ndarray:
    (output,) = run(**padded(ids, length)).values()
    return output[0].copy()


def expected(model, ids: np.ndarray) -> np.ndarray:
    output = model({name: tf.constant(tokens) for name, tokens in padded(ids, len(ids)).items()}, training=False)
    return (tf.nn.softmax(output) if model.head_config.kind == "classification" else output).numpy()[0]


def test_float32_answers_as_keras_does(variant) -> None:
    model, graph = variant
    run = runner(graph)
    for ids in texts(6):
        np.testing.assert_allclose(answer(run, ids, len(ids)), expected(model, ids), atol=2e-5)


# Blocks do not divide these narrow tables, and an embedder's mean has no integer form.
@pytest.mark.parametrize(
    "precision", [name for name, each in PRECISIONS.items() if each.table_block == 1 and name != "full-int8"]
)
def test_padding_changes_no_bit(variant, precision: str) -> None:
    _, graph = variant
    run = runner(quantize(graph, precision, texts=[padded(ids, len(ids)) for ids in texts(8, seed=1)]))
    for ids in texts(3):
        answers = [answer(run, ids, length) for length in (len(ids), 17, 32, 48)]
        for other in answers[1:]:
            np.testing.assert_array_equal(answers[0], other)


def test_a_fixed_length_answers_as_the_dynamic_one_does() -> None:
    keras.utils.set_random_seed(3)
    model = build_model(BERT, CLASSIFIER)
    fixed, dynamic = runner(convert_graph(model, 24)), runner(convert_graph(model, None))
    for ids in texts(6):
        np.testing.assert_allclose(answer(fixed, ids, 24), answer(dynamic, ids, len(ids)), atol=1e-6)


def test_narrow_precisions_stay_near_float32(variant) -> None:
    _, graph = variant
    reference = np.stack([answer(runner(graph), ids, len(ids)) for ids in texts(8)])
    for precision, tolerance in (("float16", 5e-3), ("dynamic", 0.06)):
        run = runner(quantize(graph, precision))
        computed = np.stack([answer(run, ids, len(ids)) for ids in texts(8)])
        assert 0 < np.abs(computed - reference).max() < tolerance * max(1.0, np.abs(reference).max())


def test_a_text_longer_than_the_positions_is_cut_not_read_past_the_table() -> None:
    """Neither Task Library nor MediaPipe truncates for a dynamic length."""
    keras.utils.set_random_seed(3)
    run = runner(convert_graph(build_model(BERT, CLASSIFIER), None))
    ids = np.random.default_rng(0).integers(5, 90, 70)
    longer, cut = padded(ids, 70), {name: tokens[:, :48] for name, tokens in padded(ids, 70).items()}
    np.testing.assert_array_equal(*(next(iter(run(**inputs).values())) for inputs in (longer, cut)))


def test_a_classifier_computes_one_row_in_its_last_layer() -> None:
    """The last layer's feed-forward sees [1, 1, W] when the first row is all that is asked for, and [1, T, W] else."""
    keras.utils.set_random_seed(3)
    widths = {}
    for pooling in ("pooler", "mean"):
        graph = read_model(
            convert_graph(build_model(BERT, HeadConfig("classification", pooling, labels=("a", "b"))), 24)
        )
        tensors = graph.subgraphs[0].tensors
        widths[pooling] = sum(
            tuple(tensor.shape)[-2:] == (24, BERT.feed_forward_width) and not tensor.is_constant for tensor in tensors
        )
    assert widths["pooler"] < widths["mean"]


def test_lengths_that_the_positions_do_not_cover_are_refused() -> None:
    model = build_model(BERT, CLASSIFIER)
    for length in (1, 49):
        with pytest.raises(ArtefactError, match=f"expected 2 to 48 .* got {length}"):
            convert_graph(model, length)


def test_the_signature_names_inputs_and_output(variant) -> None:
    model, graph = variant
    run = runner(graph)
    assert set(run.get_input_details()) == set(INPUT_NAMES)
    assert set(run.get_output_details()) == {OUTPUT_NAMES[model.head_config.kind]}


def test_looked_up_rows_have_a_known_width_whatever_was_converted_before() -> None:
    """Calibration tells channels apart by it."""
    for width in (16, 64, 32):
        config = dataclasses.replace(BERT, width=width, embedding_width=width)
        subgraph = read_model(convert_graph(build_model(config, CLASSIFIER), None)).subgraphs[0]
        rows = [each.outputs[0] for each in subgraph.operators if each.name == "EMBEDDING_LOOKUP"]
        assert [subgraph.tensors[index].shape_signature[-1] for index in rows] == [width, width]
