"""Small random models, real-looking texts and runners that the tests of quantisation share."""

import functools

import numpy as np

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.batches import INPUT_NAMES
from edgebert.data.wordpiece import WordPiece
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.calibration import CalibrationSet, calibration_set
from edgebert.keras import keras
from edgebert.models.task import TaskModel, build_model

_STORY = "the a good bad film movie was is not very slow fast story ending music play played player ing ed cook"
_REQUESTS = "order my where when please cancel train ticket home light kitchen turn off on in of and never again"
WORDS = (*_STORY.split(), *_REQUESTS.split())
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, "##ing", "##ed", "##s", "##er", ".", "?", "!")
CLASSIFIER = HeadConfig(kind="classification", pooling="pooler", labels=("a", "b", "c"))
EMBEDDER = HeadConfig(kind="embedding", pooling="mean", unit_length=True)
BERT = EncoderConfig(len(VOCABULARY), 32, 2, 2, 64, 32, maximum_length=48, initializer_range=0.3)


@functools.cache
def tokenizer() -> WordPiece:
    return WordPiece(VOCABULARY)


def sentences(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    return [" ".join(random.choice(WORDS, random.integers(1, 16))) + "." for _ in range(count)]


@functools.cache
def calibration(count: int = 16) -> CalibrationSet:
    texts = [(sentence, None) for sentence in sentences(count)]
    return calibration_set(texts, tokenizer(), 48, "sentences", "0" * 64, count)


@functools.cache
def random_model(config: EncoderConfig = BERT, head: HeadConfig = CLASSIFIER, seed: int = 3) -> TaskModel:
    """Channels of unlike size, as trained models have them: a few of each residual are ten times louder."""
    keras.utils.set_random_seed(seed)
    model = build_model(config, head)
    random = np.random.default_rng(seed)
    for variable in model.variables:
        name = variable.name
        if "bias" in name:
            variable.assign(random.normal(0, 0.1, variable.shape))
        if "down/kernel" in name or "attention_output/kernel" in name:
            variable.assign(variable.numpy() * np.where(np.arange(variable.shape[1]) % 11 == 0, 10.0, 1.0))
    return model


@functools.cache
def float_graph(config: EncoderConfig = BERT, head: HeadConfig = CLASSIFIER, length: int | None = None) -> bytes:
    return convert_graph(random_model(config, head), length)


def inputs_of(text: str, length: int | None = None) -> dict[str, np.ndarray]:
    return calibration_inputs([text], length)[0]


def calibration_inputs(texts: list[str], length: int | None = None) -> list[dict[str, np.ndarray]]:
    encoded = tuple(tokenizer().encode(text, length=48) for text in texts)
    return CalibrationSet(encoded, "texts", "", len(texts)).inputs(length)


def answers(graph: bytes, inputs: list[dict[str, np.ndarray]]) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=graph, num_threads=1).get_signature_runner()
    outputs = []
    for each in inputs:
        (output,) = run(**{name: each[name] for name in INPUT_NAMES}).values()
        outputs.append(output[0].copy())
    return np.stack(outputs)
