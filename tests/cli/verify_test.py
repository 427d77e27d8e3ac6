"""`edgebert verify` and `edgebert clients` as a person at a terminal sees them."""

import json
from pathlib import Path

import pytest

from edgebert.cli import main
from edgebert.export.clients.registry import CLIENTS
from edgebert.export.precisions import quantize
from tests.conftest import GOLDEN
from tests.export.client_models import LABELS, TEXTS, VOCABULARY, client_cache, graph, pack, repack  # noqa: F401

HERE = "litert"


@pytest.fixture(autouse=True)
def empty_cache(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "client_cache" not in request.fixturenames:
        monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "no-cache"))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(graph()))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "dev.tsv"
    path.write_text("sentence\tlabel\n" + "".join(f"{text}\t{LABELS[0]}\n" for text in TEXTS if text), "utf-8")
    return path


def run(capsys: pytest.CaptureFixture, *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def rows(output: str) -> dict[str, list[str]]:
    """The table by its first column, cells split at two spaces."""
    names = [client.name for client in CLIENTS]
    found = [[cell for cell in line.split("  ") if cell] for line in output.splitlines()]
    return {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in found if cells and cells[0] in names}


def assert_one_line(result: tuple[int, str, str], *said: str) -> None:
    code, out, err = result
    (line,) = [line for line in err.splitlines() if not line.endswith(" ...")]
    assert (code, out) == (2, "")
    assert line.startswith("edgebert ") and "expected" in line and "Do: " in line
    assert all(each in line for each in said), line


def test_a_file_that_agrees_passes_and_what_did_not_run_is_said(capsys, model: Path, data: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--data", data, "--clients", "litert,mediapipe,task-library")
    assert code == 0
    table = rows(out)
    assert table["litert"][1:4] == ["yes", "9", "100.0%"] and table["litert"][-1] == "agrees"
    assert table["mediapipe"][-1] == table["task-library"][-1] == "NOT RUN"
    assert "tensorflow" not in table
    assert "NOT RUN: task-library, mediapipe; nothing is known about them" in out
    assert out.rstrip().endswith("passed")


def test_a_required_client_that_is_not_installed_fails(capsys, model: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--text", "good", "--clients", HERE, "--require", "mediapipe")
    assert code == 1
    assert "problem: mediapipe is required and was not run" in out
    assert "edgebert clients install mediapipe" in out
    assert out.rstrip().endswith("FAILED")


def test_no_client_at_all_is_no_pass(capsys, model: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--text", "good", "--clients", "mediapipe")
    assert code == 1 and "no client was run" in out


def test_exchanged_labels_fail(capsys, model: Path, data: Path) -> None:
    model.write_bytes(repack(model.read_bytes(), labels_txt="\n".join(reversed(LABELS)).encode()))
    code, out, _ = run(capsys, "verify", model, "--data", data, "--clients", HERE)
    assert code == 1
    assert "problem: the packed labels are positive, negative, the model's are negative, positive" in out


def test_an_exchanged_vocabulary_fails(capsys, model: Path, data: Path, tmp_path: Path) -> None:
    wrong = [*VOCABULARY[:5], *reversed(VOCABULARY[5:])]
    good = tmp_path / "vocab.txt"
    good.write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    model.write_bytes(pack(graph(), vocabulary=wrong))
    assert run(capsys, "verify", model, "--data", data, "--clients", HERE)[0] == 0
    code, out, _ = run(capsys, "verify", model, "--data", data, "--clients", HERE, "--vocab", good)
    assert code == 1 and "the packed vocabulary is not the one" in out


def test_labels_by_hand_win_over_packed_ones(capsys, model: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(reversed(LABELS)) + "\n")
    code, out, _ = run(capsys, "verify", model, "--text", "good", "--clients", HERE, "--labels", labels)
    assert code == 1 and "the model's are positive, negative" in out


def test_the_result_as_json(capsys, model: Path, data: Path, tmp_path: Path) -> None:
    target = tmp_path / "result.json"
    code, shown, _ = run(capsys, "verify", model, "--data", data, "--clients", "litert,mediapipe", "--json", target)
    assert code == 0 and "agrees" in shown
    code, printed, _ = run(capsys, "verify", model, "--data", data, "--clients", "litert,mediapipe", "--json", "-")
    result = json.loads(printed)
    assert code == 0 and result == json.loads(target.read_text())
    assert result["passed"] is True and result["problems"] == []
    assert result["texts"] == [text for text in TEXTS if text]
    litert, mediapipe = sorted(result["clients"], key=lambda client: client["name"])
    assert (litert["status"], litert["same_labels"], litert["answer_differences"]) == ("agrees", 9, [])
    assert (mediapipe["status"], mediapipe["version"], mediapipe["same_labels"]) == ("NOT RUN", None, None)


def test_the_first_texts_can_be_taken_alone(capsys, model: Path, data: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--data", data, "--limit", 3, "--text", "x", "--clients", HERE)
    assert (code, rows(out)[HERE][2]) == (0, "4")


def test_a_file_without_metadata_is_one_line(capsys) -> None:
    assert_one_line(run(capsys, "verify", GOLDEN / "tiny_dynamic_length.tflite", "--text", "x"), "vocab.txt", "got one")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{model}"], "--text or --data"),
        (["{model}", "--text", "x", "--limit", "0"], "--limit: expected 1 or more, got 0"),
        (["{model}", "--data", "{data}", "--limit", "-1"], "--limit: expected 1 or more, got -1"),
        (["{model}", "--text", "x", "--show", "-1"], "--show: expected 0 or more, got -1"),
        (["{model}", "--text", "x", "--tolerance", "nan"], "tolerance: expected a number, zero or more, got nan"),
        (["{model}", "--text", "x", "--tolerance", "inf"], "tolerance: expected a number, zero or more, got inf"),
        (["{model}", "--text", "x", "--tolerance", "-1"], "tolerance: expected a number, zero or more, got -1.0"),
        (["{folder}/missing.tflite"], "No such file"),
        (["{folder}/missing.tflite", "--data", "{folder}/missing.tsv"], "missing.tflite"),
        (["/dev/zero", "--text", "x"], "something else"),
        (["{folder}/missing.tflite", "--text", "x"], "No such file"),
        (["{folder}", "--text", "x"], ".tflite"),
        (["{data}", "--text", "x"], ".tflite"),
        (["{model}", "--data", "{folder}/missing.tsv"], "missing.tsv"),
        (["{model}", "--data", "{data}", "--text-column", "nothing"], "nothing"),
        (["{model}", "--text", "x", "--clients", "iphone"], "iphone"),
        (["{model}", "--text", "x", "--require", "iphone"], "task-library, mediapipe, litert, tensorflow"),
        (["{model}", "--text", "x", "--vocab", "{folder}/missing.txt"], "missing.txt"),
        (["{model}", "--text", "x", "--labels", "{folder}/missing.txt"], "missing.txt"),
        (["{model}", "--text", "x", "--clients", "litert", "--json", "{folder}/no/folder.json"], "folder.json"),
    ],
)
def test_bad_input_is_one_line(capsys, model: Path, data: Path, arguments: list[str], said: str) -> None:
    names = {"model": model, "data": data, "folder": model.parent}
    result = run(capsys, "verify", *(argument.format(**names) for argument in arguments))
    if "--json" in arguments:
        result = (result[0], "", result[2])
    assert_one_line(result, said)


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    path = tmp_path / "pairs.tsv"
    path.write_text("sentence1\tsentence2\tlabel\nthe film\tis good\tx\nan order\ta mess\ty\n")
    return path


def test_pairs_are_verified_in_interpreters_and_strings_are_said_to_take_none(
    capsys, model: Path, pairs: Path, tmp_path: Path
) -> None:
    target = tmp_path / "result.json"
    flags = ("--data", pairs, "--clients", "task-library,mediapipe,litert", "--json", target)
    code, out, err = run(capsys, "verify", model, *flags)
    assert code == 0 and err.startswith("2 pairs to task-library, mediapipe, litert ...\n")
    assert "classification, float32, 2 pairs" in out
    table = rows(out)
    assert table["litert"][1:4] == ["yes", "2", "100.0%"] and table["litert"][-1] == "agrees"
    assert table["mediapipe"][-1] == table["task-library"][-1] == "takes no pairs"
    assert "takes no pairs: task-library, mediapipe; nothing is known about them" in out
    result = json.loads(target.read_text())
    assert (result["texts"], result["second_texts"]) == (["the film", "an order"], ["is good", "a mess"])
    statuses = {each["name"]: each["status"] for each in result["clients"]}
    assert statuses == {"task-library": "takes no pairs", "mediapipe": "takes no pairs", "litert": "agrees"}


def test_a_required_client_that_takes_no_pairs_fails(capsys, model: Path, pairs: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--data", pairs, "--clients", HERE, "--require", "mediapipe")
    assert code == 1 and "problem: mediapipe is required and takes no pairs" in out
    code, out, _ = run(capsys, "verify", model, "--data", pairs, "--clients", "mediapipe")
    assert code == 1 and "no client was run" in out


def test_one_column_of_pairs_is_single_texts(capsys, model: Path, pairs: Path) -> None:
    code, out, _ = run(capsys, "verify", model, "--data", pairs, "--text-column", "sentence1", "--clients", HERE)
    assert code == 0 and "2 texts" in out


def test_each_client_is_noted_as_it_starts(capsys, model: Path) -> None:
    _, out, err = run(capsys, "verify", model, "--text", "good", "--clients", "mediapipe,litert", "--json", "-")
    assert json.loads(out)["second_texts"] is None
    assert err.splitlines() == [
        "1 text to mediapipe, litert ...",
        "verify model.tflite: 1/3, reference ...",
        "verify model.tflite: 2/3, mediapipe ...",
        "verify model.tflite: 3/3, litert ...",
    ]


def test_clients_are_listed_without_starting_them(capsys) -> None:
    code, out, _ = run(capsys, "clients", "list")
    table = rows(out)
    assert code == 0 and list(table) == [client.name for client in CLIENTS]
    assert table["task-library"][1:3] == table["mediapipe"][1:3] == ["not installed", "-"]
    assert table["litert"][1] == "installed"


def test_an_unknown_client_cannot_be_installed(capsys) -> None:
    assert_one_line(run(capsys, "clients", "install", "litert"), "task-library, mediapipe or all")


@pytest.mark.long
def test_installing_again_finds_what_is_there(capsys, client_cache: Path) -> None:  # noqa: F811
    code, out, err = run(capsys, "clients", "install", "all")
    assert code == 0 and err.count("already installed") == 2
    assert out.splitlines() == [
        f"task-library 0.4.4 {client_cache / 'clients' / 'task-library'}",
        f"mediapipe 1.2.2 {client_cache / 'clients' / 'mediapipe'}",
    ]


@pytest.mark.long
def test_all_clients_agree_and_a_refusal_is_explained(capsys, client_cache: Path, model: Path, data: Path) -> None:  # noqa: F811
    code, out, _ = run(capsys, "verify", model, "--data", data, "--text", "the gööd film", "--tolerance", "0.5")
    assert code == 0
    assert [cells[-2:] for cells in rows(out).values()] == [["1", "agrees"]] * 2 + [["-", "agrees"]] * 2
    assert "ours    [CLS] the good film [SEP]" in out and "theirs  [CLS] the [UNK] film [SEP]" in out
    model.write_bytes(pack(quantize(graph(), "dynamic"), precision="dynamic"))
    code, out, _ = run(capsys, "verify", model, "--data", data)
    assert code == 1 and rows(out)["task-library"][1] == "no"
    assert "export with --compatible-with task-library" in out
    assert run(capsys, "verify", model, "--data", data, "--require", "mediapipe,litert,tensorflow")[0] == 0
