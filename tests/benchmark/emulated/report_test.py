"""Tables of a record made by hand, where every figure is known."""

import dataclasses
import json

import pytest

from edgebert.benchmark.emulated.counts import CLASSES
from edgebert.benchmark.emulated.report import (
    EXPLANATION,
    GROUPS,
    base_of,
    bounds_of_mean,
    count_rows,
    count_verdict_lines,
    derived_counts,
    function_lines,
    millions,
    repeats_within,
    report_on_counts,
)
from edgebert.errors import MeasurementError
from edgebert.measurement import Case, Record, Samples
from tests.benchmark.records import make_case, make_emulation, make_record


def counted(
    totals: tuple[int, ...], model: int = 0, core: str = "cortex-a76", length: int | None = 32, **changes: object
) -> Case:
    """One input, a round for each of `totals`, and every class the same but the first, which has the rest."""
    share = min(totals) // 100
    columns = {name: (share,) * len(totals) for name in CLASSES[1:]}
    columns[CLASSES[0]] = tuple(total - share * (len(CLASSES) - 1) for total in totals)
    samples = Samples(
        rounds=tuple(range(len(totals))),
        inputs=(0,) * len(totals),
        values={"all_instructions": totals, **{f"{name}_instructions": column for name, column in columns.items()}},
    )
    emulation = make_emulation(core=core, **changes)
    return make_case(samples, model=model, length=length, load=None, memory=None, emulation=emulation)


def make_counts(*cases: Case, **changes: object) -> Record:
    return make_record(*cases, place="emulated", **changes)


def rows(record: Record) -> list[dict]:
    header, body = count_rows(report_on_counts(record))
    return [dict(zip(header, row, strict=True)) for row in body]


def test_every_class_is_in_one_column() -> None:
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(CLASSES)


def test_the_figures_of_two_models_on_two_cores() -> None:
    cores = ("cortex-a76", "cortex-a53")
    cases = [counted(((model + 1) * 10**8,) * 2, model=model, core=core) for core in cores for model in (0, 1)]
    table = rows(make_counts(*cases))
    assert [(row["model"], row["core"]) for row in table] == [
        (model, core) for core in cores for model in ("a.tflite", "b.tflite")
    ]
    assert [row["M instructions"] for row in table] == ["100.00", "200.00"] * 2
    assert [row["of the first"] for row in table] == ["-", "2.000x"] * 2
    for row in table:
        assert sum(float(row[group]) for group in GROUPS) == float(row["M instructions"])


def test_what_is_compared_with_what() -> None:
    def bases(record: Record) -> list[int | None]:
        return [base_of(record, position) for position in range(len(record.cases))]

    many = [
        counted((100,) * 2, model=model, core=core, length=length)
        for core in ("i8mm", "cortex-a53")
        for length in (16, 32)
        for model in (0, 1)
    ]
    assert bases(make_counts(*many)) == [None, 0, None, 2, None, 4, None, 6]
    one = [counted((100,), core=core, length=length) for core in ("i8mm", "cortex-a53") for length in (16, 32)]
    assert bases(make_counts(*one, models=("a.tflite",))) == [None, 0, None, 2]


def test_a_count_that_repeats_and_agrees_is_said_to() -> None:
    record = make_counts(counted((10**8, 10**8)), counted((10**8,), model=1))
    first, second = count_verdict_lines(record, report_on_counts(record))
    assert first == (
        "a.tflite on cortex-a76, 32 tokens: repeats in 2 rounds; 4 output values within 1.0e-03 of this machine's "
        "(tolerance 8.5e-03, dynamic-range int8)"
    )
    assert "counted once; 4 output values" in second


def test_what_is_to_be_distrusted_is_said() -> None:
    agreement = make_emulation().agreement
    far = dataclasses.replace(agreement, largest_difference=0.02)
    odd = dataclasses.replace(agreement, largest_difference=None, largest_value=None)
    record = make_counts(
        counted((10**8, 10**8 + 50_000)),
        counted((10**8,) * 2, model=1, agreement=far),
        counted((10**8,) * 2, model=1, agreement=odd, core="i8mm"),
        complete=False,
        incomplete_reason="interrupted",
    )
    unfinished, repeated, differing, no_number = count_verdict_lines(record, report_on_counts(record))
    assert unfinished == "this run: the run did not finish: interrupted"
    assert repeated.endswith("counted again with up to 0.05% more instructions; these counts are no exact ones")
    assert "differ from this machine's by 2.0e-02, more than 8.5e-03 of 1 (dynamic-range int8)" in differing
    assert no_number.endswith("some answers are not numbers")


def test_a_count_that_repeats_but_nearly_says_by_how_much() -> None:
    record = make_counts(counted((10**8, 10**8 + 5_000)), counted((10**8, 10**8 + 1), model=1))
    first, second = count_verdict_lines(record, report_on_counts(record))
    assert "tokens: repeats to within 5,000 instructions in 2 rounds; 4 output values" in first
    assert "tokens: repeats to within 1 instruction in 2 rounds; 4 output values" in second
    told = derived_counts(report_on_counts(record))["cases"]
    assert [case["repeats_within_instructions"] for case in told] == [5_000, 1]


def test_repetitions_are_of_one_input() -> None:
    samples = dataclasses.replace(counted((100, 900, 103, 900)).samples, inputs=(0, 1, 0, 1), rounds=(0, 0, 1, 1))
    two_texts = make_case(samples, lengths=(32, 32), emulation=make_emulation())
    assert (repeats_within(two_texts), bounds_of_mean(two_texts)) == (3, (500, 501.5))


def test_tens_of_instructions_of_the_allocator_are_no_verdict() -> None:
    (report,) = report_on_counts(make_counts(counted((60_000, 60_039)), models=("a.tflite",)))
    assert report.verdicts == ()
    (report,) = report_on_counts(make_counts(counted((60_000, 60_390)), models=("a.tflite",)))
    assert [verdict.kind for verdict in report.verdicts] == ["not repeated"]


def test_the_largest_functions_are_named_with_their_share() -> None:
    record = make_counts(counted((1000, 1000)), models=("a.tflite",))
    assert function_lines(report_on_counts(record)) == [
        "a.tflite on cortex-a76, 32 tokens: 70% gemm, 20% softmax, 10% (libc.so.6)"
    ]


def test_counts_without_a_class_are_refused() -> None:
    record = make_counts(counted((1000, 1000)), models=("a.tflite",))
    samples = dataclasses.replace(record.cases[0].samples, values={"all_instructions": (1000, 1000)})
    bare = dataclasses.replace(record, cases=(dataclasses.replace(record.cases[0], samples=samples),))
    with pytest.raises(MeasurementError, match="expected the instructions of every class, got none of int8_dot_pro"):
        report_on_counts(bare)


def test_functions_without_instructions_have_no_share() -> None:
    record = make_counts(counted((1000, 1000), instructions_by_function={"gemm": 0}), models=("a.tflite",))
    assert function_lines(report_on_counts(record)) == ["a.tflite on cortex-a76, 32 tokens: 0% gemm"]


def test_nothing_speaks_of_time() -> None:
    record = make_counts(counted((10**8, 10**8)), counted((2 * 10**8,) * 2, model=1))
    reports = report_on_counts(record)
    plain = json.loads(json.dumps(derived_counts(reports), allow_nan=False))
    assert plain["cases"][1]["ratio_to_first_model"] == 2
    assert plain["cases"][0]["mean_instructions"]["all"] == 10**8
    assert "not a time" in " ".join(EXPLANATION) and "not a time" in plain["explanation"]
    header, _ = count_rows(reports)
    told = json.dumps(plain["cases"]) + " ".join([*header, *count_verdict_lines(record, reports)])
    assert not any(word in told for word in ("_ns", " ms", "latency", "second", "faster", "slower"))


def test_decimals_that_count() -> None:
    assert [millions(value) for value in (39_554, 999_999, 1_234_567, 123_456_789)] == [
        *("0.040", "1.000", "1.23", "123.46")
    ]
