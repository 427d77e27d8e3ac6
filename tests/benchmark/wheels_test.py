"""Wheels for another machine: the real pip, an index of our own in a folder, no network."""

import importlib.metadata
import zipfile
from pathlib import Path

import pytest

from edgebert.benchmark.wheels import PACKAGES, WheelTarget, download_wheels, installed_releases
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form

PI = WheelTarget("3.11", "aarch64", 36)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One release for several machines; pip sees nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    tags = ("cp311-cp311-manylinux_2_28_aarch64", "cp313-cp313-manylinux_2_28_aarch64")
    for tag in (*tags, "cp311-cp311-manylinux_2_28_x86_64"):
        with zipfile.ZipFile(folder / f"fake_runtime-1.0-{tag}.whl", "w") as wheel:
            wheel.writestr(
                "fake_runtime-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: fake-runtime\nVersion: 1.0\n"
            )
            wheel.writestr("fake_runtime-1.0.dist-info/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}\n")
    for name in ("PIP_CONFIG_FILE", "PIP_NO_INDEX", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.mark.parametrize(
    ("target", "tag"),
    [
        (PI, "cp311-cp311-manylinux_2_28_aarch64"),
        (WheelTarget("3.13", "aarch64", 41), "cp313-cp313-manylinux_2_28_aarch64"),
        (WheelTarget("3.11", "x86_64", 28), "cp311-cp311-manylinux_2_28_x86_64"),
    ],
)
def test_the_wheel_is_the_targets(index: Path, tmp_path: Path, target: WheelTarget, tag: str) -> None:
    (wheel,) = download_wheels("board", target, ("fake-runtime==1.0",), tmp_path / "wheels")
    assert wheel.name == f"fake_runtime-1.0-{tag}.whl"


@pytest.mark.parametrize(
    "target",
    [WheelTarget("3.11", "aarch64", 27), WheelTarget("3.12", "aarch64", 36), WheelTarget("3.11", "armv7l", 36)],
)
def test_where_none_fits_the_target_is_named(index: Path, tmp_path: Path, target: WheelTarget) -> None:
    """An older C library, another Python, another processor."""
    with pytest.raises(MeasurementError) as refusal:
        download_wheels("board", target, ("fake-runtime==1.0",), tmp_path / "wheels")
    assert_house_form(str(refusal.value))
    assert f"board: expected pip to download wheels for {target}, got 'ERROR: No matching" in str(refusal.value)


def test_the_releases_are_those_of_this_environment() -> None:
    assert installed_releases("board") == tuple(f"{name}=={importlib.metadata.version(name)}" for name in PACKAGES)
