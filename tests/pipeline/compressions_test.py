"""The stages behind the student: planned in their order, made of one another, and taken up where they were killed."""

import dataclasses
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgebert.cli import main
from edgebert.compression.quantizing.ranges import StoredRanges
from edgebert.data.wordpiece import WordPiece
from edgebert.errors import EdgebertError
from edgebert.export.answering import AnsweringModel
from edgebert.export.convert import Exporter, ExportRequest
from edgebert.models.checkpoint import Checkpoint, load_checkpoint
from edgebert.models.loading import load_model
from edgebert.models.weights import WORD_TABLE
from edgebert.pipeline.budget import Decision
from edgebert.pipeline.budgeting import budget_inputs, decided, fixed_seconds, trainings_of
from edgebert.pipeline.config_file import to_toml
from edgebert.pipeline.converting import conversion_inputs
from edgebert.pipeline.outcome import Outcome
from edgebert.pipeline.planning import plan_of
from edgebert.pipeline.probing import Speeds, measure_speeds
from edgebert.pipeline.request import names_of, prepare
from edgebert.pipeline.running import compress
from edgebert.pipeline.standings import FINISHED, standings
from edgebert.pipeline.training import ANSWERS_FOLDER
from edgebert.pipeline.verifying import must_pass
from edgebert.progress import silent
from tests.cli.labelled import WORDS
from tests.data.house_form import assert_house_form
from tests.pipeline.conftest import result_of

# Of the golden encoder's student: one layer of four heads and 96 neurons.
STAGES: dict[str, Any] = {
    "shrink": {"heads": 2, "feed_forward": 48, "steps": 1, "epochs": 1},
    "prune": {"sparsity": 0.5, "epochs": 2},
    "quantize": {"scheme": "static", "epochs": 2},
    "trim": {"minimum_count": 1},
}
MODELS = ("teacher", "student", "shrunk", "pruned", "quantized", "trimmed")
# An epoch of 40 examples takes 40 s, of a healing student 20 s or as said.
SLOW = Speeds(1.0, 0.1, 0.05, (1.0,), heal={"shrink": 0.5, "prune": 0.5, "quantize": 1.0})


@pytest.fixture(scope="module")
def whole(made, place: Path, configure, tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    """A run with all stages, on the folder of one without them."""
    folder = shutil.copytree(place / "run", tmp_path_factory.mktemp("whole") / "run")
    return compress(prepare(configure(STAGES)), folder), folder


def checkpoints(folder: Path) -> dict[str, Checkpoint]:
    stages = ("finetune", "distill", "shrink", "prune", "quantize", "trim")
    return {name: load_checkpoint(folder / name / "checkpoint") for name in stages}


def test_every_stage_is_planned_before_any_model_is_there(configure, tmp_path: Path) -> None:
    request = prepare(configure(STAGES))
    plan = plan_of(request, tmp_path / "run")
    assert not (tmp_path / "run").exists()
    after = ("convert", "score", "verify", "benchmark", "report")
    assert tuple(plan.standings) == ("finetune", "distill", "shrink", "prune", "quantize", "trim", *after)
    shrink, prune, quantize, trim = request.future_compressions.values()
    assert shrink.student.encoder == request.future_distillation.student
    assert (shrink.configs[-1].heads, shrink.configs[-1].feed_forward_width) == (2, 48)
    assert prune.student.encoder == quantize.student.encoder == trim.checkpoint.encoder == shrink.configs[-1]
    assert [one.training.epochs for one in (shrink, prune, quantize)] == [1, 2, 2]
    told = plan.to_json()["compressions"]
    assert list(told) == list(STAGES) and told["prune"]["policy"]["sparsities"]["attention"] == 0.5
    without = plan_of(prepare(configure()), tmp_path / "run")
    assert plan.resources.disk_bytes > without.resources.disk_bytes and "compressions" not in without.to_json()


def test_each_model_has_its_files_and_the_last_one_all_precisions(configure) -> None:
    request = prepare(configure(STAGES))
    assert list(request.exports) == list(MODELS)
    names = list(names_of(request.exports))
    # What it was trained for is made, whether it was asked for or not.
    assert names == [*(f"{model}-float32" for model in MODELS[:-1]), "trimmed-dynamic", "trimmed-static"]
    assert [name for name in names if must_pass(name, request)] == ["trimmed-dynamic", "trimmed-static"]
    oldest = prepare(configure({"prune": {"sparsity": 0.5}, "convert": {"compatible_with": "task-library"}}))
    assert [one.compatible_with for model in oldest.exports.values() for one in model] == [None, None, "task-library"]
    alone = prepare(configure({"distill": {"student": "none", "layers": None}, "trim": STAGES["trim"]}))
    assert list(names_of(alone.exports)) == ["teacher-float32", "trimmed-dynamic"]
    assert alone.future_compressions["trim"].checkpoint.encoder == alone.checkpoint.encoder
    fewer = prepare(configure(STAGES, {"convert": {"stage_precisions": [], "precisions": ["static"]}}))
    assert list(names_of(fewer.exports)) == ["teacher-float32", "trimmed-static"]


def test_without_them_nothing_that_a_stage_is_made_from_is_other(made, place: Path, configure) -> None:
    """Folders of runs from before stay known."""
    request = prepare(configure())
    models = {"teacher": place / "run/finetune/checkpoint", "student": place / "run/distill/checkpoint"}
    inputs = conversion_inputs(request, models)
    assert inputs["files"] == {
        "teacher-float32": {"precision": "float32", "length": None, "compatible_with": None},
        "student-dynamic": {"precision": "dynamic", "length": None, "compatible_with": None},
    }
    assert all("ranges_sha256" not in facts for facts in inputs["models"].values())
    assert not {"shrink", "prune", "quantize", "trim"} & budget_inputs(request)["config"].keys()


def test_a_student_may_become_integer_throughout(configure, tmp_path: Path) -> None:
    """Asked for in one go, of a teacher with LayerNorm and mean pooling; without its parts it is refused at once."""
    integer = {"distill": {"normalization": "no_norm", "activation": "relu", "pooling": "first"}}
    asked = {"quantize": {"scheme": "full-int8"}}
    request = prepare(configure(integer, asked))
    plan = plan_of(request, tmp_path / "run")
    quantized = request.future_compressions["quantize"]
    assert (quantized.student.encoder.normalization, quantized.student.encoder.activation) == ("no_norm", "relu")
    assert (quantized.student.head.pooling, request.future_teacher.head.pooling) == ("first", "mean")
    assert "quantized-full-int8" in names_of(request.exports) and "quantize" in plan.standings
    for field, named in (("normalization", "expected NoNorm"), ("pooling", "a head that reads the first token")):
        without = {"distill": {name: value for name, value in integer["distill"].items() if name != field}}
        assert named in refusal(configure, without, asked)


def test_integers_throughout_of_a_mean_are_refused_before_anything_is_trained(configure, tmp_path: Path) -> None:
    """What the student's own head is counts, not the teacher's."""
    integer = {"distill": {"normalization": "no_norm", "activation": "relu", "pooling": "first"}}
    asked = {"convert": {"precisions": ["full-int8"]}}
    plan_of(prepare(configure(integer, asked)), tmp_path / "run")
    integer["distill"]["pooling"] = "mean"
    with pytest.raises(EdgebertError, match="full-int8: expected a head that reads the first token, got one of mean"):
        plan_of(prepare(configure(integer, asked)), tmp_path / "run")


def refusal(configure, *layers: dict) -> str:
    with pytest.raises(EdgebertError) as caught:
        prepare(configure(*layers))
    assert_house_form(str(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    ("stage", "says"),
    [
        ({"shrink": {"heads": 5}}, "heads: expected 1 to the student's 4, got 5"),
        ({"shrink": {"keep": 0.5, "heads": 2}}, "expected numbers or a share to keep, got both"),
        ({"prune": {"sparsity": 1.5}}, "expected 0 to below 1, got 1.5"),
        ({"prune": {"sparsity": 0.5, "classes": ["norms"]}}, "pruning classes: expected"),
        ({"prune": {"sparsity": 0.5, "recipe": "tinybert"}}, "expected one of a single step"),
        ({"quantize": {"scheme": "static", "recipe": "minilm"}}, "compares nothing whose channels static evens out"),
        ({"quantize": {"scheme": "dynamic"}}, "expected one that a student can be trained for"),
        ({"trim": {"keep_pieces": 10}}, "expected at least"),
        ({"trim": {"texts": ["nowhere.txt"]}}, "nowhere.txt"),
    ],
)
def test_what_no_stage_could_do_is_told_before_anything_is_trained(configure, stage: dict, says: str) -> None:
    assert says in refusal(configure, stage)


def test_averages_are_left_out_where_they_would_harm_and_that_is_said(configure, tmp_path: Path) -> None:
    request = prepare(configure(STAGES, {"finetune": {"averaging": 0.99}}))
    averaging = {name: one.training.averaging for name, one in request.future_compressions.items() if name != "trim"}
    assert averaging == {"shrink": 0.99, "prune": 0.0, "quantize": 0.0}
    notes = plan_of(request, tmp_path / "run").notes
    assert sorted(note.split(":")[0] for note in notes if "not averaged" in note) == ["prune", "quantize"]


def test_a_vocabulary_is_chosen_by_what_the_student_learns_from_and_text_beside_it(configure, tmp_path: Path) -> None:
    def kept(*layers: dict) -> set[str]:
        request = prepare(configure({"trim": {"minimum_count": 1}}, *layers))
        one = request.future_compressions["trim"]
        return {one.tokenizer.vocabulary[number] for number in one.kept.ids}

    vocabulary = WordPiece.from_folder(prepare(configure()).checkpoint.source)
    few, used = kept(), {piece for word in WORDS for piece in vocabulary.tokenize(word)}
    assert used <= few < set(vocabulary.vocabulary)
    gone = next(piece for piece in vocabulary.vocabulary if len(piece) > 1 and piece.isalpha() and piece not in few)
    lines = [f"{gone} {' '.join(WORDS[(number + step) % len(WORDS)] for step in range(8))}" for number in range(60)]
    (tmp_path / "more.txt").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    assert gone in kept({"trim": {"texts": [str(tmp_path / "more.txt")]}})
    # A budget trains on fewer texts; the pieces of all of them stay.
    request = prepare(configure({"trim": {"minimum_count": 1}}))
    fewer = decided(request, Decision({}, 0.1, 0.0, ()))
    assert len(fewer.student_train) == 4
    assert fewer.future_compressions["trim"].kept == request.future_compressions["trim"].kept


def test_a_budget_gives_each_stage_epochs_and_counts_what_it_does_besides(configure) -> None:
    request = prepare(configure(STAGES, {"budget_minutes": 10, "shrink": {"steps": 2, "epochs": 4}}))
    by_name = {one.name: one for one in trainings_of(request, SLOW)}
    assert [(name, one.epochs) for name, one in by_name.items()] == [
        ("finetune", 3), ("distill 1", 2), ("shrink", 4), ("prune", 2), ("quantize", 2)
    ]  # fmt: skip
    # Two steps, each of that many epochs.
    assert by_name["shrink"].seconds_an_epoch == 2 * by_name["prune"].seconds_an_epoch == 40.0
    assert by_name["quantize"].seconds_an_epoch == 40.0 and by_name["prune"].seconds_once == pytest.approx(4.0)
    chosen = decided(request, Decision({"shrink": 3, "prune": 1, "quantize": 1}, 0.5, 60.0, ()))
    healing = {name: one.training.epochs for name, one in chosen.future_compressions.items() if name != "trim"}
    assert healing == {"shrink": 3, "prune": 1, "quantize": 1}
    assert {len(chosen.future_compressions[name].train) for name in healing} == {20}
    inputs = budget_inputs(request)
    assert inputs != budget_inputs(prepare(configure(STAGES, {"budget_minutes": 10, "prune": {"epochs": 9}})))
    less = prepare(configure({"budget_minutes": 10}))
    assert fixed_seconds(request, SLOW) > fixed_seconds(less, dataclasses.replace(SLOW, heal={}))


@pytest.mark.long
def test_speeds_are_measured_for_every_stage_that_heals(configure) -> None:
    speeds = measure_speeds(prepare(configure(STAGES, {"budget_minutes": 10})), silent)
    assert list(speeds.heal) == ["shrink", "prune", "quantize"] and min(speeds.heal.values()) > 0
    # The same shape and the same step are measured once.
    assert speeds.heal["quantize"] > speeds.heal["prune"]


@pytest.mark.long
def test_each_stage_makes_its_model_of_the_one_before(whole, configure) -> None:
    outcome, folder = whole
    found = checkpoints(folder)
    assert (found["distill"].encoder.heads, found["shrink"].encoder.heads) == (4, 2)
    kernel = "encoder.blocks.0.query.kernel"
    assert np.mean(found["shrink"].tensors[kernel] == 0) < 0.01
    # What was cut stays cut.
    zeros = found["prune"].tensors[kernel] == 0
    assert np.mean(zeros) == 0.5 and np.all(found["quantize"].tensors[kernel][zeros] == 0)
    assert not np.array_equal(found["quantize"].tensors[kernel], found["prune"].tensors[kernel])
    ids = [WordPiece.from_folder(folder / "quantize/checkpoint").vocabulary.index(piece)
           for piece in WordPiece.from_folder(folder / "trim/checkpoint").vocabulary]  # fmt: skip
    np.testing.assert_array_equal(found["trim"].tensors[WORD_TABLE], found["quantize"].tensors[WORD_TABLE][ids])
    assert len(ids) < found["quantize"].encoder.vocabulary_size
    assert [row.model for row in outcome.rows] == [*MODELS, "trimmed"]
    assert all(row.clients == {"litert": "agrees"} for row in outcome.rows)
    standing = standings(prepare(configure(STAGES)), folder)
    assert {name for name, state in standing.items() if state != FINISHED} == {"report"}


@pytest.mark.long
def test_the_teacher_answers_the_training_texts_once_for_all_stages(whole) -> None:
    _, folder = whole
    log = (folder / "log.txt").read_text()
    assert len(re.findall(r"teacher's answers: (\d+)/\1", log[log.rindex("start, process") :])) == 1
    assert not (folder / ANSWERS_FOLDER).exists()


@pytest.mark.long
def test_the_trimmed_file_has_the_ranges_that_were_learnt(whole, place: Path) -> None:
    """Its answers to texts whose pieces are all kept are those of the untrimmed one's file, to the bit."""
    _, folder = whole
    learnt, kept = (StoredRanges.read(folder / name / "checkpoint") for name in ("quantize", "trim"))
    assert kept.ranges.to_json() == learnt.ranges.to_json() and kept.weights_sha256 != learnt.weights_sha256
    source = folder / "quantize/checkpoint"
    exporter = Exporter(load_model(load_checkpoint(source)).model, WordPiece.from_folder(source), {}, None, learnt)
    (place / "untrimmed.tflite").write_bytes(exporter.export(ExportRequest("static")))
    texts = [(line.rpartition(",")[0], None) for line in (place / "train.csv").read_text().splitlines()[1:]]
    files = folder / "convert/trimmed-static.tflite", place / "untrimmed.tflite"
    ours, theirs = (AnsweringModel(path) for path in files)
    np.testing.assert_array_equal(ours.answer_all(texts), theirs.answer_all(texts))
    assert ours.description.provenance["ranges"]["from"] == "learnt"


@pytest.mark.long
def test_stages_that_were_there_stay_and_the_report_tells_all(whole, made, place: Path) -> None:
    outcome, folder = whole
    for name in ("finetune", "distill"):
        ours, theirs = ((run / name / "stage.json").stat().st_mtime_ns for run in (folder, place / "run"))
        assert ours == theirs, name
    report = json.loads((folder / "report.json").read_text())
    rows = {row["name"]: row for row in report["rows"]}
    makers = {"student": "distill", "shrunk": "shrink", "pruned": "prune", "quantized": "quantize", "trimmed": "trim"}
    # Equal sizes in the order in which they were made.
    assert [name for name in rows if name in ("shrunk-float32", "pruned-float32", "quantized-float32")] == [
        "shrunk-float32",
        "pruned-float32",
        "quantized-float32",
    ]
    for name, row in rows.items():
        assert row["model"] == makers.get(name.split("-")[0], "finetune")
    assert rows["pruned-float32"]["zero_share"] > 0.2 > rows["shrunk-float32"]["zero_share"]
    assert rows["trimmed-static"]["parameters"] < rows["quantized-float32"]["parameters"]
    assert [curve["stage"] for curve in report["curves"]] == ["finetune", "distill", "shrink", "prune", "quantize"]
    card = (folder / "README.md").read_text()
    assert all(row.path.stem in card for row in outcome.rows)


@pytest.mark.long
def test_killed_in_each_stage_it_ends_with_the_same_models(whole, configure, tmp_path: Path, commands) -> None:
    _, done = whole
    folder = shutil.copytree(done, tmp_path / "run")
    for name in ("shrink", "prune", "quantize", "trim"):
        shutil.rmtree(folder / name)
    (tmp_path / "run.toml").write_text(to_toml(configure(STAGES)))
    command = ["compress", str(tmp_path / "run.toml"), "--run", str(folder), "--quiet"]
    for moment in (
        "shrink/checkpoint/training/step-1/cut",
        "prune/checkpoint/training/scores.json",
        "quantize/checkpoint/training/start",
        "trim/stage.json",
    ):
        commands.kill(command, (folder / moment).exists)
    assert main(command) == 0
    ours, theirs = checkpoints(folder), checkpoints(done)
    for name, one in theirs.items():
        for tensor, values in one.tensors.items():
            np.testing.assert_array_equal(ours[name].tensors[tensor], values, err_msg=f"{name} {tensor}")
    assert result_of(folder, "score") == result_of(done, "score")
