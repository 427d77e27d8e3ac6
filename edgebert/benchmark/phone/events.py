"""The app's lines of progress, read as they land: what every case has so far."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgebert.benchmark.phone.contract import CONTRACT
from edgebert.benchmark.preparing import PreparedCase
from edgebert.benchmark.running import BEFORE_ROUNDS, split
from edgebert.documents import Part, from_plain
from edgebert.errors import MeasurementError
from edgebert.measurement import NO_SAMPLES, Case, Delegation, Load, Runtime, Samples

REQUIRED_METRICS = ("wall_ns", "resize_wall_ns")
METRICS = ("wall_ns", "process_cpu_ns", "thread_cpu_ns", "resize_wall_ns")
_LONGEST_QUOTE = 200

Event = Mapping[str, Any]


class AppFailedError(MeasurementError):
    """The app said that it cannot go on."""


@dataclass
class AppCase:
    """What the app has told of one case."""

    prepared: PreparedCase
    delegate: str | None = None
    delegation: Delegation | None = None
    load: Load | None = None
    settled: bool | None = None
    warmup: list[Samples] = field(default_factory=list)
    samples: list[Samples] = field(default_factory=list)

    def finished(self, runtime: Runtime) -> Case:
        model, threads, length = self.prepared.setting
        return Case(
            model=model,
            threads=threads,
            length=length,
            affinity=None,
            runtime=Runtime(runtime.name, runtime.version, self.delegate, None, None),
            delegation=self.delegation,
            inputs=self.prepared.feed.description,
            load=self.load,
            # One process holds all models: no case has a memory of its own.
            memory=None,
            warmup_settled=self.settled,
            warmup=_joined(self.warmup),
            samples=_joined(self.samples),
        )


class Progress:
    """The lines so far. `take` is given text as it was read, in pieces that may end within a line."""

    def __init__(self, run_id: str, cases: tuple[PreparedCase, ...]) -> None:
        self.cases = tuple(AppCase(case) for case in cases)
        self.runtime: Runtime | None = None
        self.ended = False
        self.taken_bytes = 0
        self._run_id = run_id

    @property
    def rounds_done(self) -> int:
        return min(len(case.samples) for case in self.cases)

    @property
    def warmed(self) -> int:
        return sum(case.settled is not None for case in self.cases)

    def runs(self) -> int:
        return sum(len(block) for case in self.cases for block in case.samples)

    def take(self, text: str) -> int:
        """Read the whole lines of `text`; how many there were. The rest comes again from `taken_bytes` on."""
        whole = text[: text.rfind("\n") + 1]
        lines = whole.split("\n")[:-1]
        for line in lines:
            self._take_line(line)
        self.taken_bytes += len(whole.encode())
        return len(lines)

    def _take_line(self, line: str) -> None:
        try:
            event = json.loads(line)
            kinds = {"begin": self._begin, "case": self._case, "warm_up": self._warm_up, "block": self._block}
            kinds |= {"end": self._end, "error": self._error}
            # A kind that is not known is one that a later app added and this side may ignore.
            if event["event"] in kinds:
                kinds[event["event"]](event)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            quoted = line if len(line) <= _LONGEST_QUOTE else f"{line[:_LONGEST_QUOTE]} ..."
            raise MeasurementError(
                f"app: expected lines as contract {CONTRACT} has them, got '{quoted}' "
                f"({type(error).__name__}: {error}). Do: install the app that belongs to this edgebert."
            ) from error

    def _of(self, event: Event) -> AppCase:
        number = event["case"]
        if type(number) is not int or not 0 <= number < len(self.cases):
            raise ValueError(f"case: expected a number below {len(self.cases)}")
        return self.cases[number]

    def _begin(self, event: Event) -> None:
        if event["run_id"] != self._run_id:
            raise ValueError(f"run_id: expected {self._run_id}")
        runtime = event["runtime"]
        self.runtime = Runtime(str(runtime["name"]), _text(runtime["version"]), None, None, None)

    def _case(self, event: Event) -> None:
        case = self._of(event)
        case.delegate = _text(event["delegate"])
        told = event["delegation"]
        case.delegation = None if told is None else _known(Delegation, told, "delegation")
        case.load = _known(Load, event["load"], "load")

    def _warm_up(self, event: Event) -> None:
        case = self._of(event)
        case.warmup.append(_columns(event, BEFORE_ROUNDS, len(case.prepared.feed.inputs)))
        case.settled = bool(event["settled"])

    def _block(self, event: Event) -> None:
        case = self._of(event)
        warming, block = split(_columns(event, int(event["round"]), len(case.prepared.feed.inputs)), 1)
        case.warmup.append(warming)
        case.samples.append(block)

    def _end(self, _: Event) -> None:
        self.ended = True

    def _error(self, event: Event) -> None:
        message = " ".join(str(event["message"]).split())[:300]
        if event["kind"] == "contract":
            supported = ", ".join(str(number) for number in event.get("supported", ())) or "none"
            raise AppFailedError(
                f"app: expected one that knows contract {CONTRACT}, got one that knows {supported}. "
                "Do: install the app that belongs to this edgebert."
            )
        model = f", case {event['case'] + 1}" if isinstance(event.get("case"), int) else ""
        raise AppFailedError(
            f"app{model}: expected the phone's runtime to run the model, got '{event['kind']}: {message}'. "
            "Do: look at the file with `edgebert inspect` (what it says of the oldest runtime), or measure with fewer "
            "files."
        )


def _known(kind: type[Part], told: Mapping[str, Any], name: str) -> Part:
    """What a later app may have added is passed over."""
    return from_plain(kind, {field.name: told[field.name] for field in dataclasses.fields(kind)}, name)


def _columns(event: Event, number: int, inputs: int) -> Samples:
    """The samples of a line; a metric is a column of it or of none (`REQUIRED_METRICS` always)."""
    told = [metric for metric in METRICS if metric in event or metric in REQUIRED_METRICS]
    columns = {metric: tuple(event[metric]) for metric in told}
    for metric, column in {**columns, "input": event["input"]}.items():
        if not all(type(value) is int for value in column):
            raise ValueError(f"{metric}: expected whole numbers")
    if not all(0 <= index < inputs for index in event["input"]):
        raise ValueError(f"input: expected numbers below {inputs}")
    return Samples(rounds=(number,) * len(event["input"]), inputs=tuple(event["input"]), values=columns)


def _joined(parts: list[Samples]) -> Samples:
    if not parts:
        return NO_SAMPLES
    # What is in every part: a column with holes is none.
    metrics = [metric for metric in parts[0].values if all(metric in part.values for part in parts)]
    return Samples(
        rounds=tuple(number for part in parts for number in part.rounds),
        inputs=tuple(index for part in parts for index in part.inputs),
        values={metric: tuple(value for part in parts for value in part.values[metric]) for metric in metrics},
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
