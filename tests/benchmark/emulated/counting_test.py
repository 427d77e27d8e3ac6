"""Counts on real emulated cores: exact for code whose instructions are known, and the same every time for models."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from edgebert.benchmark.emulated.agreement import agrees
from edgebert.benchmark.emulated.cores import CORES, EmulatedCore, choose_cores
from edgebert.benchmark.emulated.counts import (
    ALL,
    BEGIN,
    CLASSES,
    END_WITH_BLOCKS,
    mark_argument,
    read_segments,
)
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.emulated.measuring import count
from edgebert.benchmark.emulated.report import report_on_counts
from edgebert.benchmark.emulated.running import COUNTS, start_on_core
from edgebert.benchmark.plan import Plan
from edgebert.benchmark.texts import builtin_texts
from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.measurement_file import from_json, to_json
from edgebert.progress import Progress
from tests.benchmark.conftest import DYNAMIC, VOCABULARY
from tests.data.house_form import assert_house_form
from tests.export.golden_models import GOLDEN as EXPORTED
from tests.export.golden_models import NAMES

pytestmark = pytest.mark.long

# One instruction of each class; x1 points to memory that may be read and written.
BODIES = {
    "int8_dot_product": 0x4E829420,
    "int8_matrix_multiply": 0x4E82A420,
    "widening_multiply": 0x0E628020,
    "float_multiply_add": 0x4E22CC20,
    "other_float": 0x4E22D420,
    "other_vector": 0x4EA28420,
    "vector_load": 0x3DC00023,
    "vector_store": 0x3D800023,
    "scalar_load": 0xF9400023,
    "scalar_store": 0xF9000023,
    "branch": 0x14000001,
    "scalar": 0x91000463,
}
# How often a body's instruction stands in its loop, and how often two calls go round.
REPEATED, FEWER, MORE = 5, 1_000, 4_000
SCALARS, PYTHONS_OWN = ("scalar", "scalar_load", "scalar_store"), 50
# A guest that makes each loop in memory: [body x REPEATED], sub x0, x0, #1; cbnz x0, loop; ret.
LOOPS = """
import ctypes, functools, gc, json, mmap, operator, os
from pathlib import Path
gc.disable()
request = json.loads(Path("loops.json").read_text())
memory = mmap.mmap(-1, 65536, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
functions = []
for place, body in enumerate(request["bodies"]):
    words = [body] * request["repeated"] + [0xD1000400]
    words += [0xB5000000 | (-len(words) & 0x7FFFF) << 5 | 0, 0xD65F03C0]
    start = 256 * place
    memory[start : start + 4 * len(words)] = b"".join(word.to_bytes(4, "little") for word in words)
    functions.append(ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_uint64)(base + start))
for function in functions:
    function(10, base + 32768)
    for rounds in request["rounds"]:
        call = functools.partial(function, rounds, base + 32768)
        begin, end = (functools.partial(os.umask, request[mark]) for mark in ("begin", "end"))
        # No bytecode between the marks: Python changes it while it runs.
        list(map(operator.call, (begin, call, end)))
Path("base").write_text(str(base))
"""


def plan(*models: Path, **changes: object) -> Plan:
    quick = {"synthetic_ids": True, "runs": 2, "minimum_seconds": 0.0, "texts": builtin_texts(2)}
    return Plan(models=models, **{**quick, **changes})


def nothing(*_: object) -> None:
    """For callbacks whose calls do not matter."""


def golden(name: str) -> Path:
    """A textbook BERT of two layers; see tests/export/make_golden_models.py."""
    return EXPORTED / f"{name}.tflite"


@pytest.fixture(scope="module")
def record(emulator: Environment) -> Record:
    return count(plan(golden("plain_float32"), golden("plain_dynamic")), CORES, nothing)


@pytest.mark.parametrize("core", [CORES[2], CORES[3]], ids=lambda core: core.name)
def test_known_code_is_counted_to_the_instruction(emulator: Environment, tmp_path: Path, core: EmulatedCore) -> None:
    bodies = {name: word for name, word in BODIES.items() if core.name == "i8mm" or name != "int8_matrix_multiply"}
    marks = {"begin": mark_argument(BEGIN), "end": mark_argument(END_WITH_BLOCKS)}
    request = {"bodies": list(bodies.values()), "repeated": REPEATED, "rounds": [FEWER, MORE], **marks}
    (tmp_path / "loops.json").write_text(json.dumps(request))
    (tmp_path / "loops.py").write_text(LOOPS)
    start_on_core(emulator, core, tmp_path, "loops.py", "loops")
    calls, base = read_segments(tmp_path / COUNTS)[1:-1:2], int((tmp_path / "base").read_text())
    assert len(calls) == 2 * len(bodies)
    for position, name in enumerate(bodies):
        fewer, more = calls[2 * position : 2 * position + 2]
        for rounds, call in ((FEWER, fewer), (MORE, more)):
            assert sum(instructions for _, instructions in call.blocks) == call.counts[ALL]
            inside = sum(instructions for address, instructions in call.blocks if base <= address < base + 32768)
            assert inside == rounds * (REPEATED + 2) + 1
        # The classes are those of whole calls. Python's own part of them falls out, but for some scalar instructions.
        loop = Counter({name: REPEATED}) + Counter(scalar=1, branch=1)
        for each in CLASSES:
            unexplained = more.counts[each] - fewer.counts[each] - (MORE - FEWER) * loop[each]
            assert abs(unexplained) <= (PYTHONS_OWN if each in ("branch", *SCALARS) else 0), (name, each)


def test_counts_repeat_to_the_instruction(emulator: Environment, record: Record) -> None:
    """Another process, another time, another model run before: every value of every column."""
    again = count(plan(golden("plain_dynamic")), CORES, nothing)
    first = [case for case in record.cases if case.model == 1]
    assert len(first) == len(again.cases) == 4
    for one, other in zip(first, again.cases, strict=True):
        assert one.emulation.core == other.emulation.core
        assert one.samples == other.samples
        assert one.warmup == other.warmup
        assert one.emulation == other.emulation


def test_counts_do_not_depend_on_where_the_emulator_lies(
    emulator: Environment, record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "a folder with a much longer name, and a comma in it" / "emulator"
    elsewhere.mkdir(parents=True)
    for part in emulator.folder.iterdir():
        (elsewhere / part.name).symlink_to(part)
    monkeypatch.setenv("EDGEBERT_CACHE", str(elsewhere.parent))
    moved = count(plan(golden("plain_dynamic")), choose_cores("emulated:cortex-a76"), nothing)
    (original,) = (case for case in record.cases if case.model == 1 and case.emulation.core == "cortex-a76")
    assert moved.cases[0].samples == original.samples
    assert moved.cases[0].emulation == original.emulation


def test_the_record_is_of_the_shared_schema_and_has_no_time(record: Record) -> None:
    assert from_json(to_json(record), "record.json") == record
    assert (record.place, record.complete, record.device.architecture) == ("emulated", True, "aarch64")
    assert [cluster.model for cluster in record.device.clusters] == [core.title for core in CORES]
    metrics = {f"{name}_instructions" for name in (ALL, *CLASSES)}
    for case in record.cases:
        assert set(case.samples.values) == set(case.warmup.values) == metrics
        assert (case.load, case.memory) == (None, None)


def test_every_case_is_whole(emulator: Environment, record: Record) -> None:
    assert [(case.emulation.core, case.model) for case in record.cases] == [
        (core.name, model) for core in CORES for model in (0, 1)
    ]
    for case in record.cases:
        assert Counter(zip(case.samples.rounds, case.samples.inputs, strict=True)) == Counter(
            (round_number, number) for round_number in range(2) for number in range(2)
        )
        assert case.runtime.delegate == "XNNPACK" and case.delegation.delegated_nodes > 0
        assert case.runtime.version == emulator.versions["ai-edge-litert"]
        assert case.emulation.environment_sha256 == emulator.sha256
        functions = case.emulation.instructions_by_function
        first = case.samples.values["all_instructions"][0]
        assert sum(functions.values()) == first
        assert any(name.startswith(("xnn_", "kai_")) for name in list(functions)[:5])


def test_a_steady_record_has_no_verdict(record: Record) -> None:
    assert all(report.verdicts == () for report in report_on_counts(record))


def test_answers_of_every_precision_agree_with_this_machines(emulator: Environment) -> None:
    """On the core whose kernels are least like this machine's."""
    models = [golden(name) for name in NAMES]
    compared = count(plan(*models, runs=1), choose_cores("emulated:i8mm"), nothing)
    agreements = {name: case.emulation.agreement for name, case in zip(NAMES, compared.cases, strict=True)}
    assert {name: agreement for name, agreement in agreements.items() if not agrees(agreement)} == {}
    assert all(agreement.values_compared > 2 for agreement in agreements.values())
    precisions = {name: agreement.precision for name, agreement in agreements.items()}
    assert set(precisions) == set(NAMES)
    assert precisions["plain_float32"] == precisions["plain_float16"] == "float"
    assert precisions["plain_dynamic"] == precisions["quantizer_int4"] == "dynamic-range int8"
    assert precisions["plain_int8"] == "int8 activations"


def test_each_core_multiplies_int8_with_what_it_has(record: Record) -> None:
    used = {
        case.emulation.core: {
            name: sum(case.samples.values[f"{name}_instructions"]) > 0
            for name in ("int8_dot_product", "int8_matrix_multiply")
        }
        for case in record.cases
        if case.model == 1
    }
    assert [used[core.name]["int8_dot_product"] for core in CORES[:3]] == [False, True, True]
    assert [used[core.name]["int8_matrix_multiply"] for core in CORES] == [False, False, False, True]
    widening = {
        case.emulation.core: sum(case.samples.values["widening_multiply_instructions"])
        for case in record.cases
        if case.model == 1
    }
    assert widening["cortex-a53"] > 10 * widening["cortex-a76"]


def test_longer_texts_cost_more(emulator: Environment) -> None:
    texts = plan(DYNAMIC, synthetic_ids=False, vocabulary=VOCABULARY, texts=builtin_texts(4), runs=1)
    (case,) = count(texts, CORES[:1], nothing).cases
    columns = zip(case.samples.inputs, case.samples.values["all_instructions"], strict=True)
    by_length = {case.inputs.lengths[number]: instructions for number, instructions in columns}
    ordered = [by_length[length] for length in sorted(by_length)]
    assert len(ordered) == 4 and ordered == sorted(set(ordered))


def test_an_interrupted_run_keeps_its_finished_cases(emulator: Environment) -> None:
    kept: list[Record] = []

    def interrupt(progress: Progress) -> None:
        if progress.task == "count" and progress.done == 1:
            raise KeyboardInterrupt

    two = plan(golden("plain_float32"), golden("plain_dynamic"), runs=1)
    with pytest.raises(KeyboardInterrupt):
        count(two, CORES[:1], kept.append, interrupt)
    unfinished = kept[-1]
    assert (len(unfinished.cases), unfinished.complete, unfinished.incomplete_reason) == (1, False, "interrupted")
    assert from_json(to_json(unfinished), "record.json") == unfinished


def test_a_count_leaves_the_installation_as_it_is(emulator: Environment) -> None:
    """Bytecode was written when it was installed; a run that wrote some would make the next one differ."""

    def files() -> dict[Path, int]:
        return {path: path.lstat().st_mtime_ns for path in emulator.folder.rglob("*")}

    before = files()
    count(plan(golden("plain_dynamic"), runs=1), CORES[:1], nothing)
    assert files() == before


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"threads": (1, 2)}, "--threads: expected 1"), ({"cores": (0,)}, "--cores: expected none")],
)
def test_what_means_nothing_there_is_refused(changes: dict, named: str) -> None:
    with pytest.raises(MeasurementError, match=named) as caught:
        count(plan(golden("plain_dynamic"), **changes), CORES, nothing)
    assert_house_form(str(caught.value))


def test_a_damaged_installation_is_told_from_a_damaged_model(emulator: Environment, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("raise SystemExit('no luck')\n")
    with pytest.raises(MeasurementError, match="no luck"):
        start_on_core(emulator, CORES[0], tmp_path, "script.py", "m.tflite")
    broken = dataclasses.replace(emulator, folder=tmp_path)
    with pytest.raises(MeasurementError, match="emulator install --again"):
        start_on_core(broken, CORES[0], tmp_path, "script.py", "m.tflite")
