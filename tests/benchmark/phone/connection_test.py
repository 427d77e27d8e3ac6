"""A phone's shell and its files through the real client, with and without the shell protocol that tells exit codes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edgebert.benchmark.phone.client import Adb
from edgebert.benchmark.phone.connection import ConnectionLostError, Phone
from edgebert.benchmark.phone.folder import ROOT, PhoneFolder, free_bytes_in
from edgebert.errors import MeasurementError
from tests.benchmark.phone.stand_in import DF, StandIn
from tests.data.house_form import assert_house_form

OLD_BANNER = "device::ro.product.name=old;ro.product.model=old;features="


@pytest.fixture(params=["with exit codes", "as before Android 7"])
def phone(request: pytest.FixtureRequest, adb: Adb, plug_in: Callable[..., StandIn]) -> Phone:
    banner = {} if request.param == "with exit codes" else {"banner": OLD_BANNER}
    return Phone(adb, plug_in(**banner).serial)


@pytest.mark.parametrize(
    ("command", "status", "text"),
    [
        ("echo hi", 0, "hi\n"),
        ("printf hi", 0, "hi"),
        ("true", 0, ""),
        ("printf 'a\n\nb\n\n'", 0, "a\n\nb\n\n"),
        ("echo said >&2; (exit 3)", 3, "said\n"),
        ("no_such_program", 127, None),
        ("cat", 0, ""),
        ("echo edgebert-command-ended 7; false", 1, "edgebert-command-ended 7\n"),
    ],
)
def test_a_command(phone: Phone, command: str, status: int, text: str | None) -> None:
    said = phone.shell(command)
    assert said.status == status
    assert text is None or said.text == text


def test_a_long_output_is_whole(phone: Phone) -> None:
    assert phone.shell("seq 1 200000").text == "".join(f"{number}\n" for number in range(1, 200_001))


def test_a_command_that_must_succeed(phone: Phone) -> None:
    assert phone.require("echo x", "say x") == "x\n"
    with pytest.raises(MeasurementError) as caught:
        phone.require("echo no >&2; false", "say x")
    assert "expected the phone to say x, got 'no'." in str(caught.value)
    assert_house_form(str(caught.value))


def test_files_come_whole(phone: Phone, tmp_path: Path) -> None:
    folder = PhoneFolder(phone, "0123")
    assert not folder.make()
    source = tmp_path / "with a blank.bin"
    source.write_bytes(os.urandom(3_000_001))
    folder.put(source, "a")
    sums = phone.require(f"sha256sum {ROOT}/0123/a", "add up").split()[0]
    assert sums == phone.shell(f"printf ''; sha256sum '{source}'").text.split()[0]
    many = tmp_path / "many"
    many.mkdir()
    for number in range(20):
        (many / str(number)).write_bytes(bytes([number]) * number)
    folder.put_all(many)
    assert phone.require(f"ls {ROOT}/0123/many | wc -l", "list").strip() == "20"
    assert folder.make()
    folder.remove()
    assert phone.shell(f"test -e {ROOT}").status == 1


def test_a_file_that_arrives_shorter_is_refused(adb: Adb, stand_in: StandIn, tmp_path: Path) -> None:
    source = tmp_path / "a"
    source.write_bytes(b"0123456789")
    stand_in.store = lambda path, mode, content: StandIn.store(stand_in, path, mode, content[:7])
    with pytest.raises(MeasurementError, match="7 of its 10 bytes there") as caught:
        Phone(adb, stand_in.serial).push(source, "/data/local/tmp/a")
    assert_house_form(str(caught.value))


def test_a_phone_that_goes_during_a_command(adb: Adb, stand_in: StandIn) -> None:
    def pull(command: str) -> None:
        if "sleep" in command:
            stand_in.unplug()

    stand_in.before_command = pull
    phone = Phone(adb, stand_in.serial)
    assert phone.shell("echo hi").text == "hi\n"
    with pytest.raises(ConnectionLostError) as caught:
        phone.shell("sleep 1; echo late")
    assert str(caught.value).startswith(f"{stand_in.serial}: expected the phone to stay connected, got a phone that ")
    assert_house_form(str(caught.value))


def test_a_phone_that_adb_has_forgotten(adb: Adb, stand_in: StandIn) -> None:
    adb.ask("disconnect", stand_in.serial, seconds=20)
    with pytest.raises(ConnectionLostError, match="got a phone that was unplugged") as caught:
        Phone(adb, stand_in.serial).shell("echo hi")
    assert_house_form(str(caught.value))


@pytest.mark.parametrize(
    ("table", "free_bytes"),
    [
        (DF.format(size=1000, free=500), 512_000),
        ("Filesystem           1K-blocks\n/a/very/long/name/of/a/device\n  1000  400  600  40% /data\n", 614_400),
        ("Filesystem             Size   Used   Free   Blksize\n/data  12.0G  3.0G  9.0G  4096\n", None),
        ("df: not found\n", None),
    ],
)
def test_free_space(table: str, free_bytes: int | None) -> None:
    assert free_bytes_in(table) == free_bytes
