"""Each other value is one that a file is really made with, and the records have them all."""

import json
from unittest.mock import patch

import pytest

from benchmarks.choices.run import AS_IS, CALIBRATION_TEXTS, HERE, changes
from edgebert.export.precisions import quantize
from tests.export.quantization.cases import calibration, float_graph
from tests.export.quantization.integer_cases import placed


@pytest.mark.parametrize("path", sorted(HERE.glob("values-*.json")), ids=lambda path: path.stem)
def test_a_record_has_every_choice(path) -> None:
    record = json.loads(path.read_text(encoding="utf-8"))
    names = [name for name, _ in changes(record["scheme"])]
    assert [(row["calibration_texts"], row["choice"]) for row in record["rows"]] == [
        (count, name) for count in CALIBRATION_TEXTS for name in names
    ]


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        ("static", "evened channels' headroom 1.0"),
        ("full-int8", "channels not evened out"),
        ("full-int8", "exponent 1.0"),
        ("full-int8", "quietest 1.0 of the median"),
        ("full-int8", "all ranges' headroom 1.2"),
    ],
)
def test_another_choice_makes_another_file(scheme: str, name: str) -> None:
    graph, texts = (placed().content if scheme == "full-int8" else float_graph()), calibration().inputs(None)[:8]
    ours = quantize(graph, scheme, texts=texts)
    with patch.object(*dict(changes(scheme))[name]):
        assert quantize(graph, scheme, texts=texts) != ours
    assert dict(changes(scheme))[AS_IS] is None and quantize(graph, scheme, texts=texts) == ours
