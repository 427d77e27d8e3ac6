"""What is sent is what the worker needs, no more, and the same bytes every time."""

import dataclasses
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edgebert.benchmark.board.payloads import (
    WORKER,
    fetch_wheels,
    model_payload,
    modules_of,
    wheel_payload,
    worker_payload,
)
from edgebert.benchmark.model_file import read_model_file
from edgebert.benchmark.wheels import WheelTarget, installed_releases
from edgebert.errors import MeasurementError
from tests.benchmark.conftest import DYNAMIC

PI = WheelTarget("3.11", "aarch64", 36)


def test_the_workers_modules_run_without_the_package(tmp_path: Path) -> None:
    """In a folder of their own, by a Python that does not look where this package is installed."""
    with zipfile.ZipFile(io.BytesIO(worker_payload().source)) as archive:
        archive.extractall(tmp_path / "tree")
    site = next(path for path in sys.path if Path(path, "ai_edge_litert").is_dir())
    for name in (
        "numpy",
        "numpy.libs",
        "ai_edge_litert",
        *(entry.name for entry in Path(site).glob("ai_edge_litert-*")),
    ):
        if Path(site, name).exists():
            (tmp_path / "tree" / name).symlink_to(Path(site, name))
    questions = [{"ask": "start", "cores": None}, {"ask": "open", "path": str(DYNAMIC), "threads": 1}]
    tree = str(tmp_path / "tree")
    code = f"import runpy, sys; sys.path.insert(0, {tree!r}); runpy.run_module({WORKER!r}, None, '__main__')"
    ran = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    started, opened = map(json.loads, ran.stdout.splitlines())
    assert started["runtime"]["name"] == "LiteRT" and len(opened["inputs"]) == 3, ran.stderr


def test_nothing_else_is_sent() -> None:
    """No command line, no tokenizer, no reader of tables: some kilobytes."""
    modules = modules_of(WORKER)
    assert {WORKER, "edgebert.benchmark", "edgebert.benchmark.session", "edgebert.measurement"} <= set(modules)
    assert not [
        name for name in modules if name.startswith(("edgebert.cli", "edgebert.data", "edgebert.benchmark.board"))
    ]
    assert worker_payload().size_bytes < 150_000


def test_a_boards_python_may_be_newer_than_the_toolchains() -> None:
    """The package itself asks for 3.11; what is sent does not know the way to anything that needs it."""
    with zipfile.ZipFile(io.BytesIO(worker_payload().source)) as archive:
        init = archive.read("edgebert/__init__.py").decode()
    assert "import" not in init and len(init.splitlines()) == 1


def test_a_payload_is_named_by_its_content() -> None:
    first, second = worker_payload(), worker_payload()
    assert first == second
    assert hashlib.sha256(first.source).hexdigest() == first.sha256 == first.name.removeprefix("trees/")
    assert first.size_bytes == len(first.source) < first.room_bytes


def test_a_model_is_sent_in_parts_of_its_announced_size(tmp_path: Path) -> None:
    """Even if it shrinks or grows meanwhile: the board counts bytes, and its hash then tells."""
    model = read_model_file(DYNAMIC)
    payload = model_payload(DYNAMIC, model)
    assert (payload.name, payload.is_zip) == (f"models/{model.sha256}.tflite", False)
    assert b"".join(payload.parts()) == DYNAMIC.read_bytes()
    for content in (b"short", DYNAMIC.read_bytes() + b"longer"):
        (tmp_path / "changed.tflite").write_bytes(content)
        changed = dataclasses.replace(payload, source=tmp_path / "changed.tflite")
        assert sum(map(len, changed.parts())) == payload.size_bytes


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The releases of this environment, for a board; pip sees nothing else."""
    folder = tmp_path / "index"
    folder.mkdir()
    for requirement in installed_releases("board"):
        name, version = requirement.replace("-", "_").split("==")
        with zipfile.ZipFile(folder / f"{name}-{version}-cp311-cp311-manylinux_2_28_aarch64.whl", "w") as wheel:
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            wheel.writestr(f"{name}-{version}.dist-info/METADATA", metadata)
            wheel.writestr(f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\n")
            wheel.writestr(f"{name}/__init__.py", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "cache"))
    return folder


def test_wheels_are_fetched_once(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheels = fetch_wheels(PI, "board")
    names = sorted(requirement.replace("-", "_").replace("==", " ") for requirement in installed_releases("board"))
    assert [wheel_payload(path).title for path in wheels] == names
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    assert fetch_wheels(PI, "board") == wheels
    with pytest.raises(MeasurementError, match=r"expected pip to download wheels for Python 3\.13"):
        fetch_wheels(WheelTarget("3.13", "aarch64", 36), "board")
    kept = {path.name for path in (tmp_path / "cache/wheels").iterdir()}
    assert kept == {".lock", wheels[0].parent.name}
