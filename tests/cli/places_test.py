"""The table of places: which one --on names, and what --help says of their defaults."""

import dataclasses

import pytest

from edgebert.cli.places import PLACES, choose_place, default_in_help, places_in_help, present
from edgebert.errors import MeasurementError
from tests.benchmark.records import make_record
from tests.data.house_form import assert_house_form


def test_names_are_unique_and_each_is_found_by_its_name() -> None:
    assert len({place.name for place in PLACES}) == len(PLACES)
    for place in PLACES:
        assert choose_place(place.name) is place
        assert place.written in places_in_help()


@pytest.mark.parametrize("on", ["", "moon", "host:", "host:0", ":host", "HOST"])
def test_another_place_is_refused(on: str) -> None:
    with pytest.raises(MeasurementError) as refusal:
        choose_place(on)
    assert_house_form(str(refusal.value))
    assert f"got '{on}'" in str(refusal.value)
    assert all(place.written in str(refusal.value) for place in PLACES)


def test_help_tells_every_default() -> None:
    for field in ("texts", "runs", "minimum_seconds"):
        told = default_in_help(field)
        assert told.startswith(f"{getattr(PLACES[0], field):g}")
        for place in PLACES:
            assert f"{getattr(place, field):g}" in told


def test_a_record_is_presented_as_its_place_does() -> None:
    host = make_record()
    assert host.place == "host"
    assert len(present(host).tables) == 3
    with pytest.raises(MeasurementError, match="got 'moon'") as refusal:
        present(dataclasses.replace(host, place="moon"))
    assert_house_form(str(refusal.value))
