"""Wheels for the guest: fetched by pip for arm64 Linux, without their dependencies (the interpreter needs none)."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from edgebert.errors import MeasurementError

# The guest's Python and C library (Debian 12's), as pip names what they can load.
_PYTHON_VERSION = "3.11"
_ABIS = ("cp311", "abi3", "none")
_PLATFORMS = ("manylinux2014", *(f"manylinux_2_{minor}" for minor in (17, 24, 26, 27, 28, 31, 34, 35, 36)))


def download_wheels(requirements: Sequence[str], folder: Path) -> tuple[Path, ...]:
    _pip("download", "--dest", str(folder), *requirements)
    return tuple(sorted(folder.glob("*.whl")))


def unpack_wheels(wheels: Sequence[Path], site: Path) -> None:
    _pip("install", "--no-index", "--no-compile", "--target", str(site), *map(str, wheels))


def _pip(command: str, *arguments: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--only-binary=:all:"]
    options += ["--implementation=cp", f"--python-version={_PYTHON_VERSION}", *(f"--abi={abi}" for abi in _ABIS)]
    options += [f"--platform={platform}_aarch64" for platform in _PLATFORMS]
    done = subprocess.run(
        [sys.executable, "-m", "pip", command, *options, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines or ["no message"]
        raise MeasurementError(
            f"emulator: expected pip to {command} arm64 wheels, got '{errors[-1].strip()}'. "
            "Do: check the network and the package index, then run the command again."
        )
