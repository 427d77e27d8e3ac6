"""Where the emulator lives, what belongs into it, and whether it is there.

An installation is made beside its place and moved there when it has been checked, so that one which was interrupted
never looks installed. It holds no absolute path.

    qemu/    Debian's qemu-user for this machine, with the libraries it loads
    root/    a minimal arm64 tree: Python and what LiteRT's wheel links to
    site/    LiteRT and numpy for arm64
    cores/   one view of root and site for each core
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgebert.benchmark.emulated.cores import CORES, EmulatedCore
from edgebert.benchmark.emulated.plugin import sources_sha256
from edgebert.benchmark.wheels import WheelTarget, installed_releases
from edgebert.cache import cache_folder
from edgebert.errors import MeasurementError

INSTALLED, NOT_INSTALLED, OUTDATED, DAMAGED = "installed", "not installed", "outdated", "damaged"
RECORD = "edgebert-emulator.json"
EMULATOR_TREE, GUEST_TREE, VIEWS, PLUGIN = "qemu", "root", "cores", "counting_plugin.so"
EMULATOR_BINARY = "qemu-aarch64"
# The only release whose dynamic build is known to take plugins that count inline and to run LiteRT's arm64 wheels.
QEMU_PACKAGE = "qemu-user"
EMULATOR_PACKAGES = (f"{QEMU_PACKAGE}=1:7.2*",)
GUEST_PYTHON_PACKAGE, GUEST_PYTHON = "python3.11-minimal", "usr/bin/python3.11"
# Beside Python: its library, and what the wheels link to.
GUEST_PACKAGES = (f"{GUEST_PYTHON_PACKAGE}=3.11.*", "libpython3.11-stdlib=3.11.*", "libstdc++6", "libgcc-s1")
GUEST_WHEELS = WheelTarget(python_version="3.11", machine="aarch64", glibc_minor=36)
_LIBRARIES = "x86_64-linux-gnu"


@dataclass(frozen=True, slots=True)
class Environment:
    """`sha256` covers all that can change a count: the emulator, the guest's packages and wheels, the plugin."""

    state: str
    folder: Path
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    sha256: str = ""

    @property
    def emulator(self) -> str:
        """As a record names it."""
        return f"qemu-aarch64 {self.versions[QEMU_PACKAGE]}"

    @property
    def plugin(self) -> Path:
        return self.folder / PLUGIN

    def view(self, core: EmulatedCore) -> Path:
        return self.folder / VIEWS / core.name

    @property
    def binary(self) -> Path:
        return self.folder / EMULATOR_TREE / "usr/bin" / EMULATOR_BINARY

    def emulator_command(self) -> list[str | Path]:
        """Debian's qemu with Debian's libraries, through their own loader: whatever the host's are, they stay out."""
        tree = self.folder / EMULATOR_TREE
        libraries = [tree / "lib" / _LIBRARIES, tree / "usr/lib" / _LIBRARIES]
        loader = libraries[0] / "ld-linux-x86-64.so.2"
        return [loader, "--library-path", ":".join(map(str, libraries)), self.binary]


def installation_folder() -> Path:
    return cache_folder() / "emulator"


def find_environment() -> Environment:
    """What there is, found without starting it."""
    return read_environment(installation_folder())


def read_environment(folder: Path) -> Environment:
    if not folder.exists():
        return Environment(NOT_INSTALLED, folder)
    try:
        written = json.loads((folder / RECORD).read_text("utf-8"))
        found = Environment(INSTALLED, folder, dict(written["versions"]), str(written["sha256"]))
        pins = written["pins"]
    except (OSError, ValueError, KeyError, TypeError):
        return Environment(DAMAGED, folder)
    if pins != pins_sha256():
        return dataclasses.replace(found, state=OUTDATED)
    parts = (found.plugin, found.binary, *(found.view(core) / GUEST_PYTHON for core in CORES))
    return found if all(part.exists() for part in parts) else dataclasses.replace(found, state=DAMAGED)


def require_environment() -> Environment:
    found = find_environment()
    if found.state == INSTALLED:
        return found
    reasons = {NOT_INSTALLED: "none", OUTDATED: "one of other versions", DAMAGED: "a damaged one"}
    raise MeasurementError(
        f"emulated cores: expected an installed emulator in {found.folder}, got {reasons[found.state]}. "
        "Do: edgebert emulator install."
    )


def wheel_requirements() -> tuple[str, ...]:
    return installed_releases("emulator")


def pins_sha256() -> str:
    """Of what an installation is made from. Debian's own updates of a release are not in it, the record has them."""
    pins = [*EMULATOR_PACKAGES, *GUEST_PACKAGES, *wheel_requirements(), sources_sha256(), *map(repr, CORES)]
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()
