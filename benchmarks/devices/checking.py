"""What a contributed record must be, so that its row can stand beside the others."""

import itertools
import re
from collections.abc import Sequence

from benchmarks.devices.reference import LENGTHS, PRECISIONS, THREADS, Reference, file_name
from edgebert.benchmark.judging import judge_case, judge_record
from edgebert.benchmark.phone.tool import NAME as TOOL
from edgebert.benchmark.texts import BUILTIN_SOURCE
from edgebert.documents import to_plain
from edgebert.measurement import Case, Device, Record

# Where a real core ran it: not `emulated`.
PLACES = ("host", "ssh", "adb")
FEWEST_RUNS = 100
_DELEGATE = "XNNPACK"
# More of the time than this spent waiting for a core, and the figure is another program's, not the device's.
_MOST_WAITING = 0.25
# Verdicts that no remark mends.
_FATAL = ("incomplete", "no runs", "few runs")
# Of Android's emulator, and of a program that plays another architecture's core.
_EMULATED_NAMES = re.compile(
    r"sdk_gphone|android sdk|emulator|genymotion|goldfish|ranchu|\bcuttlefish\b", re.IGNORECASE
)
_FEATURES_OF_X86 = {"sse4_1", "avx", "avx2", "fma"}
_X86 = ("x86_64", "i686", "i386")
# What names a person, a home or a machine on a network.
_NAMES_ITS_OWNER = {
    "a home folder": re.compile(r"(/home/|/Users/|/root\b|[A-Za-z]:\\)"),
    "an address with @": re.compile(r"\S@\S"),
    "an IP address": re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])"),
    "a MAC address": re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", re.IGNORECASE),
    "an ssh or adb target": re.compile(r"\b(?:ssh|adb):\S"),
    "an absolute path": re.compile(r"^/\w"),
}
_IS_A_VERSION = re.compile(r"(kernel|version|emulator|operating_system)$")


def problems(record: Record, reference: Reference) -> list[str]:
    """Why this record cannot stand on the board, every reason in words; none: it can."""
    found = _of_the_place(record) + _of_the_models(record, reference) + _of_the_cases(record, reference)
    found += [f"verdict: {verdict.words}" for verdict in judge_record(record) if verdict.kind in _FATAL]
    return found + owner_problems(record)


def owner_problems(record: Record) -> list[str]:
    """Every text in the record that may name its owner."""
    found = []
    for path, text in _texts(to_plain(record), ""):
        for what, pattern in _NAMES_ITS_OWNER.items():
            # A kernel's version may have four numbers too.
            if pattern.search(text) and not (what == "an IP address" and _IS_A_VERSION.search(path)):
                found.append(f"{path}: expected nothing that names its owner, got {what}")
                break
    return found


def remarks(record: Record) -> list[str]:
    """What the row must say beside its figures: a virtual machine, another runtime than the board's, every verdict."""
    said = ["a virtual machine, whose host others may share"] if record.device.is_virtual else []
    said += _runtimes(record)
    said += [verdict.words for verdict in judge_record(record)]
    for case in record.cases:
        words = "; ".join(verdict.words for verdict in judge_case(case))
        if words:
            model = record.models[case.model].name.removesuffix(".tflite")
            threads = f"{case.threads} thread{'s' * (case.threads > 1)}"
            said.append(f"{model}, {case.length} tokens, {threads}: {words}")
    return said


def measured_by_the_tool(record: Record) -> bool:
    """Whether TFLite's benchmark_model ran it, whose version is its file's hash."""
    return record.cases[0].runtime.name == TOOL


def _runtimes(record: Record) -> list[str]:
    said = []
    if measured_by_the_tool(record):
        said.append(f"in TFLite's {TOOL} from adb's shell ({record.cases[0].runtime.version}); an app gets other cores")
    delegates = {case.runtime.delegate for case in record.cases}
    if delegates != {_DELEGATE}:
        names = " and ".join(sorted(name or "no delegate" for name in delegates))
        said.append(f"with {names} instead of {_DELEGATE}")
    return said


def is_another_build(record: Record, reference: Reference) -> bool:
    known = {sha256 for builds in reference.builds.values() for _, sha256 in builds}
    return any(model.sha256 not in known for model in record.models)


def find_case(record: Record, precision: str, threads: int, length: int) -> Case | None:
    for case in record.cases:
        if (record.models[case.model].name, case.threads, case.length) == (file_name(precision), threads, length):
            return case
    return None


def _of_the_place(record: Record) -> list[str]:
    found = []
    if record.place not in PLACES:
        found.append(f"place: expected a real core ({', '.join(PLACES)}), got '{record.place}'")
    if _looks_emulated(record.device):
        found.append("device: expected a real one, got an emulator's name or another architecture's features")
    return found


def _looks_emulated(device: Device) -> bool:
    names = " ".join(filter(None, (device.name, device.soc, *(cluster.model for cluster in device.clusters))))
    foreign = device.architecture not in _X86 and set(device.cpu_features) & _FEATURES_OF_X86
    return bool(foreign or _EMULATED_NAMES.search(names) or (record_of_phone(device) and device.is_virtual))


def record_of_phone(device: Device) -> bool:
    return (device.operating_system or "").startswith("Android")


def _of_the_models(record: Record, reference: Reference) -> list[str]:
    found = []
    names = [model.name for model in record.models]
    if sorted(names) != sorted(reference.builds):
        found.append(f"models: expected {', '.join(reference.builds)}, got {', '.join(names)}")
    for model in record.models:
        sizes = {size_bytes for size_bytes, _ in reference.builds.get(model.name, ())}
        if sizes and model.size_bytes not in sizes:
            # Another size is another graph; another hash of one size is another rounding of the same.
            wanted = " or ".join(f"{size:,}" for size in sorted(sizes))
            found.append(f"{model.name}: expected {wanted} bytes, got {model.size_bytes:,}")
    return found


def _of_the_cases(record: Record, reference: Reference) -> list[str]:
    found = []
    for precision, threads, length in itertools.product(PRECISIONS, THREADS, LENGTHS):
        case = find_case(record, precision, threads, length)
        setting = f"{file_name(precision)}, {length} tokens, threads: {threads}"
        if case is None:
            found.append(f"cases: expected {setting}, got none")
            continue
        found += [f"{setting}: {words}" for words in _of_one_case(case, reference)]
    return found


def _of_one_case(case: Case, reference: Reference) -> Sequence[str]:
    if case.inputs.source != BUILTIN_SOURCE or case.inputs.sha256 != reference.inputs.get(case.length):
        yield f"expected the token ids of the {BUILTIN_SOURCE}, got those of {case.inputs.source}"
    if len(case.samples) < FEWEST_RUNS or "wall_ns" not in case.samples.values:
        yield f"expected the wall times of at least {FEWEST_RUNS} runs, got {len(case.samples)}"
    elif (share := _waiting_share(case)) > _MOST_WAITING:
        yield f"expected a device that does nothing else, got one where {share:.0%} of the time was waiting for a core"


def _waiting_share(case: Case) -> float:
    """Of one thread's time, where its own CPU time is known."""
    values = case.samples.values
    if case.threads > 1 or "thread_cpu_ns" not in values:
        return 0.0
    return 1 - sum(values["thread_cpu_ns"]) / sum(values["wall_ns"])


def _texts(value: object, path: str) -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        parts = [(f"{path}.{key}".lstrip("."), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)) and value and not isinstance(value[0], int):
        parts = [(f"{path}[{position}]", item) for position, item in enumerate(value)]
    else:
        return []
    return [found for name, item in parts for found in _texts(item, name)]
