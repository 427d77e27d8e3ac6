"""An installation counts when it was finished and checked, and not before; where it cannot work, one line says why."""

import dataclasses
import errno
import importlib.metadata
import os
import platform
import shutil
import signal
from pathlib import Path

import pytest

from edgebert.benchmark.emulated import environment as places
from edgebert.benchmark.emulated import installing, plugin
from edgebert.benchmark.emulated.environment import find_environment, require_environment
from edgebert.benchmark.emulated.installing import check_machine, install
from edgebert.errors import MeasurementError, OutputError
from tests.benchmark.emulated.conftest import lay_out
from tests.data.house_form import assert_house_form


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which it could work, whatever this one is."""
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


def make_quickly(folder: Path, sources: Path | None, tell: object) -> None:
    lay_out(folder)


def silent(text: str) -> None:
    """For remarks that do not matter."""


def refused(*arguments: object) -> str:
    with pytest.raises(MeasurementError) as caught:
        install(silent, *arguments)
    assert_house_form(str(caught.value))
    return str(caught.value)


def test_nothing_is_there_at_first(cache: Path) -> None:
    assert find_environment().state == places.NOT_INSTALLED
    with pytest.raises(MeasurementError, match=r"got none\. Do: edgebert emulator install\.") as caught:
        require_environment()
    assert_house_form(str(caught.value))


def test_what_is_whole_and_of_our_pins_is_installed(cache: Path) -> None:
    made = lay_out(cache / "emulator")
    assert made.state == places.INSTALLED
    assert require_environment() == made
    assert made.emulator == "qemu-aarch64 1:7.2"


def test_other_pins_are_outdated(cache: Path) -> None:
    lay_out(cache / "emulator", pins="others")
    assert find_environment().state == places.OUTDATED
    with pytest.raises(MeasurementError, match="got one of other versions"):
        require_environment()


@pytest.mark.parametrize("what", ["plugin", "binary", "record", "python"])
def test_what_lacks_a_part_is_damaged(cache: Path, what: str) -> None:
    made = lay_out(cache / "emulator")
    python = made.view(places.CORES[-1]) / places.GUEST_PYTHON
    lost = {"plugin": made.plugin, "binary": made.binary, "record": made.folder / places.RECORD, "python": python}
    lost[what].unlink()
    assert find_environment().state == places.DAMAGED
    with pytest.raises(MeasurementError, match="got a damaged one"):
        require_environment()


def test_a_new_release_of_the_runtime_here_outdates_the_guests(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(cache / "emulator")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9")
    assert find_environment().state == places.OUTDATED


def test_another_plugin_outdates_what_was_compiled(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(cache / "emulator")
    changed = tmp_path / "counting_plugin.c"
    changed.write_text(plugin.SOURCE.read_text() + "/* changed */")
    monkeypatch.setattr(plugin, "SOURCE", changed)
    assert find_environment().state == places.OUTDATED


def test_installing_makes_it_once(cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installing, "_make", make_quickly)
    told: list[str] = []
    first = install(told.append)
    assert (first.state, told) == (places.INSTALLED, [])
    assert install(told.append) == first
    assert told == [f"emulator: already installed in {cache / 'emulator'}"]
    (cache / "emulator" / "trace").touch()
    install(told.append, None, True)
    assert not (cache / "emulator" / "trace").exists()
    assert sorted(path.name for path in cache.iterdir()) == ["emulator", "emulator.lock"]


def test_a_failed_installation_leaves_what_was_there(
    cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lay_out(cache / "emulator")

    def fail(folder: Path, sources: Path | None, tell: object) -> None:
        (folder / "half").touch()
        raise MeasurementError("emulator: expected luck, got none. Do: again.")

    monkeypatch.setattr(installing, "_make", fail)
    refused(None, True)
    assert find_environment() == before
    assert sorted(path.name for path in cache.iterdir()) == ["emulator", "emulator.lock"]


def test_a_full_disk_is_one_line_and_leaves_nothing(
    cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(folder: Path, sources: Path | None, tell: object) -> None:
        (folder / "half").touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(installing, "_make", fill)
    with pytest.raises(OutputError, match="got 'No space left on device'") as caught:
        install(silent)
    assert_house_form(str(caught.value))
    assert [path.name for path in cache.iterdir()] == ["emulator.lock"]


def test_a_killed_installation_does_not_look_installed(
    cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(folder: Path, sources: Path | None, tell: object) -> None:
        lay_out(folder)
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(installing, "_make", die)
    child = os.fork()
    if child == 0:
        install(silent)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert find_environment().state == places.NOT_INSTALLED
    assert any(path.name.startswith("emulator.partial-") for path in cache.iterdir())
    monkeypatch.setattr(installing, "_make", make_quickly)
    assert install(silent).state == places.INSTALLED
    assert sorted(path.name for path in cache.iterdir()) == ["emulator", "emulator.lock"]


@pytest.mark.parametrize(
    ("system", "processor"), [("Darwin", "arm64"), ("Linux", "aarch64"), ("Windows", "AMD64"), ("Darwin", "x86_64")]
)
def test_other_machines_are_refused_before_anything_is_made(
    cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch, system: str, processor: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "machine", lambda: processor)
    assert f"expected Linux on x86-64, got {system} on {processor}" in refused()
    assert not cache.exists()


@pytest.mark.parametrize(
    ("absent", "named"),
    [
        (("apt-get", "apt-config"), "without apt."),
        (("dpkg-deb",), "without dpkg."),
        (("apt-get", "dpkg-deb"), "without apt and dpkg."),
        (("gcc", "cc", "clang"), "expected a C compiler"),
    ],
)
def test_a_missing_tool_is_named(
    cache: Path, machine: None, monkeypatch: pytest.MonkeyPatch, absent: tuple[str, ...], named: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None if name in absent else f"/usr/bin/{name}")
    assert named in refused()
    assert not cache.exists()


def test_a_folder_that_the_loader_would_split_is_refused(
    tmp_path: Path, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "a:b"))
    assert "without a colon" in refused()


def test_a_cache_that_cannot_be_written_is_one_line(
    tmp_path: Path, machine: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError):
        install(silent)


def test_a_host_without_the_runtime_is_told_to_install_it(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    with pytest.raises(MeasurementError, match=r"expected ai-edge-litert .* Do: pip install '\.\[benchmark\]'"):
        lay_out(cache / "emulator")


def test_the_tests_own_machine_is_judged_as_it_is() -> None:
    """Unpatched: on Linux x86-64 with Debian's tools nothing is refused, elsewhere the words fit."""
    fits = platform.system() == "Linux" and platform.machine() == "x86_64"
    if fits and all(shutil.which(tool) for tool in ("apt-get", "apt-config", "dpkg-deb", "gcc")):
        check_machine()
    else:
        with pytest.raises(MeasurementError, match="expected"):
            check_machine()


def test_an_environment_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        find_environment().state = places.INSTALLED
