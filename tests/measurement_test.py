"""The record is evidence: what was written comes back, and what is not a record is refused by name."""

import copy
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.errors import MeasurementError
from edgebert.measurement import NO_SAMPLES, Samples
from edgebert.measurement_file import DERIVED_KEY, from_json, read_record, to_json
from tests.benchmark.records import (
    make_case,
    make_counts,
    make_emulation,
    make_record,
    make_samples,
    make_tool_statistics,
)


def document() -> dict:
    times = make_samples([1e6] * 20)
    samples = dataclasses.replace(times, values={**times.values, "all_instructions": (10**6,) * 20})
    full = make_case(samples, emulation=make_emulation(), tool_statistics=(make_tool_statistics(),))
    return json.loads(to_json(make_record(full, dataclasses.replace(full, model=1), place="emulated")))


def times() -> dict:
    return json.loads(to_json(make_record()))


def leaves(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every plain value in a document, the first item of a list standing for the others."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))
    else:
        yield path


def objects(value: object, path: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        yield path
        for key, item in value.items():
            yield from objects(item, (*path, key))
    elif isinstance(value, list) and value:
        yield from objects(value[0], (*path, 0))


def at(value: object, path: tuple) -> object:
    for step in path:
        value = value[step]
    return value


def dotted(path: tuple) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return text.removeprefix(".")


# Whose keys are names of the writer's choice: operators, sensors, metrics.
FREE_KEYS = ("operators_outside", "temperatures_celsius", "values", "instructions_by_function")
# Fields that records had not from the beginning: a reader does without (an emulated core's record never was).
ADDED_LATER = {
    "tool_statistics": (),
    "thermal_status": None,
    "loaded_growth_bytes": None,
    "overall_growth_bytes": None,
}
LEAVES = [path for path in leaves(document()) if path[0] not in ("schema", "schema_version")]
FIXED_KEYS = [
    (*path, key)
    for path in objects(document())
    if not path or path[-1] not in FREE_KEYS
    for key in at(document(), path)
]


def refused(content: object) -> str:
    with pytest.raises(MeasurementError) as caught:
        from_json(content if isinstance(content, bytes) else json.dumps(content).encode(), "record.json")
    message = str(caught.value)
    assert message.startswith("record.json: ") and "\n" not in message and " Do: " in message
    return message


def test_every_record_comes_back_equal() -> None:
    record = make_record()
    assert from_json(to_json(record), "record.json") == record
    emulated = make_record(make_case(make_counts([10**6]), emulation=make_emulation()), place="emulated")
    assert from_json(to_json(emulated), "record.json") == emulated


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.tuples(st.integers(-1, 2**40), st.integers(0, 3), st.integers(1, 2**63 - 1)), max_size=30),
    wanted=st.sampled_from(["wall_ns", "simd_instructions", "peak_bytes", "cache_miss_count"]),
)
def test_any_samples_come_back_equal(rows: list, wanted: str) -> None:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    samples = Samples(rounds=columns[0], inputs=columns[1], values={wanted: columns[2]})
    samples = dataclasses.replace(samples, values={"wall_ns": (1,) * len(samples), **samples.values})
    record = make_record(make_case(samples, lengths=(8, 8, 16, 32)))
    assert from_json(to_json(record), "record.json") == record


@pytest.mark.parametrize("path", LEAVES, ids=dotted)
def test_a_value_of_the_wrong_type_is_refused_by_its_path(path: tuple) -> None:
    changed = document()
    holder = at(changed, path[:-1])
    holder[path[-1]] = ["no", {"such": "value"}] if isinstance(at(document(), path), str) else "no such value"
    assert dotted(path) in refused(changed)


@pytest.mark.parametrize("path", FIXED_KEYS, ids=dotted)
def test_a_missing_key_and_an_unknown_key_are_refused_by_path(path: tuple) -> None:
    missing = document()
    del at(missing, path[:-1])[path[-1]]
    unknown = document()
    at(unknown, path[:-1])[f"{path[-1]}_x"] = 1
    if path in (("schema",), ("schema_version",)):
        refused(missing)
        return
    assert f"{dotted(path)}_x" in refused(unknown)
    if path[-1] in ADDED_LATER:
        read = dataclasses.asdict(from_json(json.dumps(missing).encode(), "record.json"))
        assert at(read, path) == ADDED_LATER[path[-1]]
    else:
        assert dotted(path) in refused(missing)


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        (("schema_version",), 2, "schema_version 1"),
        (("schema_version",), True, "schema_version 1"),
        (("schema",), "pyperf", "schema"),
        (("complete",), False, "incomplete_reason"),
        (("cases", 0, "threads"), 0, "cases[0].threads"),
        (("cases", 1, "model"), 2, "cases[1].model"),
        (("cases", 0, "samples", "values", "wall_ns"), [1, 2], "cases[0].samples.values.wall_ns"),
        (("cases", 0, "samples", "values", "wall_ns"), [-1] * 20, "cases[0].samples.values.wall_ns"),
        (("cases", 0, "samples", "values", "wall_ns"), [0] * 20, "cases[0].samples.values.wall_ns: expected 1 or"),
        (("cases", 0, "samples", "values", "wall_ns"), [10**400] * 20, "values.wall_ns[0]: expected a number of 64"),
        (("cases", 0, "samples", "values", "all_instructions"), [0] * 20, "values.all_instructions: expected 1 or"),
        (("cases", 0, "samples", "values"), {"wall_ns": [1] * 20}, "cases[0].samples.values: expected all_instruct"),
        (("cases", 0, "samples"), {"rounds": [], "inputs": [], "values": {}}, "cases[0].samples: expected some of an"),
        (("cases", 0, "samples", "inputs"), [7] * 20, "cases[0].samples.inputs"),
        (("cases", 0, "samples", "inputs"), [-1] * 20, "cases[0].samples.inputs: expected inputs from 0 to 0"),
        (("cases", 0, "tool_statistics", 0, "input"), -1, "cases[0].samples.inputs: expected inputs from 0 to 0"),
        (("cases", 0, "tool_statistics", 0, "runs"), 0, "cases[0].tool_statistics[0].runs"),
        (("cases", 0, "inputs"), {**document()["cases"][0]["inputs"], "lengths": [], "token_counts": []}, "lengths"),
        (("cases", 0, "inputs", "lengths"), [0], "cases[0].inputs.lengths"),
        (("cases", 0, "emulation", "agreement", "largest_value"), None, "agreement.largest_value"),
        (("cases", 0, "emulation"), None, "cases[0].emulation: expected a core at 'emulated'"),
        (("place",), "host", "cases[0].emulation: expected null at 'host'"),
        (("cases", 1, "model"), 0, "cases[1]: expected each setting once"),
        (("protocol", "seed"), -1, "protocol.seed: expected zero or more"),
        (("cases",), [], "cases: expected at least one"),
        (("cases", 0, "load", "open_ns"), 2**63, "cases[0].load.open_ns: expected a number of 64 bits"),
        (("conditions_before", "at_utc"), "yesterday", "conditions_before.at_utc"),
        (("conditions_after", "at_utc"), "2026-11-20T12:01:00", "conditions_after.at_utc: expected a time zone"),
        (("provenance", "started_at_utc"), "", "provenance.started_at_utc"),
        (("provenance", "finished_at_utc"), "now", "provenance.finished_at_utc"),
        (("cases", 0, "samples", "values"), {"latency": [1] * 20}, "cases[0].samples.values.latency"),
        (("cases", 0, "inputs", "kind"), "guessed", "cases[0].inputs.kind"),
        (("cases", 0, "inputs", "lengths"), [32, 32], "cases[0].inputs.lengths"),
        (("models", 0, "sha256"), "abc", "models[0].sha256"),
    ],
)
def test_a_contradiction_is_refused(path: tuple, value: object, named: str) -> None:
    changed = document()
    at(changed, path[:-1])[path[-1]] = value
    assert named in refused(changed)


def test_times_without_wall_time_are_refused() -> None:
    changed = times()
    del changed["cases"][0]["samples"]["values"]["wall_ns"]
    assert "cases[0].samples.values: expected wall_ns" in refused(changed)


def test_a_number_too_large_for_arithmetic_is_refused() -> None:
    changed = to_json(make_record()).replace(b'"load_average_1m": 0.5', b'"load_average_1m": 1e999', 1)
    assert "conditions_before.load_average_1m: expected a number of 64 bits" in refused(changed)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"schema": NaN}'])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    refused(content)


def test_not_a_number_is_refused() -> None:
    changed = to_json(make_record()).replace(b'"load_average_1m": 0.5', b'"load_average_1m": NaN')
    assert "NaN" in refused(changed)


def test_what_was_derived_is_dropped_on_reading() -> None:
    record = make_record()
    content = to_json(record, {"median_ns": 5})
    assert json.loads(content)[DERIVED_KEY] == {"median_ns": 5}
    assert from_json(content, "record.json") == record


def test_a_column_is_one_line() -> None:
    record = make_record(make_case(make_samples(range(1_000_000, 1_001_000))))
    lines = to_json(record).decode().splitlines()
    assert len(lines) < 200
    assert sum("1000999" in line for line in lines) == 3


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ValueError, match="inputs"):
        dataclasses.replace(make_samples([1, 2]), rounds=(0,))
    assert copy.deepcopy(NO_SAMPLES) == NO_SAMPLES


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(MeasurementError, match=r"gone\.json: expected a measurement, got 'No such file"):
        read_record(tmp_path / "gone.json")
