"""Facts about a phone and its state, as far as Android's shell user may read them; what it may not read is null.

The files below /proc and /sys are copied into a folder and read there as a board's own are. Properties are asked for
one by one: the list of all of them holds serial numbers.
"""

import dataclasses
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edgebert.benchmark.conditions import read_conditions
from edgebert.benchmark.device import read_device
from edgebert.benchmark.phone.connection import Phone
from edgebert.errors import MeasurementError
from edgebert.measurement import Conditions, Device

_CPU = "/sys/devices/system/cpu"
_FREQUENCIES = ("cpuinfo_min_freq", "cpuinfo_max_freq", "scaling_cur_freq", "scaling_governor")
_FILES = (
    *("/proc/cpuinfo", "/proc/meminfo", "/proc/loadavg", "/proc/stat", "/proc/sys/kernel/osrelease"),
    f"{_CPU}/online",
    *(f"{_CPU}/cpu[0-9]*/cpufreq/{name}" for name in _FREQUENCIES),
    *("/sys/class/thermal/thermal_zone*/type", "/sys/class/thermal/thermal_zone*/temp"),
)
_PROPERTIES = (
    *("ro.product.manufacturer", "ro.product.model", "ro.build.version.release", "ro.build.version.sdk"),
    *("ro.soc.manufacturer", "ro.soc.model", "ro.board.platform", "ro.boot.qemu"),
)
# android.os.Temperature: 0 is a core, 3 the skin whose heat makes Android slow the cores down.
_SENSOR_TYPES = ("0", "3")
_SENSOR = re.compile(r"Temperature\{mValue=(-?[\d.]+), mType=(-?\d+), mName=([^,}]*), mStatus=\d+\}")
_CURRENT = "Current temperatures from HAL:"
_STATUS = re.compile(r"^\s*Thermal Status: (\d+)\s*$", re.MULTILINE)
# android.os.PowerManager's THERMAL_STATUS_*.
THERMAL_STATUSES = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")
_SLOWED_FROM = "moderate"


def read_phone(phone: Phone) -> Device:
    properties = _properties(phone)
    architecture = phone.require("uname -m", "tell its architecture").strip()
    with tempfile.TemporaryDirectory() as folder:
        root = _copy_files(phone, Path(folder))
        device = read_device(root)
    return dataclasses.replace(
        device,
        name=_joined(properties, "ro.product.manufacturer", "ro.product.model"),
        soc=_joined(properties, "ro.soc.manufacturer", "ro.soc.model") or properties.get("ro.board.platform"),
        architecture=architecture,
        # Android has no simultaneous threads on its cores and does not tell.
        physical_cores=None,
        operating_system=_system(properties),
        is_virtual=True if properties.get("ro.boot.qemu") == "1" else None,
    )


def read_phone_conditions(phone: Phone) -> Conditions:
    thermal = _thermal_service(phone)
    with tempfile.TemporaryDirectory() as folder:
        conditions = read_conditions(None, _copy_files(phone, Path(folder)))
    return dataclasses.replace(
        conditions,
        temperatures_celsius={**conditions.temperatures_celsius, **sensors_in(thermal)},
        thermal_status=status_in(thermal),
    )


def check_heat(phone: Phone) -> str | None:
    """The thermal status; a MeasurementError where the phone slows itself so far that its times mean little."""
    status = status_in(_thermal_service(phone))
    if status is None or THERMAL_STATUSES.index(status) < THERMAL_STATUSES.index(_SLOWED_FROM):
        return status
    raise MeasurementError(
        f"{phone.serial}: expected a phone that is not slowed for heat, got thermal status '{status}'. "
        "Do: let it cool (no charging, no case, screen dark), then measure again, with fewer --runs if this goes on."
    )


def holding_back(phone: Phone) -> tuple[str, ...]:
    """What else makes a phone slower than it is in use, in words."""
    reasons = []
    if "mWakefulness=Asleep" in phone.shell("dumpsys power").text:
        reasons.append("it sleeps: wake it, and let it stay awake (developer options)")
    if phone.shell("settings get global low_power").text.strip() == "1":
        reasons.append("its battery saver is on: switch it off")
    return tuple(reasons)


def status_in(dump: str) -> str | None:
    """The thermal status in what `dumpsys thermalservice` printed; None before Android 10."""
    found = _STATUS.search(dump)
    number = None if found is None else int(found.group(1))
    return THERMAL_STATUSES[number] if number is not None and number < len(THERMAL_STATUSES) else None


def sensors_in(dump: str) -> dict[str, float]:
    """Cores' and skin's temperatures: the present ones, not those that were kept from the last warning."""
    present = dump.partition(_CURRENT)[2]
    found = _SENSOR.findall(present)
    return {f"{name} (thermal service)": float(value) for value, kind, name in found if kind in _SENSOR_TYPES}


def _thermal_service(phone: Phone) -> str:
    # Before Android 10 there is no such service, and the command fails.
    return phone.shell("dumpsys thermalservice").text


def _properties(phone: Phone) -> dict[str, str]:
    asked = "; ".join(f"getprop {name}" for name in _PROPERTIES)
    values = phone.require(asked, "tell its properties").splitlines()
    return {name: value.strip() for name, value in zip(_PROPERTIES, values, strict=False) if value.strip()}


def _joined(properties: Mapping[str, str], *names: str) -> str | None:
    return " ".join(properties[name] for name in names if name in properties) or None


def _system(properties: Mapping[str, str]) -> str | None:
    release, level = properties.get("ro.build.version.release"), properties.get("ro.build.version.sdk")
    return f"Android {release} (API {level})" if release else None


def _copy_files(phone: Phone, root: Path) -> Path:
    """All files by one command: a process for each would warm the phone that is being looked at."""
    # A status of 1 or 2 says that some file is missing or may not be read, as most are on some phone.
    text = phone.shell(f"grep -sH '' {' '.join(_FILES)}").text
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, colon, content = line.partition(":")
        if colon and name.startswith(("/proc/", "/sys/")):
            lines.setdefault(name, []).append(content)
    if "/proc/cpuinfo" not in lines:
        raise MeasurementError(
            f"{phone.serial}: expected the phone to let its shell read /proc/cpuinfo, got nothing. "
            "Do: look whether `adb shell cat /proc/cpuinfo` works there."
        )
    for name, content in lines.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(content) + "\n", encoding="utf-8")
    return root
