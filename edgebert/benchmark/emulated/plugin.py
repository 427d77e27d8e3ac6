"""The counting plugin: C of ours, compiled on the host for the emulator to load."""

import hashlib
import shutil
import subprocess
from pathlib import Path

from edgebert.errors import MeasurementError

SOURCE = Path(__file__).with_name("counting_plugin.c")
CLASSES_HEADER = Path(__file__).with_name("instruction_classes.h")
_COMPILERS = ("gcc", "cc", "clang")
_OPTIONS = ("-std=c11", "-O2", "-shared", "-fPIC", "-fvisibility=hidden")


def find_compiler() -> str | None:
    return next((found for name in _COMPILERS if (found := shutil.which(name))), None)


def compile_shared(source: Path, target: Path) -> None:
    """Compile `source` of this folder, or of a test, into the shared library `target`."""
    command = [find_compiler() or _COMPILERS[0], *_OPTIONS, "-I", SOURCE.parent, "-o", target, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if "error" in line] or done.stderr.splitlines()
        raise MeasurementError(
            f"emulator: expected {command[0]} to compile {source.name}, got '{(errors or ['no message'])[0]}'. "
            "Do: repair the C compiler (it needs the C library's headers)."
        )


def sources_sha256() -> str:
    digest = hashlib.sha256()
    for source in (SOURCE, CLASSES_HEADER):
        digest.update(source.read_bytes())
    return digest.hexdigest()
