"""What the guest sees of its core, read by the reader that reads real boards."""

from pathlib import Path

import pytest

from edgebert.benchmark.device import read_device
from edgebert.benchmark.emulated.cores import CORES, EmulatedCore, choose_cores, write_view
from edgebert.errors import MeasurementError
from tests.data.house_form import assert_house_form


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_a_view_reads_as_the_core_it_is_called(core: EmulatedCore, tmp_path: Path) -> None:
    write_view(core, tmp_path / "cores" / core.name, {})
    device = read_device(tmp_path / "cores" / core.name)
    (cluster,) = device.clusters
    assert (device.logical_cores, cluster.cores) == (4, (0, 1, 2, 3))
    # The fourth is no core of Arm's and so in no list of theirs.
    assert cluster.model == (core.title if core.name != "i8mm" else "implementer 0x41 part 0x051")
    assert ("asimddp" in device.cpu_features) == (core.multiplies_int8_by != "SMLAL")
    assert ("i8mm" in device.cpu_features) == (core.multiplies_int8_by == "SMMLA")
    assert "sve" not in device.cpu_features


def test_links_of_a_view_survive_a_move(tmp_path: Path) -> None:
    (tmp_path / "here/root/usr").mkdir(parents=True)
    (tmp_path / "here/root/usr/file").touch()
    write_view(CORES[0], tmp_path / "here/cores/one", {"usr": Path("root/usr")})
    (tmp_path / "here").rename(tmp_path / "there")
    assert (tmp_path / "there/cores/one/usr/file").is_file()


def test_cores_are_chosen_by_name_in_the_order_asked_for() -> None:
    assert [core.name for core in choose_cores("emulated:cortex-a76, cortex-a53")] == ["cortex-a76", "cortex-a53"]
    assert choose_cores("emulated") == CORES


@pytest.mark.parametrize("place", ["emulated:", "emulated:cortex-a99", "emulated:i8mm,", "emulated:i8mm,i8mm"])
def test_what_is_no_list_of_cores_is_refused(place: str) -> None:
    with pytest.raises(MeasurementError) as caught:
        choose_cores(place)
    assert_house_form(str(caught.value))
    assert str(caught.value).startswith("--on: ")
