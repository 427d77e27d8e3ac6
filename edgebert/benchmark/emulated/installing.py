"""Making the emulator from the package's own files, Debian's packages and two wheels."""

import hashlib
import json
import platform
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from edgebert.benchmark.emulated import environment as places
from edgebert.benchmark.emulated.cores import CORES, write_view
from edgebert.benchmark.emulated.counts import read_segments
from edgebert.benchmark.emulated.environment import Environment, find_environment, installation_folder
from edgebert.benchmark.emulated.packages import Package, download_packages, unpack_packages
from edgebert.benchmark.emulated.plugin import SOURCE, compile_shared, find_compiler, sources_sha256
from edgebert.benchmark.emulated.running import COUNTS, SCRIPT, SITE, start_on_core
from edgebert.benchmark.wheels import download_wheels, unpack_wheels
from edgebert.cache import locked
from edgebert.errors import MeasurementError, OutputError
from edgebert.files import make_folder, sha256_of_file

# Of another installation that was interrupted, and of the one that is replaced.
_PARTIAL, _REPLACED = "emulator.partial-", "emulator.replaced-"
_TOOLS = {"apt-get": "apt", "apt-config": "apt", "dpkg-deb": "dpkg"}
_MACHINES = ("x86_64", "AMD64")
# What a reader of the record asks for; the hashes name every package.
_NAMED_PACKAGES = (places.QEMU_PACKAGE, places.GUEST_PYTHON_PACKAGE, "libc6")

Tell = Callable[[str], None]


def install(tell: Tell, sources: Path | None = None, again: bool = False) -> Environment:
    """Make the emulator unless it is there; `again` makes it anew. `tell` hears what is being done."""
    check_machine()
    folder = installation_folder()
    if ":" in str(folder):
        raise MeasurementError(
            f"{folder}: expected a cache folder without a colon (the loader splits paths at it), got one. "
            "Do: set EDGEBERT_CACHE to another folder."
        )
    make_folder(folder.parent)
    with locked(folder.with_suffix(".lock")):
        found = find_environment()
        if found.state == places.INSTALLED and not again:
            tell(f"emulator: already installed in {folder}")
            return found
        _remove_leftovers(folder.parent)
        try:
            partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder.parent))
            _make(partial, sources, tell)
            _move_into_place(partial, folder)
        except OSError as error:
            raise OutputError(
                f"{folder.parent}: expected a folder with 500 MB to spare, got '{error.strerror or error}'. "
                "Do: make room or set EDGEBERT_CACHE to another one."
            ) from error
        finally:
            _remove_leftovers(folder.parent)
    return find_environment()


def check_machine() -> None:
    """Refuse at once where it cannot work."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine not in _MACHINES:
        raise MeasurementError(
            f"emulator: expected Linux on x86-64, got {system} on {machine}. "
            "Do: use a Linux x86-64 machine for emulated cores; --on host measures this one."
        )
    missing = sorted({package for tool, package in _TOOLS.items() if shutil.which(tool) is None})
    if missing:
        raise MeasurementError(
            f"emulator: expected {' and '.join(sorted(_TOOLS))}, got a machine without {' and '.join(missing)}. "
            "Do: use Debian or a relative of it."
        )
    if find_compiler() is None:
        raise MeasurementError(
            "emulator: expected a C compiler for the counting plugin, got none. Do: apt-get install gcc libc6-dev."
        )


def _make(folder: Path, sources: Path | None, tell: Tell) -> None:
    downloads = folder / "downloads"
    tell("emulator: fetching qemu-user and its libraries (21 MB of Debian packages)")
    emulator = download_packages("amd64", places.EMULATOR_PACKAGES, downloads / "amd64", sources)
    _unpack_emulator(emulator, folder / places.EMULATOR_TREE)
    tell("emulator: fetching an arm64 Python (20 MB of Debian packages)")
    guest = download_packages("arm64", places.GUEST_PACKAGES, downloads / "arm64", sources)
    unpack_packages(guest, folder / places.GUEST_TREE)
    requirements = places.wheel_requirements()
    tell(f"emulator: fetching {' and '.join(requirements)} for arm64 (45 MB)")
    wheels = download_wheels("emulator", places.GUEST_WHEELS, requirements, downloads / "wheels")
    unpack_wheels("emulator", places.GUEST_WHEELS, wheels, folder / SITE)
    tell("emulator: compiling the plugin, laying out the cores")
    compile_shared(SOURCE, folder / places.PLUGIN)
    _write_views(folder)
    _write_record(folder, emulator, guest, wheels)
    shutil.rmtree(downloads)
    tell("emulator: starting LiteRT on an emulated core")
    _check(places.read_environment(folder))


def _unpack_emulator(packages: Sequence[Package], tree: Path) -> None:
    unpack_packages(packages, tree)
    # The package has emulators of thirty other machines, 90 MB.
    for binary in (tree / "usr/bin").glob("qemu-*"):
        if binary.name != places.EMULATOR_BINARY:
            binary.unlink()


def _write_views(folder: Path) -> None:
    tree = folder / places.GUEST_TREE
    shared = {entry.name: Path(places.GUEST_TREE, entry.name) for entry in sorted(tree.iterdir())}
    for core in CORES:
        write_view(core, folder / places.VIEWS / core.name, {**shared, SITE: Path(SITE)})


def _write_record(folder: Path, emulator: Sequence[Package], guest: Sequence[Package], wheels: Sequence[Path]) -> None:
    """Versions and hashes. The emulator's libraries cannot reach a count and stay out of the hash of all."""
    versions = {package.name: package.version for package in (*emulator, *guest) if package.name in _NAMED_PACKAGES}
    wheel_versions = dict(requirement.split("==") for requirement in places.wheel_requirements())
    sha256 = {path.name: sha256_of_file(path) for path in (*(package.path for package in (*emulator, *guest)), *wheels)}
    binary = folder / places.EMULATOR_TREE / "usr/bin" / places.EMULATOR_BINARY
    counted = [sha256[package.path.name] for package in guest] + [sha256[path.name] for path in wheels]
    decisive = [sha256_of_file(binary), *counted, sources_sha256(), *map(repr, CORES)]
    record = {
        "pins": places.pins_sha256(),
        "sha256": hashlib.sha256("\n".join(decisive).encode()).hexdigest(),
        "versions": {**versions, **wheel_versions},
        "downloads_sha256": sha256,
    }
    (folder / places.RECORD).write_text(json.dumps(record, indent=1) + "\n")


def _check(made: Environment) -> None:
    """Import all that the counting script does under the plugin, once.

    This also leaves Python's bytecode, which later starts need not make.
    """
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(SCRIPT, folder)
        (Path(folder) / "check.py").write_text(f"import sys; sys.path.append('.'); import {SCRIPT.stem}\n")
        start_on_core(made, CORES[0], Path(folder), "check.py", "the guest", write_bytecode=True)
        read_segments(Path(folder) / COUNTS)


def _move_into_place(partial: Path, folder: Path) -> None:
    if folder.exists():
        folder.rename(folder.with_name(_REPLACED + partial.name))
    partial.rename(folder)


def _remove_leftovers(cache: Path) -> None:
    for prefix in (_PARTIAL, _REPLACED):
        for left in cache.glob(f"{prefix}*"):
            shutil.rmtree(left, ignore_errors=True)
