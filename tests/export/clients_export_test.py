"""What edgebert itself exports, in the clients themselves: the graph, the precisions, --compatible-with.

The model is random and small; its scores are far apart, so that nonsense cannot pass for noise.
"""

from pathlib import Path

import pytest

from edgebert.config import EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.export.clients.registry import CLIENTS
from edgebert.export.clients.verification import AGREES, REFUSES, verify
from edgebert.export.convert import Exporter, ExportRequest
from tests.export.client_models import TEXTS, VOCABULARY, client_cache  # noqa: F401, a fixture

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("client_cache")]

LABELS = ("joy", "anger", "neither")
ENCODER = EncoderConfig(
    vocabulary_size=len(VOCABULARY),
    width=64,
    layers=2,
    heads=2,
    feed_forward_width=128,
    embedding_width=64,
    maximum_length=64,
    initializer_range=0.3,
)
HEADS = {
    "classification": HeadConfig("classification", "pooler", labels=LABELS),
    "embedding": HeadConfig("embedding", "mean", unit_length=True),
    "regression": HeadConfig("regression", "pooler"),
}
# Beyond the 64 positions, where clients hand over all tokens of a dynamic file and none of ours is lost but [SEP].
LONG_TEXT = "the film is good and " * 30


@pytest.fixture(scope="module", params=HEADS)
def exporter(request) -> Exporter:
    from edgebert.keras import tf
    from edgebert.models.task import build_model

    tf.random.set_seed(0)
    return Exporter(build_model(ENCODER, HEADS[request.param]), WordPiece(VOCABULARY), {"checkpoint": "random"})


def verify_export(exporter: Exporter, folder: Path, request: ExportRequest, texts=TEXTS):
    path = folder / "model.tflite"
    path.write_bytes(exporter.export(request))
    # An untrained regression's scores are near zero, and so would be what a share of them allows.
    return {report.client.name: report for report in verify(path, texts).reports}


@pytest.mark.parametrize("length", [None, 32])
@pytest.mark.parametrize(("precision", "compatible_with"), [("float32", None), ("dynamic", "task-library")])
def test_every_client_loads_and_agrees(
    exporter: Exporter, tmp_path: Path, length: int | None, precision: str, compatible_with: str | None
) -> None:
    reports = verify_export(exporter, tmp_path, ExportRequest(precision, length, compatible_with))
    assert {name: (report.status, report.reason) for name, report in reports.items()} == {
        client.name: (AGREES, None) for client in CLIENTS
    }


def test_the_default_precision_is_for_every_client_but_task_library(exporter: Exporter, tmp_path: Path) -> None:
    reports = verify_export(exporter, tmp_path, ExportRequest("dynamic"))
    assert {name: report.status for name, report in reports.items()} == {
        client.name: REFUSES if client.name == "task-library" else AGREES for client in CLIENTS
    }
    assert "--compatible-with task-library" in reports["task-library"].reason


def test_a_text_beyond_the_positions_is_answered(exporter: Exporter, tmp_path: Path) -> None:
    """Clients do not cut what a dynamic file is given; the graph does, and only [SEP] is missing then."""
    reports = verify_export(exporter, tmp_path, ExportRequest("float32"), [*TEXTS, LONG_TEXT])
    for report in (reports["task-library"], reports["mediapipe"]):
        assert [each.text_number for each in report.token_differences] == [len(TEXTS)]
        assert all(each.difference < float("inf") for each in report.agreement.differences)
