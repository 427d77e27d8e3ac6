"""Profiles on disk."""

import json
from pathlib import Path

import pytest

from edgebert.benchmark.profiling.profile import Profile, read_profile, to_json
from edgebert.errors import MeasurementError
from tests.benchmark.profiling.profiles import make_case_profile, make_counted_profile, make_operators, make_profile
from tests.data.house_form import assert_house_form


def written(profile: Profile, folder: Path) -> Path:
    path = folder / "profile.json"
    path.write_bytes(to_json(profile))
    return path


def test_a_profile_is_read_as_it_was_written(tmp_path: Path) -> None:
    profile = make_profile(make_case_profile(make_operators()), make_case_profile(make_operators()[:1]))
    assert read_profile(written(profile, tmp_path)) == profile


def test_a_file_of_instructions_says_that_they_are_no_time(tmp_path: Path) -> None:
    profile = make_counted_profile()
    path = written(profile, tmp_path)
    told = json.loads(path.read_bytes())["derived"]["explanation"]
    assert told.startswith("A cost proxy for comparing models on one core and one runtime, not a time: ")
    assert read_profile(path) == profile
    assert "derived" not in json.loads(written(make_profile(), tmp_path).read_bytes())


def test_each_operator_is_a_line(tmp_path: Path) -> None:
    lines = written(make_profile(), tmp_path).read_text().splitlines()
    assert sum('"costs"' in line for line in lines) == len(make_operators())


@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (lambda d: d.update(schema="other"), "expected a profile (schema 'edgebert-profile'), got another document"),
        (lambda d: d.update(schema_version=2), "expected schema_version 1, got 2"),
        (lambda d: d.update(more=1), "more: expected a known key"),
        (lambda d: d["cases"].pop(), "cases: expected one for each"),
        (lambda d: d["cases"][0]["operators"][0]["costs"].pop(), "cases[0].rounds: expected 40 values each"),
        (lambda d: d["cases"][0]["operators"][1].update(piece="first"), "cases[0].operators[1].piece: expected int"),
        (lambda d: d["cases"][0].pop("whole"), "cases[0].whole: expected a value"),
        (lambda d: d["measurement"].update(place=1), "measurement.place: expected str"),
    ],
)
def test_half_understood_evidence_is_none(tmp_path: Path, edit: object, named: str) -> None:
    path = written(make_profile(), tmp_path)
    document = json.loads(path.read_bytes())
    edit(document)
    path.write_text(json.dumps(document))
    with pytest.raises(MeasurementError) as raised:
        read_profile(path)
    assert named in str(raised.value)
    assert_house_form(str(raised.value))


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "profile.json"
    path.write_bytes(content)
    with pytest.raises(MeasurementError, match="expected a profile"):
        read_profile(path)
