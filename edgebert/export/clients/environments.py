"""Where each client lives: a virtual environment under the cache folder, or our own environment.

Only `install` downloads anything. An environment counts when it was checked after its installation and its pins are
still ours; the record of that is written last.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgebert.cache import cache_folder, locked
from edgebert.errors import ClientError
from edgebert.export.clients.registry import Client
from edgebert.files import make_folder, write_atomically

RECORD = "edgebert-client.json"
INSTALLED, NOT_INSTALLED, UNFINISHED, OUTDATED = "installed", "not installed", "unfinished", "outdated"


@dataclass(frozen=True, slots=True)
class Environment:
    """A client's state on this machine; `python` is there only when the client can be started."""

    client: Client
    state: str
    place: str
    version: str | None = None
    python: Path | None = None


def environment(client: Client) -> Environment:
    """What there is of `client`, found without starting it."""
    if not client.requirements:
        return _own_environment(client)
    folder = _folder(client)
    python = folder / "bin" / "python"
    record = folder / RECORD
    if not folder.exists():
        return Environment(client, NOT_INSTALLED, str(folder))
    if not record.is_file() or not python.exists():
        return Environment(client, UNFINISHED, str(folder))
    try:
        written = json.loads(record.read_text("utf-8"))
        version, pins = str(written["version"]), written["pins"]
    except (OSError, ValueError, KeyError, TypeError):
        return Environment(client, UNFINISHED, str(folder))
    if pins != _pins_sha256(client):
        return Environment(client, OUTDATED, str(folder), version)
    return Environment(client, INSTALLED, str(folder), version, python)


def install(client: Client, check: Callable[[Path], str], report: Callable[[str], None]) -> Environment:
    """Make the client's environment anew unless it is there, and let `check` start it and name its version."""
    if not client.requirements:
        raise ClientError(
            f"{client.name}: expected a client with an environment of its own, got one that lives in edgebert's. "
            "Do: pip install '.[toolchain]' in edgebert's checkout."
        )
    folder = _folder(client)
    make_folder(folder.parent)
    with locked(folder.with_suffix(".lock")):
        found = environment(client)
        if found.state == INSTALLED:
            report(f"{client.name}: already installed in {folder}")
            return found
        report(f"{client.name}: installing {client.pin} into {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        python = _create(client, folder)
        _pip_install(client, python)
        version = check(python)
        record = {"client": client.name, "version": version, "pins": _pins_sha256(client)}
        write_atomically(folder / RECORD, json.dumps(record, indent=1).encode())
    return environment(client)


def _own_environment(client: Client) -> Environment:
    place = f"this environment ({sys.prefix})"
    if importlib.util.find_spec(client.module) is None:
        return Environment(client, NOT_INSTALLED, place)
    version = importlib.metadata.version(client.distribution)
    return Environment(client, INSTALLED, place, version, Path(sys.executable))


def _folder(client: Client) -> Path:
    return cache_folder() / "clients" / client.name


def _pins_sha256(client: Client) -> str:
    pins = [f"python{sys.version_info.major}.{sys.version_info.minor}", *client.requirements]
    return hashlib.sha256("\n".join(pins).encode()).hexdigest()


def _create(client: Client, folder: Path) -> Path:
    try:
        venv.create(folder, with_pip=True, symlinks=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ClientError(
            f"{client.name}: expected a virtual environment in {folder}, got '{error}'. "
            "Do: make room there or set EDGEBERT_CACHE (on Debian, python3-venv must be installed)."
        ) from error
    return folder / "bin" / "python"


def _pip_install(client: Client, python: Path) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--only-binary", ":all:"]
    done = subprocess.run(
        [python, "-m", "pip", "install", *options, *client.requirements], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise ClientError(
            f"{client.name}: expected pip to install {client.pin}, got '{(errors or ['no message'])[-1]}'. "
            "Do: check the network and the package index, then run the command again."
        )
