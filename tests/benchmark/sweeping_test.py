"""The table of a sweep: every figure where it belongs."""

import dataclasses

from edgebert.benchmark.sweeping import sweep_rows
from edgebert.measurement import Record
from tests.benchmark.records import make_case, make_counts, make_emulation, make_record, make_samples


def rows(record: Record) -> list[dict]:
    header, body = sweep_rows(record)
    assert all(len(row) == len(header) for row in body)
    return [dict(zip(header, row, strict=True)) for row in body]


def case(milliseconds: float, threads: int, length: int, model: int = 0) -> object:
    return make_case(make_samples([milliseconds * 1e6] * 20), model, (length,), threads=threads, length=length)


def test_lengths_down_and_threads_across() -> None:
    swept = rows(make_record(case(1, 1, 16), case(8, 1, 128), case(2, 2, 16), case(4, 2, 128), models=("a.tflite",)))
    assert swept == [
        {"model": "a.tflite", "tokens": "16", "1 thread ms": "1.00", "2 threads ms": "2.00", "2 threads": "2.00x",
         "curve": "###"},
        {"model": "a.tflite", "tokens": "128", "1 thread ms": "8.00", "2 threads ms": "4.00", "2 threads": "0.50x",
         "curve": "#" * 24},
    ]  # fmt: skip


def test_each_model_has_its_own_curve() -> None:
    swept = rows(make_record(case(1, 1, 16), case(100, 1, 16, 1), case(2, 1, 32), case(200, 1, 32, 1)))
    assert [(row["model"], row["tokens"], len(row["curve"])) for row in swept] == [
        ("a.tflite", "16", 12),
        ("a.tflite", "32", 24),
        ("b.tflite", "16", 12),
        ("b.tflite", "32", 24),
    ]


def test_a_bar_is_never_nothing() -> None:
    swept = rows(make_record(case(0.001, 1, 16), case(1000, 1, 128), models=("a.tflite",)))
    assert [row["curve"] for row in swept] == ["#", "#" * 24]


def test_a_setting_that_was_not_reached_is_a_dash() -> None:
    empty = dataclasses.replace(case(1, 2, 16), samples=make_samples([]))
    swept = rows(make_record(case(1, 1, 16), empty, case(1, 2, 32), models=("a.tflite",)))
    assert [(row["1 thread ms"], row["2 threads ms"], row["2 threads"]) for row in swept] == [
        ("1.00", "-", "-"),
        ("-", "1.00", "-"),
    ]


def test_counts_core_by_core() -> None:
    def counted(millions: int, core: str, length: int) -> object:
        return make_case(
            make_counts([millions * 10**6]), lengths=(length,), length=length, emulation=make_emulation(core=core)
        )

    cases = [counted(millions, core, length) for core, millions in (("a53", 4), ("a76", 2)) for length in (16, 32)]
    swept = rows(make_record(*cases, models=("a.tflite",), place="emulated"))
    assert [(row["core"], row["tokens"], row["1 thread M"]) for row in swept] == [
        ("a53", "16", "4.00"),
        ("a53", "32", "4.00"),
        ("a76", "16", "2.00"),
        ("a76", "32", "2.00"),
    ]


def test_one_setting_is_no_sweep() -> None:
    assert sweep_rows(make_record()) == ((), [])
