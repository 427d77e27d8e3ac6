"""Comparisons: what must hold for any two records, and which records are refused."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgebert.benchmark import comparing
from edgebert.benchmark.comparing import INSTRUCTIONS, TIMES, Compared, shown_ratio
from edgebert.benchmark.comparison_report import comparison_document, comparison_lines, comparison_rows, conclusion
from edgebert.benchmark.provenance import FACTS
from edgebert.errors import MeasurementError
from edgebert.measurement import CoreCluster, Record, Runtime, Samples
from tests.benchmark.records import make_case, make_conditions, make_emulation, make_record, make_samples
from tests.data.house_form import assert_house_form

SECONDS_LATER = "2026-11-20T13:00:00.000Z"


def make_one(values: object, record: dict | None = None, **case: object) -> Record:
    """A record of one case of a.tflite."""
    return make_record(make_case(make_samples(values), **case), models=("a.tflite",), **(record or {}))


def make_counts(instructions: int, core: str = "cortex-a76", **case: object) -> Record:
    samples = Samples((0, 1), (0, 0), {"all_instructions": (instructions,) * 2, "scalar_instructions": (5, 5)})
    case = make_case(samples, emulation=make_emulation(core=core), **case)
    return make_record(case, models=("a.tflite",), place="emulated")


def compare(first: Record, second: Record, across: object = ()) -> Compared:
    """Records made by hand are all of one moment; here each is of its own."""
    return comparing.compare(first, second if first == second else later(second), across)


def later(record: Record) -> Record:
    return dataclasses.replace(
        record, provenance=dataclasses.replace(record.provenance, started_at_utc=SECONDS_LATER, edgebert_version="9")
    )


def rebuilt(record: Record) -> Record:
    """The same, measured of another build of the model."""
    return dataclasses.replace(
        record, models=tuple(dataclasses.replace(model, sha256="8" * 64) for model in record.models)
    )


def only(compared: Compared) -> object:
    (entry,) = compared.comparisons
    return entry


samples = st.integers(3, 8).flatmap(
    lambda rounds: st.lists(st.integers(1000, 10**7), min_size=5 * rounds, max_size=5 * rounds)
)


@settings(max_examples=30, deadline=None)
@given(samples, samples)
def test_swapping_the_two_inverts_ratio_and_interval(first: list[int], second: list[int]) -> None:
    there = shown_ratio(only(compare(make_one(first), make_one(second))))
    back = shown_ratio(only(compare(make_one(second), make_one(first))))
    assert back.ratio == pytest.approx(1 / there.ratio)
    assert (back.low, back.high) == (pytest.approx(1 / there.high), pytest.approx(1 / there.low))
    assert there.low <= there.high
    assert back.differs_from_one == there.differs_from_one


@settings(max_examples=30, deadline=None)
@given(samples)
def test_a_record_compared_with_itself_gives_one(values: list[int]) -> None:
    record = make_one(values)
    compared = compare(record, record)
    ratio = shown_ratio(only(compared))
    assert ratio.ratio == 1 and ratio.low <= 1 <= ratio.high
    assert ratio.low * ratio.high == pytest.approx(1)
    assert "no difference shown" in conclusion(only(compared))
    assert "both are one measurement, compared with itself" in comparison_lines(record, record, compared)


def test_noise_is_no_less_between_a_record_and_itself() -> None:
    """The same rounds are not drawn for both: that would leave no interval at all."""
    record = make_one(np.repeat(np.random.default_rng(5).normal(1e6, 1e5, 20), 5))
    ratio = shown_ratio(only(compare(record, record)))
    assert ratio.low < 0.97 and ratio.high > 1.03


@settings(max_examples=20, deadline=None)
@given(samples, st.integers(2, 50))
def test_a_factor_is_found(values: list[int], factor: int) -> None:
    ratio = shown_ratio(only(compare(make_one(values), make_one([value * factor for value in values]))))
    assert ratio.ratio == pytest.approx(factor)
    assert ratio.low <= factor * (1 + 1e-9) and factor <= ratio.high * (1 + 1e-9)


@pytest.mark.long
def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Two hundred pairs of records whose true ratio is 1.05, with noise that whole rounds share."""
    draw = np.random.default_rng(3)
    inside = 0
    for _ in range(200):
        moments = (np.repeat(draw.normal(1, 0.05, 30), 5) + draw.normal(0, 0.01, 150) for _ in range(2))
        first, second = (1e6 * scale * moment for scale, moment in zip((1, 1.05), moments, strict=True))
        ratio = shown_ratio(only(compare(make_one(first), make_one(second))))
        inside += ratio.low <= 1.05 <= ratio.high
    assert 0.90 <= inside / 200 <= 0.99


def test_a_difference_smaller_than_the_noise_is_called_so() -> None:
    draw = np.random.default_rng(4)
    first, second = (make_one(np.repeat(draw.normal(1e6, 2e5, 20), 5)) for _ in range(2))
    assert "no difference shown: noise of -" in conclusion(only(compare(first, second)))


def test_a_difference_is_said_with_its_doubts() -> None:
    steady, faster = make_one([1e6] * 100), rebuilt(make_one([8e5] * 100))
    assert conclusion(only(compare(steady, faster))) == "20.0% faster"
    waiting = rebuilt(make_one([8e5] * 100, warmup_settled=False))
    assert conclusion(only(compare(steady, waiting))) == "20.0% faster, but not steady (warm-up)"


@pytest.mark.parametrize(
    ("after", "doubt"),
    [
        ({"busy_cpu_ns": 1_000_000_000_000 + 60_000_000_000}, "other load"),
        ({"temperatures_celsius": {"thermal_zone0 cpu-thermal": 60.0}}, "heat"),
        ({"throttle_count": 4}, "throttled"),
        ({"frequencies_hz": (1_500_000_000, 1_300_000_000)}, "frequency"),
    ],
)
@pytest.mark.parametrize("troubled", [0, 1])
def test_what_is_to_be_doubted_of_either_run_is_in_the_conclusion(after: dict, doubt: str, troubled: int) -> None:
    records = [make_one([1e6] * 100), rebuilt(make_one([8e5] * 100))]
    conditions = make_conditions(at_utc="2026-11-20T12:01:00.000Z", **after)
    records[troubled] = dataclasses.replace(records[troubled], conditions_after=conditions)
    assert conclusion(only(compare(*records))) == f"20.0% faster, but not steady ({doubt})"


def test_an_unfinished_run_is_in_the_conclusion() -> None:
    unfinished = {"complete": False, "incomplete_reason": "interrupted", "conditions_after": None}
    entry = only(compare(make_one([1e6] * 100), rebuilt(make_one([8e5] * 100, unfinished))))
    assert conclusion(entry) == "20.0% faster, but not steady (incomplete)"


def test_one_file_measured_twice_is_never_faster_than_itself() -> None:
    entry = only(compare(make_one([1e6] * 100), make_one([8e5] * 100)))
    assert entry.repeated and conclusion(entry) == "repetition differs by 20.0%"
    busy = make_one([8e5] * 100, warmup_settled=False)
    assert conclusion(only(compare(make_one([1e6] * 100), busy))) == "repetition differs by 20.0% (warm-up)"
    counts = only(compare(make_counts(1_000_000), make_counts(750_000)))
    assert conclusion(counts) == "repetition differs by 25.00%"
    elsewhere = device(make_one([8e5] * 100), name="Raspberry Pi 5")
    assert conclusion(only(compare(make_one([1e6] * 100), elsewhere, across=["device"]))) == "20.0% faster"


def test_counts_are_said_with_their_doubts() -> None:
    agreement = dataclasses.replace(make_emulation().agreement, largest_difference=0.5)
    odd = case(make_counts(750_000), emulation=make_emulation(agreement=agreement))
    entry = only(compare(make_counts(1_000_000), rebuilt(odd)))
    assert conclusion(entry) == "25.00% fewer, but doubtful (answers differ)"


def test_too_few_rounds_give_a_ratio_without_an_interval() -> None:
    entry = only(compare(make_one([1e6] * 10), make_one([2e6] * 10)))
    assert (shown_ratio(entry).ratio, shown_ratio(entry).low) == (2, None)
    assert conclusion(entry) == "too few rounds to tell"


def test_counts_are_exact_and_compare_core_by_core() -> None:
    first = make_counts(1_000_000)
    fewer = only(compare(first, rebuilt(make_counts(750_000))))
    ratio = fewer.ratios[INSTRUCTIONS]
    assert (ratio.ratio, ratio.low, ratio.high) == (0.75, 0.75, 0.75)
    assert conclusion(fewer) == "25.00% fewer"
    assert conclusion(only(compare(first, first))) == "equal"
    with pytest.raises(MeasurementError, match="expected one that both records have"):
        compare(first, make_counts(1_000_000, core="cortex-a53"))


def test_a_comparison_of_counts_says_that_they_are_no_times() -> None:
    said = "A cost proxy for comparing models on one core and one runtime, not a time"
    first, second = make_counts(1_000_000), rebuilt(make_counts(750_000))
    compared = compare(first, second)
    assert any(line.startswith(said) for line in comparison_lines(first, second, compared))
    assert said in comparison_document(first, second, compared)["explanation"]
    times = compare(BASE, later(BASE))
    assert not any("not a time" in line for line in comparison_lines(BASE, later(BASE), times))
    assert comparison_document(BASE, later(BASE), times)["explanation"] is None


def counted(*instructions: int) -> Record:
    record = make_counts(1)
    samples = Samples((0, 1), (0, 0), {"all_instructions": instructions})
    return case(record, samples=samples)


def test_a_difference_within_what_counts_repeat_to_is_none() -> None:
    first, second = counted(1_000_000, 1_000_039), rebuilt(counted(1_000_030, 1_000_030))
    entry = only(compare(first, second))
    assert not shown_ratio(entry).differs_from_one
    assert conclusion(entry) == "no difference shown: counts of one input differ by up to 39 instructions"
    lines = comparison_lines(first, second, compare(first, second))
    assert "first, a.tflite on cortex-a76, 1 thread, 32 tokens: repeats to within 39 instructions in 2 rounds" in lines
    assert "second, a.tflite on cortex-a76, 1 thread, 32 tokens: repeats in 2 rounds" in lines
    more = only(compare(first, rebuilt(counted(1_100_000, 1_100_000))))
    assert (
        conclusion(more) == "10.00% more" and shown_ratio(more).low < shown_ratio(more).ratio < shown_ratio(more).high
    )


def test_times_and_counts_never_compare() -> None:
    for pair in ((make_one([1e6] * 20), make_counts(10)), (make_counts(10), make_one([1e6] * 20))):
        with pytest.raises(MeasurementError, match="expected two of times or two of instructions") as raised:
            compare(*pair, across=FACTS)
        assert_house_form(str(raised.value))


def device(record: Record, **changes: object) -> Record:
    return dataclasses.replace(record, device=dataclasses.replace(record.device, **changes))


def moments(record: Record, **changes: object) -> Record:
    """The same changes before and after the run."""
    after = make_conditions(at_utc="2026-11-20T12:01:00.000Z", **changes)
    return dataclasses.replace(record, conditions_before=make_conditions(**changes), conditions_after=after)


def case(record: Record, **changes: object) -> Record:
    return dataclasses.replace(record, cases=(dataclasses.replace(record.cases[0], **changes),))


BASE = make_one([1e6] * 30)
COUNTS = make_counts(10)
UNLIKE = [
    ("device", device(BASE, name="Raspberry Pi 5"), "device: Raspberry Pi 4 Model B Rev 1.5 and Raspberry Pi 5"),
    ("device", device(BASE, soc=None), "SoC: brcm,bcm2711 and unknown"),
    ("device", device(BASE, architecture="x86_64"), "architecture: aarch64 and x86_64"),
    ("device", device(BASE, cpu_features=("asimd", "i8mm")), "CPU features: asimd and asimd, i8mm"),
    ("device", device(BASE, logical_cores=8), "cores: 4, 4"),
    ("device", device(BASE, memory_bytes=1), "memory: 3976179712 and 1"),
    ("device", device(BASE, is_virtual=True), "virtual machine: unknown and True"),
    ("system", device(BASE, operating_system="other"), "operating system"),
    ("system", device(BASE, kernel="6.6"), "kernel: 6.1.21-v8+ and 6.6"),
    (
        "system",
        device(BASE, clusters=(CoreCluster((0, 1, 2, 3), "Cortex-A72", 600_000_000, 1_500_000_000, "performance"),)),
        "governor: ondemand and performance",
    ),
    ("system", moments(BASE, frequencies_hz=(600_000_000,) * 2), "frequency: 1,500 MHz and 600 MHz"),
    ("system", moments(BASE, frequencies_hz=(1_400_000_000, None)), "frequency: 1,500 MHz and 1,400 MHz"),
    ("system", moments(BASE, frequencies_hz=()), "frequency: 1,500 MHz and unknown"),
    ("system", moments(BASE, thermal_status="severe"), "thermal status: none and severe"),
    ("place", dataclasses.replace(BASE, place="ssh"), "place: host and ssh"),
    ("runtime", case(BASE, runtime=Runtime("LiteRT", "2.4.0", "XNNPACK", "3.11.7", "2.1.3")), "2.3.0 and LiteRT 2.4.0"),
    ("runtime", case(BASE, runtime=Runtime("LiteRT", "2.3.0", None, "3.11.7", "2.1.3")), "XNNPACK and unknown"),
    ("cores", case(BASE, affinity=(3,)), "allowed cores: 0, 1 and 3"),
    ("inputs", case(BASE, inputs=dataclasses.replace(BASE.cases[0].inputs, sha256="9" * 64)), "texts 999999999999"),
    ("emulator", case(COUNTS, emulation=make_emulation(emulator="qemu 9")), "emulator: qemu-aarch64 1:7.2 and qemu 9"),
    (
        "emulator",
        case(COUNTS, emulation=make_emulation(environment_sha256="7" * 64)),
        "environment: 555555555555 and 777777777777",
    ),
]


@pytest.mark.parametrize(("fact", "other", "named"), UNLIKE, ids=[named[:30] for _, _, named in UNLIKE])
def test_unlike_provenance_is_refused_by_name_and_allowed_by_name(fact: str, other: Record, named: str) -> None:
    base = COUNTS if other.cases[0].emulation else BASE
    with pytest.raises(MeasurementError) as raised:
        compare(base, other)
    assert named in str(raised.value) and f"--across {fact}." in str(raised.value)
    assert_house_form(str(raised.value))
    compared = compare(base, other, across=[fact])
    assert any(
        named in line for line in comparison_lines(base, other, compared) if line.startswith("differs, as allow")
    )
    for unrelated in set(FACTS) - {fact, "device", "place"}:
        with pytest.raises(MeasurementError):
            compare(base, other, across=[unrelated])


@pytest.mark.parametrize("frequencies", [(1_470_000_000, None), (600_000_000, 1_500_000_000)])
def test_frequencies_that_governors_chose_are_alike(frequencies: tuple) -> None:
    assert compare(BASE, moments(BASE, frequencies_hz=frequencies)).differences == ()


@pytest.mark.parametrize(("celsius", "told"), [(52.0, False), (60.0, True), (None, False)])
def test_a_warmer_start_is_told(celsius: float | None, told: bool) -> None:
    readings = {} if celsius is None else {"thermal_zone0 cpu-thermal": celsius, "thermal_zone1 gpu": 30.0}
    other = moments(BASE, temperatures_celsius=readings)
    lines = comparison_lines(BASE, other, compare(BASE, other))
    assert ("the first began at 45 °C, the second at 60 °C" in lines) == told


def test_an_unfinished_run_has_the_frequency_it_began_with() -> None:
    unfinished = {"complete": False, "incomplete_reason": "interrupted", "conditions_after": None}
    slow = make_conditions(frequencies_hz=(600_000_000,) * 2)
    with pytest.raises(MeasurementError, match="frequency: 1,500 MHz and 600 MHz"):
        compare(BASE, dataclasses.replace(BASE, conditions_before=slow, **unfinished))


def test_every_difference_is_named_at_once() -> None:
    other = device(case(BASE, affinity=(3,)), name="x", kernel="y")
    with pytest.raises(MeasurementError) as raised:
        compare(BASE, other)
    assert all(word in str(raised.value) for word in ("device:", "kernel:", "allowed cores:"))
    assert "--across device system cores." in str(raised.value)
    assert len(compare(BASE, other, across=["device"]).differences) == 3


def test_the_model_may_differ_and_is_told() -> None:
    other = dataclasses.replace(
        BASE, models=(dataclasses.replace(BASE.models[0], name="b.tflite", sha256="8" * 64, size_bytes=60_000),)
    )
    compared = compare(BASE, other)
    assert only(compared).labels == ("a.tflite", "b.tflite")
    assert "a.tflite, b.tflite: two files, of 58,964 and 60,000 bytes" in comparison_lines(BASE, other, compared)


def test_models_match_by_name_and_the_rest_is_told() -> None:
    samples = make_samples([1e6] * 30)
    first = make_record(make_case(samples), make_case(samples, model=1), models=("a.tflite", "b.tflite"))
    second = make_record(make_case(samples), make_case(samples, model=1), models=("b.tflite", "c.tflite"))
    compared = compare(first, second)
    assert only(compared).labels == ("b.tflite", "b.tflite")
    assert only(compared).cases == (first.cases[1], second.cases[0])
    lines = comparison_lines(first, second, compared)
    assert "only in the first: a.tflite (1 thread, own lengths)" in lines
    assert "only in the second: c.tflite (1 thread, own lengths)" in lines


def test_nothing_in_common_is_an_error_in_the_house_form() -> None:
    with pytest.raises(MeasurementError) as raised:
        compare(BASE, make_one([1e6] * 30, threads=2))
    assert_house_form(str(raised.value))


def test_verdicts_of_both_records_are_told() -> None:
    slower = make_one([1e6 + 2e3 * position for position in range(100)])
    broken = make_one([1e6] * 100, {"complete": False, "incomplete_reason": "interrupted"})
    lines = comparison_lines(slower, broken, compare(slower, broken))
    assert any(line.startswith("first, a.tflite, 1 thread, 32 tokens: the last third is") for line in lines)
    assert "second run: the run did not finish: interrupted" in lines
    assert "second, a.tflite, 1 thread, 32 tokens: steady" in lines


def test_a_repetition_is_told_from_one_measurement() -> None:
    lines = comparison_lines(BASE, later(BASE), compare(BASE, later(BASE)))
    assert "the same files under like conditions: a difference is what two measurements differ by" in lines
    assert "measured by edgebert 0.1.0 and 9" in lines
    assert any(line.startswith("taken one after the other") for line in lines)


def test_one_measurement_with_two_contents_is_refused() -> None:
    edited = make_one([5e5] * 30)
    with pytest.raises(MeasurementError, match=r"got two of one command from .* with other contents") as raised:
        comparing.compare(BASE, edited)
    assert_house_form(str(raised.value))
    earlier = dataclasses.replace(edited, complete=False, incomplete_reason="interrupted")
    assert conclusion(only(comparing.compare(earlier, BASE))).startswith("repetition differs by")


def test_a_clock_too_coarse_for_cpu_time_leaves_wall_time() -> None:
    samples = make_samples([1e6] * 30)
    coarse = case(BASE, samples=dataclasses.replace(samples, values={**samples.values, "process_cpu_ns": (0,) * 30}))
    for pair in ((BASE, coarse), (coarse, BASE), (coarse, coarse)):
        entry = only(compare(*pair))
        assert list(entry.ratios) == [TIMES[0]] and shown_ratio(entry).ratio == 1
        json.dumps(comparison_document(*pair, compare(*pair)), allow_nan=False)


def test_a_case_without_runs_is_told_and_not_shown() -> None:
    empty = make_record(
        make_case(make_samples([])), models=("a.tflite",), complete=False, incomplete_reason="x", conditions_after=None
    )
    compared = compare(BASE, empty)
    assert comparison_rows(compared)[1] == [] and shown_ratio(only(compared)) is None
    assert conclusion(only(compared)) == "no raw values to compare"
    assert comparison_document(BASE, empty, compared)["cases"][0]["ratios"] == {}
