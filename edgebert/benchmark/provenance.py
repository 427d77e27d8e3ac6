"""Under what each record was taken, and what of it two records do not share: only like is compared with like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgebert.measurement import Case, Record

# What governors choose from moment to moment differs by less.
_LIKE_FREQUENCIES = 1.05


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that two records do not share. `fact` is what `--across` calls the group it belongs to."""

    fact: str
    name: str
    first: str
    second: str

    @property
    def words(self) -> str:
        return f"{self.name}: {self.first} and {self.second}"


# Naming a fact also allows what cannot but change with it.
IMPLIED = {
    "device": ("device", "system", "cores", "place"),
    "place": ("place", "cores"),
}
FACTS = ("device", "system", "place", "runtime", "cores", "inputs", "emulator")


def differences(first: Record, second: Record, pairs: Sequence[tuple[Case, Case]]) -> tuple[Difference, ...]:
    """What the records, and the cases of each pair, do not share; each difference once."""
    found = _unlike(_facts_of_record(first), _facts_of_record(second)) + _unlike_frequencies(first, second)
    for pair in pairs:
        found += _unlike(*(_facts_of_case(case) for case in pair))
    return tuple(dict.fromkeys(found))


def allowed(across: Sequence[str]) -> frozenset[str]:
    return frozenset(fact for name in across for fact in IMPLIED.get(name, (name,)))


def _unlike(first: Mapping[tuple[str, str], object], second: Mapping[tuple[str, str], object]) -> list[Difference]:
    return [
        Difference(fact, name, _said(first[fact, name]), _said(second[fact, name]))
        for fact, name in first
        if first[fact, name] != second[fact, name]
    ]


def _facts_of_record(record: Record) -> dict[tuple[str, str], object]:
    device = record.device
    if record.cases and record.cases[0].emulation is not None:
        # An emulated device lists the cores that were asked for; cases match core by core, whatever else was.
        return {("place", "place"): record.place}
    clusters = [(len(cluster.cores), cluster.model, cluster.maximum_frequency_hz) for cluster in device.clusters]
    return {
        ("place", "place"): record.place,
        ("device", "device"): device.name,
        ("device", "SoC"): device.soc,
        ("device", "architecture"): device.architecture,
        ("device", "CPU features"): device.cpu_features,
        ("device", "cores"): (device.logical_cores, device.physical_cores, *clusters),
        ("device", "memory"): device.memory_bytes,
        ("device", "virtual machine"): device.is_virtual,
        ("system", "operating system"): device.operating_system,
        ("system", "kernel"): device.kernel,
        ("system", "governor"): tuple(cluster.governor for cluster in device.clusters),
        ("system", "thermal status"): record.conditions_before.thermal_status,
    }


def _unlike_frequencies(first: Record, second: Record) -> list[Difference]:
    """How fast the cores really ran; the maximum that they may run at is a fact of the device."""
    ours, theirs = (_frequency_hz(record) for record in (first, second))
    if ours == theirs or (ours and theirs and max(ours, theirs) <= _LIKE_FREQUENCIES * min(ours, theirs)):
        return []
    words = (None if hertz is None else f"{hertz / 1e6:,.0f} MHz" for hertz in (ours, theirs))
    return [Difference("system", "frequency", *map(_said, words))]


def _frequency_hz(record: Record) -> int | None:
    """The fastest that a core was seen at, before or after: the others may have been idle at either moment."""
    moments = (record.conditions_before, record.conditions_after)
    known = [hertz for moment in moments if moment is not None for hertz in moment.frequencies_hz if hertz]
    return max(known, default=None)


def _facts_of_case(case: Case) -> dict[tuple[str, str], object]:
    runtime, emulation = case.runtime, case.emulation
    facts: dict[tuple[str, str], object] = {
        ("runtime", "runtime"): f"{runtime.name} {runtime.version}",
        ("runtime", "delegate"): runtime.delegate,
        ("cores", "allowed cores"): case.affinity,
        ("inputs", "inputs"): f"{case.inputs.kind} {case.inputs.sha256[:12]}",
    }
    if emulation is not None:
        facts["emulator", "emulator"] = emulation.emulator
        facts["emulator", "emulator's environment"] = emulation.environment_sha256[:12]
    return facts


def _said(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(_said(part) for part in value) or "none"
    return "unknown" if value is None else str(value)
