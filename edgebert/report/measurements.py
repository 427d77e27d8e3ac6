"""Measurement records joined to files by their sha256: latencies from the raw samples, and under which conditions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.judging import judge_case, judge_record
from edgebert.benchmark.statistics import Ratio, ratio_of_medians, summarize
from edgebert.errors import MeasurementError
from edgebert.measurement import SCHEMA, Case, Device, Record
from edgebert.measurement_file import from_json
from edgebert.report.model import Fact, Latency, Measurement

# A record keeps each column as integers of nanoseconds; instructions of emulated cores are no time.
_WALL, _CPU = "wall_ns", "process_cpu_ns"
# A verdict about the slowest runs, not about the median.
_TAIL = "tail"
_HASH_DIGITS = 12


@dataclass(frozen=True)
class Taken:
    """A record with where it was found: `number` is its place among the report's measurements."""

    number: int
    run: int
    record: Record


def read_measurements(folder: Path) -> tuple[Record, ...]:
    """Every record below a folder. Other JSON files are none of ours; a damaged record is an error."""
    found = []
    for path in sorted(folder.glob("**/*.json")):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise MeasurementError(
                f"{path}: expected a readable file, got '{error.strerror}'. Do: check the folder."
            ) from error
        # The first line of ours says so; a list of a checkpoint's megabytes need not be parsed to be passed over.
        if f'"schema": "{SCHEMA}"'.encode() in content[:200]:
            found.append(from_json(content, str(path)))
    return tuple(found)


def describe_measurement(taken: Taken) -> Measurement:
    record = taken.record
    return Measurement(
        run=taken.run,
        place=record.place,
        started_at_utc=record.provenance.started_at_utc,
        provenance=tuple(Fact(name, value) for name, value in _provenance(record).items()),
        verdicts=tuple(verdict.words for verdict in judge_record(record)),
    )


def latencies_of(
    sha256: str, reference_sha256: str, own: Sequence[Taken], measurements: Sequence[Taken]
) -> tuple[Latency, ...]:
    """All that the file's run (`own`) measured of it, by threads and length; the reference may be in any of them."""
    found = [
        _latency(case, taken, _reference_in(taken.record, reference_sha256, case), reference_sha256, measurements)
        for taken in own
        for case in _cases_of(taken.record, sha256)
    ]
    return tuple(sorted(found, key=lambda one: (one.measurement, one.threads, one.length or 0)))


def _cases_of(record: Record, sha256: str) -> Iterator[Case]:
    for case in record.cases:
        if record.models[case.model].sha256 == sha256 and _WALL in case.samples.values and len(case.samples):
            yield case


def _reference_in(record: Record, sha256: str, like: Case) -> Case | None:
    return next((case for case in _cases_of(record, sha256) if _setting(case) == _setting(like)), None)


def _setting(case: Case) -> tuple[int, int | None]:
    return case.threads, case.length


def _latency(
    case: Case, taken: Taken, beside: Case | None, reference_sha256: str, measurements: Sequence[Taken]
) -> Latency:
    values, lengths = case.samples.values, case.inputs.lengths
    wall = summarize(values[_WALL])
    ratio = _slowdown(case, beside, taken.record, _WALL) or _slowdown_elsewhere(case, reference_sha256, measurements)
    faster = (None, None, None) if ratio is None else _inverted(ratio)
    load, memory, delegation = case.load, case.memory, case.delegation
    grown = None
    if memory is not None and memory.peak_is_since_load and None not in (memory.peak_bytes, memory.before_load_bytes):
        grown = memory.peak_bytes - memory.before_load_bytes
    return Latency(
        measurement=taken.number,
        threads=case.threads,
        length=case.length,
        shortest_tokens=min(lengths),
        longest_tokens=max(lengths),
        runs=wall.count,
        median_ns=wall.median,
        p90_ns=wall.p90,
        p99_ns=wall.p99,
        cpu_median_ns=summarize(values[_CPU]).median if _CPU in values else None,
        times_faster=faster[0],
        times_faster_low=faster[1],
        times_faster_high=faster[2],
        times_faster_cpu=_faster_by_cpu(case, beside, taken.record),
        load_ns=None if load is None else load.open_ns + load.allocate_ns,
        first_run_ns=None if load is None else load.first_run_ns,
        peak_memory_bytes=None if memory is None else memory.peak_bytes,
        model_memory_bytes=grown,
        delegated_nodes=None if delegation is None else delegation.delegated_nodes,
        nodes=None if delegation is None else delegation.nodes,
        is_steady=_is_steady(case),
        ratio_is_steady=_is_steady(case) and (beside is None or _is_steady(beside)),
        verdicts=tuple(verdict.words for verdict in judge_case(case)),
        samples_ns=values[_WALL],
    )


def _is_steady(case: Case) -> bool:
    return all(verdict.kind == _TAIL for verdict in judge_case(case))


def _faster_by_cpu(case: Case, beside: Case | None, record: Record) -> float | None:
    if beside is None or _CPU not in case.samples.values or _CPU not in beside.samples.values:
        return None
    ratio = _slowdown(case, beside, record, _CPU)
    return None if ratio is None else 1 / ratio.ratio


def _slowdown(case: Case, beside: Case | None, record: Record, metric: str) -> Ratio | None:
    """Against the reference in the same record, over the rounds that both have."""
    if beside is None or beside is case or not set(case.samples.rounds) & set(beside.samples.rounds):
        return Ratio(1.0, None, None) if beside is case else None
    ours, theirs = case.samples, beside.samples
    return ratio_of_medians(
        ours.values[metric], ours.rounds, theirs.values[metric], theirs.rounds, record.protocol.seed
    )


def _slowdown_elsewhere(case: Case, reference_sha256: str, measurements: Sequence[Taken]) -> Ratio | None:
    """Against the reference in another record that may be compared; two records share no rounds, so no interval."""
    for taken in measurements:
        other = _reference_in(taken.record, reference_sha256, case)
        if other is not None:
            ours, theirs = (summarize(one.samples.values[_WALL]).median for one in (case, other))
            return Ratio(ours / theirs, None, None)
    return None


def _inverted(ratio: Ratio) -> tuple[float, float | None, float | None]:
    if ratio.low is None or ratio.high is None:
        return 1 / ratio.ratio, None, None
    return 1 / ratio.ratio, 1 / ratio.high, 1 / ratio.low


def _provenance(record: Record) -> Mapping[str, str]:
    """Under what the times were taken, for those who read them."""
    facts = {"place": record.place, **_device(record.device)}
    for case in record.cases:
        runtime, inputs = case.runtime, case.inputs
        setting = f"{case.threads} thread{'s' * (case.threads > 1)}, {_length(case)}"
        facts["runtime"] = " ".join(filter(None, (runtime.name, runtime.version, runtime.delegate)))
        facts["python"] = f"{runtime.python_version}, numpy {runtime.numpy_version}"
        facts[f"cores at {setting}"] = "any" if case.affinity is None else ", ".join(map(str, case.affinity))
        facts["inputs"] = f"{len(inputs.lengths)} {inputs.kind} of {inputs.source} ({_short(inputs.source_sha256)})"
        facts[f"token ids with vocabulary {_short(inputs.vocabulary_sha256)} at {_length(case)}"] = _short(
            inputs.sha256
        )
    return facts


def _device(device: Device) -> dict[str, str]:
    clusters = "; ".join(
        f"{len(cluster.cores)} x {cluster.model or 'unnamed core'}"
        + (f" up to {cluster.maximum_frequency_hz / 1e9:.2f} GHz" if cluster.maximum_frequency_hz else "")
        + (f", {cluster.governor}" if cluster.governor else "")
        for cluster in device.clusters
    )
    facts = {
        "device": device.name or device.soc or device.architecture,
        "architecture": device.architecture,
        "cores": clusters or str(device.logical_cores),
        "processor features": " ".join(device.cpu_features),
        "memory": "unknown" if device.memory_bytes is None else f"{device.memory_bytes / 1e9:.1f} GB",
        "operating system": device.operating_system or "unknown",
        "kernel": device.kernel or "unknown",
    }
    if device.is_virtual is not None:
        facts["virtual machine"] = "yes" if device.is_virtual else "no"
    return facts


def _length(case: Case) -> str:
    return "each text's own length" if case.length is None else f"{case.length} tokens"


def _short(sha256: str | None) -> str:
    return "none" if sha256 is None else sha256[:_HASH_DIGITS]
