"""The model card: what it says is the report's, its Python runs, and a person's changes are safe."""

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgebert.errors import DataError
from edgebert.export.answering import AnsweringModel
from edgebert.report.card import CARD_FILE, chosen_row, model_card
from edgebert.report.card_code import kotlin_parts
from edgebert.report.card_keeping import TO_FILL
from edgebert.report.collecting import ReportRequest, collect
from edgebert.report.model import Report
from edgebert.report.writing import write_report
from tests.export.client_models import TEXTS
from tests.report.runs import make_run, record_run


@pytest.fixture
def written(run_folder: Path):
    yield write_report([run_folder])
    for name in ("report.html", "report.md", "report.json", CARD_FILE):
        (run_folder / name).unlink(missing_ok=True)


def card_of(folder: Path) -> str:
    return model_card(collect(ReportRequest((folder,))))


def test_the_cards_python_prints_what_the_file_answers(written, run_folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (run_folder / CARD_FILE).read_text(), re.DOTALL)
    ran = subprocess.run([sys.executable, "-c", code], cwd=run_folder, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    model = AnsweringModel(run_folder / written.report.rows[chosen_row(written.report)].path)
    scores = model.answer(model.encode("a text to answer"))
    label, score = ran.stdout.split()
    assert label == model.description.labels[scores.argmax()]
    assert float(score) == pytest.approx(float(scores.max()))


def test_the_cards_python_needs_no_tensorflow(written, run_folder: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (run_folder / CARD_FILE).read_text(), re.DOTALL)
    code += "\nimport sys\nprint([name for name in ('tensorflow', 'tf_keras', 'transformers') if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], cwd=run_folder, capture_output=True, text=True)
    assert ran.stdout.strip().endswith("[]"), ran.stderr


def test_it_says_what_was_measured_and_leaves_open_what_only_a_person_knows(report: Report) -> None:
    card = model_card(report)
    row = report.rows[chosen_row(report)]
    for told in (
        row.path,
        f"{row.size_bytes:,}",
        row.minimum_runtime,
        "negative",
        "positive",
        report.runs[0].dev_sha256,
    ):
        assert told in card
    for heading in (
        "Files and scores",
        "Clients",
        "Checkpoint",
        "Data",
        "Use it in Python",
        "Use it in Kotlin",
        "Limits",
        "Licence",
    ):
        assert f"## {heading}" in card
    assert card.count(TO_FILL) == 6
    assert card.startswith(f"---\nlicense: {TO_FILL}\n")


def test_what_it_tells_to_install_is_a_file_and_no_name_of_an_index(report: Report) -> None:
    """Nobody has registered the name; whoever did could give readers another program."""
    wanted = re.findall(r"pip install '([^']+)'", model_card(report))
    assert [name.endswith("[benchmark]") for name in wanted] == [True, True]
    assert all(name.startswith("./edgebert") for name in wanted)


@pytest.mark.parametrize(
    ("clients", "shown"),
    [
        ({"mediapipe": "agrees", "task-library": "agrees"}, "textclassifier.TextClassifier"),
        ({"mediapipe": "refuses", "task-library": "agrees"}, "BertNLClassifier"),
        ({"mediapipe": "NOT RUN"}, "org.tensorflow.lite.Interpreter"),
        ({}, "org.tensorflow.lite.Interpreter"),
    ],
)
def test_kotlin_is_for_a_client_that_was_seen_to_run_the_file(report: Report, clients: dict, shown: str) -> None:
    row = dataclasses.replace(report.rows[0], clients=clients, path='convert/a"$b.tflite')
    words, code = kotlin_parts(row)
    assert shown in code and '"a\\"\\$b.tflite"' in code
    assert "not compiled" in words
    for opening, closing in ("()", "{}", "[]"):
        assert code.count(opening) == code.count(closing)


def test_it_says_that_a_trimmed_vocabulary_knows_fewer_words(report: Report) -> None:
    number = chosen_row(report)
    assert "cut into shorter pieces" not in model_card(report)
    rows = [dataclasses.replace(row, model="trim") if at == number else row for at, row in enumerate(report.rows)]
    assert "other words are cut into shorter pieces" in model_card(dataclasses.replace(report, rows=tuple(rows)))


def test_a_run_that_trained_nothing_says_so(run_folder: Path, tmp_path: Path) -> None:
    assert "Each training ran once" in (card := card_of(run_folder)) and "chose the best epoch" in card
    assert "Trained in this run: finetune, distill." in card
    folder = Path(shutil.copytree(run_folder, tmp_path / "tiny"))
    for stage in ("finetune", "distill"):
        shutil.rmtree(folder / stage)
    card = card_of(record_run(folder))
    for told in (
        "This run trained nothing.",
        "Training data: none",
        f"Nothing was trained; judged on {len(TEXTS)} dev",
    ):
        assert told in card
    assert "epoch" not in card and "Each training" not in card


def test_epochs_of_plain_text_alone_or_one_epoch_were_not_chosen_by_dev_examples(report: Report) -> None:
    def told(**changes) -> bool:
        curves = tuple(dataclasses.replace(curve, **changes) for curve in report.curves)
        return "chose the best epoch" in model_card(dataclasses.replace(report, curves=curves))

    assert told()
    assert not told(stage="distill-text")
    assert not told(dev_positions=(1,), dev_scores=(0.5,))


def test_the_number_of_dev_examples_is_that_of_the_scores(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "tiny", has_predictions=False)
    shutil.rmtree(folder / "benchmark")
    card = card_of(folder)
    assert f"judged on {len(TEXTS)} dev examples" in card and f"Dev data: unnamed, {len(TEXTS)} examples" in card
    record = json.loads((folder / "score" / "stage.json").read_bytes())
    del record["result"]["examples"]
    (folder / "score" / "stage.json").write_text(json.dumps(record))
    assert "judged on an unknown number of dev examples" in card_of(folder)
    shutil.rmtree(folder / "score")
    card = card_of(folder)
    assert "nothing was scored" in card and "Nothing was scored; ratios" in card and "dev examples" not in card


def test_elsewhere_and_of_several_runs_there_is_no_card(run_folder: Path, report: Report, tmp_path: Path) -> None:
    assert [path.name for path in write_report([run_folder], tmp_path).paths] == [
        "report.html",
        "report.md",
        "report.json",
    ]
    assert not (tmp_path / CARD_FILE).exists()
    with pytest.raises(DataError, match="expected one run folder"):
        model_card(dataclasses.replace(report, runs=report.runs * 2))
    with pytest.raises(ValueError, match="expected a folder for a report on several runs"):
        write_report([run_folder, run_folder])


def test_hostile_names_stay_inside_their_places(hostile_report: Report) -> None:
    card = model_card(hostile_report)
    assert "<script>" not in card and "<img" not in card and "\u202e" not in card
