"""An environment counts when its installation was finished and checked, and not before."""

import base64
import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from edgebert.errors import ClientError, OutputError
from edgebert.export.clients.environments import (
    INSTALLED,
    NOT_INSTALLED,
    OUTDATED,
    RECORD,
    UNFINISHED,
    environment,
    install,
)
from edgebert.export.clients.registry import CLIENTS, INSTALLABLE, LITERT, Client

FAKE = Client("fake", "A fake", "fake-client", "none.py", False, requirements=("fake-client==1.0",))
NEWER = Client("fake", "A fake", "fake-client", "none.py", False, requirements=("fake-client==2.0",))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def offline_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wheel, the only index that pip is given."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    files = {
        "fake_client.py": b"VERSION = '1.0'\n",
        "fake_client-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: fake-client\nVersion: 1.0\n",
        "fake_client-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}\n"
        for name, content in files.items()
    )
    with zipfile.ZipFile(folder / "fake_client-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in {**files, "fake_client-1.0.dist-info/RECORD": record.encode()}.items():
            wheel.writestr(name, content)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def no_check(python: Path) -> str:
    raise AssertionError(f"{python} must not be started")


def write_environment(cache: Path, record: str | None, python: bool = True) -> None:
    folder = cache / "clients" / "fake"
    (folder / "bin").mkdir(parents=True)
    if python:
        (folder / "bin" / "python").touch()
    if record is not None:
        (folder / RECORD).write_text(record)


def test_nothing_is_there_at_first() -> None:
    found = environment(FAKE)
    assert (found.state, found.python, found.version) == (NOT_INSTALLED, None, None)


@pytest.mark.parametrize("record", [None, "", "{", "[]", "{}", '{"version": "1"}', "\x00"])
def test_an_installation_that_was_not_finished_does_not_count(cache: Path, record: str | None) -> None:
    write_environment(cache, record)
    assert (environment(FAKE).state, environment(FAKE).python) == (UNFINISHED, None)


def test_an_environment_of_other_pins_does_not_count(cache: Path) -> None:
    write_environment(cache, json.dumps({"version": "0.9", "pins": "others"}))
    found = environment(FAKE)
    assert (found.state, found.version, found.python) == (OUTDATED, "0.9", None)


@pytest.mark.long
def test_installing_makes_checks_and_records(cache: Path, offline_index: Path) -> None:
    checked, told = [], []

    def check(python: Path) -> str:
        checked.append(python)
        assert environment(FAKE).state == UNFINISHED
        return "1.0"

    done = install(FAKE, check, told.append)
    assert (done.state, done.version, done.python) == (INSTALLED, "1.0", checked[0])
    assert done.python == cache / "clients" / "fake" / "bin" / "python"
    assert environment(NEWER).state == OUTDATED
    assert install(FAKE, no_check, told.append).state == INSTALLED
    assert "installing fake-client==1.0" in told[0] and "already installed" in told[1]


@pytest.mark.long
def test_what_pip_cannot_install_is_one_line_and_does_not_count(offline_index: Path) -> None:
    with pytest.raises(
        ClientError, match=r"^fake: expected pip to install fake-client==2.0, got 'ERROR: .*Do: "
    ) as caught:
        install(NEWER, no_check, lambda text: None)
    assert "\n" not in str(caught.value)
    assert environment(NEWER).state == UNFINISHED


@pytest.mark.long
def test_what_does_not_start_does_not_count(offline_index: Path) -> None:
    def check(python: Path) -> str:
        raise ClientError("it crashed")

    with pytest.raises(ClientError, match="it crashed"):
        install(FAKE, check, lambda text: None)
    assert environment(FAKE).state == UNFINISHED
    assert install(FAKE, lambda python: "1.0", lambda text: None).state == INSTALLED


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEBERT_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match="file"):
        install(FAKE, no_check, lambda text: None)


def test_a_client_of_this_environment_is_not_installed_by_us() -> None:
    with pytest.raises(ClientError, match=r"litert: .*pip install"):
        install(LITERT, no_check, lambda text: None)
    assert environment(LITERT).state == INSTALLED


def test_a_module_that_is_not_here_is_not_installed() -> None:
    absent = Client("absent", "", "absent", "none.py", True, module="no_such_module")
    assert (environment(absent).state, environment(absent).python) == (NOT_INSTALLED, None)


def test_every_client_is_pinned_exactly_and_its_runner_is_there() -> None:
    for client in CLIENTS:
        assert client.runner_path.is_file()
        assert all(each.count("==") == 1 for each in client.requirements)
    assert all(client.pin in client.requirements for client in INSTALLABLE)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"EDGEBERT_CACHE": "/a/b"}, "/a/b"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/edgebert"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/edgebert"),
        ({"XDG_CACHE_HOME": "", "HOME": "/h"}, "/h/.cache/edgebert"),
    ],
)
def test_environments_lie_in_the_users_cache(
    variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EDGEBERT_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert environment(FAKE).place == f"{expected}/clients/fake"
