"""Machines are read as they are: this one against Python's own answers, others from what was recorded on them."""

import os
import platform
from pathlib import Path

import pytest

from edgebert.benchmark.conditions import read_conditions
from edgebert.benchmark.device import parse_core_list, read_device
from edgebert.measurement import CoreCluster
from tests.benchmark.machines import LAPTOP, RASPBERRY_PI_4, RK3588, lay_out


def test_this_machine_is_what_python_says() -> None:
    device = read_device()
    assert device.logical_cores == os.cpu_count()
    assert device.kernel == platform.release()
    assert device.architecture == platform.machine()
    assert device.memory_bytes == pytest.approx(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"), rel=0.01)
    assert sorted(core for cluster in device.clusters for core in cluster.cores) == list(range(os.cpu_count()))


def test_a_raspberry_pi(tmp_path: Path) -> None:
    device = read_device(lay_out(RASPBERRY_PI_4, tmp_path))
    assert (device.name, device.soc) == ("Raspberry Pi 4 Model B Rev 1.5", "brcm,bcm2711")
    assert (device.logical_cores, device.physical_cores) == (4, 4)
    assert device.clusters == (CoreCluster((0, 1, 2, 3), "Cortex-A72", 600_000_000, 1_800_000_000, "ondemand"),)
    assert device.cpu_features == ("asimd",)
    assert device.memory_bytes == 3882988 * 1024
    assert device.operating_system == "Debian GNU/Linux 12 (bookworm)"
    assert device.is_virtual is None


def test_big_and_little_cores_are_two_clusters(tmp_path: Path) -> None:
    device = read_device(lay_out(RK3588, tmp_path))
    assert [(cluster.model, cluster.cores, cluster.maximum_frequency_hz) for cluster in device.clusters] == [
        ("Cortex-A55", (0, 1, 2, 3), 1_800_000_000),
        ("Cortex-A76", (4, 5, 6, 7), 2_400_000_000),
    ]
    assert device.cpu_features == ("asimd", "asimddp", "asimdhp", "fphp")


def test_a_laptop_with_two_threads_a_core(tmp_path: Path) -> None:
    device = read_device(lay_out(LAPTOP, tmp_path))
    assert (device.name, device.logical_cores, device.physical_cores) == ("LENOVO 20XW", 8, 4)
    assert "avx512_vnni" in device.cpu_features
    assert device.is_virtual is False


def test_a_feature_counts_only_where_every_core_has_it(tmp_path: Path) -> None:
    mixed = {**RK3588, "proc/cpuinfo": RK3588["proc/cpuinfo"].replace(" asimddp", "", 1)}
    assert "asimddp" not in read_device(lay_out(mixed, tmp_path)).cpu_features


def test_an_unknown_arm_core_keeps_its_numbers(tmp_path: Path) -> None:
    other = {"proc/cpuinfo": "processor\t: 0\nCPU implementer\t: 0x61\nCPU part\t: 0x022\n"}
    assert read_device(lay_out(other, tmp_path)).clusters[0].model == "implementer 0x61 part 0x022"


def test_what_cannot_be_read_is_none(tmp_path: Path) -> None:
    device, conditions = read_device(tmp_path), read_conditions(None, tmp_path)
    assert (device.name, device.soc, device.physical_cores, device.memory_bytes) == (None, None, None, None)
    assert (device.operating_system, device.kernel, device.is_virtual, device.cpu_features) == (None, None, None, ())
    assert {cluster.model for cluster in device.clusters} == {None}
    assert (conditions.load_average_1m, conditions.busy_cpu_ns, conditions.throttle_count) == (None, None, None)
    assert conditions.temperatures_celsius == {}
    assert set(conditions.frequencies_hz) == {None}


def test_the_conditions_of_a_raspberry_pi(tmp_path: Path) -> None:
    conditions = read_conditions(7, lay_out(RASPBERRY_PI_4, tmp_path))
    assert conditions.load_average_1m == 0.52
    # user, nice, system, irq, softirq and steal; idle, iowait and guests (already in user) do not count.
    assert conditions.busy_cpu_ns == (1000 + 20 + 300 + 6 + 7 + 8) * 10**9 // os.sysconf("SC_CLK_TCK")
    assert conditions.temperatures_celsius == {"thermal_zone0 cpu-thermal": 45.277}
    assert conditions.frequencies_hz == (1_500_000_000,) * 4
    assert conditions.available_memory_bytes == 3412232 * 1024
    assert conditions.own_cpu_ns == 7


def test_only_sensors_next_to_the_cores_are_read(tmp_path: Path) -> None:
    board, laptop = lay_out(RK3588, tmp_path / "board"), lay_out(LAPTOP, tmp_path / "laptop")
    assert read_conditions(None, board).temperatures_celsius == {"thermal_zone0 soc-thermal": 38.846}
    assert read_conditions(None, laptop).temperatures_celsius == {"hwmon3 coretemp temp1": 51.0}
    assert read_conditions(None, laptop).throttle_count == sum(range(8))
    assert read_conditions(None, laptop).frequencies_hz[:2] == (2_800_000_000, 2_801_000_000)


@pytest.mark.parametrize(
    ("text", "cores"),
    [("0", (0,)), ("0-3", (0, 1, 2, 3)), ("0-1,4,6-7", (0, 1, 4, 6, 7)), ("", ()), ("all", ()), ("0-", ()), ("-1", ())],
)
def test_the_kernels_core_lists(text: str, cores: tuple[int, ...]) -> None:
    assert parse_core_list(text) == cores
