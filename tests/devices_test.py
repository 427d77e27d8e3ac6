"""The device board: its records can stand there, its table is theirs, and what cannot stand there is refused."""

import dataclasses
import itertools
import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from benchmarks.devices import checking, measure, tables
from benchmarks.devices.checking import owner_problems, problems, remarks
from benchmarks.devices.reference import LENGTHS, PRECISIONS, THREADS, Reference, file_name, read_reference
from benchmarks.devices.tables import board, check_records, rendered
from edgebert.benchmark.texts import BUILTIN_SOURCE
from edgebert.measurement import Inputs, ModelFile, Record, Samples
from edgebert.measurement_file import read_record, to_json
from tests.benchmark.conftest import packed
from tests.benchmark.phone.conftest import adb, adb_program, adb_variables, plug_in, stand_in
from tests.benchmark.phone.stand_in import StandIn, tool_file
from tests.benchmark.records import make_case, make_conditions, make_emulation, make_record, make_samples

__all__ = ["adb", "adb_program", "adb_variables", "packed", "plug_in", "stand_in"]

SIZES = {"float32": 90, "dynamic": 23}
REFERENCE = Reference(
    {file_name(precision): ((SIZES[precision], "4" * 64),) for precision in PRECISIONS},
    {length: f"{length:064d}" for length in LENGTHS},
)


def case_of(precision: str, threads: int, length: int, runs: int = 100, slower: float = 1.0) -> object:
    inputs = Inputs(
        "texts", BUILTIN_SOURCE, "1" * 64, "WordPiece", "2" * 64, 20, (9,), (length,), REFERENCE.inputs[length]
    )
    milliseconds = SIZES[precision] * length / threads * slower
    samples = make_samples([milliseconds * 1e3] * runs)
    return make_case(samples, PRECISIONS.index(precision), threads=threads, length=length, inputs=inputs)


def device_record(**changes: object) -> Record:
    cases = [case_of(*setting) for setting in itertools.product(PRECISIONS, THREADS, LENGTHS)]
    models = tuple(ModelFile(file_name(precision), SIZES[precision], "4" * 64) for precision in PRECISIONS)
    return dataclasses.replace(make_record(*cases), models=models, **changes)


def replaced(position: int, **changes: object) -> Record:
    """The record with another case at `position`."""
    record = device_record()
    cases = list(record.cases)
    cases[position] = dataclasses.replace(cases[position], **changes)
    return dataclasses.replace(record, cases=tuple(cases))


def with_device(**changes: object) -> Record:
    record = device_record()
    return dataclasses.replace(record, device=dataclasses.replace(record.device, **changes))


def folder_of(tmp_path: Path, **records: Record) -> Path:
    folder = tmp_path / "records"
    folder.mkdir()
    for name, record in records.items():
        (folder / f"{name}.json").write_bytes(to_json(record))
    return folder


def test_the_committed_records_and_table() -> None:
    """What CI is for: a contributed record is checked here, and the README says what the records say."""
    assert tables.main(["--check"]) == 0


def test_the_board_says_whether_it_has_a_phone() -> None:
    text = tables.README.read_text()
    records, _ = check_records(tables.RECORDS, read_reference())
    phones = [record for record in records if checking.record_of_phone(record.device)]
    assert ("no phone here" in text or "No phone has been contributed" in text) == (not phones)


def test_a_whole_record_can_stand_there() -> None:
    assert problems(device_record(), REFERENCE) == []
    assert remarks(device_record()) == []


BASE = device_record()
COUNTS = dataclasses.replace(make_samples([1e6] * 100), values={"all_instructions": (10**6,) * 100})
COUNTED = tuple(dataclasses.replace(case, samples=COUNTS, emulation=make_emulation()) for case in BASE.cases)
REFUSED = [
    ({"place": "emulated", "cases": COUNTED}, "place: expected a real core (host, ssh, adb), got 'emulated'"),
    ({"complete": False, "incomplete_reason": "interrupted"}, "verdict: the run did not finish: interrupted"),
    ({"models": BASE.models[:1], "cases": BASE.cases[:4]}, "models: expected minilm-float32.tflite, minilm-dynamic"),
    ({"cases": BASE.cases[1:]}, "cases: expected minilm-float32.tflite, 32 tokens, threads: 1, got none"),
    (
        {"models": tuple(dataclasses.replace(model, size_bytes=7) for model in BASE.models)},
        "minilm-dynamic.tflite: expected 23 bytes, got 7",
    ),
]


@pytest.mark.parametrize(("changes", "named"), REFUSED, ids=[named[:25] for _, named in REFUSED])
def test_what_cannot_stand_there(changes: dict, named: str) -> None:
    assert any(named in words for words in problems(dataclasses.replace(BASE, **changes), REFERENCE))


def busy_samples(longer: float) -> Samples:
    """Wall times that are longer than the thread's own."""
    samples = make_samples([1e6] * 100)
    return dataclasses.replace(samples, values={**samples.values, "wall_ns": (round(1e6 * longer),) * 100})


def test_a_little_waiting_is_said_and_not_refused() -> None:
    record = replaced(0, samples=busy_samples(1.2))
    assert problems(record, REFERENCE) == []
    assert any("17% of the time it waited for a core" in words for words in remarks(record))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"samples": make_samples([1e6] * 99)}, "expected the wall times of at least 100 runs, got 99"),
        ({"samples": busy_samples(1.5)}, "got one where 33% of the time was waiting for a core"),
        (
            {"inputs": dataclasses.replace(BASE.cases[0].inputs, source="mine.txt")},
            "expected the token ids of the built-in English sentences, got those of mine.txt",
        ),
        ({"inputs": dataclasses.replace(BASE.cases[0].inputs, sha256="9" * 64)}, "expected the token ids"),
    ],
)
def test_each_case_is_checked(changes: dict, named: str) -> None:
    for position in [0, 1, 4, 5]:
        length = BASE.cases[position].inputs.lengths
        fitted = {**changes}
        if "inputs" in fitted:
            fitted["inputs"] = dataclasses.replace(fitted["inputs"], lengths=length)
        assert any(named in words for words in problems(replaced(position, **fitted), REFERENCE))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Google sdk_gphone64_arm64"},
        {"soc": "ranchu"},
        {"cpu_features": ("avx2", "fma")},
        {"operating_system": "Android 14 (SDK 34)", "is_virtual": True},
    ],
)
def test_an_emulators_device_is_refused(changes: dict) -> None:
    assert any("device: expected a real one" in words for words in problems(with_device(**changes), REFERENCE))


@pytest.mark.parametrize(
    "argument",
    [
        *("/home/alice/minilm.tflite", "C:\\Users\\alice\\m.tflite", "/data/local/m.tflite", "--on=/root"),
        *("ssh:alice@board", "adb:3A171FDJH", "alice@example.org", "192.168.1.7", "b8:27:eb:12:34:56"),
    ],
)
def test_what_names_its_owner_is_refused(argument: str) -> None:
    line = dataclasses.replace(BASE.provenance, command_line=("edgebert", "benchmark", argument))
    record = dataclasses.replace(BASE, provenance=line)
    (found,) = problems(record, REFERENCE)
    assert found.startswith("provenance.command_line[2]: expected nothing that names its owner")


def test_versions_of_four_numbers_are_no_addresses() -> None:
    assert owner_problems(with_device(kernel="5.15.90.1-microsoft-standard-WSL2")) == []


def test_verdicts_and_virtual_machines_are_said_in_the_row(tmp_path: Path) -> None:
    record = replaced(3, warmup_settled=False)
    after = make_conditions(at_utc="2026-11-20T12:01:00.000Z", throttle_count=9)
    record = dataclasses.replace(
        record, conditions_after=after, device=dataclasses.replace(record.device, is_virtual=True)
    )
    assert problems(record, REFERENCE) == []
    table = board([record], REFERENCE)
    assert "1. Raspberry Pi 4 Model B Rev 1.5 (brcm,bcm2711): a virtual machine, whose host others may share; " in table
    assert "the cores were slowed for heat 6 times" in table
    assert "minilm-float32, 128 tokens, 2 threads: runs were still getting faster" in table


def test_the_table_has_every_figure_and_the_fastest_first() -> None:
    fast = dataclasses.replace(
        with_device(name="Pixel 7", soc="Google Tensor", operating_system="Android 14 (SDK 34)"),
        cases=tuple(case_of(*setting, slower=0.5) for setting in itertools.product(PRECISIONS, THREADS, LENGTHS)),
    )
    table = board([device_record(), fast], REFERENCE)
    lines = table.splitlines()
    assert lines[0].count("|") == lines[2].count("|") == 9
    assert lines[2].startswith(
        "| Pixel 7 (Google Tensor) | 4 × Cortex-A72 at 1.5 GHz | Android 14 (SDK 34), 2026-11-20"
    )
    assert lines[2].endswith("| 2.3.0 | 0.368 | 1.47 | 0.736 | 5.76 |")
    assert lines[3].endswith("| 2.3.0 | 0.736 | 2.94 | 1.47 | 11.5 |")
    assert "No phone" not in table
    assert "No phone has been contributed yet" in board([device_record()], REFERENCE)
    assert "no phone here" in board([], REFERENCE)


def test_another_build_of_the_same_size_is_accepted_and_said() -> None:
    record = dataclasses.replace(
        BASE, models=tuple(dataclasses.replace(model, sha256="5" * 64) for model in BASE.models)
    )
    assert problems(record, REFERENCE) == []
    assert "another build of the reference models" in board([record], REFERENCE)


def test_names_cannot_break_the_table() -> None:
    table = board([with_device(name="a | <b> `c`")], REFERENCE)
    assert table.splitlines()[2].count("|") == 9 and "<b>" not in table


def test_a_folder_is_checked_file_by_file(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, good=BASE, late=dataclasses.replace(BASE, place="emulated", cases=COUNTED), twin=BASE)
    (folder / "cut.json").write_bytes(to_json(BASE)[:-100])
    (folder / "photo.png").touch()
    edited = json.loads(to_json(BASE))
    edited["device"]["owner"] = "alice"
    (folder / "edited.json").write_text(json.dumps(edited))
    records, wrong = check_records(folder, REFERENCE)
    assert records == [BASE]
    told = "\n".join(wrong)
    assert re.search(r"^late.json: place: expected a real core", told, re.MULTILINE)
    assert "twin.json: expected one record a device, got good.json of the same" in told
    assert "cut.json" in told and "device.owner: expected a known key" in told
    assert "photo.png: expected only .json files here" in told
    assert {line.partition(": ")[0] for line in wrong} == {
        "cut.json",
        "edited.json",
        "late.json",
        "twin.json",
        "photo.png",
    }


def test_the_readme_takes_the_table_between_its_marks() -> None:
    text = tables.README.read_text()
    changed = rendered(text, "another table \\1")
    assert "\nanother table \\1\n<!-- end -->" in changed
    assert rendered(changed, board([], REFERENCE)) == rendered(text, board([], REFERENCE))
    with pytest.raises(ValueError, match=re.escape("expected <!-- benchmarks.devices.tables -->")):
        rendered("no marks", "")


def test_check_fails_where_the_readme_is_not_what_the_records_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    readme = tmp_path / "README.md"
    shutil.copy(tables.README, readme)
    monkeypatch.setattr(tables, "README", readme)
    monkeypatch.setattr(tables, "RECORDS", folder_of(tmp_path, pi=BASE))
    monkeypatch.setattr(tables, "read_reference", lambda: REFERENCE)
    assert tables.main(["--check"]) == 1
    assert "README.md: expected the table of the records" in capsys.readouterr().out
    assert tables.main([]) == 0 and tables.main(["--check"]) == 0
    assert "Raspberry Pi 4 Model B" in readme.read_text()
    (tmp_path / "records" / "pi.json").write_bytes(to_json(dataclasses.replace(BASE, place="emulated", cases=COUNTED)))
    before = readme.read_text()
    assert tables.main([]) == 1 and readme.read_text() == before


@pytest.fixture
def small_reference(packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tiny models under the reference models' names, and a board of their own."""
    models = tmp_path / "models"
    models.mkdir()
    for precision in PRECISIONS:
        shutil.copy(packed, models / file_name(precision))
    size = packed.stat().st_size
    reference = Reference({file_name(precision): ((size, "0" * 64),) for precision in PRECISIONS}, {})
    for module in (checking, measure):
        monkeypatch.setattr(module, "LENGTHS", (8, 16))
        monkeypatch.setattr(module, "THREADS", (1,))
    monkeypatch.setattr(measure, "_RUNS", 100)
    monkeypatch.setattr(measure, "_SECONDS", 0)
    monkeypatch.setattr(measure, "HERE", tmp_path)
    monkeypatch.setattr(measure, "read_reference", lambda: reference)
    (tmp_path / "records").mkdir()
    return models


@pytest.fixture
def learnt(small_reference: Path, monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """The records that were checked. The token ids are this vocabulary's; all else is checked as it is."""
    asked: list[Record] = []
    kept = measure.problems

    def learn(record: Record, reference: Reference) -> list[str]:
        asked.append(record)
        inputs = {case.length: case.inputs.sha256 for case in record.cases}
        return kept(record, dataclasses.replace(reference, inputs=inputs))

    monkeypatch.setattr(measure, "problems", learn)
    return asked


def test_one_command_measures_and_writes_a_record_without_its_owner(
    small_reference: Path, learnt: list[Record], tmp_path: Path
) -> None:
    assert measure.main(["this-machine", "--models", str(small_reference)]) == 0
    record = read_record(tmp_path / "records" / "this-machine.json")
    assert [record] == learnt
    assert record.complete and len(record.cases) == 4 and owner_problems(record) == []
    assert record.provenance.command_line == (
        *("edgebert", "benchmark", "minilm-float32.tflite", "minilm-dynamic.tflite", "--on", "host"),
    )


@pytest.mark.long
def test_a_phone_reaches_the_board_by_tflites_tool(
    small_reference: Path, learnt: list[Record], stand_in: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As README.md says it for a phone today, without an app on it."""
    stand_in.remove_app()
    monkeypatch.setattr(measure, "_TOOL_RUNS", 6)
    monkeypatch.setattr(checking, "FEWEST_RUNS", 6)
    tool = tool_file(tmp_path / "benchmark_model", "2025")
    arguments = ["stand-in", "--on", "adb", "--benchmark-model", str(tool), "--models", str(small_reference)]
    assert measure.main(arguments) == 0
    record = read_record(tmp_path / "records" / "stand-in.json")
    assert [record] == learnt and checking.record_of_phone(record.device)
    assert [len(case.samples) for case in record.cases] == [6, 6, 6, 6]
    written = to_json(record).decode()
    assert owner_problems(record) == [] and stand_in.serial not in written and str(tmp_path) not in written
    assert stand_in.files_left() == []


def test_the_tools_row_says_so() -> None:
    runtime = dataclasses.replace(BASE.cases[0].runtime, name="benchmark_model", version="file of sha256 0123456789ab")
    for delegate, words in (("XNNPACK", ""), (None, "with no delegate instead of XNNPACK")):
        of_tool = dataclasses.replace(runtime, delegate=delegate)
        cases = tuple(dataclasses.replace(case, runtime=of_tool) for case in BASE.cases)
        record = dataclasses.replace(BASE, place="adb", cases=cases)
        assert problems(record, REFERENCE) == []
        said = "in TFLite's benchmark_model from adb's shell (file of sha256 0123456789ab); an app gets other cores"
        assert remarks(record) == [said, *[words] * bool(words)]
        assert "| benchmark_model | 0.736 |" in board([record], REFERENCE)


def test_a_phone_is_measured_in_the_tool_with_as_many_runs_as_the_board_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(measure, "edgebert", lambda arguments: asked.append(arguments) or 130)
    arguments = ["--models", str(tmp_path), "--on", "adb:R58"]
    assert measure.main(["pixel-7", *arguments, "--benchmark-model", "tool"]) == 130
    (command,) = asked
    options = dict(itertools.pairwise(command))
    assert (options["--on"], options["--benchmark-model"]) == ("adb:R58", "tool")
    assert int(options["--runs"]) == checking.FEWEST_RUNS
    measure.main(["pixel-7", *arguments])
    assert "--benchmark-model" not in asked[1]


@pytest.mark.parametrize("text", [tables.README.read_text(), measure.__doc__], ids=["README.md", "--help"])
def test_the_commands_that_are_written_down_work(text: str) -> None:
    """Each is one that is taken, and a phone's does not need the app that is not written."""
    commands = re.findall(r"^ +python -m benchmarks\.devices\.measure (.*?)(?: {3}.*)?$", text, re.MULTILINE)
    parsed = [measure._parse(shlex.split(command)) for command in commands]
    assert [arguments.on.partition(":")[0] for arguments in parsed] == ["host", "ssh", "adb"]
    assert parsed[2].benchmark_model is not None


def test_a_record_that_cannot_stand_there_is_not_written(
    small_reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stand_in(arguments: list[str]) -> int:
        Path(arguments[-1]).write_bytes(to_json(BASE))
        return 0

    monkeypatch.setattr(measure, "edgebert", stand_in)
    assert measure.main(["pixel-7", "--models", str(small_reference)]) == 1
    assert "not written: minilm-float32.tflite: expected" in capsys.readouterr().err
    monkeypatch.setattr(measure, "edgebert", lambda arguments: 130)
    assert measure.main(["pixel-7", "--models", str(small_reference)]) == 130
    assert list((tmp_path / "records").iterdir()) == []


def test_names_that_only_this_machine_knows_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure.getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(measure.socket, "gethostname", lambda: "alices-laptop")
    assert measure._still_there(with_device(kernel="6.1.0-alice"), ("3A171FDJH",)) != []
    assert measure._still_there(with_device(soc="3A171FDJH"), ("3A171FDJH",)) != []
    assert measure._still_there(BASE, ("3A171FDJH",)) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["Pixel 7"], "name: expected small letters"),
        (["../pixel"], "name: expected small letters"),
        (["pixel-7", "--on", "emulated:i8mm"], "--on: expected host, ssh, adb"),
        (["phones", "--on", "adb:all"], "--on: expected one phone, got 'adb:all'"),
        (["phones", "--on", "adb:R58,X1", "--benchmark-model", "tool"], "--on: expected one phone, got 'adb:R58,X1'"),
        (["pi", "--benchmark-model", "tool"], "--benchmark-model: expected --on adb with it, got --on host"),
        ([], "required: name"),
    ],
)
def test_names_and_places_are_checked_before_anything_is_measured(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        measure.main(arguments)
    assert stopped.value.code == 2 and named in capsys.readouterr().err
