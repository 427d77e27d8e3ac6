import errno
import os
from pathlib import Path

import pytest

from edgebert.errors import OutputError
from edgebert.files import make_folder, write_atomically


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a", b"old")
    assert write_atomically(tmp_path / "a", b"new") == tmp_path / "a"
    assert (tmp_path / "a").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_something_that_is_no_file_is_left_alone(tmp_path: Path) -> None:
    """A rename would put a file in the place of a pipe or a device."""
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(OutputError, match="expected a file or a free name"):
            write_atomically(tmp_path / name, b"content")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.parametrize("call", ["replace", "open", "unlink"])
def test_whatever_fails_is_one_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """A read-only file system refuses even to remove the temporary file."""
    (tmp_path / "a").write_bytes(b"old")

    def refuse(*arguments, **keywords):
        raise OSError(errno.EROFS, "Read-only file system")

    for broken in {call, "replace"} if call == "unlink" else {call}:
        monkeypatch.setattr(Path, broken, refuse)
    with pytest.raises(OutputError, match="got 'Read-only file system'"):
        write_atomically(tmp_path / "a", b"new")
    monkeypatch.undo()
    assert (tmp_path / "a").read_bytes() == b"old"
    if call != "unlink":
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_folder_is_made_with_its_parents_and_an_impossible_one_is_an_error(tmp_path: Path) -> None:
    assert make_folder(make_folder(tmp_path / "a" / "b")).is_dir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="expected a folder that can be created"):
        make_folder(tmp_path / "file" / "folder")
