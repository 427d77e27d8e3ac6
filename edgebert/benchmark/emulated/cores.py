"""The cores that can be emulated: what LiteRT looks at to choose its kernels, and each core's view of the files.

The guest must see an ARM /proc/cpuinfo (LiteRT 2.3 crashes on the host's) and a /sys that says how large the caches
are. Everything else of a view is the one arm64 tree that all cores share.
"""

from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import MeasurementError

PLACE = "emulated"
# Four cores each, as a phone's cluster has; the guest uses one.
CORE_NUMBERS = range(4)

_ARMV8_0 = ("fp", "asimd", "aes", "pmull", "sha1", "sha2", "crc32", "cpuid")
_ARMV8_2 = (*_ARMV8_0, "atomics", "fphp", "asimdhp", "asimdrdm", "lrcpc", "dcpop", "asimddp")
_ARMV8_6 = (
    *_ARMV8_2,
    *("sha3", "sm3", "sm4", "sha512", "asimdfhm", "dit", "uscat", "ilrcpc", "flagm", "sb", "dcpodp", "flagm2", "frint"),
    *("i8mm", "bf16", "bti"),
)


@dataclass(frozen=True, slots=True)
class EmulatedCore:
    """`variant`, `part` and `revision` are the Main ID Register's, from the core's technical reference manual."""

    name: str
    title: str
    multiplies_int8_by: str
    # QEMU's name of the core that can do what this one can, with what must be switched off.
    emulator_cpu: str
    features: tuple[str, ...]
    variant: int
    part: int
    revision: int
    level_1_kib: int
    level_2_kib: int


CORES = (
    EmulatedCore("cortex-a53", "Cortex-A53", "SMLAL", "cortex-a53", _ARMV8_0, 0, 0xD03, 4, 32, 512),
    # QEMU 7.2 has no Cortex-A55; what its kernels use, the Cortex-A76 has too.
    EmulatedCore("cortex-a55", "Cortex-A55", "SDOT", "cortex-a76", _ARMV8_2, 1, 0xD05, 0, 32, 256),
    EmulatedCore("cortex-a76", "Cortex-A76", "SDOT", "cortex-a76", _ARMV8_2, 4, 0xD0B, 1, 64, 512),
    # No core of Arm's: LiteRT would otherwise choose SVE and SME kernels, which phones with I8MM mostly lack.
    EmulatedCore("i8mm", "Armv8.6 with I8MM", "SMMLA", "max,sve=off,sme=off", _ARMV8_6, 0, 0x051, 0, 64, 512),
)


def choose_cores(place: str) -> tuple[EmulatedCore, ...]:
    """The cores of `emulated:cortex-a76,cortex-a53`; all of them for `emulated`."""
    _, colon, listed = place.partition(":")
    if not colon:
        return CORES
    known = {core.name: core for core in CORES}
    names = [name.strip() for name in listed.split(",")]
    for name in names:
        if name not in known:
            raise MeasurementError(
                f"--on: expected {PLACE}:CORE,... with {', '.join(known)}, got '{name}'. Do: choose from these."
            )
    if len(set(names)) != len(names):
        raise MeasurementError(f"--on: expected each core once, got {','.join(names)}. Do: list it once.")
    return tuple(known[name] for name in names)


def write_view(core: EmulatedCore, view: Path, shared: dict[str, Path]) -> None:
    """Make `view`: links named by `shared` (relative, so that the whole can be moved), and the core's own files."""
    view.mkdir(parents=True)
    for name, target in shared.items():
        (view / name).symlink_to(Path("../..") / target)
    for path, text in _files(core).items():
        file = view / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n", encoding="ascii")


def _files(core: EmulatedCore) -> dict[str, str]:
    listed = f"{CORE_NUMBERS.start}-{CORE_NUMBERS.stop - 1}"
    folder = "sys/devices/system/cpu"
    files = {
        "proc/cpuinfo": "\n".join(_processor(core, number) for number in CORE_NUMBERS),
        f"{folder}/kernel_max": "7",
        **{f"{folder}/{name}": listed for name in ("possible", "present", "online")},
    }
    caches = (
        ("index0", 1, "Data", core.level_1_kib, None),
        ("index1", 1, "Instruction", core.level_1_kib, None),
        ("index2", 2, "Unified", core.level_2_kib, listed),
    )
    for number in CORE_NUMBERS:
        own = f"{folder}/cpu{number}"
        files |= {f"{own}/topology/physical_package_id": "0", f"{own}/topology/core_id": str(number)}
        files |= {f"{own}/topology/{name}_list": listed for name in ("core_siblings", "package_cpus", "cluster_cpus")}
        files |= {f"{own}/topology/{name}_list": str(number) for name in ("thread_siblings", "core_cpus")}
        # XNNPACK takes cores of one frequency for one cluster; the figures themselves do not matter.
        files |= {f"{own}/cpufreq/cpuinfo_max_freq": "1500000", f"{own}/cpufreq/cpuinfo_min_freq": "300000"}
        for index, level, kind, size_kib, shared_by in caches:
            cache = f"{own}/cache/{index}"
            files |= {f"{cache}/level": str(level), f"{cache}/type": kind, f"{cache}/size": f"{size_kib}K"}
            files |= {f"{cache}/coherency_line_size": "64", f"{cache}/shared_cpu_list": shared_by or str(number)}
    return files


def _processor(core: EmulatedCore, number: int) -> str:
    return (
        f"processor\t: {number}\nBogoMIPS\t: 38.40\nFeatures\t: {' '.join(core.features)}\nCPU implementer\t: 0x41\n"
        f"CPU architecture: 8\nCPU variant\t: {core.variant:#x}\nCPU part\t: {core.part:#05x}\n"
        f"CPU revision\t: {core.revision}\n"
    )
