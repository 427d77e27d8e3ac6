"""A checkpoint that cannot be written: an error in one line, and nothing left that looks whole."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edgebert.errors import OutputError
from edgebert.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from tests.data.house_form import assert_house_form
from tests.models.folders import REFERENCE, WEIGHTS, copy_of


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """A disk that is full, as the kernel reports it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def failed(source: Checkpoint, out: Path) -> str:
    with pytest.raises(OutputError) as caught:
        save_checkpoint(out, source.tensors, source.encoder, source.head, source)
    assert_house_form(str(caught.value))
    assert ".partial" not in str(caught.value)
    return str(caught.value)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    source = load_checkpoint(REFERENCE / "bert")
    with files_of_at_most(1000):
        message = failed(source, tmp_path / "new" / "deep" / "out")
    assert str(tmp_path / "new" / "deep" / "out" / WEIGHTS) in message
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_the_old_checkpoint_whole(tmp_path: Path) -> None:
    out = copy_of("distilbert", tmp_path)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with files_of_at_most(1000):
        failed(load_checkpoint(REFERENCE / "bert"), out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert load_checkpoint(out).family == "distilbert"


@pytest.mark.parametrize("successful_moves", range(3))
def test_a_folder_that_was_not_finished_does_not_look_whole(
    successful_moves: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even if the machine gives up between two renames: config.json goes first and comes last."""
    out, source = copy_of("distilbert", tmp_path), load_checkpoint(REFERENCE / "bert")
    replace, moves = Path.replace, []

    def stop_replacing(self: Path, target: Path) -> Path:
        if target.parent == out:
            if len(moves) == successful_moves:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            moves.append(target.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_replacing)
    message = failed(source, out)
    assert "Input/output error" in message and len(moves) == successful_moves
    assert not (out / "config.json").exists()
    assert not [path for path in out.iterdir() if path.name.endswith(".partial")]


@pytest.mark.parametrize("blocked", [WEIGHTS, "config.json"])
def test_a_folder_in_the_place_of_a_file_is_an_error(blocked: str, tmp_path: Path) -> None:
    (tmp_path / "out" / blocked).mkdir(parents=True)
    assert str(tmp_path / "out") in failed(load_checkpoint(REFERENCE / "bert"), tmp_path / "out")


def test_a_place_that_can_hold_no_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    for out in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/edgebert/out")):
        assert str(out) in failed(load_checkpoint(REFERENCE / "bert"), out)
    assert (tmp_path / "file").read_text() == "here"
