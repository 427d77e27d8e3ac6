"""What edgebert itself exports, in the clients themselves: the graph, the precisions, --compatible-with.

The model is random and small; its scores are far apart, so that nonsense cannot pass for noise.
"""

import dataclasses
from pathlib import Path

import pytest

from edgebert.config import BottleneckConfig, EncoderConfig, HeadConfig
from edgebert.data.wordpiece import WordPiece
from edgebert.export.clients.registry import CLIENTS, TENSORFLOW
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
MOBILE = dataclasses.replace(
    ENCODER,
    embedding_width=16,
    activation="relu",
    normalization="no_norm",
    projection="before_sum",
    trigram=True,
    bottleneck=BottleneckConfig(width=32, key_query_shared=True, all_inputs_narrow=False, feed_forward_networks=2),
)
HEADS = {
    "classification": HeadConfig("classification", "pooler", labels=LABELS),
    "embedding": HeadConfig("embedding", "mean", unit_length=True),
    "regression": HeadConfig("regression", "pooler"),
}
# Beyond the 64 positions, where clients hand over all tokens of a dynamic file and none of ours is lost but [SEP].
LONG_TEXT = "the film is good and " * 30


def random_exporter(encoder: EncoderConfig, head: HeadConfig) -> Exporter:
    from edgebert.keras import tf
    from edgebert.models.task import build_model

    tf.random.set_seed(0)
    return Exporter(build_model(encoder, head), WordPiece(VOCABULARY), {"checkpoint": "random"})


@pytest.fixture(scope="module", params=HEADS)
def exporter(request) -> Exporter:
    return random_exporter(ENCODER, HEADS[request.param])


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


def test_mobileberts_trigrams_run_in_tensorflow_at_any_length(tmp_path: Path) -> None:
    """Its XNNPACK refuses an empty slice, and a dynamic file is prepared for one token before it is given a text."""
    path = tmp_path / "model.tflite"
    path.write_bytes(random_exporter(MOBILE, HEADS["classification"]).export(ExportRequest("float32")))
    verification = verify(path, ["", "the film is not good", "a film " * 15 + "good"], clients=(TENSORFLOW,))
    assert [len(each.input_ids) for each in verification.subject.encodings] == [2, 7, 33]
    (report,) = verification.reports
    assert (report.status, report.reason) == (AGREES, None)
