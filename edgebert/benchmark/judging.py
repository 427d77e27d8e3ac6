"""Can these samples be believed? Verdicts in words, computed from a record and from nothing else."""

import datetime
from collections import Counter
from dataclasses import dataclass

import numpy as np

from edgebert.measurement import Case, Conditions, Record

# Below this many runs, a median and its spread say little; p99 says nothing at all.
_FEW_RUNS = 20
# Runs that have fewer like them have no median to be compared with.
_FEW_RUNS_ALIKE = 5
_WIDE_SPREAD = 0.05
_DRIFT = 0.03
# A drift or a gap must also stand out of the noise by this many standard errors.
_STANDARD_ERRORS = 4.0
# A normal distribution's standard deviation is 1.4826 MAD, and its median's standard error 1.2533 sigma / sqrt(n).
_MAD_TO_SIGMA = 1.4826
_MEDIAN_ERROR = 1.2533
# Two modes: each with this share of the runs, this far apart, and separated by Ashman's D above what a uniform (3.5)
# or a normal (2.7) distribution cut in two gives.
_MODE_SHARE = 0.1
_MODE_GAP = 0.05
_MODE_SEPARATION = 4.5
_HEAVY_TAIL = 2.0
_WAITING_SHARE = 0.05
_OTHER_LOAD_CORES = 0.25
# The kernel counts busy time in ticks of 10 ms on each core: a shorter span would judge the rounding.
_LOAD_NEEDS_SECONDS = 0.5
_FREQUENCY_CHANGE = 0.05
_WARMING_CELSIUS = 10.0
# A Raspberry Pi slows down from here on, most phones and laptops soon after.
_HOT_CELSIUS = 80.0


@dataclass(frozen=True)
class Verdict:
    """One reason to distrust a figure. `kind` is for programs, `words` for people."""

    kind: str
    words: str


def judge_case(case: Case, metric: str = "wall_ns") -> tuple[Verdict, ...]:
    """Every reason to distrust this case's figures; none: it was steady."""
    if not len(case.samples):
        return (_judge_none(case),)
    relative = relative_to_alike(case, metric)
    verdicts = [_judge_count(case, len(relative)), _judge_warmup(case), _judge_waiting(case), _judge_threads(case)]
    if len(relative) >= _FEW_RUNS:
        verdicts += [_judge_spread(relative), _judge_drift(relative), _judge_modes(relative), _judge_tail(relative)]
    return tuple(verdict for verdict in verdicts if verdict is not None)


def judge_record(record: Record) -> tuple[Verdict, ...]:
    """Every reason that concerns the whole run."""
    verdicts: list[Verdict | None] = []
    if not record.complete:
        verdicts.append(Verdict("incomplete", f"the run did not finish: {record.incomplete_reason}"))
    before, after = record.conditions_before, record.conditions_after
    verdicts += [_judge_hot_start(before), _judge_thermal_status(before, "before the run")]
    if after is not None:
        judges = (_judge_other_load, _judge_frequency, _judge_heat, _judge_throttling)
        verdicts += [judge(before, after) for judge in judges]
        verdicts.append(_judge_thermal_status(after, "at the end"))
    return tuple(verdict for verdict in verdicts if verdict is not None)


def relative_to_alike(case: Case, metric: str) -> np.ndarray:
    """Each run over the median of those like it, in the order they were taken: texts differ in cost, noise does not.

    Alike are runs of one length, and those after a resize apart from the others: the runtime finishes what a resize
    began in the run that follows (LiteRT 2.3: a fifth more for a small model).
    """
    samples = case.samples
    values = np.asarray(samples.values[metric], np.float64)
    resizes = samples.values.get("resize_wall_ns", (0,) * len(values))
    kinds = [(case.inputs.lengths[index], resize > 0) for index, resize in zip(samples.inputs, resizes, strict=True)]
    relative = np.full(len(values), np.nan)
    for kind, runs in Counter(kinds).items():
        if runs >= _FEW_RUNS_ALIKE:
            alike = np.asarray([other == kind for other in kinds])
            relative[alike] = values[alike] / max(np.median(values[alike]), 1.0)
    return relative[~np.isnan(relative)]


def _judge_none(case: Case) -> Verdict:
    runs = sum(statistics.runs for statistics in case.tool_statistics)
    if not runs:
        return Verdict("no runs", "no run was finished")
    return Verdict("statistics only", f"of {runs} runs the tool told statistics and no run's own time")


def _judge_count(case: Case, judged: int) -> Verdict | None:
    if judged >= _FEW_RUNS:
        return None
    if len(case.samples) < _FEW_RUNS:
        return Verdict("few runs", f"only {len(case.samples)} runs; take at least {_FEW_RUNS}, 100 for a p99")
    return Verdict("few runs", f"only {judged} runs at a length that occurred often enough to compare; take more runs")


def _judge_warmup(case: Case) -> Verdict | None:
    if case.warmup_settled is not False:
        return None
    return Verdict("warm-up", "runs were still getting faster when the warm-up's limit was reached")


def _judge_waiting(case: Case) -> Verdict | None:
    """With one thread, wall time beyond CPU time is time in which another process had the core."""
    values = case.samples.values
    if case.threads > 1 or "thread_cpu_ns" not in values:
        return None
    wall_ns = sum(values["wall_ns"])
    share = 1 - sum(values["thread_cpu_ns"]) / max(wall_ns, 1)
    if share < _WAITING_SHARE:
        return None
    return Verdict("waiting", f"{share:.0%} of the time it waited for a core; CPU time is the steadier figure")


def _judge_threads(case: Case) -> Verdict | None:
    if case.affinity is None or case.threads <= len(case.affinity):
        return None
    cores = len(case.affinity)
    return Verdict("threads", f"{case.threads} threads on {cores} core{'s' * (cores > 1)} wait for each other")


def _judge_spread(relative: np.ndarray) -> Verdict | None:
    mad = _mad(relative)
    if mad <= _WIDE_SPREAD:
        return None
    return Verdict("spread", f"the middle half of the runs lies within ±{mad:.0%} of the median")


def _judge_drift(relative: np.ndarray) -> Verdict | None:
    third = len(relative) // 3
    change = float(np.median(relative[-third:]) / np.median(relative[:third]) - 1)
    error = _MEDIAN_ERROR * _MAD_TO_SIGMA * _mad(relative) * (2 / third) ** 0.5
    if abs(change) <= max(_DRIFT, _STANDARD_ERRORS * error):
        return None
    return Verdict(
        "drift", f"the last third is {abs(change):.0%} {'slower' if change > 0 else 'faster'} than the first"
    )


def _judge_modes(relative: np.ndarray) -> Verdict | None:
    """The cut into a faster and a slower part that explains most of the variance (Otsu), if the parts stand apart."""
    ordered = np.sort(relative)
    least = max(2, int(np.ceil(_MODE_SHARE * len(ordered))))
    cuts = np.arange(least, len(ordered) - least + 1)
    sums, total = np.cumsum(ordered), ordered.sum()
    below, above = sums[cuts - 1] / cuts, (total - sums[cuts - 1]) / (len(ordered) - cuts)
    cut = int(cuts[np.argmax(cuts * (len(ordered) - cuts) * (above - below) ** 2)])
    faster, slower = ordered[:cut], ordered[cut:]
    gap = float(np.median(slower) / np.median(faster) - 1)
    # The deviation around the median, so that a few far runs inside a part do not hide the gap.
    width = ((_mad(faster) ** 2 + _mad(slower) ** 2) / 2) ** 0.5 * _MAD_TO_SIGMA
    if gap <= _MODE_GAP or np.median(slower) - np.median(faster) <= _MODE_SEPARATION * width:
        return None
    share = len(slower) / len(ordered)
    return Verdict("two speeds", f"{share:.0%} of the runs are {gap:.0%} slower than the others, with little between")


def _judge_tail(relative: np.ndarray) -> Verdict | None:
    p99 = float(np.percentile(relative, 99))
    return Verdict("tail", f"one run in a hundred takes {p99:.1f} times the median") if p99 > _HEAVY_TAIL else None


def _judge_other_load(before: Conditions, after: Conditions) -> Verdict | None:
    """What the machine's cores did beyond our own work between the two moments."""
    if None in (before.busy_cpu_ns, after.busy_cpu_ns, before.own_cpu_ns, after.own_cpu_ns):
        return None
    moments = (datetime.datetime.fromisoformat(moment.at_utc) for moment in (before, after))
    start, end = (moment.timestamp() for moment in moments)
    elapsed_seconds = end - start
    if elapsed_seconds < _LOAD_NEEDS_SECONDS:
        return None
    others_ns = (after.busy_cpu_ns - before.busy_cpu_ns) - (after.own_cpu_ns - before.own_cpu_ns)
    cores = others_ns / 1e9 / elapsed_seconds
    if cores <= _OTHER_LOAD_CORES:
        return None
    return Verdict("other load", f"other processes kept {cores:.1f} cores busy meanwhile")


def _judge_frequency(before: Conditions, after: Conditions) -> Verdict | None:
    pairs = zip(before.frequencies_hz, after.frequencies_hz, strict=False)
    changes = [now / then - 1 for then, now in pairs if then and now]
    largest = max(changes, key=abs, default=0.0)
    if abs(largest) <= _FREQUENCY_CHANGE:
        return None
    return Verdict("frequency", f"a core's frequency was {largest:+.0%} different at the end")


def _judge_heat(before: Conditions, after: Conditions) -> Verdict | None:
    warmed = max(
        (
            after.temperatures_celsius[sensor] - celsius
            for sensor, celsius in before.temperatures_celsius.items()
            if sensor in after.temperatures_celsius
        ),
        default=0.0,
    )
    if warmed <= _WARMING_CELSIUS:
        return None
    return Verdict("heat", f"the cores warmed by {warmed:.0f} °C; boards and phones slow down when hot")


def _judge_hot_start(before: Conditions) -> Verdict | None:
    hottest = max(before.temperatures_celsius.values(), default=0.0)
    if hottest < _HOT_CELSIUS:
        return None
    return Verdict("heat", f"the cores had {hottest:.0f} °C before the run; let the device cool first")


def _judge_throttling(before: Conditions, after: Conditions) -> Verdict | None:
    if before.throttle_count is None or after.throttle_count is None or after.throttle_count <= before.throttle_count:
        return None
    return Verdict("throttled", f"the cores were slowed for heat {after.throttle_count - before.throttle_count} times")


def _judge_thermal_status(moment: Conditions, when: str) -> Verdict | None:
    if moment.thermal_status in (None, "none"):
        return None
    return Verdict("throttled", f"the system slowed itself for heat {when} (status '{moment.thermal_status}')")


def _mad(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))
