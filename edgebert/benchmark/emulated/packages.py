"""Debian packages of any architecture: fetched by the host's apt and unpacked into a folder, installed nowhere.

apt gets a configuration of its own: what the host says of sources, keys, proxies and passwords, but a state and a
cache below our folder, no installed packages, and none of the host's hooks. It needs no root, and the host's own
package lists stay as they are.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from edgebert.errors import MeasurementError

# Hooks would run the host's programs on its own folders; the others are about architectures and places we set.
_NOT_TAKEN_OVER = ("APT::Architecture", "Dir::State", "Dir::Cache", "DPkg::")
_HOOKS = ("Pre-Invoke", "Post-Invoke")
_SOURCE_SUFFIXES = (".list", ".sources")
_ARCHIVES = "archives"
# What `apt-get --simulate install` prints for each package: `Inst name (version suite [architecture])`.
_PLANNED = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Package:
    """A downloaded .deb, named by what it holds."""

    path: Path
    name: str
    version: str


def download_packages(
    architecture: str, requests: Sequence[str], folder: Path, sources: Path | None
) -> tuple[Package, ...]:
    """`requests` as apt-get takes them (`name` or `name=1:7.2*`), with all that they depend on.

    `sources` is a .list or .sources file to use instead of the host's own.
    """
    environment = _prepare(architecture, folder, sources)
    updated = _apt_get(environment, folder, "update")
    planned = _apt_get(environment, folder, "--simulate", "install", *requests)
    if planned.returncode != 0:
        raise _refused(requests, architecture, updated.stderr, planned.stderr)
    # Not `install --download-only`: that leaves packages of a source on this machine's disk where they are.
    exactly = [f"{name}={version}" for name, version in _PLANNED.findall(planned.stdout)]
    done = _apt_get(environment, folder / _ARCHIVES, "download", *exactly)
    if done.returncode != 0:
        raise _refused(requests, architecture, "", done.stderr)
    return tuple(_package(path) for path in sorted((folder / _ARCHIVES).glob("*.deb")))


def unpack_packages(packages: Sequence[Package], tree: Path) -> None:
    tree.mkdir()
    for package in packages:
        done = subprocess.run(["dpkg-deb", "-x", package.path, tree], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise MeasurementError(
                f"{package.path.name}: expected dpkg-deb to unpack it, got '{_last_line(done.stderr)}'. "
                "Do: make room in the cache folder, or set EDGEBERT_CACHE to another one."
            )


def _prepare(architecture: str, folder: Path, sources: Path | None) -> dict[str, str]:
    """Make apt's folders and configuration; returned are the environment variables that select it."""
    for name in ("state/lists/partial", "cache/archives/partial", "sources", _ARCHIVES):
        (folder / name).mkdir(parents=True)
    (folder / "state/status").touch()
    configuration = folder / "apt.conf"
    configuration.write_text(_host_settings() + _own_settings(architecture, folder))
    if sources is not None:
        _use_sources(sources, folder)
    return {**os.environ, "APT_CONFIG": str(configuration), "LC_ALL": "C"}


def _host_settings() -> str:
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    if dumped.returncode != 0:
        raise MeasurementError(
            f"emulator: expected `apt-config dump` to tell apt's settings, got '{_last_line(dumped.stderr)}'. "
            "Do: repair apt's configuration."
        )
    lines = dumped.stdout.splitlines()
    kept = [line for line in lines if not line.startswith(_NOT_TAKEN_OVER) and not any(hook in line for hook in _HOOKS)]
    return "\n".join(kept) + "\n"


def _own_settings(architecture: str, folder: Path) -> str:
    settings = {
        # The host's files have been read already, by `apt-config dump`.
        **{f"Dir::Etc::{name}": "/dev/null" for name in ("parts", "main", "preferences", "preferencesparts")},
        "Dir::State": f"{folder}/state",
        "Dir::State::lists": f"{folder}/state/lists",
        "Dir::State::status": f"{folder}/state/status",
        "Dir::Cache": f"{folder}/cache",
        "Dir::Cache::archives": f"{folder}/cache/archives",
        "APT::Architecture": architecture,
        # apt drops root's rights for downloads, and that user cannot write into a private folder.
        "APT::Sandbox::User": "",
        "APT::Install-Recommends": "false",
        "Acquire::Languages": "none",
        "Debug::NoLocking": "true",
    }
    lines = [f'{name} "{value}";' for name, value in settings.items()]
    return "\n".join([*lines, f'APT::Architectures {{ "{architecture}"; }};']) + "\n"


def _use_sources(sources: Path, folder: Path) -> None:
    if sources.suffix not in _SOURCE_SUFFIXES or not sources.is_file():
        raise MeasurementError(
            f"--sources: expected a file that ends in {' or '.join(_SOURCE_SUFFIXES)}, got '{sources}'. "
            "Do: give one in the form of those in /etc/apt/sources.list.d."
        )
    shutil.copy(sources, folder / "sources" / f"given{sources.suffix}")
    with (folder / "apt.conf").open("a") as configuration:
        configuration.write(f'Dir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "{folder}/sources";\n')


def _apt_get(environment: dict[str, str], folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["apt-get", "--quiet", "--quiet", *arguments]
    return subprocess.run(
        command, env=environment, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _refused(requests: Sequence[str], architecture: str, update_log: str, install_log: str) -> MeasurementError:
    """What apt said, and whether it is the network's fault or the sources'."""
    unreachable = [line for line in (update_log + install_log).splitlines() if "Failed to fetch" in line]
    if unreachable:
        return MeasurementError(
            f"emulator: expected apt to reach its package sources, got '{unreachable[0].strip()}'. "
            "Do: check the network, then run the command again."
        )
    said = [line for line in (install_log + update_log).splitlines() if line.startswith("E:")]
    return MeasurementError(
        f"emulator: expected {' and '.join(requests)} for {architecture} in apt's sources (Debian 12 has them), "
        f"got '{said[0] if said else _last_line(install_log)}'. Do: give Debian 12's with --sources FILE."
    )


def _package(path: Path) -> Package:
    """apt names a file `name_version_architecture.deb`, with a version's colon as %3a."""
    name, version, _ = path.stem.split("_")
    return Package(path=path, name=name, version=unquote(version))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
