"""Predictions survive the file; what does not belong together is refused with the path of what is wrong."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgebert.errors import DataError
from edgebert.predictions import Predictions, predictions_of, read_predictions, write_predictions

TEXTS = [("a film", None), ("\u202eשלום <script> 😀", "second"), ("c" * 10_000, "")]
OUTPUTS = {"a" * 64: np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]), "b" * 64: np.eye(2)[[1, 1, 0]]}


def classified() -> Predictions:
    return predictions_of(TEXTS, np.array([0, 1, 1]), OUTPUTS, ("no", "yes"), "d" * 64)


def test_a_classifiers_answers_are_its_largest_outputs_and_survive_the_file(tmp_path: Path) -> None:
    predictions = classified()
    for sha256, outputs in OUTPUTS.items():
        answers = predictions.of(sha256)
        assert answers.labels == tuple(np.argmax(outputs, axis=1))
        assert answers.scores == tuple(outputs.max(axis=1))
    assert predictions.of("c" * 64) is None
    assert read_predictions(write_predictions(tmp_path / "p.json", predictions)) == predictions


def test_a_regressions_answers_are_its_outputs(tmp_path: Path) -> None:
    predictions = predictions_of(TEXTS, [0.5, 1.5, 4.0], {"a" * 64: np.array([[0.4], [1.6], [4.2]])})
    assert (predictions.is_classification, predictions.files[0].labels) == (False, ())
    assert predictions.files[0].scores == (0.4, 1.6, 4.2)
    assert read_predictions(write_predictions(tmp_path / "p.json", predictions)) == predictions


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"texts": ("one",)}, "second_texts: expected 1"),
        ({"targets": (0, 1)}, "targets: expected 3"),
        ({"targets": (0, 1, 2)}, "targets: expected label numbers"),
        ({"label_names": ()}, r"files\[0\].labels: expected 0"),
    ],
)
def test_columns_that_do_not_belong_together_are_refused(change: dict, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        dataclasses.replace(classified(), **change)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (b"{", "expected predictions, got no JSON"),
        (b"[]", "got another document"),
        (b'{"schema": "edgebert-predictions", "schema_version": 2}', "expected schema_version 1, got 2"),
        (b'{"schema": "edgebert-predictions", "schema_version": 1}', "dev_sha256: expected a value"),
    ],
)
def test_a_file_that_is_not_whole_is_refused(tmp_path: Path, content: bytes, named: str) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=named):
        read_predictions(path)
    with pytest.raises(DataError, match="No such file"):
        read_predictions(tmp_path / "none.json")


def test_an_unknown_key_is_refused(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "p.json", classified())
    document = json.loads(path.read_bytes()) | {"lables": []}
    path.write_text(json.dumps(document))
    with pytest.raises(DataError, match="lables: expected a known key"):
        read_predictions(path)
