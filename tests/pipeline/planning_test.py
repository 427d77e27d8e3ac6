"""What is known before anything slow begins: clients that never could, too little room, a plan that writes nothing."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from edgebert.errors import ClientError, DataError, EdgebertError, MeasurementError, OutputError, TrainingError
from edgebert.export.precisions import PRECISIONS
from edgebert.pipeline import requiring, resources
from edgebert.pipeline.converting import calibration_of
from edgebert.pipeline.planning import plan_of
from edgebert.pipeline.request import prepare
from edgebert.pipeline.resources import activation_bytes, resources_of
from edgebert.pipeline.standings import standings
from tests.data.house_form import assert_house_form


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every client were there."""
    monkeypatch.setattr(requiring, "environment", lambda client: SimpleNamespace(state="installed", version="1"))


def test_a_plan_writes_nothing_and_says_what_the_run_made(made, place: Path, configure, tmp_path: Path) -> None:
    plan = plan_of(prepare(configure()), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert set(plan.standings.values()) == {"to do"}
    assert set(plan.files) == {str(row.path.relative_to(place / "run")) for row in made.rows}
    told = plan.to_json()
    assert told["train_examples"] == 40 and told["labels"] == ["bad", "fine"] and told["config"]["teacher"]
    done = plan_of(prepare(configure()), place / "run")
    assert done.resources.disk_bytes < plan.resources.disk_bytes


def test_the_disk_estimate_holds_what_the_run_left(made, place: Path, configure, tmp_path: Path) -> None:
    plan = plan_of(prepare(configure()), tmp_path / "run")
    parts = [place / "run" / name / "checkpoint" / "model.safetensors" for name in ("finetune", "distill")]
    left = sum(path.stat().st_size for path in (*parts, *(row.path for row in made.rows)))
    # What is packed beside small graphs is no part of the estimate.
    assert plan.resources.disk_bytes > 0.9 * left


@pytest.mark.parametrize("folder", ["file/run", "/proc/run"])
def test_a_place_that_cannot_be_written_is_told(configure, tmp_path: Path, folder: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    if folder.startswith("/proc"):
        # To root every folder says that it may be written: the run finds out when it makes its own.
        from edgebert.run_directory import RunDirectory

        with pytest.raises(OutputError):
            RunDirectory(folder)
        return
    with pytest.raises(OutputError, match="expected a folder to write in, got a file"):
        plan_of(prepare(configure()), tmp_path / folder)


def test_a_measurement_that_cannot_be_is_told(configure, tmp_path: Path) -> None:
    most = prepare(configure()).checkpoint.encoder.maximum_length
    for table, says in (
        ({"lengths": [most + 1]}, rf"--bench-length: expected 3 to {most} tokens, each length once, got {most + 1}"),
        ({"lengths": [8, 8]}, "each length once, got 8, 8"),
        ({"threads": [0]}, "--threads: expected 1 or more, got 0"),
        ({"runs": 0}, "--runs: expected 1 or more, got 0"),
    ):
        with pytest.raises(MeasurementError, match=says):
            plan_of(prepare(configure({"benchmark": table})), tmp_path / "run")
    fixed = {"convert": {"length": 16}, "benchmark": {"lengths": [8]}}
    with pytest.raises(MeasurementError, match="--bench-length: expected the files' own 16 tokens"):
        plan_of(prepare(configure(fixed)), tmp_path / "run")


def test_what_would_be_made_anew_is_told(made, place: Path, configure) -> None:
    def told(redo_from: str | None = None, **changes: int) -> list[str]:
        notes = plan_of(prepare(configure(changes)), place / "run", redo_from).notes
        return [one.split(":")[0] for one in notes if "made anew" in one]

    assert told() == [] and told("finetune") == []
    assert told(seed=7) == ["finetune", "distill", "convert", "score", "verify", "benchmark"]
    assert told("convert", seed=7) == ["finetune", "distill"]


def test_room_that_only_finished_stages_and_strangers_take_is_not_free(made, place: Path, configure, tmp_path) -> None:
    folder = shutil.copytree(place / "run", tmp_path / "run")
    before = plan_of(prepare(configure()), folder).resources.disk_free_bytes
    (folder / "stranger.bin").write_bytes(bytes(50_000_000))
    assert plan_of(prepare(configure()), folder).resources.disk_free_bytes <= before + 5_000_000


def test_a_disk_that_is_too_small_is_told_unless_all_is_there(made, place, configure, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(resources.shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))
    with pytest.raises(OutputError, match=r"expected room for .* bytes while it runs, got 100,000") as caught:
        plan_of(prepare(configure()), tmp_path / "run")
    assert_house_form(str(caught.value))
    plan_of(prepare(configure()), place / "run")


def test_a_training_that_no_machine_of_this_size_can_hold_is_told(configure, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(resources, "read_meminfo", lambda: {"MemTotal": 2**31, "MemAvailable": 2**30})
    plan_of(prepare(configure()), tmp_path / "run")
    with pytest.raises(TrainingError, match=r"expected about .* bytes for this training, got a machine") as caught:
        plan_of(prepare(configure({"finetune": {"batch_size": 100_000}})), tmp_path / "run")
    assert_house_form(str(caught.value))


def test_memory_grows_with_batch_tokens_and_layers(configure) -> None:
    encoder = prepare(configure()).checkpoint.encoder
    base = activation_bytes(encoder, 8, 16)
    assert activation_bytes(encoder, 16, 16) == 2 * base < activation_bytes(encoder, 8, 64)
    deeper = dataclasses.replace(encoder, layers=2 * encoder.layers, layer_blocks=())
    assert activation_bytes(deeper, 8, 16) == 2 * base


def test_a_finished_run_needs_no_memory_to_train(made, place: Path, configure, tmp_path: Path) -> None:
    request = prepare(configure())
    done, fresh = (resources_of(request, folder, standings(request, folder)) for folder in (place / "run", tmp_path))
    assert done.memory_bytes == resources.PROCESS_BYTES < fresh.memory_bytes


def refusal(configure, tmp_path: Path, *layers: dict) -> str:
    with pytest.raises(ClientError) as caught:
        plan_of(prepare(configure(*layers)), tmp_path / "run")
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_a_required_client_must_be_there(configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "none"))
    said = refusal(configure, tmp_path, {"verify": {"required": ["mediapipe"]}})
    assert "--require mediapipe: expected it installed, got not installed. Do: edgebert clients install" in said


def test_a_precision_that_a_required_client_cannot_run_is_told(installed, configure, tmp_path: Path) -> None:
    required = {"verify": {"required": ["task-library"]}}
    said = refusal(configure, tmp_path, required)
    assert "--require task-library: expected precisions that its runtime 2.14 can run, got dynamic, which needs" in said
    plan_of(prepare(configure(required, {"convert": {"compatible_with": "task-library"}})), tmp_path / "run")
    plan_of(prepare(configure(required, {"convert": {"precisions": ["float16"]}})), tmp_path / "run")


def test_what_full_int8_will_lose_of_layer_norm_is_told(configure, tmp_path: Path) -> None:
    def told(changes: dict) -> list[str]:
        config = configure({"convert": {"precisions": ["full-int8"]}, "distill": {"pooling": "first"}}, changes)
        notes = plan_of(prepare(config), tmp_path / "run").notes
        return [one for one in notes if "do not hold LayerNorm's squares" in one]

    (one,) = told({})
    assert one.startswith("student: full-int8: ")
    assert not told({"distill": {"normalization": "no_norm"}})


def test_what_clients_will_not_do_is_told(installed, configure, tmp_path: Path, monkeypatch) -> None:
    verify = {"clients": ["litert", "task-library"]}
    config = configure({"verify": verify, "convert": {"precisions": ["float32", "dynamic"]}})
    notes = plan_of(prepare(config), tmp_path / "run").notes
    assert "task-library: refuses dynamic, which need more than its runtime" in notes
    assert not [one for one in notes if one.startswith("litert")]
    monkeypatch.setattr(requiring, "environment", lambda client: SimpleNamespace(state="not installed", version=None))
    notes = plan_of(prepare(config), tmp_path / "run").notes
    assert {one.split(",")[0] for one in notes} == {"litert: not installed", "task-library: not installed"}


def test_pairs_are_nothing_for_a_client_that_takes_one_text(installed, configure, place: Path, tmp_path: Path) -> None:
    for name in ("train", "dev"):
        lines = (place / f"{name}.csv").read_text().splitlines()
        rows = ["premise,hypothesis,label", *(f"a cat,{line}" for line in lines[1:])]
        (tmp_path / f"{name}.csv").write_text("\n".join(rows) + "\n")
    pairs = {
        "data": {
            "train": str(tmp_path / "train.csv"),
            "dev": str(tmp_path / "dev.csv"),
            "text_column": "premise",
            "second_text_column": "hypothesis",
        }
    }
    assert "expected single texts, which is all that it takes, got pairs" in refusal(
        configure, tmp_path, pairs, {"verify": {"required": ["mediapipe"]}}
    )
    plan_of(prepare(configure(pairs, {"verify": {"required": ["litert"]}})), tmp_path / "run")


def test_a_shape_that_cannot_be_is_told_by_the_plan(configure, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="expected at most the teacher's 2, got 4"):
        prepare(configure({"distill": {"student": "tiny4", "layers": None, "start": "truncated"}}))


def test_a_precision_that_does_not_fit_the_students_width_is_told_before_it_is_trained(configure, tmp_path) -> None:
    blocks = {name: one.table_block for name, one in PRECISIONS.items() if one.table_block > 1}
    assert blocks
    for name, block in blocks.items():
        width = 48 if 48 % block else None
        assert width, f"the golden encoder's width fits {name}"
        with pytest.raises(EdgebertError, match=name):
            plan_of(prepare(configure({"convert": {"precisions": [name]}})), tmp_path / "run")


def test_ranges_come_from_training_texts_and_few_are_refused(configure, tmp_path: Path) -> None:
    request = prepare(configure({"convert": {"precisions": ["static"], "calibration_texts": 16}}))
    found = calibration_of(request, request.finetuning.tokenizer)
    assert (len(found.encoded), found.sha256, found.available) == (16, request.train.sha256, 40)
    assert calibration_of(prepare(configure()), request.finetuning.tokenizer) is None
    with pytest.raises(DataError, match="expected at least 8 texts to calibrate with, got 4"):
        plan_of(prepare(configure({"convert": {"precisions": ["static"], "calibration_texts": 4}})), tmp_path / "run")
