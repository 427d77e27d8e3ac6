"""The places that `edgebert benchmark --on` measures at: a row of PLACES is all that the command knows of one."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgebert.cli.output import note
from edgebert.errors import MeasurementError
from edgebert.measurement import Record
from edgebert.progress import Report

if TYPE_CHECKING:
    from edgebert.benchmark.plan import Plan
    from edgebert.benchmark.report import Rows

Keep = Callable[[Record], None]
Measure = Callable[["Plan", Keep, Report], Record]


@dataclass(frozen=True, slots=True)
class Presentation:
    """A record for people: tables, then lines; `derived` is the same for the JSON file."""

    tables: "Sequence[Rows]"
    lines: Sequence[str]
    derived: Mapping[str, object]


def _times(record: Record) -> Presentation:
    from edgebert.benchmark import report

    reported = report.report_on(record)
    tables = [report.latency_rows(reported), report.start_rows(reported), report.ratio_rows(reported)]
    return Presentation(tables, report.verdict_lines(reported), report.derived(reported))


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is what stands before the colon in --on, and the record's `place`.

    `address` is how --on goes on after it ("" where nothing may follow), `where` how sentences of --help name it.
    `texts`, `runs` and `minimum_seconds` are taken where the user does not say. `measuring` reads the command's flags,
    refuses what the place cannot do before anything is measured, and returns what measures.
    """

    name: str
    address: str
    explained: str
    where: str
    measuring: Callable[[argparse.Namespace], Measure]
    present: Callable[[Record], Presentation] = _times
    texts: int = 20
    runs: int = 100
    minimum_seconds: float = 0.5
    # What --on stands for where it names several machines: each is measured alone and has a record of its own. Flags
    # that no machine could be measured with are refused before one is looked for.
    each: Callable[[argparse.Namespace], Sequence[str]] = lambda arguments: (arguments.on,)

    @property
    def written(self) -> str:
        return self.name + self.address


def choose_place(on: str) -> Place:
    """The place of `--on`."""
    name, colon, _ = on.partition(":")
    for place in PLACES:
        if place.name == name and (place.address or not colon):
            return place
    raise MeasurementError(
        f"--on: expected {' or '.join(place.written for place in PLACES)}, got '{on}'. "
        "Do: choose one (`edgebert emulator list`)."
    )


def present(record: Record) -> Presentation:
    """`record` as its place shows its own."""
    for place in PLACES:
        if place.name == record.place:
            return place.present(record)
    raise MeasurementError(
        f"record: expected a place among {', '.join(place.name for place in PLACES)}, got '{record.place}'. "
        "Do: read it with the edgebert that wrote it."
    )


def places_in_help() -> str:
    return ", or ".join(f"{place.written}{place.explained}" for place in PLACES)


def default_in_help(field: str) -> str:
    """The first place's default, and those of the places that differ from it."""
    first, *others = PLACES
    usual = getattr(first, field)
    differing = [f"{getattr(place, field):g} {place.where}" for place in others if getattr(place, field) != usual]
    return "; ".join([f"{usual:g}", *differing])


def _on_host(_: argparse.Namespace) -> Measure:
    from edgebert.benchmark.host import measure

    return lambda plan, keep, report: measure(plan, keep, note, report)


def _on_a_board(arguments: argparse.Namespace) -> Measure:
    from edgebert.benchmark.board.measuring import measure
    from edgebert.benchmark.board.target import choose_target

    target = choose_target(arguments.on)
    return lambda plan, keep, report: measure(target, plan, keep, note, report)


def _on_emulated_cores(arguments: argparse.Namespace) -> Measure:
    from edgebert.benchmark.emulated.cores import choose_cores
    from edgebert.benchmark.emulated.measuring import count

    cores = choose_cores(arguments.on)
    return lambda plan, keep, report: count(plan, cores, keep, report)


def _on_phone(arguments: argparse.Namespace) -> Measure:
    from edgebert.benchmark.phone.devices import choose_phone
    from edgebert.benchmark.phone.measuring import measure_phone
    from edgebert.benchmark.phone.tool import require_tool

    tool = require_tool(arguments.benchmark_model)
    phone = choose_phone(arguments.on)
    return lambda plan, keep, report: measure_phone(plan, phone, tool, keep, note, report)


def _each_phone(arguments: argparse.Namespace) -> Sequence[str]:
    from edgebert.benchmark.phone.devices import each_phone
    from edgebert.benchmark.phone.tool import require_tool

    require_tool(arguments.benchmark_model)
    return each_phone(arguments.on)


def _times_of_phone(record: Record) -> Presentation:
    from edgebert.benchmark.phone.report import growth_rows, statistics_rows

    shown = _times(record)
    return Presentation([*shown.tables, statistics_rows(record), growth_rows(record)], shown.lines, shown.derived)


def _counts(record: Record) -> Presentation:
    from edgebert.benchmark.emulated import kinds, report

    reported = report.report_on_counts(record)
    lines = [*report.EXPLANATION, *kinds.EXPLANATION, "", *report.function_lines(reported), ""]
    lines += report.count_verdict_lines(record, reported)
    tables = [report.count_rows(reported), kinds.kind_rows(reported)]
    return Presentation(tables, lines, report.derived_counts(reported))


PLACES = (
    Place(
        name="host",
        address="",
        explained="",
        where="on this machine",
        measuring=_on_host,
    ),
    Place(
        name="ssh",
        address=":[USER@]BOARD[:PORT]",
        explained=" as for `ssh`",
        where="on a board",
        measuring=_on_a_board,
    ),
    # Counts repeat, and texts of one length cost the same: a few of each will do.
    Place(
        name="emulated",
        address=":CORE,...",
        explained=" as `edgebert emulator list` names them",
        where="on emulated cores",
        texts=5,
        runs=2,
        minimum_seconds=0.0,
        measuring=_on_emulated_cores,
        present=_counts,
    ),
    Place(
        name="adb",
        address="[:SERIAL,...]",
        explained=" as `adb devices` lists them, or all",
        where="on phones",
        measuring=_on_phone,
        present=_times_of_phone,
        each=_each_phone,
    ),
)
