"""What is shown of a tool that kept its runs to itself."""

from edgebert.benchmark.phone.report import growth_rows, statistics_rows
from edgebert.benchmark.report import latency_rows, report_on, verdict_lines
from edgebert.measurement import NO_SAMPLES
from tests.benchmark.records import make_case, make_record, make_samples, make_tool_statistics


def test_statistics_alone_have_a_table_of_their_own() -> None:
    told = (
        make_tool_statistics(runs=30, mean_ns=1_000_000, minimum_ns=900_000, maximum_ns=2_000_000),
        make_tool_statistics(runs=10, mean_ns=2_000_000, minimum_ns=1_500_000, maximum_ns=9_000_000, round=1),
    )
    record = make_record(
        make_case(NO_SAMPLES, tool_statistics=told),
        make_case(make_samples([1e6] * 20), tool_statistics=told, threads=2),
    )
    header, rows = statistics_rows(record)
    assert [dict(zip(header, row, strict=True)) for row in rows] == [
        {
            "model": "a.tflite",
            "threads": "1",
            "tokens": "32",
            "processes": "2",
            "runs": "40",
            "mean ms": "1.25",
            "min ms": "0.900",
            "max ms": "9.00",
        }
    ]
    report = report_on(record)
    assert len(latency_rows(report)[1]) == 1
    assert "of 40 runs the tool told statistics and no run's own time" in verdict_lines(report)[0]


def test_a_record_without_them_has_none() -> None:
    assert statistics_rows(make_record())[1] == []


def test_memory_is_a_table_where_the_tool_tells_it() -> None:
    grown = [make_tool_statistics(loaded_growth_bytes=size, overall_growth_bytes=9 * size) for size in (10**6, 10**8)]
    untold = make_tool_statistics()
    record = make_record(
        make_case(NO_SAMPLES, tool_statistics=(*grown, grown[0], untold)),
        make_case(NO_SAMPLES, tool_statistics=(untold,), threads=2),
    )
    header, rows = growth_rows(record)
    assert rows == [("a.tflite", "1", "32", "3", "1.0", "9.0")] and len(header) == len(rows[0])
    assert growth_rows(make_record())[1] == []
