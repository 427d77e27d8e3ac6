"""`edgebert predict` beside the interpreter itself, run by hand with ids from the fast Hugging Face tokenizer."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from tokenizers import BertWordPieceTokenizer

from edgebert.cli import main, predict
from tests.conftest import GOLDEN
from tests.data.house_form import assert_house_form
from tests.export.client_models import LABELS, TEXTS, graph, pack

PAIR = ("the film is good", "a mess")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(graph()))
    return path


def by_hand(model: Path, text: str, second: str | None = None) -> np.ndarray:
    tokenizer = BertWordPieceTokenizer(str(GOLDEN / "tiny_vocab.txt"))
    encoded = tokenizer.encode(text, second)
    runner = Interpreter(str(model)).get_signature_runner()
    inputs = {"input_ids": encoded.ids, "input_mask": encoded.attention_mask, "segment_ids": encoded.type_ids}
    (output,) = runner(**{name: np.array([values], np.int32) for name, values in inputs.items()}).values()
    return output[0]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["predict", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def refusal(capsys, *arguments: object) -> str:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert_house_form(err.splitlines()[-1])
    return err


def test_answers_are_the_interpreters(capsys, model: Path) -> None:
    code, out, err = run(capsys, model, *TEXTS, "--json", "--top", 2)
    told = json.loads(out)
    assert (code, err, told["task"]) == (0, "", "classification")
    assert [answer["text"] for answer in told["answers"]] == list(TEXTS)
    for answer, text in zip(told["answers"], TEXTS, strict=True):
        expected = by_hand(model, text)
        scores = {one["label"]: one["score"] for one in answer["labels"]}
        np.testing.assert_allclose([scores[label] for label in LABELS], expected, atol=1e-6)
        assert answer["label"] == LABELS[int(np.argmax(expected))] and answer["score"] == max(scores.values())


def test_a_pair_is_read_as_a_pair(capsys, model: Path, tmp_path: Path) -> None:
    _, out, _ = run(capsys, model, PAIR[0], "--second", PAIR[1], "--json")
    (answer,) = json.loads(out)["answers"]
    assert answer["second_text"] == PAIR[1]
    assert answer["score"] == pytest.approx(float(by_hand(model, *PAIR).max()), abs=1e-6)
    assert answer["score"] != pytest.approx(float(by_hand(model, PAIR[0]).max()), abs=1e-4)
    (tmp_path / "pairs.tsv").write_text(f"premise\thypothesis\n{PAIR[0]}\t{PAIR[1]}\n", "utf-8")
    columns = ["--text-column", "premise", "--second-text-column", "hypothesis"]
    _, out, _ = run(capsys, model, "--data", tmp_path / "pairs.tsv", *columns, "--json")
    assert json.loads(out)["answers"] == [answer]


def test_labelled_data_is_compared(capsys, model: Path, tmp_path: Path) -> None:
    right = [LABELS[int(np.argmax(by_hand(model, text)))] for text in TEXTS if text]
    wrong = LABELS[1 - LABELS.index(right[0])]
    rows = [f"{text}\t{label}\n" for text, label in zip(filter(None, TEXTS), [wrong, *right[1:]], strict=True)]
    (tmp_path / "dev.tsv").write_text("sentence\tlabel\n" + "".join(rows), "utf-8")
    code, out, err = run(capsys, model, "--data", tmp_path / "dev.tsv", "--jsonl")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [answer["label"] for answer in told] == right
    assert f"as expected: {len(right) - 1} of {len(right)} answers" in err
    _, out, err = run(capsys, model, "--data", tmp_path / "dev.tsv", "--limit", 2, "--quiet")
    assert len(out.splitlines()) == 4 and err == ""


def test_a_table_has_a_row_for_each_label(capsys, model: Path) -> None:
    _, out, _ = run(capsys, model, "x" * 200, "the film", "--top", 2)
    lines = out.splitlines()
    assert lines[0].split() == ["text", "label", "score"] and len(lines) == 6 and "..." in lines[2]
    assert all(any(label in line for label in LABELS) for line in lines[2:])


def test_lines_of_stdin_are_texts(capsys, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("the film\na mess\n"))
    _, out, _ = run(capsys, model, "-", "--jsonl")
    assert [json.loads(line)["text"] for line in out.splitlines()] == ["the film", "a mess"]


def test_a_text_that_was_cut_is_told(capsys, tmp_path: Path) -> None:
    (tmp_path / "fixed.tflite").write_bytes(pack(graph(8)))
    _, _, err = run(capsys, tmp_path / "fixed.tflite", "the film " * 20, "x")
    assert "1 text filled all 8 tokens" in err


def test_vectors_and_scores(capsys, tmp_path: Path) -> None:
    path = tmp_path / "embedding.tflite"
    path.write_bytes(pack(graph(), task="embedding", labels=None))
    (answer,) = json.loads(run(capsys, path, "the film", "--json")[1])["answers"]
    np.testing.assert_allclose(answer["embedding"], by_hand(path, "the film"), atol=1e-6)
    assert "... (2 numbers)" in run(capsys, path, "the film")[1]
    assert predict._meaning(SimpleNamespace(task="regression"), np.array([2.5]), 1) == {"score": 2.5}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "expected some TEXT, - or --data FILE, got none"),
        (["a", "--data", "snips"], "got both"),
        (["a", "b", "--second", "c"], "expected one for each of 2 texts, got 1"),
        (["--data", "snips", "--second", "c"], "expected with TEXT alone"),
        (["a", "--top", "0"], "--top: expected 1 or more, got 0"),
        (["--data", "nowhere.csv"], "expected a file or folder, got nothing there"),
    ],
)
def test_what_cannot_be_asked_is_told(capsys, model: Path, arguments: list[str], says: str) -> None:
    assert says in refusal(capsys, model, *arguments)


def test_a_file_that_is_no_model_of_ours_is_told(capsys, tmp_path: Path) -> None:
    assert "expected" in refusal(capsys, tmp_path / "missing.tflite", "a")
    assert "its vocabulary and edgebert.json packed in" in refusal(capsys, GOLDEN / "tiny_dynamic_length.tflite", "a")
