"""Packages from a source of our own, through the real apt: no network, no root, nothing of the host's is touched."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from edgebert.benchmark.emulated.environment import EMULATOR_PACKAGES
from edgebert.benchmark.emulated.packages import download_packages, unpack_packages
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form
from tests.lacking import all_must_run

pytestmark = pytest.mark.skipif(
    not all_must_run() and any(shutil.which(tool) is None for tool in ("apt-get", "apt-config", "dpkg-deb")),
    reason="no apt and dpkg on this machine",
)


def build(folder: Path, name: str, version: str, depends: str = "") -> None:
    """A package with one file, beside the others in `folder`."""
    tree = folder / f"{name}-{version.replace(':', '_')}"
    (tree / "usr/share" / name).mkdir(parents=True)
    (tree / "usr/share" / name / "version").write_text(version)
    (tree / "DEBIAN").mkdir()
    control = f"Package: {name}\nVersion: {version}\nArchitecture: arm64\nMaintainer: nobody\nDescription: test\n"
    control += f"Depends: {depends}\n" if depends else ""
    (tree / "DEBIAN/control").write_text(control)
    archive = folder / f"{tree.name}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, archive], check=True, capture_output=True)
    shutil.rmtree(tree)
    with (folder / "Packages").open("a") as index:
        sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
        index.write(f"{control}Filename: ./{archive.name}\nSize: {archive.stat().st_size}\nSHA256: {sha256}\n\n")


def source(folder: Path, suffix: str = ".list") -> Path:
    file = folder.parent / f"ours{suffix}"
    if suffix == ".list":
        file.write_text(f"deb [trusted=yes] file:{folder} ./\n")
    else:
        file.write_text(f"Types: deb\nURIs: file:{folder}\nSuites: ./\nTrusted: yes\n")
    return file


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    folder.mkdir()
    build(folder, "qemu-user", "1:7.2+dfsg-7", depends="libneeded")
    build(folder, "qemu-user", "1:10.0.2")
    build(folder, "libneeded", "3.0-1")
    build(folder, "other", "1.0")
    return folder


@pytest.mark.parametrize("suffix", [".list", ".sources"])
def test_the_pinned_release_comes_with_what_it_needs(repository: Path, tmp_path: Path, suffix: str) -> None:
    packages = download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", source(repository, suffix))
    assert {(package.name, package.version) for package in packages} == {
        ("qemu-user", "1:7.2+dfsg-7"),
        ("libneeded", "3.0-1"),
    }
    unpack_packages(packages, tmp_path / "tree")
    assert (tmp_path / "tree/usr/share/qemu-user/version").read_text() == "1:7.2+dfsg-7"


def test_packages_of_another_architecture_are_not_taken(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match="for amd64 in apt's sources"):
        download_packages("amd64", EMULATOR_PACKAGES, tmp_path / "work", source(repository))


def test_another_release_is_not_taken(repository: Path, tmp_path: Path) -> None:
    """What a newer Debian has: an emulator that takes no such plugin."""
    lines = (repository / "Packages").read_text().split("\n\n")
    (repository / "Packages").write_text("\n\n".join(line for line in lines if "7.2" not in line))
    with pytest.raises(MeasurementError) as caught:
        download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", source(repository))
    message = str(caught.value)
    assert_house_form(message)
    assert "Version '1:7.2*' for 'qemu-user' was not found" in message and "--sources FILE" in message


@pytest.mark.parametrize(
    "line",
    [
        "deb [trusted=yes] file:/absent ./",
        # A port that nothing listens on; apt tries again for some seconds.
        pytest.param("deb [trusted=yes] http://127.0.0.1:9/debian bookworm main", marks=pytest.mark.long),
    ],
)
def test_a_source_that_cannot_be_reached_is_the_networks_fault(tmp_path: Path, line: str) -> None:
    (tmp_path / "ours.list").write_text(f"{line}\n")
    with pytest.raises(MeasurementError, match="Do: check the network") as caught:
        download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", tmp_path / "ours.list")
    assert_house_form(str(caught.value))


@pytest.mark.parametrize("name", ["absent.sources", "ours.txt", ""])
def test_what_is_no_source_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "ours.txt").touch()
    with pytest.raises(MeasurementError, match=r"^--sources: ") as caught:
        download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", tmp_path / name)
    assert_house_form(str(caught.value))


def test_the_hosts_own_lists_and_packages_stay_as_they_are(repository: Path, tmp_path: Path) -> None:
    def state() -> list[tuple[str, int]]:
        roots = (Path("/var/lib/apt/lists"), Path("/var/cache/apt/archives"), Path("/var/lib/dpkg"))
        found = [path for root in roots if root.is_dir() for path in (root, *root.iterdir())]
        return [(str(path), path.stat().st_mtime_ns) for path in found]

    before = state()
    download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", source(repository))
    assert state() == before


def test_a_damaged_package_is_named(repository: Path, tmp_path: Path) -> None:
    packages = download_packages("arm64", EMULATOR_PACKAGES, tmp_path / "work", source(repository))
    packages[0].path.write_bytes(b"!<arch>\n")
    with pytest.raises(MeasurementError, match="expected dpkg-deb to unpack it") as caught:
        unpack_packages(packages, tmp_path / "tree")
    assert_house_form(str(caught.value))
