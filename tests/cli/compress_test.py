"""`edgebert compress` as a person at a terminal sees it; what the road itself does is tested in tests/pipeline."""

import dataclasses
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import edgebert
from edgebert.cli import build_parser, main
from edgebert.cli.compress_arguments import given
from edgebert.errors import EdgebertError
from edgebert.pipeline import calling, running
from edgebert.pipeline.config_file import build_config, dotted_names, read_toml, types_of
from edgebert.pipeline.outcome import FileRow, Outcome
from tests.cli.labelled import encoder, files_of
from tests.data.house_form import assert_house_form

SHAPE = ["--layers", "1", "--start", "from_layers", "--recipe", "logits_only"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compress")
    encoder(folder)
    return folder


@pytest.fixture
def flags(place: Path, tmp_path: Path) -> list[str]:
    return ["--teacher", str(place / "bert"), *files_of(place), "--run", str(tmp_path / "run"), *SHAPE]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["compress", *map(str, arguments)])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert_house_form(err.splitlines()[-1])
    return err.splitlines()[-1]


def row(tmp_path: Path, name: str, **changed) -> FileRow:
    model, precision = name.split("-")
    path = tmp_path / f"{name}.tflite"
    fields = {"size_bytes": 1000, "parameters": 10, "minimum_runtime": "2.9", "score": 0.8}
    rest = {"agreement": 1.0, "latency_ms": 2.0, "clients": {"litert": "agrees"}}
    return FileRow(model, precision, path, **(fields | rest | changed))


@pytest.fixture
def outcome(tmp_path: Path) -> Outcome:
    small = row(tmp_path, "student-dynamic", size_bytes=100, score=0.6, latency_ms=0.5, agreement=0.7)
    return Outcome(
        tmp_path, "accuracy", 50, (row(tmp_path, "teacher-float32"), small), (), ("two speeds",), ("nothing given up",)
    )


def test_flags_and_fields_are_the_same_set() -> None:
    """Every field has a flag that sets it and nothing else."""
    words = {int: "2", float: "0.5", str: "x"}
    for name, field in dotted_names().items():
        kind = str(types_of()[name])
        flag = field.metadata["flag"] or f"--{name.rpartition('.')[2].replace('_', '-')}"
        fitting = next(text for one, text in words.items() if one.__name__ in f"{kind} str")
        word = field.metadata["choices"][-1] if field.metadata["choices"] else fitting
        arguments = build_parser().parse_args(["compress", flag, *([] if kind == "<class 'bool'>" else [word])])
        table, _, key = name.rpartition(".")
        fields = given(arguments)
        assert list(fields) == [table or key] and (not table or list(fields[table]) == [key]), name
    assert given(build_parser().parse_args(["compress"])) == {}


def test_flags_come_before_the_file_and_the_file_before_defaults(capsys, flags, tmp_path: Path) -> None:
    code, out, err = run(capsys, *flags, "--epochs", 2, "--seed", 7, "--write-config", tmp_path / "run.toml")
    assert (code, out) == (0, "") and "written: " in err
    config = build_config(read_toml(tmp_path / "run.toml"))
    assert (config.seed, config.finetune.epochs, config.distill.recipes) == (7, 2, ("logits_only",))
    code, out, _ = run(capsys, tmp_path / "run.toml", "--epochs", 5, "--dry-run", "--json")
    told = json.loads(out)["config"]
    assert (code, told["seed"], told["finetune"]["epochs"]) == (0, 7, 5)


def test_a_dry_run_shows_everything_and_writes_nothing(capsys, flags, tmp_path: Path) -> None:
    code, out, _ = run(capsys, *flags, "--dry-run", "--budget-minutes", 5)
    assert code == 0 and not (tmp_path / "run").exists()
    for expected in (
        "40 examples of",
        "2: bad, fine",
        "convert/teacher-float32.tflite, convert/student-float32.tflite",
        "budget     to do",
        "distill    to do",
        "logits_only",
        "the teacher's layers 1",
        "bytes at most",
        "measured speeds will decide",
    ):
        assert expected in out, out


def test_a_dry_run_shows_what_becomes_of_the_student(capsys, flags) -> None:
    stages = ["--shrink-heads", 2, "--shrink-steps", 1, "--prune", 0.4, "--quantize", "static", "--trim", 1]
    code, out, _ = run(capsys, *flags, "--dry-run", *stages)
    assert code == 0
    for expected in (
        "from 1 layer, 4 heads, 96 neurons, 48 channels to 1 layer, 2 heads, 96 neurons, 48 channels, in 1 step",
        "40% of attention, 40% of feed_forward, single weights; 3 epochs at 5e-05, healed by distilbert_task",
        "for static; 3 epochs",
        "of 120 pieces kept",
        "convert/shrunk-float32.tflite, convert/pruned-float32.tflite, convert/quantized-float32.tflite",
        "convert/trimmed-static.tflite",
        "quantize   to do",
    ):
        assert expected in out, out


def test_defaults_of_a_stage_are_its_commands() -> None:
    from edgebert.cli.healing_arguments import USUAL_RECIPE

    config = build_config({"data": {"source": "snips"}})
    needed = ["--student", "a", "--output", "b", "--data", "snips"]
    for name in ("shrink", "prune", "quantize"):
        command, stage = build_parser().parse_args([name, *needed]), config.stage(name)
        for field in ("epochs", "learning_rate", "patience"):
            assert getattr(stage, field) == getattr(command, field), (name, field)
        assert stage.recipe == USUAL_RECIPE
    shrink = build_parser().parse_args(["shrink", *needed])
    for field in ("steps", "importance", "importance_examples"):
        assert getattr(config.shrink, field) == getattr(shrink, field)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--prune-epochs", "2"], "prune.epochs: expected it beside what asks for the stage"),
        (["--shrink-heads", "9"], "heads: expected 1 to the student's 4, got 9"),
        (["--student", "tiny5"], "Do: write tiny4"),
        (["--student", "tiny4"], "expected the teacher's 48 for from_layers, got 312"),
        (["--recipe", "tinybrt"], "Do: write tinybert"),
        (["--layer-map", "middle"], "layer map: expected uniform, last"),
        (["--text-column", "body"], "body"),
        (["--clients", "abacus"], "verify clients: expected task-library"),
        (["--budget-minutes", "0"], "budget_minutes: expected above 0"),
        (["--length", "1"], "length: expected 2 to 128"),
        (["--corpus", "nowhere.txt"], "nowhere.txt"),
        (["--teacher", "nowhere"], "expected a folder, a hub id (owner/name) or minilm"),
        (["missing.toml"], "missing.toml: expected a configuration in TOML"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_what_cannot_be_is_told_before_anything_is_trained(capsys, flags, tmp_path, dry, more, says) -> None:
    assert says in refusal(capsys, *flags, *more, *(["--dry-run"] if dry else []))
    assert not list((tmp_path / "run").glob("*/"))


def test_a_runs_own_configuration_is_for_the_folder_that_it_stands_in(capsys, flags, tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    run(capsys, *flags, "--write-config", config)

    def planned(*more: object) -> str:
        return json.loads(run(capsys, config, "--dry-run", "--json", *more)[1])["folder"]

    assert planned() == str(tmp_path / "run")
    (tmp_path / "run.json").write_text("{}")
    (tmp_path / ".lock").write_text("")
    assert planned() == str(tmp_path)
    assert planned("--run", tmp_path / "new") == str(tmp_path / "new")


def test_a_run_needs_a_folder_and_a_teacher(capsys, place: Path) -> None:
    assert "run: expected a folder for the run, got none" in refusal(capsys, *files_of(place))
    said = refusal(capsys, *files_of(place), "--run", place / "no", "--dry-run")
    assert "teacher: expected one, got none. Do: give --teacher" in said


def test_the_table_goes_to_stdout_and_everything_else_to_stderr(capsys, flags, monkeypatch, outcome) -> None:
    monkeypatch.setattr(running, "compress", lambda *arguments: outcome)
    code, out, err = run(capsys, *flags)
    assert code == 0 and "training on 40 examples, scoring on 16, 2 labels" in err
    lines = out.splitlines()
    assert lines[0].split()[:5] == ["file", "bytes", "smaller", "accuracy", "retained"]
    assert "10.0x" in lines[3] and "75.0%" in lines[3] and "4.0x" in lines[3]
    assert "budget: nothing given up" in err and "doubtful: two speeds" in err
    _, out, _ = run(capsys, *flags, "--json", "--quiet")
    told = json.loads(out)
    assert told["files"][1]["smaller"] == 10 and told["files"][1]["retained"] == pytest.approx(0.75)


def test_a_required_client_that_disagrees_is_exit_code_1(capsys, flags, monkeypatch, outcome: Outcome) -> None:
    failed = dataclasses.replace(outcome, problems=("student-dynamic: litert disagrees about 1 text",))
    monkeypatch.setattr(running, "compress", lambda *arguments: failed)
    code, out, err = run(capsys, *flags)
    assert code == 1 and out and "not as required: student-dynamic: litert disagrees about 1 text" in err


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ([], "the same command goes on from here"),
        (["--from", "distill"], "the same command without --from distill goes on from here"),
    ],
)
def test_an_interruption_says_how_to_go_on(capsys, flags, monkeypatch, more: list[str], advice: str) -> None:
    def interrupt(*arguments) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(running, "compress", interrupt)
    code, out, err = run(capsys, *flags, *more)
    assert (code, out) == (128 + signal.SIGINT, "")
    assert err.splitlines()[-1] == f"edgebert compress: interrupted; {advice}"


def test_the_same_from_python(place: Path, tmp_path: Path, monkeypatch, outcome: Outcome) -> None:
    seen = []
    monkeypatch.setattr(calling, "run_all", lambda *arguments: (seen.append(arguments), outcome)[1])
    train, dev = files_of(place)[1::2]
    settings = {"teacher": place / "bert", "data": {"train": train, "dev": dev}, "run": tmp_path / "run"}
    distill = {"layers": 1, "start": "from_layers", "recipes": "logits_only"}
    assert edgebert.compress(settings, distill=distill, seed=3) is outcome
    ((request, folder, _, redo_from),) = seen
    assert (request.config.seed, request.config.distill.layers, folder) == (3, 1, tmp_path / "run")
    assert redo_from is None
    with pytest.raises(EdgebertError, match=r"compress finetune\.epoch: expected a known key"):
        edgebert.compress(settings, finetune={"epoch": 3})
    with pytest.raises(EdgebertError, match="run: expected a folder"):
        edgebert.compress(data={"source": "snips"})


def test_the_package_loads_nothing_heavy_until_it_is_asked() -> None:
    code = "import sys, edgebert; print('tensorflow' in sys.modules, hasattr(edgebert, 'nonsense'))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "False"]
