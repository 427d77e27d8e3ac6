"""Resident memory of this process, in bytes, from /proc."""

from pathlib import Path

_SELF = Path("/proc/self")
# man 5 proc, clear_refs: 5 resets the peak resident set size to the present one.
_RESET_PEAK = "5"


def reset_peak(process: Path = _SELF) -> bool:
    """Forget the peak reached so far (the imports); False where the kernel does not offer it."""
    try:
        (process / "clear_refs").write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


def resident_bytes(process: Path = _SELF) -> int | None:
    return _status_bytes(process, "VmRSS")


def peak_bytes(process: Path = _SELF) -> int | None:
    return _status_bytes(process, "VmHWM")


def _status_bytes(process: Path, field: str) -> int | None:
    try:
        status = (process / "status").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    for line in status.splitlines():
        key, _, value = line.partition(":")
        if key == field:
            return int(value.split()[0]) * 1024
    return None
