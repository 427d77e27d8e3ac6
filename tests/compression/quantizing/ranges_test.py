"""The file beside a checkpoint: read back as it was written, and refused where it is anything else."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from edgebert.compression.quantizing.ranges import QUANTIZATION_FILE, PlaceSite, StoredRanges
from edgebert.errors import ArtefactError
from tests.compression.quantizing.cases import start
from tests.data.house_form import assert_house_form


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    StoredRanges(start().ranges, "ab" * 32, {"epochs": 1}).write(tmp_path)
    return tmp_path


def test_it_reads_back_to_the_last_bit(folder: Path) -> None:
    stored, ranges = StoredRanges.read(folder), start().ranges
    assert (stored.ranges.scheme, stored.weights_sha256, stored.learnt) == ("static", "ab" * 32, {"epochs": 1})
    assert stored.ranges.tables == ranges.tables == ("encoder.embeddings.word", "encoder.embeddings.position")
    for read, written in zip(stored.ranges.sites, ranges.sites, strict=True):
        for name, value in vars(written).items():
            again = vars(read)[name]
            if name == "factors" and value is not None:
                assert again.dtype == np.float32
                np.testing.assert_array_equal(again, value)
            elif name == "range":
                assert np.float32(again).tolist() == np.float32(value).tolist()
            else:
                assert again == value
    assert StoredRanges.read(folder / "nowhere") is None


def test_places_read_back_too(tmp_path: Path) -> None:
    places = (PlaceSite("encoder.embeddings.summed", (-1.0, 2.5)), PlaceSite("x.scaled", (-0.5, 0.0), learns=False))
    ranges = dataclasses.replace(start().ranges, scheme="full-int8", reads=(), places=places, masked_below=10.5)
    path = StoredRanges(ranges, "ab" * 32, {}).write(tmp_path)
    again = StoredRanges.read(tmp_path).ranges
    assert again.masked_below == 10.5
    assert again.is_integer_throughout and [vars(site) for site in again.places] == [vars(site) for site in places]
    assert not {"places", "masked_below"} & set(start().ranges.to_json())
    # A student from before files told answers as it did.
    fields = json.loads(path.read_bytes())
    del fields["masked_below"]
    path.write_text(json.dumps(fields))
    assert StoredRanges.read(tmp_path).ranges.masked_below == 8.0


def changed(folder: Path, change) -> str:
    path = folder / QUANTIZATION_FILE
    fields = json.loads(path.read_bytes())
    change(fields)
    path.write_text(json.dumps(fields))
    with pytest.raises(ArtefactError) as refused:
        StoredRanges.read(folder)
    assert_house_form(str(refused.value))
    return str(refused.value)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda fields: fields.update(format="other"), "a file of the format 'edgebert quantization'"),
        (lambda fields: fields.update(version=2), "version 1 of the format, got 2"),
        (lambda fields: fields.update(scheme="dynamic"), "a scheme among static, full-int8, got 'dynamic'"),
        (lambda fields: fields.update(scheme="full-int8"), "places in full-int8 and in no other scheme, got 0 in full"),
        (lambda fields: fields.update(places=[{"place": "x", "range": [-1, 1], "learns": True}]), "got 1 in static"),
        (lambda fields: fields.update(places=[{"place": "x", "range": [-1, 1]}]), "in places the fields"),
        (lambda fields: fields.update(masked_below=8), "in it the fields"),
        (lambda fields: fields.update(places=[], masked_below=-8), "masked_below above 0, got -8"),
        (lambda fields: fields.update(more=1), "in it the fields"),
        (lambda fields: fields.pop("tables"), "in it the fields"),
        (lambda fields: fields["reads"][0].pop("learns"), "in reads the fields"),
        (lambda fields: fields["reads"][0].update(layers=[]), "layers that read each site, got none"),
        (lambda fields: fields["reads"][0].update(factors=[1.0, 0.0]), r"factors above 0, got 0\.0"),
        (lambda fields: fields["written"][0].update(range=[0.5, 1.0]), "two numbers with 0 between them"),
        (lambda fields: fields["written"][0].update(range=[-1.0, None]), "finite numbers as range"),
        (lambda fields: fields["written"].append(fields["written"][0]), "every site once"),
        (lambda fields: fields["reads"].append({**fields["reads"][0], "layers": ["x", *fields["reads"][0]["layers"]]}),
         "every site once"),
        (lambda fields: fields["scores"][0].update(learns=1), "learns to be a bool"),
        (lambda fields: fields.update(weights_sha256=None), "weights_sha256 to be a str"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(folder: Path, change, told: str) -> None:
    assert told.replace("\\", "") in changed(folder, change)


def test_no_json_and_no_finite_numbers_are_refused(folder: Path) -> None:
    path = folder / QUANTIZATION_FILE
    for content in ("{", path.read_text().replace('"factors": null', '"factors": [Infinity]', 1)):
        path.write_text(content)
        with pytest.raises(ArtefactError, match="expected"):
            StoredRanges.read(folder)


def test_changing_every_site_leaves_the_rest() -> None:
    held = start().ranges.mapped(lambda site: dataclasses.replace(site, learns=False))
    assert not any(site.learns for site in held.sites)
    assert held.tables == start().ranges.tables
