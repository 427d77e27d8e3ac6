"""Facts about the machine, from /proc and /sys. What cannot be read is None; nothing is guessed.

Every function takes the root of the file system, so that a recorded machine can be read like this one.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgebert.measurement import CoreCluster, Device

ROOT = Path("/")

# What int8 and float kernels choose between. Anything else in the flags does not change a measurement.
_X86_FEATURES = (
    *("sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512vl", "avx512_vnni", "avx_vnni"),
    *("avx512_bf16", "avx512_fp16", "amx_int8", "amx_bf16"),
)
_ARM_FEATURES = (
    *("neon", "asimd", "fphp", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm"),
    "sme",  # codespell:ignore sme
)
CPU_FEATURES_OF_INTEREST = frozenset((*_X86_FEATURES, *_ARM_FEATURES))

# Arm's own part numbers ("CPU part" of implementer 0x41), from the Main ID Register's description in each core's
# technical reference manual. An unknown one is shown by its numbers.
_ARM_CORES = {
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD48: "Cortex-X2",
    0xD49: "Neoverse-N2",
    0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3",
    0xD4F: "Neoverse-V2",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
    0xD82: "Cortex-X4",
}
_ARM_IMPLEMENTER = 0x41


def read_device(root: Path = ROOT) -> Device:
    processors = read_processors(root)
    cores = online_cores(root, processors)
    return Device(
        name=_device_name(root),
        soc=_soc(root),
        architecture=os.uname().machine,
        cpu_features=tuple(sorted(_features(processors) & CPU_FEATURES_OF_INTEREST)),
        logical_cores=len(cores),
        physical_cores=_physical_cores(root, cores),
        clusters=_clusters(root, cores, processors),
        memory_bytes=read_meminfo(root).get("MemTotal"),
        operating_system=_operating_system(root),
        kernel=read_text(root / "proc/sys/kernel/osrelease"),
        is_virtual=_is_virtual(processors),
    )


def read_text(path: Path) -> str | None:
    """The file's text without surrounding blanks or the device tree's final NUL; None where there is none."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace").strip("\0 \t\n")
    except OSError:
        # Some files under /sys exist and answer with EINVAL or ENODATA when their sensor is asleep.
        return None
    return text or None


def read_integer(path: Path) -> int | None:
    text = read_text(path)
    return int(text) if text is not None and text.lstrip("-").isdigit() else None


def read_processors(root: Path = ROOT) -> dict[int, dict[str, str]]:
    """/proc/cpuinfo's paragraphs by processor number."""
    processors: dict[int, dict[str, str]] = {}
    for paragraph in (read_text(root / "proc/cpuinfo") or "").split("\n\n"):
        facts = _colon_separated(paragraph.splitlines())
        if facts.get("processor", "").isdigit():
            processors[int(facts["processor"])] = facts
    return processors


def online_cores(root: Path, processors: Mapping[int, Mapping[str, str]]) -> tuple[int, ...]:
    listed = parse_core_list(read_text(root / "sys/devices/system/cpu/online") or "")
    return listed or tuple(sorted(processors)) or tuple(range(os.cpu_count() or 1))


def parse_core_list(text: str) -> tuple[int, ...]:
    """The kernel's notation, `0-3,6`, as numbers; nothing where it is not one."""
    cores: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            return ()
        cores.update(range(int(first), int(last or first) + 1))
    return tuple(sorted(cores))


def read_meminfo(root: Path = ROOT) -> dict[str, int]:
    """/proc/meminfo in bytes."""
    facts = _colon_separated((read_text(root / "proc/meminfo") or "").splitlines())
    return {key: int(value.split()[0]) * 1024 for key, value in facts.items() if value.endswith("kB")}


def core_folder(root: Path, core: int) -> Path:
    return root / f"sys/devices/system/cpu/cpu{core}"


def _colon_separated(lines: Iterable[str]) -> dict[str, str]:
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _device_name(root: Path) -> str | None:
    board = read_text(root / "proc/device-tree/model")
    if board:
        return board
    vendor, product = (read_text(root / "sys/class/dmi/id" / name) for name in ("sys_vendor", "product_name"))
    return " ".join(part for part in (vendor, product) if part) or None


def _soc(root: Path) -> str | None:
    """The last entry of the device tree's `compatible` is the chip: `raspberrypi,4-model-b`, then `brcm,bcm2711`."""
    compatible = read_text(root / "proc/device-tree/compatible")
    return compatible.split("\0")[-1] if compatible else None


def _features(processors: Mapping[int, Mapping[str, str]]) -> frozenset[str]:
    """What every core can do: a kernel is chosen once for all of them."""
    each = [frozenset((facts.get("flags") or facts.get("Features") or "").split()) for facts in processors.values()]
    return frozenset.intersection(*each) if each else frozenset()


def _is_virtual(processors: Mapping[int, Mapping[str, str]]) -> bool | None:
    """x86 says so in its flags; other architectures do not tell."""
    flags = [facts["flags"].split() for facts in processors.values() if "flags" in facts]
    return "hypervisor" in flags[0] if flags else None


def _physical_cores(root: Path, cores: Iterable[int]) -> int | None:
    siblings = {read_text(core_folder(root, core) / "topology/thread_siblings_list") for core in cores}
    return None if None in siblings or not siblings else len(siblings)


def _core_model(facts: Mapping[str, str]) -> str | None:
    implementer, part = (_hexadecimal(facts.get(key)) for key in ("CPU implementer", "CPU part"))
    if implementer is None or part is None:
        return facts.get("model name")
    known = _ARM_CORES.get(part) if implementer == _ARM_IMPLEMENTER else None
    return known or f"implementer {implementer:#04x} part {part:#05x}"


def _hexadecimal(text: str | None) -> int | None:
    try:
        return int(text, 16) if text else None
    except ValueError:
        return None


def _clusters(root: Path, cores: Iterable[int], processors: Mapping[int, Mapping[str, str]]) -> tuple[CoreCluster, ...]:
    """Cores with the same name, frequency range and governor, in the order of their first core."""
    members: dict[tuple, list[int]] = {}
    for core in cores:
        frequency = core_folder(root, core) / "cpufreq"
        alike = (
            _core_model(processors.get(core, {})),
            _hertz(frequency / "cpuinfo_min_freq"),
            _hertz(frequency / "cpuinfo_max_freq"),
            read_text(frequency / "scaling_governor"),
        )
        members.setdefault(alike, []).append(core)
    return tuple(CoreCluster(tuple(numbers), *alike) for alike, numbers in members.items())


def _hertz(kilohertz_file: Path) -> int | None:
    kilohertz = read_integer(kilohertz_file)
    return None if kilohertz is None else kilohertz * 1000


def _operating_system(root: Path) -> str | None:
    for line in (read_text(root / "etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip("\"'") or None
    return None
