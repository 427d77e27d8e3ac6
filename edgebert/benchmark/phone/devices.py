"""Which of the attached phones are meant: one, some by their serials, or all."""

from collections.abc import Mapping

from edgebert.benchmark.phone.client import Adb, find_adb
from edgebert.benchmark.phone.connection import Phone
from edgebert.errors import MeasurementError

PLACE = "adb"
ALL = "all"
READY = "device"
_AUTHORISE = "unlock it and allow USB debugging for this computer in the dialog on its screen"
_REMEDIES = {
    "unauthorized": f"{_AUTHORISE}; if there is none, revoke the authorisations in its developer options and replug",
    "authorizing": _AUTHORISE,
    "offline": "replug it, or switch USB debugging off and on; over the network, `adb connect` to it again",
    "connecting": "wait until `adb devices` lists it as 'device'",
    "recovery": "start its Android",
    "sideload": "start its Android",
    "bootloader": "start its Android",
}
_PERMISSIONS = "give yourself access to the USB device (udev rules; Debian: apt-get install android-sdk-platform-tools)"


def each_phone(place: str) -> tuple[str, ...]:
    """The phones of `adb`, `adb:SERIAL,...` or `adb:all`, each as a place of its own and ready to be measured."""
    return tuple(f"{PLACE}:{serial}" for serial in choose_serials(place, _server().states()))


def choose_phone(place: str) -> Phone:
    """The one phone of `place`."""
    adb = _server()
    (serial,) = choose_serials(place, adb.states())
    return Phone(adb, serial)


def choose_serials(place: str, states: Mapping[str, str]) -> tuple[str, ...]:
    """The serials that `place` asks for among those of `states`."""
    _, colon, asked = place.partition(":")
    if colon and asked != ALL:
        serials = tuple(part.strip() for part in asked.split(","))
        _check_written(place, serials)
    elif asked == ALL or len(states) == 1:
        serials = tuple(states)
    else:
        serials = ()
        if states:
            raise MeasurementError(
                f"--on {place}: expected one phone, or serials, got {len(states)} phones attached: {_listed(states)}. "
                f"Do: --on adb:{next(iter(states))} for one of them, --on adb:{ALL} for all."
            )
    if not serials:
        raise MeasurementError(
            f"--on {place}: expected a phone that `adb devices` lists, got none. "
            "Do: plug one in with USB debugging on (developer options), or `adb connect` to it."
        )
    for serial in serials:
        _check_state(place, serial, states)
    return serials


def not_ready(serial: str, state: str) -> MeasurementError:
    """What is wrong with a phone in a state that is not READY."""
    remedy = _PERMISSIONS if state.startswith("no permissions") else _REMEDIES.get(state)
    return MeasurementError(
        f"{serial}: expected a phone that adb may use (state '{READY}'), got state '{state}'. "
        f"Do: {remedy or 'look at `adb devices`'}."
    )


def _server() -> Adb:
    adb = find_adb()
    adb.require_server()
    return adb


def _check_written(place: str, serials: tuple[str, ...]) -> None:
    if "" in serials or len(set(serials)) != len(serials):
        raise MeasurementError(
            f"--on: expected adb:SERIAL with commas between several, each once, got '{place}'. "
            "Do: take the serials from `adb devices`."
        )


def _check_state(place: str, serial: str, states: Mapping[str, str]) -> None:
    if serial not in states:
        raise MeasurementError(
            f"--on {place}: expected a serial that `adb devices` lists ({_listed(states) or 'it lists none'}), got "
            f"'{serial}'. Do: choose one of them, or plug that phone in."
        )
    if states[serial] != READY:
        raise not_ready(serial, states[serial])


def _listed(states: Mapping[str, str]) -> str:
    return ", ".join(serial if state == READY else f"{serial} ({state})" for serial, state in states.items())
