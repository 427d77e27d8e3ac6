"""Which phones are meant, and what is said of those that cannot be used."""

import time
from collections.abc import Callable

import pytest

from edgebert.benchmark.phone.client import Adb
from edgebert.benchmark.phone.devices import choose_phone, choose_serials, each_phone, not_ready
from edgebert.errors import MeasurementError
from tests.benchmark.phone.stand_in import StandIn
from tests.data.house_form import assert_house_form

ONE, TWO = {"R58": "device"}, {"R58": "device", "10.0.0.7:5555": "device"}


@pytest.mark.parametrize(
    ("place", "states", "expected"),
    [
        ("adb", ONE, ("R58",)),
        ("adb:all", TWO, ("R58", "10.0.0.7:5555")),
        ("adb:10.0.0.7:5555", TWO, ("10.0.0.7:5555",)),
        ("adb:10.0.0.7:5555,R58", TWO, ("10.0.0.7:5555", "R58")),
        ("adb:R58", {**ONE, "X": "offline"}, ("R58",)),
    ],
)
def test_phones_are_chosen(place: str, states: dict[str, str], expected: tuple[str, ...]) -> None:
    assert choose_serials(place, states) == expected


@pytest.mark.parametrize(
    ("place", "states", "expected"),
    [
        ("adb", {}, "expected a phone that `adb devices` lists, got none"),
        ("adb:all", {}, "expected a phone that `adb devices` lists, got none"),
        (
            "adb",
            TWO,
            "got 2 phones attached: R58, 10.0.0.7:5555. Do: --on adb:R58 for one of them, --on adb:all for all",
        ),
        ("adb", {**ONE, "X": "unauthorized"}, "got 2 phones attached: R58, X (unauthorized)."),
        ("adb:X", TWO, "expected a serial that `adb devices` lists (R58, 10.0.0.7:5555), got 'X'"),
        ("adb:X", {}, "(it lists none), got 'X'"),
        ("adb:R58,R58", ONE, "expected adb:SERIAL with commas between several, each once, got 'adb:R58,R58'"),
        ("adb:", ONE, "expected adb:SERIAL with commas between several, each once, got 'adb:'"),
        (
            "adb:all",
            {**ONE, "X": "offline"},
            "X: expected a phone that adb may use (state 'device'), got state 'offline'",
        ),
    ],
)
def test_a_choice_that_cannot_be_is_refused(place: str, states: dict[str, str], expected: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        choose_serials(place, states)
    assert expected in str(caught.value)
    assert_house_form(str(caught.value))


STATES = ("unauthorized", "authorizing", "offline", "connecting", "recovery", "bootloader")


def test_every_state_has_its_own_remedy() -> None:
    permissions = (
        "no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com]"
    )
    messages = [str(not_ready("R58", state)) for state in (*STATES, permissions, "host")]
    for message in messages:
        assert_house_form(message)
    remedies = {message.partition(" Do: ")[2] for message in messages}
    assert len(remedies) >= len(messages) - 1
    assert "udev" in messages[-2] and "revoke" in messages[0]


def test_the_real_client_tells_an_unauthorised_phone(adb: Adb, plug_in: Callable[..., StandIn]) -> None:
    phone = plug_in(is_authorised=False)
    # It shows its keys one after another first.
    until = time.monotonic() + 10
    while adb.states().get(phone.serial) != "unauthorized" and time.monotonic() < until:
        time.sleep(0.05)
    with pytest.raises(MeasurementError) as caught:
        choose_phone("adb")
    assert f"{phone.serial}: expected a phone that adb may use (state 'device'), got state 'unauth" in str(caught.value)
    assert_house_form(str(caught.value))


def test_the_real_client_tells_an_offline_phone(stand_in: StandIn) -> None:
    assert each_phone("adb") == (f"adb:{stand_in.serial}",)
    assert choose_phone("adb").serial == stand_in.serial
    stand_in.unplug()
    with pytest.raises(MeasurementError, match=r"got state 'offline'. Do: replug it"):
        choose_phone("adb")


def test_the_real_client_lists_two(plug_in: Callable[..., StandIn]) -> None:
    first, second = plug_in(), plug_in()
    assert set(each_phone("adb:all")) == {f"adb:{first.serial}", f"adb:{second.serial}"}
    with pytest.raises(MeasurementError) as caught:
        choose_phone("adb")
    assert first.serial in str(caught.value) and second.serial in str(caught.value)
