"""What the pipeline's stage hands to the clients, on a packed file and data of its own."""

from pathlib import Path

import pytest

from edgebert.data.examples import Dataset, Example
from edgebert.export.clients.registry import LITERT, MEDIAPIPE
from edgebert.export.clients.verification import AGREES, TAKES_NO_PAIRS, Verification, verify
from edgebert.progress import Progress
from edgebert.run_directory import RunDirectory
from tests.export.client_models import LABELS, graph, pack

PAIRS = (("the film is good", "a mess"), ("is the order good?", "the order!"), ("the ending", ""))


@pytest.mark.parametrize("is_pairs", [True, False])
def test_both_texts_of_an_example_reach_the_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_pairs: bool
) -> None:
    from edgebert import pipeline

    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "no-cache"))
    seen: list[Verification] = []

    def in_two_clients(*arguments, **options) -> Verification:
        seen.append(verify(*arguments, **options, clients=[LITERT, MEDIAPIPE]))
        return seen[-1]

    monkeypatch.setattr(pipeline, "verify", in_two_clients)
    examples = tuple(Example(text, second if is_pairs else None, LABELS[0]) for text, second in PAIRS)
    data = Dataset(examples, LABELS, "dev.tsv")
    model = tmp_path / "float32.tflite"
    model.write_bytes(pack(graph()))
    told: list[Progress] = []
    with RunDirectory(tmp_path / "run") as run:
        settings = pipeline.CompressSettings(teacher=tmp_path, train=data, dev=data)
        result = pipeline._verify(run, settings, {"float32": model}, told.append)
    assert result == {"float32": {"litert": AGREES, "mediapipe": TAKES_NO_PAIRS if is_pairs else "NOT RUN"}}
    (verification,) = seen
    seconds = [second if is_pairs else None for _, second in PAIRS]
    assert list(zip(verification.subject.texts, verification.subject.second_texts, strict=True)) == [
        (text, second) for (text, _), second in zip(PAIRS, seconds, strict=True)
    ]
    assert [each.remark for each in told] == ["reference", "litert", "mediapipe", ""]
