"""`edgebert quantize` on the command line: the plan, the folder, its file, a kill, and what is refused."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest

from edgebert.bundle import read_bundle
from edgebert.cli import build_parser, main
from edgebert.cli.quantizing_report import advice
from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE, StoredRanges
from edgebert.models.checkpoint import load_checkpoint, save_checkpoint
from edgebert.models.loading import load_model, model_tensors
from edgebert.stations.quantizing import Quantized
from edgebert.training.hashing import values_sha256
from tests.cli.labelled import SMALL, answer, encoder, files_of, refusal

STEPS = ["--epochs", "2", "--learning-rate", "1e-3", "--batch-size", "8"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a student that knows the task."""
    folder = tmp_path_factory.mktemp("quantize")
    command = [
        "finetune",
        str(encoder(folder, layers=1)),
        *files_of(folder),
        "--output",
        str(folder / "student"),
        *SMALL,
    ]
    assert main([*command, "--quiet"]) == 0
    return folder


def command(place: Path, output: Path, *flags: object) -> list[str]:
    return [str(each) for each in ("quantize", "--student", place / "student", *files_of(place), "--output", output,
                                   *STEPS, *flags)]  # fmt: skip


@pytest.fixture(scope="module")
def quantized(place: Path) -> list[str]:
    made = command(place, place / "int8", "--teacher", place / "student")
    assert main([*made, "--quiet"]) == 0
    return made


def test_the_folder_is_a_checkpoint_with_its_ranges(quantized, place: Path, capsys) -> None:
    told = answer(capsys, *quantized)
    assert told["found"] and told["scheme"] == "static" and told["metric"] == "accuracy"
    assert told["teacher_scores"] == [told["score_before"]]
    assert (told["healing"]["recipe"], len(told["healing"]["epochs"])) == ("distilbert_task", 2)
    # Ranges stand still from the ninth of ten steps on: the first epoch cannot be kept.
    assert [epoch["may_be_kept"] for epoch in told["healing"]["epochs"]] == [False, True]
    assert told["moved_sites"] > 0.5 * told["sites"]
    stored, values = StoredRanges.read(place / "int8"), model_tensors(load_model(load_checkpoint(place / "int8")).model)
    assert len(stored.ranges.sites) == told["sites"]
    assert stored.weights_sha256 == values_sha256(values)
    assert stored.learnt["epochs"] == 2 and stored.learnt["calibration"]["texts"] == 40
    found = {path.name for path in (place / "int8").iterdir()}
    assert found >= {"config.json", "model.safetensors", "vocab.txt", QUANTIZATION_FILE, "training"}


def test_training_that_took_more_than_rounding_does_is_told(quantized, place: Path, capsys) -> None:
    told = answer(capsys, *quantized)
    done = Quantized.from_json({name: value for name, value in told.items() if name not in ("folder", "found")})
    for score, lines in ((done.calibrated_score, 0), (done.calibrated_score - 0.01, 1)):
        found = advice(place / "student", dataclasses.replace(done, dev_score=score))
        assert len(found) == lines
        for line in found:
            _, _, advised = line.removesuffix(" instead.").partition("use edgebert ")
            given = build_parser().parse_args(advised.split())
            assert (given.precision, given.checkpoint) == (("static",), str(place / "student"))


def test_it_converts_without_texts_and_any_further_training_parts_them(quantized, place: Path, capsys) -> None:
    models = place / "models"
    assert main(["convert", str(place / "int8"), "--out", str(models), "--precision", "static"]) == 0
    provenance = read_bundle(models / "int8-static.tflite").description.provenance
    assert provenance["ranges"]["from"] == "learnt" and provenance["ranges"]["epochs"] == 2
    capsys.readouterr()
    told = refusal_of_convert(capsys, place / "int8", models, "full-int8")
    assert (
        "full-int8: expected ranges that were learnt for it, or texts to calibrate with, got ranges for static" in told
    )
    (place / "student" / QUANTIZATION_FILE).write_bytes((place / "int8" / QUANTIZATION_FILE).read_bytes())
    told = refusal_of_convert(capsys, place / "student", models, "static")
    (place / "student" / QUANTIZATION_FILE).unlink()
    assert "expected ranges that were learnt with these weights, got others'" in told


def test_a_file_tells_which_texts_it_was_calibrated_with_and_not_where_they_lay(place: Path, capsys) -> None:
    files_of(place)
    flags = ["--precision", "hybrid", "--calibration", str(place / "train.csv"), "--text-column", "text"]
    assert main(["convert", str(place / "student"), "--out", str(place / "models"), *flags]) == 0
    assert "40 texts miss words on which some channels are loud: give some hundred" in capsys.readouterr().err
    assert main(["inspect", str(place / "models" / "student-hybrid.tflite")]) == 0
    shown = capsys.readouterr().out
    for row in (r"checkpoint +student", r"calibration, source +train\.csv", r"calibration, sha256 +[0-9a-f]{64}"):
        assert re.search(row, shown)
    assert str(place) not in shown.partition("\n")[2]
    assert main(["inspect", str(place / "models" / "student-hybrid.tflite"), "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)["files"]
    assert told["edgebert"]["provenance"]["calibration"]["source"] == "train.csv"


def test_a_file_whose_packed_files_are_cut_off_is_told_without_them(place: Path, tmp_path: Path, capsys) -> None:
    assert main(["convert", str(place / "student"), "--out", str(tmp_path), "--precision", "dynamic"]) == 0
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-40])
    capsys.readouterr()
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr()
    assert "FULLY_CONNECTED" in shown.out and "made by edgebert" not in shown.out
    assert "vocabulary: vocab.txt (named, and not there)" in shown.out
    assert re.search(r"MediaPipe Tasks.* no +it takes texts, and 'vocab\.txt' is not in it", shown.out)
    assert path.name in shown.err and "expected" in shown.err


def refusal_of_convert(capsys, folder: Path, models: Path, precision: str) -> str:
    assert main(["convert", str(folder), "--out", str(models), "--precision", precision]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_a_dry_run_tells_the_plan_and_writes_nothing(place: Path, capsys) -> None:
    told = answer(capsys, *command(place, place / "planned", "--dry-run", "--freeze-share", "0.4"))
    assert (told["training_steps"], told["ranges_frozen_from_step"], told["first_kept_epoch"]) == (10, 7, 2)
    assert told["calibration_texts"] == 40 and told["recipe"] is None
    assert main([*command(place, place / "planned", "--dry-run"), "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "trained for  static, by labels" in shown and "moving until step 7, then still" in shown
    assert not (place / "planned").exists()


@pytest.mark.parametrize(
    "flags, told",
    [
        (["--scheme", "full-int8"], "student: expected NoNorm for full-int8, got layer_norm, whose squares"),
        (["--scheme", "dynamic"], "expected one that a student can be trained for (static, full-int8), got dynamic"),
        (["--scheme", "int9"], "precision: expected float32,"),
        (["--freeze-share", "0"], "freeze share: expected a share of the steps above 0 and up to 1, got 0"),
        (["--calibration-texts", "0"], "calibration texts: expected 1 or more, got 0"),
        (["--calibration-texts", "5"], "expected at least 8 texts to calibrate with, got 5"),
        (["--averaging", "0.9"], "training averaging: expected 0"),
        (["--recipe", "tinybert", "--teacher", "STUDENT"], "recipe: expected one of a single step, got tinybert"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(flags, told: str, place: Path, capsys) -> None:
    given = [str(place / "student") if flag == "STUDENT" else flag for flag in flags]
    assert told in refusal(capsys, *command(place, place / "refused", *given, "--dry-run"))
    assert not (place / "refused").exists()


def test_a_checkpoint_without_a_head_is_refused(place: Path, capsys) -> None:
    source = load_checkpoint(place / "student")
    tensors = {name: values for name, values in source.tensors.items() if not name.startswith("head.")}
    save_checkpoint(place / "headless", tensors, source.encoder, None, source)
    given = ["quantize", "--student", place / "headless", *files_of(place), "--output", place / "refused"]
    assert "expected a checkpoint with a head for classification or regression, got none" in refusal(capsys, *given)


@pytest.mark.long
def test_killed_it_goes_on_and_ends_with_the_same_bits(quantized, place: Path, commands, capsys) -> None:
    """SIGKILL at three moments, of processes of their own; then the same command to its end."""
    again = [*command(place, place / "again", "--teacher", place / "student"), "--save-every", "0"]
    for sign in ("start/quantization.json", "step-1-distilbert_task/state.safetensors", "best-2.safetensors"):
        commands.kill(again, lambda sign=sign: list((place / "again").glob(f"training/**/{sign}")))
    assert answer(capsys, *again)["dev_score"] >= 0
    for folder in ("int8", "again"):
        stored = StoredRanges.read(place / folder)
        assert stored is not None
    one, other = (load_checkpoint(place / folder).tensors for folder in ("int8", "again"))
    for name, values in one.items():
        np.testing.assert_array_equal(other[name], values, err_msg=name)
    ranges = [(place / folder / QUANTIZATION_FILE).read_bytes() for folder in ("int8", "again")]
    assert ranges[0] == ranges[1]
