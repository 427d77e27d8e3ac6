"""The emulator in the user's cache, installed if it is not there; and one made by hand, for what needs no core."""

import json
from pathlib import Path

import pytest

from edgebert.benchmark.emulated import environment as places
from edgebert.benchmark.emulated.cores import CORES
from edgebert.benchmark.emulated.environment import Environment
from edgebert.benchmark.emulated.installing import check_machine, install
from edgebert.errors import MeasurementError
from tests.lacking import skip_for_lack

# What a machine may lack without anything being wrong with edgebert: the network, or Debian 12's packages.
ELSEWHERE = ("reach its package sources", "in apt's sources", "check the network")


@pytest.fixture(scope="session")
def emulator() -> Environment:
    try:
        check_machine()
    except MeasurementError as error:
        skip_for_lack(f"no emulated cores on this machine: {error}")
    try:
        return install(print)
    except MeasurementError as error:
        if any(words in str(error) for words in ELSEWHERE):
            skip_for_lack(f"the emulator cannot be installed here: {error}")
        raise


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def lay_out(folder: Path, loader: str = "#!/bin/sh\nexit 0\n", **record: object) -> Environment:
    """What an installation looks like from outside; `loader` is the program that would start the emulator."""
    made = Environment(places.INSTALLED, folder)
    for core in CORES:
        python = made.view(core) / places.GUEST_PYTHON
        python.parent.mkdir(parents=True)
        python.touch()
    start = Path(made.emulator_command()[0])
    for file, text in ((start, loader), (made.binary, ""), (made.plugin, "")):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    start.chmod(0o755)
    versions = {places.QEMU_PACKAGE: "1:7.2", "ai-edge-litert": "2.3.0"}
    written = {"pins": places.pins_sha256(), "sha256": "5" * 64, "versions": versions, **record}
    (folder / places.RECORD).write_text(json.dumps(written))
    return places.read_environment(folder)
