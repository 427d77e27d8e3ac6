"""The private folder on the phone: made, filled and removed by us alone."""

import re
import shlex
from pathlib import Path

from edgebert.benchmark.phone.connection import Phone

_SHARED = "/data/local/tmp"
# One name for all runs, so that what a run had to leave behind is found by the next one; `alone_on` keeps out a second
# that would take a living run's for that.
ROOT = f"{_SHARED}/edgebert-benchmark"
# For the tool's own files and answers.
_SPARE_BYTES = 2_000_000
_KIBIBYTE = 1024


class PhoneFolder:
    """`ROOT/run_id`, which an app may read (TFLite's own benchmark app takes its models from there too)."""

    def __init__(self, phone: Phone, run_id: str) -> None:
        self.phone, self.path = phone, f"{ROOT}/{run_id}"

    def make(self) -> bool:
        """Remove what an earlier run left, and make the folder; whether something was left."""
        left = self.phone.shell(f"test -e {ROOT}").status == 0
        self.phone.require(
            f"rm -rf {ROOT} && mkdir -p {self.path} && chmod 755 {ROOT} {self.path}", f"make a folder below {_SHARED}"
        )
        return left

    def check_room(self, needed_bytes: int) -> None:
        """Refuse before minutes of copying."""
        free_bytes = free_bytes_in(self.phone.shell(f"df -k {_SHARED}").text)
        needed_bytes += _SPARE_BYTES
        if free_bytes is not None and free_bytes < needed_bytes:
            raise self.phone.full(needed_bytes, f"{free_bytes / 1e6:,.1f} MB")

    def put(self, source: Path, name: str, *, executable: bool = False) -> str:
        """Copy a file there; the path it has on the phone."""
        target = f"{self.path}/{name}"
        self.phone.push(source, target)
        mode = "755" if executable else "644"
        self.phone.require(f"chmod {mode} {shlex.quote(target)}", f"change the mode of {target}")
        return target

    def put_all(self, source: Path) -> None:
        """Copy a folder of small files in one go; it keeps its name."""
        self.phone.push_folder(source, self.path)

    def remove(self) -> None:
        self.phone.require(f"rm -rf {ROOT}", f"remove {ROOT}")


def free_bytes_in(table: str) -> int | None:
    """The free space in what `df -k` printed; None for a df that prints something else, as old phones' does."""
    for line in table.splitlines():
        # Filesystem, 1K-blocks, used, available, share used, mounted on; a long first column has a line of its own.
        numbers = re.search(r"\s(\d+)\s+\d+\s+(\d+)\s+\d+%\s", line)
        if numbers:
            return int(numbers.group(2)) * _KIBIBYTE
    return None
