"""Verdicts on simulated machines: a steady one is called steady, each kind of trouble by its name and no other."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from edgebert.benchmark.judging import judge_case, judge_record
from edgebert.measurement import NO_SAMPLES, Samples
from tests.benchmark.records import make_case, make_conditions, make_record, make_samples, make_tool_statistics

Draw = np.random.Generator
RUNS = 300


def kinds(wall_ns: np.ndarray, **case: object) -> set[str]:
    return {verdict.kind for verdict in judge_case(make_case(make_samples(wall_ns.tolist()), **case))}


STEADY: dict[str, Callable[[Draw], np.ndarray]] = {
    "normal": lambda draw: draw.normal(1e6, 1e4, RUNS),
    "lognormal": lambda draw: 1e6 * draw.lognormal(0, 0.03, RUNS),
    "uniform": lambda draw: draw.uniform(0.95e6, 1.05e6, RUNS),
    "a floor with a tail": lambda draw: 1e6 + draw.exponential(2e4, RUNS),
    "a few late runs": lambda draw: np.where(np.arange(RUNS) % 60 == 0, 1.8e6, draw.normal(1e6, 5e3, RUNS)),
    "all alike": lambda draw: np.full(RUNS, 1e6),
}
TROUBLE: dict[str, Callable[[Draw], np.ndarray]] = {
    "spread": lambda draw: 1e6 * draw.lognormal(0, 0.15, RUNS),
    "drift": lambda draw: draw.normal(1e6, 1e4, RUNS) * np.linspace(1, 1.1, RUNS),
    "two speeds": lambda draw: draw.normal(1e6, 1e4, RUNS) * np.where(draw.random(RUNS) < 0.3, 1.3, 1.0),
    "tail": lambda draw: draw.normal(1e6, 1e4, RUNS) * np.where(np.arange(RUNS) % 50 == 0, 5.0, 1.0),
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", STEADY)
def test_a_steady_machine_is_called_steady(name: str, seed: int) -> None:
    assert kinds(STEADY[name](np.random.default_rng(seed))) == set()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", TROUBLE)
def test_trouble_is_called_by_its_name(name: str, seed: int) -> None:
    assert kinds(TROUBLE[name](np.random.default_rng(seed))) == {name}


def test_a_machine_that_speeds_up_drifts_too() -> None:
    verdict = judge_case(make_case(make_samples((np.linspace(1.2e6, 1e6, RUNS)).tolist())))[0]
    assert (verdict.kind, "faster" in verdict.words) == ("drift", True)


@pytest.mark.parametrize("seed", range(5))
def test_texts_of_different_lengths_are_no_noise(seed: int) -> None:
    """Forty times the cost from the shortest to the longest text, and nothing but 1 % of noise."""
    draw = np.random.default_rng(seed)
    lengths = (8, 16, 64, 320)
    inputs = [position % 4 for position in range(RUNS)]
    wall_ns = np.asarray(lengths)[inputs] * 1e4 * draw.normal(1, 0.01, RUNS)
    assert judge_case(make_case(make_samples(wall_ns.tolist(), inputs), lengths=lengths)) == ()


def test_the_run_after_a_resize_is_dearer_and_that_is_no_noise() -> None:
    resized = np.arange(RUNS) % 2 == 0
    wall_ns = np.random.default_rng(0).normal(1e6, 1e4, RUNS) * np.where(resized, 1.3, 1.0)
    samples = make_samples(wall_ns.tolist())
    told = {**samples.values, "resize_wall_ns": tuple(int(each) * 200_000 for each in resized)}
    assert judge_case(make_case(dataclasses.replace(samples, values=told))) == ()
    assert [verdict.kind for verdict in judge_case(make_case(samples))] == ["spread", "two speeds"]


def test_few_runs_are_called_few() -> None:
    assert kinds(np.full(19, 1e6)) == {"few runs"}
    assert kinds(np.full(20, 1e6)) == set()
    once_each = make_case(make_samples([1e6] * 30, range(30)), lengths=tuple(range(2, 32)))
    assert [verdict.kind for verdict in judge_case(once_each)] == ["few runs"]


def test_no_run_at_all() -> None:
    assert [verdict.kind for verdict in judge_case(make_case(make_samples([])))] == ["no runs"]


def test_waiting_for_a_core_is_told_for_one_thread_only() -> None:
    wall = (1_000_000,) * 30
    samples = Samples(
        rounds=(0,) * 30,
        inputs=(0,) * 30,
        values={"wall_ns": wall, "thread_cpu_ns": (800_000,) * 30, "process_cpu_ns": (800_000,) * 30},
    )
    assert [verdict.kind for verdict in judge_case(make_case(samples))] == ["waiting"]
    assert "20%" in judge_case(make_case(samples))[0].words
    assert judge_case(make_case(samples, threads=2)) == ()


def test_more_threads_than_cores_and_a_warm_up_without_end() -> None:
    found = kinds(np.full(RUNS, 1e6), threads=3, warmup_settled=False)
    assert found == {"threads", "warm-up"}
    assert kinds(np.full(RUNS, 1e6), threads=2, affinity=(0, 1)) == set()


MINUTE = 60_000_000_000


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"busy_cpu_ns": 1_000_000_000_000 + MINUTE, "own_cpu_ns": 5_000_000_000 + MINUTE}, None),
        ({"busy_cpu_ns": 1_000_000_000_000 + 2 * MINUTE, "own_cpu_ns": 5_000_000_000 + MINUTE}, "other load"),
        ({"frequencies_hz": (1_500_000_000, 900_000_000)}, "frequency"),
        ({"frequencies_hz": (1_500_000_000, None)}, None),
        ({"temperatures_celsius": {"thermal_zone0 cpu-thermal": 70.0}}, "heat"),
        ({"temperatures_celsius": {"another": 90.0}}, None),
        ({"throttle_count": 4}, "throttled"),
        ({"throttle_count": None}, None),
    ],
)
def test_what_changed_around_the_run(changes: dict, kind: str | None) -> None:
    after = make_conditions(at_utc="2026-11-20T12:01:00.000Z", **changes)
    found = [verdict.kind for verdict in judge_record(make_record(conditions_after=after))]
    assert found == ([] if kind is None else [kind])


def test_an_unfinished_run_says_why() -> None:
    record = make_record(complete=False, incomplete_reason="interrupted", conditions_after=None)
    assert [verdict.words for verdict in judge_record(record)] == ["the run did not finish: interrupted"]


def test_statistics_without_a_runs_own_time_are_said_to_be_that() -> None:
    case = make_case(NO_SAMPLES, tool_statistics=(make_tool_statistics(runs=30), make_tool_statistics(runs=20)))
    (verdict,) = judge_case(case)
    assert verdict.kind == "statistics only" and "50 runs" in verdict.words


@pytest.mark.parametrize(("status", "expected"), [(None, []), ("none", []), ("light", ["throttled"])])
@pytest.mark.parametrize(("moment", "when"), [("conditions_before", "before the run"), ("conditions_after", "the end")])
def test_a_system_that_slows_itself_for_heat_is_named(
    moment: str, when: str, status: str | None, expected: list[str]
) -> None:
    found = judge_record(make_record(**{moment: make_conditions(thermal_status=status)}))
    assert [verdict.kind for verdict in found] == expected
    assert all(when in verdict.words for verdict in found)


def test_cores_that_were_hot_before_the_run_are_named() -> None:
    hot = {"thermal_zone0 cpu-thermal": 95.0, "thermal_zone1 gpu": 50.0}
    record = make_record(conditions_before=make_conditions(temperatures_celsius=hot))
    assert [(verdict.kind, "95 °C before" in verdict.words) for verdict in judge_record(record)] == [("heat", True)]
