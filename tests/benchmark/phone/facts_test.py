"""A phone's facts and state, from what its shell tells."""

import dataclasses

import pytest

from edgebert.benchmark.phone.client import Adb
from edgebert.benchmark.phone.connection import Phone
from edgebert.benchmark.phone.facts import holding_back, read_phone, read_phone_conditions, sensors_in, status_in
from edgebert.documents import from_plain, to_plain
from edgebert.errors import MeasurementError
from tests.benchmark.phone.stand_in import PROPERTIES, THERMAL_SERVICE, StandIn
from tests.data.house_form import assert_house_form


def test_the_phone(adb: Adb, stand_in: StandIn) -> None:
    device = read_phone(Phone(adb, stand_in.serial))
    assert (device.name, device.soc) == ("Stand In 3588", "Rockchip RK3588")
    assert (device.architecture, device.operating_system) == ("aarch64", "Android 14 (API 34)")
    assert (device.kernel, device.memory_bytes) == ("5.10.110-android12-9", 7906532 * 1024)
    assert device.logical_cores == 8 and "asimddp" in device.cpu_features
    small, large = device.clusters
    assert (small.model, small.cores, small.governor) == ("Cortex-A55", (0, 1, 2, 3), "schedutil")
    assert (small.minimum_frequency_hz, small.maximum_frequency_hz) == (408_000_000, 1_800_000_000)
    assert (large.model, large.cores, large.maximum_frequency_hz) == ("Cortex-A76", (4, 5, 6, 7), 2_400_000_000)
    assert from_plain(type(device), _listed(to_plain(device))) == device


def test_its_state(adb: Adb, stand_in: StandIn) -> None:
    stand_in.set_thermal_status(1)
    conditions = read_phone_conditions(Phone(adb, stand_in.serial))
    assert conditions.temperatures_celsius == {
        "thermal_zone0 soc-thermal": 38.846,
        "CPU (thermal service)": 57.9,
        "SKIN (thermal service)": 34.4,
    }
    assert conditions.frequencies_hz == (1_008_000_000,) * 8
    assert (conditions.load_average_1m, conditions.thermal_status) == (4.52, "light")
    assert conditions.available_memory_bytes == 3412232 * 1024 and conditions.busy_cpu_ns > 0


def test_what_a_phone_may_not_tell_is_null(adb: Adb, stand_in: StandIn) -> None:
    for name in ("ro.soc.manufacturer", "ro.soc.model", "ro.build.version.release"):
        (stand_in.root / "state/properties" / name).unlink()
    (stand_in.root / "state/dumpsys/thermalservice").unlink()
    for core in range(8):
        (stand_in.root / f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor").unlink()
    phone = Phone(adb, stand_in.serial)
    device = read_phone(phone)
    assert (device.soc, device.operating_system, device.clusters[0].governor) == (None, None, None)
    assert read_phone_conditions(phone).thermal_status is None
    (stand_in.root / "state/properties/ro.board.platform").write_text("kalama\n")
    (stand_in.root / "state/properties/ro.boot.qemu").write_text("1\n")
    assert (read_phone(phone).soc, read_phone(phone).is_virtual) == ("kalama", True)
    (stand_in.root / "proc/cpuinfo").unlink()
    with pytest.raises(MeasurementError, match="to let its shell read /proc/cpuinfo, got nothing") as caught:
        read_phone(phone)
    assert_house_form(str(caught.value))


def test_the_owner_is_not_asked_for(adb: Adb, stand_in: StandIn) -> None:
    device = read_phone(Phone(adb, stand_in.serial))
    assert PROPERTIES["ro.serialno"] not in str(dataclasses.asdict(device))
    for command in stand_in.commands:
        assert "serial" not in command and "device_name" not in command and "getprop;" not in command


def test_what_holds_a_phone_back(adb: Adb, stand_in: StandIn) -> None:
    phone = Phone(adb, stand_in.serial)
    assert holding_back(phone) == ()
    stand_in.hold_back(asleep=False, saver=False)
    assert holding_back(phone) == ()
    stand_in.hold_back(asleep=True, saver=True)
    sleeps, saves = holding_back(phone)
    assert sleeps.startswith("it sleeps: ") and saves.startswith("its battery saver is on: ")


@pytest.mark.parametrize(
    ("number", "status"), [(0, "none"), (1, "light"), (2, "moderate"), (3, "severe"), (6, "shutdown"), (7, None)]
)
def test_the_thermal_status(number: int, status: str | None) -> None:
    assert status_in(THERMAL_SERVICE.format(status=number)) == status


def test_sensors_are_the_present_ones_of_cores_and_skin() -> None:
    assert sensors_in(THERMAL_SERVICE.format(status=0)) == {
        "CPU (thermal service)": 57.9,
        "SKIN (thermal service)": 34.4,
    }
    assert sensors_in("Can't find service: thermalservice\n") == {} and status_in("") is None


def _listed(value: object) -> object:
    """As JSON has it: lists for tuples."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    return [_listed(item) for item in value] if isinstance(value, (tuple, list)) else value
