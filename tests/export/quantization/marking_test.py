"""Each place of the model is found in the graph, whatever the converter folds; no mark is left in it."""

import numpy as np
import pytest

from edgebert.data.batches import INPUT_NAMES
from edgebert.errors import ArtefactError
from edgebert.export.flatbuffer import read_model
from edgebert.export.graph import convert_graph
from edgebert.export.quantization.marking import placed_graph
from edgebert.keras import tf
from edgebert.models.places import put
from edgebert.models.task import build_model
from tests.export.quantization.cases import CLASSIFIER, answers, calibration_inputs, sentences
from tests.export.quantization.integer_cases import RELU, STUDENTS, placed, student
from tests.models.places_test import Watch

(TEXT,) = calibration_inputs(["the good film was not very slow."])


def computed(name: str) -> dict[str, np.ndarray]:
    """What the model computes at each place."""
    model = student(*STUDENTS[name])
    told = {place: [] for place in placed(*STUDENTS[name]).places}
    for place, seen in told.items():
        put(model, place, Watch(seen))
    model({each: tf.constant(TEXT[each]) for each in INPUT_NAMES})
    return {place: values for place, ((values, _),) in told.items()}


def tensors(content: bytes, numbers: list[int]) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=content, num_threads=1, experimental_preserve_all_tensors=True)
    run = interpreter.get_signature_runner()
    run(**TEXT)
    return [interpreter.get_tensor(number).copy() for number in numbers]


@pytest.mark.parametrize("name", ["gelu", *(pytest.param(name, marks=pytest.mark.long) for name in ("relu", "narrow"))])
@pytest.mark.filterwarnings("ignore:.*preserve_all_tensors.*:UserWarning")
def test_a_places_tensor_holds_what_the_model_computes_there(name: str) -> None:
    graph, expected = placed(*STUDENTS[name]), computed(name)
    assert len(graph.places) >= 24 and "encoder.blocks.1.feed_forward.norm.shifted" in graph.places
    found = dict(zip(graph.places, tensors(graph.content, list(graph.places.values())), strict=True))
    for place, values in expected.items():
        # By value: the converter may have moved a reshape past it.
        np.testing.assert_allclose(found[place].reshape(-1), values.reshape(-1), atol=2e-4, err_msg=place)


def test_no_mark_is_left_and_the_answers_are_the_graphs() -> None:
    model = student()
    graph = placed()
    operators = [operator.name for operator in read_model(graph.content).subgraphs[0].operators]
    assert "MAXIMUM" not in operators
    texts = calibration_inputs(sentences(6, seed=4))
    np.testing.assert_allclose(answers(graph.content, texts), answers(convert_graph(model, None), texts), atol=1e-5)
    # The converter alone multiplies the norm's gain into the layer behind it, and has a multiplication left.
    assert operators.count("MUL") == 1 + 1 + 2 * RELU.layers + 1
    assert operators.count("FULLY_CONNECTED") == 6 * RELU.layers + 2


def test_a_norm_that_does_nothing_yet_is_refused() -> None:
    with pytest.raises(ArtefactError, match=r"norm\.scaled: expected values of its own, got those of .*summed .*gain"):
        placed_graph(build_model(RELU, CLASSIFIER), None)
