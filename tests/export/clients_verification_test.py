"""What verify says of good and bad files and clients, with a client in Python in place of the phones'."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from edgebert.bundle import read_bundle
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import ArtefactError, ClientError, DataError
from edgebert.export.answering import AnsweringModel
from edgebert.export.clients.agreement import (
    FLOAT_TOLERANCE,
    INTEGER_TOLERANCE,
    QUANTIZED_EMBEDDING_TOLERANCE,
    QUANTIZED_TOLERANCE,
    ROUNDED_TOLERANCE,
    Agreement,
    AnswerDifference,
)
from edgebert.export.clients.judging import judge
from edgebert.export.clients.registry import CLIENTS, INSTALLABLE, LITERT, TASK_LIBRARY, Client
from edgebert.export.clients.subject import open_subject, usual_tolerance
from edgebert.export.clients.verification import (
    AGREES,
    DISAGREES,
    FAILS,
    NOT_RUN,
    REFUSES,
    TAKES_NO_PAIRS,
    ClientReport,
    Verification,
    verify,
)
from edgebert.export.precisions import quantize
from edgebert.progress import Progress
from tests.conftest import GOLDEN
from tests.export.client_models import LABELS, TEXTS, VOCABULARY, graph, pack, repack

RUNNER = Path(__file__).parent / "python_client.py"


def client(fault: str, takes_tokens: bool = False) -> Client:
    return Client(
        name="fake",
        title="A client in Python",
        distribution="ai-edge-litert",
        runner=str(RUNNER),
        takes_tokens=takes_tokens,
        module="ai_edge_litert",
        options=(fault,),
    )


GOOD = client("none")
PAIRS = (
    ("the film is good", "a mess"),
    ("is the order good?", "the order!"),
    ("x", ""),
    ("", "the ending"),
    ("a film, not good", "not ordered and not good " * 40),
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(graph()))
    return path


def verify_fault(model: Path, fault: str, texts=TEXTS) -> ClientReport:
    (report,) = verify(model, texts, clients=[client(fault)]).reports
    return report


def test_a_good_client_agrees_with_a_good_file(model: Path) -> None:
    verification = verify(model, TEXTS, clients=[GOOD, LITERT])
    for report in verification.reports:
        assert (report.status, report.reason) == (AGREES, None)
        assert report.agreement.same_labels == len(TEXTS)
        assert report.agreement.largest_difference < 1e-6
    assert verification.reports[0].token_differences == ()
    assert verification.reports[1].token_differences is None
    assert verification.subject.findings == ()
    assert judge(verification).passed


@pytest.mark.parametrize(("precision", "length"), [("float16", None), ("dynamic", 32)])
def test_other_precisions_and_lengths_agree(model: Path, precision: str, length: int | None) -> None:
    model.write_bytes(pack(quantize(graph(length), precision), precision=precision))
    verification = verify(model, TEXTS, clients=[GOOD])
    assert verification.reports[0].status == AGREES, verification.reports[0].reason


def test_a_text_longer_than_the_model_is_cut_alike(model: Path) -> None:
    model.write_bytes(pack(graph(16)))
    verification = verify(model, ["the film is good " * 20, "a " * 13, "a " * 14, "a " * 15], clients=[GOOD])
    assert (verification.reports[0].status, verification.reports[0].token_differences) == (AGREES, ())


def test_labels_in_another_order_fail(model: Path) -> None:
    """The clients read labels.txt; the file's own description and the graph know better."""
    model.write_bytes(repack(model.read_bytes(), labels_txt="\n".join(reversed(LABELS)).encode()))
    verification = verify(model, TEXTS, clients=[GOOD])
    (report,) = verification.reports
    assert report.status == DISAGREES and "our scores under other labels" in report.reason
    assert verification.subject.findings == (
        "the packed labels are positive, negative, the model's are negative, positive",
    )
    verdict = judge(verification)
    assert not verdict.passed and len(verdict.problems) == 2


def test_labels_that_were_lost_fail(model: Path) -> None:
    model.write_bytes(repack(model.read_bytes(), labels_txt=b"x\ny"))
    (report,) = verify(model, TEXTS, clients=[GOOD]).reports
    assert report.status == DISAGREES and "are not the model's" in report.reason


def test_a_wrong_vocabulary_fails(model: Path) -> None:
    """Two pieces exchanged: everything loads, every text has an answer, and only some of them are other ones."""
    pieces = list(VOCABULARY)
    good, film = pieces.index("good"), pieces.index("film")
    pieces[good], pieces[film] = pieces[film], pieces[good]
    model.write_bytes(repack(model.read_bytes(), vocab_txt="\n".join(pieces).encode()))
    verification = verify(model, TEXTS, clients=[GOOD])
    assert verification.subject.findings == ("the packed vocabulary is not the one that the model was made with",)
    assert not judge(verification).passed
    verification = verify(model, TEXTS, vocabulary=VOCABULARY, clients=[GOOD])
    (report,) = verification.reports
    assert report.status == DISAGREES and not judge(verification).passed
    assert {TEXTS[each.text_number] for each in report.token_differences} == {
        text for text in TEXTS if "good" in text.lower() or "film" in text
    }
    assert "tokens are others" in report.reason


def test_the_vocabulary_and_labels_that_were_packed_wrongly_at_export_fail(model: Path) -> None:
    """The file agrees with itself; only who knows the training vocabulary can tell."""
    pieces = [*VOCABULARY[:5], *reversed(VOCABULARY[5:])]
    model.write_bytes(pack(graph(), vocabulary=pieces, labels=LABELS[::-1]))
    assert judge(verify(model, TEXTS, clients=[GOOD])).passed
    verdict = judge(verify(model, TEXTS, vocabulary=VOCABULARY, labels=LABELS, clients=[GOOD]))
    assert len(verdict.problems) == 3


def test_a_text_with_other_tokens_is_named_with_both_cuts(model: Path) -> None:
    texts = [*TEXTS, "the film is gööd", "a [SEP] b"]
    report = verify_fault(model, "none", texts)
    assert [(texts[each.text_number], each.ours, each.theirs) for each in report.token_differences] == [
        (
            "the film is gööd",
            ("[CLS]", "the", "film", "is", "good", "[SEP]"),
            ("[CLS]", "the", "film", "is", "[UNK]", "[SEP]"),
        ),
        (
            "a [SEP] b",
            ("[CLS]", "a", "[SEP]", "b", "[SEP]"),
            ("[CLS]", "a", "[UNK]", "s", "##e", "##p", "[UNK]", "b", "[SEP]"),
        ),
    ]
    assert report.agreement.diagnosis is None
    assert all(each.tokens_differ for each in report.agreement.differences)


def test_a_difference_by_tokens_alone_can_be_allowed(model: Path) -> None:
    verification = verify(model, ["the film is gööd", *TEXTS], clients=[GOOD], tolerance=1e-5)
    assert [each.text_number for each in verification.reports[0].agreement.differences] == [0]
    assert not judge(verification).passed
    assert judge(verification, allow_token_differences=True).passed


def test_nonsense_is_called_so(model: Path) -> None:
    report = verify_fault(model, "answers nonsense")
    assert report.status == DISAGREES and "answers nonsense" in report.reason


def test_a_refusal_is_explained(model: Path) -> None:
    report = verify_fault(model, "refuses")
    assert (report.status, report.agreement) == (REFUSES, None)
    assert "FULLY_CONNECTED" in report.reason and "12" in report.reason


def test_a_crash_is_a_report(model: Path) -> None:
    report = verify_fault(model, "crashes")
    assert (report.status, report.reason) == (FAILS, "'crashed (SIGSEGV)'")


def test_a_crash_on_the_probe_leaves_the_tokens_unknown(model: Path) -> None:
    report = verify_fault(model, "crashes on the probe")
    assert (report.status, report.token_differences) == (AGREES, None)
    assert "tokens are unknown" in report.reason


def test_texts_without_an_answer_are_counted_and_explained(model: Path) -> None:
    report = verify_fault(model, "fails on long texts")
    assert report.status == DISAGREES
    assert report.reason.startswith("no answer to 2 texts: the text has more tokens than the encoder has positions")
    assert report.agreement.diagnosis is None


def test_a_client_that_is_not_installed_was_not_run_and_never_passes(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "empty"))
    verification = verify(model, TEXTS, clients=INSTALLABLE)
    assert {report.status for report in verification.reports} == {NOT_RUN}
    assert all("edgebert clients install" in report.reason for report in verification.reports)
    assert judge(verification).problems == ("no client was run",)
    both = verify(model, TEXTS, clients=[*INSTALLABLE, LITERT])
    assert judge(both).passed
    assert judge(both, required=["mediapipe"]).problems == ("mediapipe is required and was not run",)


@pytest.mark.parametrize(
    ("status", "required", "passed"),
    [
        (AGREES, (), True),
        (AGREES, ("fake",), True),
        (NOT_RUN, (), True),
        (NOT_RUN, ("litert",), True),
        (NOT_RUN, ("fake",), False),
        (REFUSES, (), False),
        (REFUSES, ("litert",), True),
        (REFUSES, ("fake",), False),
        (FAILS, ("litert",), False),
        (DISAGREES, ("litert",), False),
        (TAKES_NO_PAIRS, (), True),
        (TAKES_NO_PAIRS, ("litert",), True),
        (TAKES_NO_PAIRS, ("fake",), False),
    ],
)
def test_what_is_required_decides_about_the_missing_and_refusals_alone(
    model: Path, status: str, required: tuple[str, ...], passed: bool
) -> None:
    wrong = Agreement(1.0, 0, (AnswerDifference(0, "a", "b", 1.0, False),), None)
    reports = (ClientReport(GOOD, status, agreement=wrong), ClientReport(LITERT, AGREES))
    verdict = judge(Verification(open_subject(model, TEXTS), "2.3.0", reports), required)
    assert verdict.passed == passed
    assert [problem.split()[0] for problem in verdict.problems] == ["fake"] * (not passed)


def test_a_file_without_metadata_is_an_error() -> None:
    with pytest.raises(ArtefactError, match=r"tiny_dynamic_length.tflite: expected a model with vocab.txt"):
        verify(GOLDEN / "tiny_dynamic_length.tflite", TEXTS)


@pytest.mark.parametrize("keep", [3, 100, 5_000, 50_000])
def test_a_file_cut_short_is_an_error(model: Path, keep: int) -> None:
    model.write_bytes(model.read_bytes()[:keep])
    with pytest.raises(ArtefactError, match=r"model.tflite: expected"):
        verify(model, TEXTS)


@pytest.mark.parametrize("length", [None, 32])
def test_pairs_are_what_interpreters_are_handed(model: Path, length: int | None) -> None:
    """Tokens of both texts and their segments, cut as scores and measurements cut them."""
    model.write_bytes(pack(graph(length)))
    subject = open_subject(model, [*PAIRS, "alone"])
    assert subject.has_pairs and not open_subject(model, TEXTS).has_pairs
    answering = AnsweringModel(model)
    assert subject.encodings == tuple(answering.encode(*pair) for pair in [*PAIRS, ("alone",)])
    wordpiece = WordPiece(VOCABULARY)
    pieces = [wordpiece.vocabulary[number] for number in subject.encodings[0].input_ids]
    assert pieces == ["[CLS]", "the", "film", "is", "good", "[SEP]", "a", *wordpiece.tokenize("mess"), "[SEP]"]
    assert subject.encodings[0].segment_ids == (0,) * 6 + (1,) * (len(pieces) - 6)
    (report,) = verify(model, PAIRS, clients=[LITERT]).reports
    assert (report.status, report.reason, report.agreement.same_labels) == (AGREES, None, len(PAIRS))


@pytest.mark.parametrize("fault", ["sees the first text alone", "forgets the segments"])
def test_an_interpreter_that_loses_the_second_text_disagrees(model: Path, fault: str) -> None:
    verification = verify(model, PAIRS, clients=[client("none", True), client(fault, True)], tolerance=1e-4)
    good, bad = verification.reports
    assert (good.status, bad.status) == (AGREES, DISAGREES)
    assert not judge(verification).passed
    answers = AnsweringModel(model).answer_all(PAIRS)
    for each in bad.agreement.differences:
        scores = answers[each.text_number]
        assert each.ours == f"{LABELS[np.argmax(scores)]} {scores.max():.4f}"


def test_a_client_that_takes_strings_is_not_run_on_pairs(model: Path) -> None:
    """Neither does it agree (about the first texts), nor is it held against the file."""
    verification = verify(model, [*PAIRS, "alone"], clients=[client("crashes"), TASK_LIBRARY, LITERT])
    fake, task_library, litert = verification.reports
    for report in (fake, task_library):
        assert (report.status, report.agreement, report.token_differences) == (TAKES_NO_PAIRS, None, None)
        assert report.reason == "it takes one text, and there are pairs among these"
    assert litert.status == AGREES and judge(verification).passed
    assert judge(verification, ["task-library"]).problems == ("task-library is required and takes no pairs",)
    alone = verify(model, PAIRS, clients=[TASK_LIBRARY])
    assert judge(alone).problems == ("no client was run",)


def test_each_client_is_told_of_before_it_is_waited_for(model: Path) -> None:
    told: list[Progress] = []
    verify(model, TEXTS[:1], clients=[GOOD, LITERT], report=told.append)
    name = "verify model.tflite"
    assert told == [
        Progress(name, 0, 3, "reference"),
        Progress(name, 1, 3, "fake"),
        Progress(name, 2, 3, "litert"),
        Progress(name, 3, 3),
    ]

    class StoppedError(Exception):
        """Raised in place of waiting."""

    def stop(progress: Progress) -> None:
        if progress.remark == "fake":
            raise StoppedError

    with pytest.raises(StoppedError):
        verify(model, TEXTS[:1], clients=[client("crashes")], report=stop)


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        ("float16", FLOAT_TOLERANCE),
        ("hybrid", QUANTIZED_TOLERANCE),
        ("static", ROUNDED_TOLERANCE),
        ("full-int8", INTEGER_TOLERANCE),
        ("auto", ROUNDED_TOLERANCE),
    ],
)
def test_what_is_allowed_follows_from_what_is_rounded(model: Path, precision: str, tolerance: float) -> None:
    description = dataclasses.replace(read_bundle(model).description, precision=precision)
    assert usual_tolerance(description) == tolerance
    embedding = dataclasses.replace(description, task="embedding", labels=None)
    assert usual_tolerance(embedding) in (FLOAT_TOLERANCE, QUANTIZED_EMBEDDING_TOLERANCE)


@pytest.mark.parametrize("tolerance", [float("nan"), float("inf"), -0.1])
def test_a_tolerance_that_would_pass_anything_is_an_error(model: Path, tolerance: float) -> None:
    with pytest.raises(ClientError, match="tolerance: expected a number, zero or more"):
        verify(model, TEXTS, tolerance=tolerance, clients=[client("answers nonsense")])


def test_the_file_is_looked_at_before_the_texts(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="No such file"):
        verify(tmp_path / "missing.tflite", [])


def test_no_texts_are_an_error(model: Path) -> None:
    with pytest.raises(DataError, match="at least one"):
        verify(model, [])


def test_all_clients_are_the_default() -> None:
    assert verify.__kwdefaults__["clients"] == CLIENTS
