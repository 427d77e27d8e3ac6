"""Wheels for another machine's Python: fetched here by pip, without their dependencies (the interpreter needs none)."""

import importlib.metadata
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import MeasurementError

# Both sides run the same release: that of this environment.
PACKAGES = ("ai-edge-litert", "numpy")
# The oldest C library that manylinux wheels are made for, by its minor version, under the name of before PEP 600.
_OLDEST_GLIBC_MINOR, _OLDEST_GLIBC = 17, "manylinux2014"


@dataclass(frozen=True, slots=True)
class WheelTarget:
    """The Python (`3.11`), the processor (`aarch64`) and the C library (glibc 2.`glibc_minor`) that load the wheels."""

    python_version: str
    machine: str
    glibc_minor: int

    def __str__(self) -> str:
        return f"Python {self.python_version} on {self.machine} with glibc 2.{self.glibc_minor}"

    def pip_options(self) -> list[str]:
        minors = range(_OLDEST_GLIBC_MINOR, self.glibc_minor + 1)
        platforms = (_OLDEST_GLIBC, *(f"manylinux_2_{minor}" for minor in minors))
        abis = (f"cp{self.python_version.replace('.', '')}", "abi3", "none")
        return [
            *("--implementation=cp", f"--python-version={self.python_version}", *(f"--abi={abi}" for abi in abis)),
            *(f"--platform={platform}_{self.machine}" for platform in platforms),
        ]


def installed_releases(subject: str) -> tuple[str, ...]:
    """What pip is to fetch, `numpy==2.1.3`: what is installed here."""
    try:
        return tuple(f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES)
    except importlib.metadata.PackageNotFoundError as error:
        raise MeasurementError(
            f"{subject}: expected {error.name} to be installed here, so that both sides run the same release, "
            "got none. Do: pip install '.[benchmark]' in edgebert's checkout."
        ) from error


def download_wheels(subject: str, target: WheelTarget, requirements: Sequence[str], folder: Path) -> tuple[Path, ...]:
    _pip(subject, "download", target, "--dest", str(folder), *requirements)
    return tuple(sorted(folder.glob("*.whl")))


def unpack_wheels(subject: str, target: WheelTarget, wheels: Sequence[Path], site: Path) -> None:
    _pip(subject, "install", target, "--no-index", "--no-compile", "--target", str(site), *map(str, wheels))


def _pip(subject: str, command: str, target: WheelTarget, *arguments: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *target.pip_options(), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
        raise MeasurementError(
            f"{subject}: expected pip to {command} wheels for {target}, got '{errors[-1].strip()}'. "
            "Do: check the network and the package index, then run the command again."
        )
