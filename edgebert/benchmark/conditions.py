"""The machine's state at one moment: who else works on it, how warm it is, how fast it runs."""

import datetime
import os
from pathlib import Path

from edgebert.benchmark.device import (
    ROOT,
    core_folder,
    online_cores,
    read_integer,
    read_meminfo,
    read_processors,
    read_text,
)
from edgebert.measurement import Conditions

# Thermal zones are also batteries, chargers and radios; these words name the ones next to the cores.
_CPU_ZONE_WORDS = ("cpu", "pkg", "soc", "core", "big", "little")
_CPU_SENSORS = ("coretemp", "k10temp", "zenpower", "cpu_thermal")
# /proc/stat's columns: user nice system idle iowait irq softirq steal; guest time is already in user.
_IDLE_COLUMNS = (3, 4)
_COUNTED_COLUMNS = 8


def read_conditions(own_cpu_ns: int | None, root: Path = ROOT) -> Conditions:
    return Conditions(
        at_utc=now_utc(),
        load_average_1m=_load_average(root),
        busy_cpu_ns=_busy_cpu_ns(root),
        own_cpu_ns=own_cpu_ns,
        temperatures_celsius=_temperatures(root),
        frequencies_hz=_frequencies(root),
        throttle_count=_throttle_count(root),
        available_memory_bytes=read_meminfo(root).get("MemAvailable"),
    )


def now_utc() -> str:
    # A board's Python may be 3.10, which has no shorter name for it.
    utc = datetime.timezone.utc  # noqa: UP017
    return datetime.datetime.now(utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _load_average(root: Path) -> float | None:
    fields = (read_text(root / "proc/loadavg") or "").split()
    return float(fields[0]) if fields else None


def _busy_cpu_ns(root: Path) -> int | None:
    """The CPU time all processes have used since boot, and what other guests of a virtual machine's host took."""
    fields = (read_text(root / "proc/stat") or "").partition("\n")[0].split()
    if len(fields) < 1 + max(_IDLE_COLUMNS) or fields[0] != "cpu":
        return None
    ticks = [int(value) for value in fields[1 : 1 + _COUNTED_COLUMNS]]
    busy = sum(value for column, value in enumerate(ticks) if column not in _IDLE_COLUMNS)
    return busy * (1_000_000_000 // os.sysconf("SC_CLK_TCK"))


def _temperatures(root: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for zone in sorted((root / "sys/class/thermal").glob("thermal_zone*")):
        kind, millidegrees = read_text(zone / "type"), read_integer(zone / "temp")
        if kind and millidegrees is not None and any(word in kind.lower() for word in _CPU_ZONE_WORDS):
            found[f"{zone.name} {kind}"] = millidegrees / 1000
    for sensor in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        kind = read_text(sensor / "name")
        if kind in _CPU_SENSORS:
            for reading in sorted(sensor.glob("temp*_input")):
                millidegrees = read_integer(reading)
                if millidegrees is not None:
                    found[f"{sensor.name} {kind} {reading.name.removesuffix('_input')}"] = millidegrees / 1000
    return found


def _frequencies(root: Path) -> tuple[int | None, ...]:
    """Each online core's present frequency; a virtual machine's x86 cores tell theirs only in /proc/cpuinfo."""
    processors = read_processors(root)
    return tuple(_frequency_hz(root, core, processors.get(core, {})) for core in online_cores(root, processors))


def _frequency_hz(root: Path, core: int, facts: dict[str, str]) -> int | None:
    kilohertz = read_integer(core_folder(root, core) / "cpufreq/scaling_cur_freq")
    if kilohertz is not None:
        return kilohertz * 1000
    megahertz = facts.get("cpu MHz", "")
    return round(float(megahertz) * 1e6) if megahertz.replace(".", "", 1).isdigit() else None


def _throttle_count(root: Path) -> int | None:
    """How often the cores were slowed for heat since boot (x86 tells)."""
    folder = root / "sys/devices/system/cpu"
    counts = [read_integer(path) for path in folder.glob("cpu[0-9]*/thermal_throttle/core_throttle_count")]
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
