"""The command from a checkpoint to tables, a document, a picture and a file that clients can read."""

import dataclasses
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.cli.sensitivity_report import as_text
from edgebert.compression.quantizing.ranges import QuantizationRanges, StoredRanges
from edgebert.data.reading import read_examples
from edgebert.export.answering import AnsweringModel
from edgebert.export.sensitivity.choosing import _Search
from edgebert.export.sensitivity.result import WEIGHT, Choice, Sensitivity, Verdict, read_sensitivity
from edgebert.models.checkpoint_writing import save_checkpoint
from edgebert.models.loading import model_tensors
from edgebert.report.sensitivity_picture import draw
from tests.data.house_form import assert_house_form
from tests.export.quantization.cases import BERT, CLASSIFIER, VOCABULARY, random_model, sentences


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with a head and one without, labelled texts, and plain ones to calibrate with."""
    folder = tmp_path_factory.mktemp("sensitivity")
    tensors = model_tensors(random_model())
    bare = {name: values for name, values in tensors.items() if not name.startswith("head.")}
    for name, head, values in (("model", CLASSIFIER, tensors), ("bare", None, bare)):
        save_checkpoint(folder / name, values, BERT, head)
        (folder / name / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    (folder / "texts.txt").write_text("\n".join(sentences(40)) + "\n")
    rows = [f"{text},{'abc'[number % 3]}" for number, text in enumerate(sentences(50, seed=5))]
    (folder / "dev.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    (folder / "wrong.csv").write_text("\n".join(["text,label", *(row[:-1] + "z" for row in rows)]) + "\n")
    return folder


def arguments(place: Path, *more: object, model: str = "model") -> list[str]:
    return ["sensitivity", str(place / model), "--quiet", *map(str, more)]


def test_tables_document_and_picture_of_static(place: Path, tmp_path: Path, capsys) -> None:
    document, picture = tmp_path / "harm.json", tmp_path / "harm.svg"
    texts = ("--dev", place / "dev.csv", "--calibration", place / "texts.txt", "--tensor-texts", 3)
    assert main(arguments(place, *texts, "--json", document, "--picture", picture)) == 0
    shown = capsys.readouterr()
    found = read_sensitivity(document)
    assert (found.scheme, found.metric, found.whole.texts, found.calibration_texts) == ("static", "accuracy", 50, 40)
    assert found.float32.distance == 0.0 and 0 < found.whole.distance < 0.1
    assert {harm.by for harm in found.groups} == {"class", "block"}
    # Dense weights in int8 are a part of what static does.
    harms = {harm.group: harm.verdict.distance for harm in found.groups}
    assert harms["dense weights alone"] < found.whole.distance
    assert found.unmapped == () and sum(each.role == WEIGHT for each in found.tensors) == 30
    for named in ("feed_forward.down", "block 1", "dense weights alone", "SQNR dB", "50 texts of dev.csv"):
        assert named in shown.out
    drawn = ElementTree.parse(picture).getroot()
    texts = {each.text for each in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"feed_forward.down", "block 1", "key,query,value.input"} <= texts
    assert main(["sensitivity", "--show", str(document)]) == 0
    assert capsys.readouterr().out == shown.out
    check_what_is_said_of_a_choice(found)


def check_what_is_said_of_a_choice(found: Sensitivity) -> None:
    treatments = {"blocks.0.query": "dynamic", "blocks.1.scores": "int8", "head.classifier": "float32"}
    verdicts = [Verdict(30, score, 0.9, 0.1) for score in (0.895, 0.9, 0.8)]
    choice = Choice(0.5, True, treatments, 7, *verdicts, *(dataclasses.replace(one, texts=20) for one in verdicts))
    chosen = dataclasses.replace(found, choice=choice, scheme="auto")
    told = as_text(chosen, top=0)
    assert "2 of 3 parts moved back: blocks.0.query (dynamic), head.classifier (float32)" in told
    assert "chosen on 30 texts among 7 files, judged on 20 others; at most 0.5 points may be lost" in told
    # Float32's, static's and the mixture's rows: what each lost.
    assert [line.split()[2] for line in told.splitlines() if line.split()[:1] in (["static"], ["mixed"])] == [
        "10.00", "0.50"
    ]  # fmt: skip
    drawn = ElementTree.fromstring(draw(chosen))
    colours = [each.get("class") for each in drawn.iter("{http://www.w3.org/2000/svg}rect")]
    # Class query, class head.classifier, block 0.
    moved = [harm.group for harm in found.groups if {"blocks.0.query", "head.classifier"} & set(harm.parts)]
    assert colours.count("back") == len(moved) >= 3 and "bar" in colours


def test_a_mixture_is_an_ordinary_file_with_its_plan(place: Path, tmp_path: Path, capsys) -> None:
    made = tmp_path / "mixed.tflite"
    texts = ("--dev", place / "dev.csv", "--calibration", place / "texts.txt", "--tensor-texts", 2)
    # Whatever random weights lose is little enough.
    assert main(arguments(place, *texts, "--scheme", "auto", "--max-drop", 60, "--output", made, "--json", "-")) == 0
    found = json.loads(capsys.readouterr().out)
    model = AnsweringModel(made)
    provenance = model.description.provenance
    assert model.description.precision == "mixed" and model.description.labels == ("a", "b", "c")
    assert set(provenance["treatments"].values()) == {"int8"} and provenance["most_points"] == 60
    assert provenance["calibration"]["texts"] == 40
    data = read_examples(place / "dev.csv", labels=("a", "b", "c"))
    answers = model.answer_all([(example.text, None) for example in data]).argmax(axis=1)
    assert found["whole"]["score"] == float(np.mean(answers == data.label_ids()))
    choice = found["choice"]
    assert choice["selection"]["texts"] + choice["held_out"]["texts"] == 50
    counts = [choice[half]["texts"] for half in ("selection", "held_out")]
    mean = np.average([choice[half]["score"] for half in ("selection", "held_out")], weights=counts)
    assert mean == pytest.approx(found["whole"]["score"])


def test_where_no_mixture_is_good_enough_nothing_is_written(place: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setattr(_Search, "run", lambda self: (self.trial.prepared.whole(), False))
    made = tmp_path / "mixed.tflite"
    texts = ("--calibration", place / "texts.txt", "--tensor-texts", 1)
    assert main(arguments(place, *texts, "--scheme", "auto", "--output", made)) == 1
    shown = capsys.readouterr()
    told = shown.err.strip().splitlines()[-1]
    assert "--max-drop: expected a mixture that loses at most 0.5 points, got" in told
    assert_house_form(told.removeprefix("edgebert sensitivity: "))
    # Without labels points are those of agreement.
    assert "agreement, held out" in shown.out and not made.exists()


def test_a_checkpoint_without_a_head_is_judged_by_cosine(place: Path, capsys) -> None:
    given = ("--scheme", "dynamic", "--calibration", place / "texts.txt", "--json", "-", "--tensor-texts", 1)
    assert main(arguments(place, *given, model="bare")) == 0
    shown = capsys.readouterr()
    found = json.loads(shown.out)
    assert "the checkpoint has no head" in shown.err
    assert (found["task"], found["metric"], found["whole"]["score"]) == ("embedding", "cosine", None)
    assert 0.9 < found["whole"]["agreement"] < 1


@pytest.mark.parametrize("scheme", ["static", "auto"])
def test_ranges_that_were_trained_are_not_replaced_silently(scheme: str, place: Path, tmp_path: Path, capsys) -> None:
    learnt = tmp_path / "learnt"
    shutil.copytree(place / "model", learnt)
    StoredRanges(QuantizationRanges("static", (), (), (), ()), "ab" * 32, {"epochs": 1}).write(learnt)
    assert main(["sensitivity", str(learnt), "--quiet", "--data", "snips", "--scheme", scheme]) == 2
    told = capsys.readouterr().err.strip()
    assert "expected a checkpoint whose ranges texts give, got one that was trained with its own for static" in told
    assert_house_form(told.removeprefix("edgebert sensitivity: "))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ((), "texts: expected texts to ask, got neither --data nor --dev nor --calibration"),
        (("--data", "snips", "--dev", "dev.csv"), "expected --data SOURCE or --dev FILE, got both"),
        (("--data", "snips", "--scheme", "auto", "--max-drop", "-1"), "--max-drop: expected 0 or more points of 100"),
        (("--data", "snips", "--scheme", "auto", "--max-drop", "nan"), "--max-drop: expected 0 or more points of 100"),
        (("--data", "snips", "--max-drop", "1"), "--max-drop: expected with --scheme auto alone"),
        (("--data", "snips", "--output", "a.tflite"), "--output: expected with --scheme auto alone, got static"),
        (("--data", "snips", "--scheme", "auto", "--output", "a.svg"), "expected a name that ends in .tflite"),
        (("--data", "snips", "--picture", "a.png"), "--picture: expected a name that ends in .svg, got 'a.png'"),
        (("--data", "snips", "--scheme", "float32"), "float32: expected a scheme that quantises something"),
        (("--data", "snips", "--scheme", "int3"), "precision: expected float32"),
        (("--data", "snips", "--by", "layer"), "--by: expected class, block, part, got layer"),
        (("--data", "snips", "--limit", "0"), "--limit: expected 1 or more, got 0"),
        (("--data", "snips", "--top", "-1"), "--top: expected 0 or more, got -1"),
        (("--data", "snips", "--show", "a.json"), "expected a CHECKPOINT or --show FILE, got both"),
        (("--dev", "dev.csv"), "static: expected texts to calibrate its ranges with, got none"),
        (("--dev", "wrong.csv", "--scheme", "dynamic"), "expected one of the 3 labels, got 'z'"),
    ],
)
def test_refused_before_the_model_is_converted(place: Path, given: tuple[str, ...], told: str, capsys) -> None:
    named = [str(place / one) if one.endswith(".csv") else one for one in given]
    assert main(arguments(place, *named)) == 2
    shown = capsys.readouterr()
    line = shown.err.strip().splitlines()[-1]
    assert told in line and not shown.out and "converting" not in shown.err
    assert_house_form(line.removeprefix("edgebert sensitivity: "))


def test_convert_says_where_a_mixture_is_made(place: Path, tmp_path: Path, capsys) -> None:
    assert main(["convert", str(place / "model"), "--out", str(tmp_path), "--precision", "auto"]) == 2
    line = capsys.readouterr().err.strip()
    assert "Do: make it with edgebert sensitivity CHECKPOINT --data SOURCE --scheme auto" in line
    assert_house_form(line.removeprefix("edgebert convert: "))
