"""What is said where the wheel has no profiler that can be called."""

from importlib import metadata
from pathlib import Path

import pytest

from edgebert.benchmark.profiling import library
from edgebert.benchmark.profiling.library import Library, missing_profiler


def test_the_pinned_wheel_has_all() -> None:
    assert missing_profiler() is None


def test_absent_functions_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_FUNCTIONS", (*library._FUNCTIONS, "LiteRtNever", "LiteRtGone"))
    version = metadata.version("ai-edge-litert")
    assert missing_profiler() == f"an ai-edge-litert {version} without LiteRtNever, LiteRtGone"


def test_an_absent_package_or_file_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "_FILE", "libNone.so")
    assert missing_profiler().endswith("without libNone.so")

    def absent(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(library.metadata, "version", absent)
    assert missing_profiler() == "no ai-edge-litert"


def test_every_function_that_is_called_is_looked_for() -> None:
    """A new call without its name in the list would fail in the worker, not before."""
    folder = Path(library.__file__).parent
    text = (folder / "compiled.py").read_text() + (folder / "library.py").read_text().partition("class Library")[2]
    for side in ("Input", "Output"):
        text += text.replace("{side}", side)
    called = {word for word in text.replace('"', " ").split() if word.startswith("LiteRt") and "{" not in word}
    assert {name.rstrip("),") for name in called} <= set(library._FUNCTIONS)
    assert len(called) > 20


def test_a_failed_call_names_function_and_status() -> None:
    with pytest.raises(RuntimeError, match=r"LiteRtGetModelSignature answered with status \d+"):
        Library().create("LiteRtGetModelSignature", None, 0)
