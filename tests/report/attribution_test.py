"""Leave-one-out figures, held to the file's answers to texts that were shortened by hand."""

from pathlib import Path

import numpy as np
import pytest

from edgebert.export.answering import AnsweringModel
from edgebert.report.attribution import Explainer
from tests.export.client_models import graph, pack


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.tflite"
    path.write_bytes(pack(graph()))
    return path


def test_a_tokens_figure_is_what_the_answer_loses_without_it(model: Path) -> None:
    found = Explainer(model, row=3).explain("the film is good")
    answering = AnsweringModel(model)
    words = ["the", "film", "is", "good"]
    assert (found.row, list(found.pieces)) == (3, words)
    whole = answering.answer(answering.encode("the film is good"))
    chosen = int(np.argmax(whole))
    assert found.answer == answering.description.labels[chosen]
    assert found.score == pytest.approx(float(whole[chosen]))
    for place, change in enumerate(found.changes):
        shorter = " ".join(words[:place] + words[place + 1 :])
        without = answering.answer(answering.encode(shorter))
        assert change == pytest.approx(float(whole[chosen] - without[chosen]), abs=1e-6)


def test_pairs_and_pieces_are_told_without_the_tokens_around_them(model: Path) -> None:
    found = Explainer(model, row=0).explain("good films", "the zzz")
    assert "[CLS]" not in found.pieces and "[SEP]" not in found.pieces
    assert found.pieces[0] == "good"
    assert "[UNK]" in found.pieces or any(piece.startswith("##") for piece in found.pieces)
    assert len(found.pieces) == len(found.changes)


def test_an_empty_text_has_no_tokens(model: Path) -> None:
    assert Explainer(model, row=0).explain("").pieces == ()
