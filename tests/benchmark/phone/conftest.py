"""A real adb client with a server of its own, and stand-in phones for it."""

import os
import platform
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgebert.benchmark.emulated.packages import download_packages, unpack_packages
from edgebert.benchmark.phone.client import Adb
from edgebert.cache import cache_folder, locked
from edgebert.errors import MeasurementError
from edgebert.files import make_folder
from tests.benchmark.phone.stand_in import StandIn
from tests.lacking import skip_for_lack

_PROGRAM = "usr/lib/android-sdk/platform-tools/adb"
_LIBRARIES = ("usr/lib/{0}-linux-gnu/android", "usr/lib/{0}-linux-gnu")
_THE_MACHINES = ("libc6", "libgcc", "libstdc++", "gcc-")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Whatever of these the person has set is for phones that are not ours.
_OWN_VARIABLES = ("ANDROID_SERIAL", "ADB_VENDOR_KEYS", "ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_ADDRESS", "ADB_TRACE")


@pytest.fixture(scope="session")
def adb_program() -> Path:
    """This machine's adb, or Debian's, fetched into the cache folder without root."""
    found = shutil.which("adb")
    return Path(found) if found else fetched_adb()


def fetched_adb() -> Path:
    machine = platform.machine()
    if machine not in _ARCHITECTURES or any(shutil.which(tool) is None for tool in ("apt-get", "dpkg-deb")):
        skip_for_lack("no adb here, and no apt to fetch Debian's with")
    folder = cache_folder() / "adb-for-tests"
    make_folder(folder.parent)
    with locked(folder.with_suffix(".lock")):
        if not (folder / "adb").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            try:
                packages = download_packages(_ARCHITECTURES[machine], ("adb",), folder / "downloads", None)
            except MeasurementError as error:
                shutil.rmtree(folder)
                skip_for_lack(f"no adb here, and Debian's cannot be fetched: {error}")
            # Not the C library: this machine's loader and another's libc do not go together.
            own = [package for package in packages if not package.name.startswith(_THE_MACHINES)]
            unpack_packages(own, folder / "tree")
            shutil.rmtree(folder / "downloads")
            libraries = ":".join(str(folder / "tree" / place.format(machine)) for place in _LIBRARIES)
            script = f'#!/bin/sh\nLD_LIBRARY_PATH="{libraries}" exec "{folder / "tree" / _PROGRAM}" "$@"\n'
            (folder / "adb").write_text(script)
            (folder / "adb").chmod(0o755)
    if subprocess.run([folder / "adb", "version"], capture_output=True).returncode != 0:
        skip_for_lack("no adb here, and Debian's does not run on this machine")
    return folder / "adb"


@pytest.fixture(scope="session")
def adb_variables(adb_program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables with which clients find a server, keys and a home that are nobody's."""
    home = tmp_path_factory.mktemp("adb_home")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    variables = {
        "ANDROID_ADB_SERVER_PORT": str(port),
        "HOME": str(home),
        "ANDROID_USER_HOME": str(home),
        "PATH": f"{adb_program.parent}:{os.environ['PATH']}",
        # Emulators of other people on this machine.
        "ADB_LOCAL_TRANSPORT_MAX_PORT": "0",
        # The locks of phones that are none.
        "EDGEBERT_CACHE": str(home / "edgebert"),
    }
    yield variables
    own = {**os.environ, **variables}
    subprocess.run([adb_program, "kill-server"], env=own, capture_output=True, timeout=20)


@pytest.fixture
def adb(adb_program: Path, adb_variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Adb:
    """The real client; the environment is such that it, and what we start, use its own server."""
    for name in _OWN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in adb_variables.items():
        monkeypatch.setenv(name, value)
    return Adb(adb_program)


@pytest.fixture
def plug_in(adb: Adb, tmp_path: Path) -> Iterator[Callable[..., StandIn]]:
    """Stand-in phones, connected to the server; an attribute may be given before a phone is plugged in."""
    phones: list[StandIn] = []

    def plug_in_one(**attributes: object) -> StandIn:
        phone = StandIn(tmp_path / f"phone-{len(phones)}")
        for name, value in attributes.items():
            setattr(phone, name, value)
        phones.append(phone)
        phone.plug_in()
        adb.ask("connect", phone.serial, seconds=20)
        return phone

    yield plug_in_one
    for phone in phones:
        adb.ask("disconnect", phone.serial, seconds=20)
        phone.end()


@pytest.fixture
def stand_in(plug_in: Callable[..., StandIn]) -> StandIn:
    return plug_in()
