"""Tables of a record made by hand, where every figure is known."""

import dataclasses
import json

from edgebert.benchmark.report import base_of, derived, latency_rows, milliseconds, ratio_rows, report_on, start_rows
from edgebert.benchmark.report import verdict_lines as lines_of
from edgebert.measurement import Memory, Record, Samples
from tests.benchmark.records import make_case, make_record, make_samples


def rows(table: tuple) -> list[dict]:
    header, body = table
    assert all(len(row) == len(header) for row in body)
    return [dict(zip(header, row, strict=True)) for row in body]


def test_the_figures_of_a_steady_record() -> None:
    report = report_on(make_record())
    first, second = rows(latency_rows(report))
    assert (first["model"], first["tokens"], first["runs"], first["median ms"]) == ("a.tflite", "32", "20", "1.00")
    assert (second["median ms"], second["CPU ms"], second["resize ms"]) == ("2.00", "2.00", "-")
    (ratio,) = rows(ratio_rows(report))
    assert (ratio["model"], ratio["wall time"], ratio["compared with"]) == ("b.tflite", "2.000x", "a.tflite")
    start = rows(start_rows(report))[0]
    assert (start["load ms"], start["first run ms"]) == ("3.00", "3.00")
    assert (start["peak MB"], start["model's MB"], start["delegated"]) == (
        "50.0",
        "10.0",
        "XNNPACK 55/63 nodes, 2 parts",
    )
    assert lines_of(report) == ["a.tflite, 1 thread, 32 tokens: steady", "b.tflite, 1 thread, 32 tokens: steady"]


def test_equal_cases_are_not_called_different() -> None:
    same = make_record(make_case(make_samples([1e6] * 20)), make_case(make_samples([1e6] * 20), model=1))
    assert "b.tflite, 1 thread, 32 tokens: no difference shown to a.tflite" in lines_of(report_on(same))


def test_unknown_facts_are_dashes() -> None:
    bare = make_case(make_samples([1e6] * 20), load=None, memory=None, delegation=None)
    start = rows(start_rows(report_on(make_record(bare))))[0]
    assert [start[name] for name in ("load ms", "first run ms", "peak MB", "model's MB", "delegated")] == ["-"] * 5


def test_a_runtime_that_tells_no_cpu_time_is_compared_by_wall_time() -> None:
    def case(wall_ns: float, model: int) -> object:
        samples = make_samples([wall_ns] * 20)
        return make_case(Samples(samples.rounds, samples.inputs, {"wall_ns": samples.values["wall_ns"]}), model=model)

    report = report_on(make_record(case(1e6, 0), case(2e6, 1)))
    assert [row["CPU ms"] for row in rows(latency_rows(report))] == ["-", "-"]
    (ratio,) = rows(ratio_rows(report))
    assert (ratio["wall time"], ratio["CPU time"]) == ("2.000x", "-")
    assert json.dumps(derived(report))


def test_a_clock_too_coarse_for_cpu_time_gives_no_ratio_of_it() -> None:
    samples = make_samples([1e6] * 20)
    coarse = dataclasses.replace(samples, values={**samples.values, "process_cpu_ns": (0,) * 20})
    for pair in ((coarse, samples), (samples, coarse), (coarse, coarse)):
        report = report_on(make_record(make_case(pair[0]), make_case(pair[1], model=1)))
        (ratio,) = rows(ratio_rows(report))
        assert (ratio["wall time"], ratio["CPU time"]) == ("1.000x", "-")
        assert json.dumps(derived(report), allow_nan=False)


def test_a_peak_that_may_be_the_imports_is_no_models() -> None:
    memory = Memory(40_000_000, 45_000_000, 46_000_000, 50_000_000, peak_is_since_load=False)
    start = rows(start_rows(report_on(make_record(make_case(make_samples([1e6] * 20), memory=memory)))))[0]
    assert (start["peak MB"], start["model's MB"]) == ("50.0", "-")


def settings(record: Record) -> list:
    return [
        None if (base := base_of(record, position)) is None else (record.cases[base].model, record.cases[base].threads)
        for position in range(len(record.cases))
    ]


def test_what_is_compared_with_what() -> None:
    samples = make_samples([1e6] * 20)
    many = [make_case(samples, model=model, threads=threads) for threads in (1, 2) for model in (0, 1)]
    assert settings(make_record(*many)) == [None, (0, 1), None, (0, 2)]
    one = [make_case(samples, threads=threads) for threads in (1, 2)]
    assert settings(make_record(*one, models=("a.tflite",))) == [None, (0, 1)]


def test_files_of_one_name_are_numbered() -> None:
    report = report_on(make_record(models=("m.tflite", "m.tflite")))
    assert [entry.label for entry in report.cases] == ["m.tflite #1", "m.tflite #2"]


def test_a_case_without_runs_is_no_row_but_is_told() -> None:
    partial = make_record(
        make_case(make_samples([1e6] * 20)),
        make_case(make_samples([]), model=1),
        complete=False,
        incomplete_reason="interrupted",
        conditions_after=None,
    )
    report = report_on(partial)
    assert [row["model"] for row in rows(latency_rows(report))] == ["a.tflite"]
    assert ratio_rows(report)[1] == []
    assert lines_of(report) == [
        "this run: the run did not finish: interrupted",
        "a.tflite, 1 thread, 32 tokens: steady",
        "b.tflite, 1 thread, 32 tokens: no run was finished",
    ]


def test_what_is_derived_is_plain_json() -> None:
    plain = json.loads(json.dumps(derived(report_on(make_record())), allow_nan=False))
    assert plain["cases"][1]["wall_ratio"]["ratio"] == 2
    assert plain["cases"][0]["wall_ns"]["median"] == 1_000_000


def test_three_digits_that_count() -> None:
    assert [milliseconds(value) for value in (123_456, 1_234_567, 12_345_678, 123_456_789)] == [
        "0.123",
        "1.23",
        "12.3",
        "123",
    ]
