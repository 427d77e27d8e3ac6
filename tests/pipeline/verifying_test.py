"""What the pipeline's stage hands to the clients, and when it asks them anew, on a packed file and data of its own."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from edgebert.data.examples import Dataset, Example
from edgebert.errors import ClientError
from edgebert.export.clients.verification import AGREES, NOT_RUN, TAKES_NO_PAIRS, Verification, verify
from edgebert.pipeline import verifying
from edgebert.pipeline.config import CompressConfig, DataConfig, VerifyConfig
from edgebert.progress import Progress
from edgebert.run_directory import RunDirectory
from tests.export.client_models import LABELS, graph, pack

PAIRS = (("the film is good", "a mess"), ("is the order good?", "the order!"), ("the ending", ""))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No client but those that live in our own environment."""
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "no-cache"))
    (tmp_path / "student-float32.tflite").write_bytes(pack(graph()))
    return tmp_path


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Verification]:
    found: list[Verification] = []

    def keep(*arguments, **options) -> Verification:
        found.append(verify(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(verifying, "verify", keep)
    return found


def verified(place: Path, is_pairs: bool = False, report=lambda progress: None, **settings) -> dict:
    examples = tuple(Example(text, second if is_pairs else None, LABELS[0]) for text, second in PAIRS)
    clients = ("litert", "mediapipe")
    config = CompressConfig(data=DataConfig("snips"), verify=VerifyConfig(**{"clients": clients} | settings))
    request = SimpleNamespace(config=config, dev=Dataset(examples, LABELS, "dev.tsv"))
    with RunDirectory(place / "run") as run:
        return verifying.verify_files(run, request, {"student-float32": place / "student-float32.tflite"}, report)


@pytest.mark.parametrize("is_pairs", [True, False])
def test_both_texts_of_an_example_reach_the_clients(place: Path, seen: list[Verification], is_pairs: bool) -> None:
    told: list[Progress] = []
    result = verified(place, is_pairs, told.append)
    other = TAKES_NO_PAIRS if is_pairs else NOT_RUN
    assert result["clients"] == {"student-float32": {"litert": AGREES, "mediapipe": other}}
    (verification,) = seen
    seconds = [second if is_pairs else None for _, second in PAIRS]
    assert list(zip(verification.subject.texts, verification.subject.second_texts, strict=True)) == [
        (text, second) for (text, _), second in zip(PAIRS, seconds, strict=True)
    ]
    assert [each.remark for each in told] == ["reference", "mediapipe", "litert", ""]


def test_clients_are_asked_again_where_one_was_installed_meanwhile(
    place: Path, seen: list[Verification], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert verified(place) == verified(place) and len(seen) == 1
    before = verifying.environment
    monkeypatch.setattr(
        verifying, "environment", lambda client: SimpleNamespace(state=before(client).state, version="99")
    )
    verified(place)
    assert len(seen) == 2


def test_a_required_client_that_is_missing_is_a_problem_and_an_unknown_one_an_error(place: Path) -> None:
    assert verified(place, required=("litert",))["problems"] == {"student-float32": []}
    problems = verified(place, required=("mediapipe",))["problems"]
    assert problems == {"student-float32": ["mediapipe is required and was not run"]}
    with pytest.raises(ClientError, match="expected task-library, mediapipe, litert, tensorflow, got 'abacus'"):
        verified(place, required=("abacus",))
