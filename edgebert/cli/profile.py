"""`edgebert profile`: where the time of an inference goes on this machine, operator by operator."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.benchmark_arguments import add_run_arguments, check_target, read_plan
from edgebert.cli.output import note, table
from edgebert.cli.progress_line import ProgressLine
from edgebert.errors import MeasurementError
from edgebert.files import write_atomically

if TYPE_CHECKING:
    from edgebert.benchmark.profiling.profile import Profile
    from edgebert.benchmark.profiling.report import CaseReport
    from edgebert.benchmark.report import Rows

HELP = "say where an inference's time, or emulated cores' instructions, go: each operator, and why not in XNNPACK"
EXAMPLES = """\
  edgebert profile model.tflite
  edgebert profile model.tflite --length 32,128 --top 30 --picture profile.svg
  edgebert profile ours.tflite theirs.tflite --json profile.json
  edgebert profile model.tflite --on emulated:cortex-a55      exact instructions of each operator
  edgebert profile --show profile.json

Each model is run plain and profiled in turns, so that what profiling costs is seen; what the profiler does not cover
is said. Needs numpy and LiteRT only: pip install '.[benchmark]' in edgebert's checkout"""

_TO_STDOUT = "-"
_BELOW = "    not in XNNPACK: "
_HOST, _EMULATED = "host", "emulated"
# What is taken where the user does not say: counts repeat.
_TEXTS, _RUNS = {_HOST: 20, _EMULATED: 5}, {_HOST: 100, _EMULATED: 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a .tflite with input_ids and input_mask")
    what = parser.add_argument_group("what is run")
    what.add_argument(
        "--on", default=_HOST, metavar="PLACE", help="host, or emulated:CORE,... as `edgebert emulator list` names them"
    )
    add_run_arguments(what, _by_place(_TEXTS))
    what.add_argument(
        "--runs",
        type=int,
        metavar="N",
        help=f"at least N profiled runs each, on emulated cores of every text (default: {_by_place(_RUNS)})",
    )
    what.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the turns' order (default: 0)")
    out = parser.add_argument_group("result")
    out.add_argument("--top", type=int, default=12, metavar="N", help="list the N slowest operators (default: 12)")
    out.add_argument("--picture", type=Path, metavar="FILE.svg", help="draw the shares as bars")
    out.add_argument(
        "--json", metavar="FILE", help="write the profile, every raw value in it; - prints it instead of tables"
    )
    out.add_argument("--show", metavar="FILE", help="print the tables of a profile and run nothing")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.benchmark.profiling.profile import to_json
    from edgebert.benchmark.profiling.report import report_on_profile

    _check(arguments)
    profile = _taken(arguments)
    reports = report_on_profile(profile)
    if arguments.json == _TO_STDOUT:
        sys.stdout.write(to_json(profile).decode())
    else:
        # First the tables: should a file fail to be written, the figures have been seen.
        _print(profile, reports, arguments.top)
    if arguments.json not in (None, _TO_STDOUT):
        write_atomically(arguments.json, to_json(profile))
        note(f"wrote {arguments.json}")
    if arguments.picture is not None:
        from edgebert.benchmark.profiling.picture import draw

        write_atomically(arguments.picture, draw(reports))
        note(f"wrote {arguments.picture}")
    return 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.top < 0:
        raise MeasurementError(f"--top: expected 0 or more, got {arguments.top}. Do: give how many operators to list.")
    if arguments.show is not None and arguments.models:
        raise MeasurementError("--show: expected no model beside it, got one. Do: leave out the one or the other.")
    if arguments.json not in (None, _TO_STDOUT):
        check_target(Path(arguments.json), "--json")
    if arguments.picture is not None:
        if arguments.picture.suffix != ".svg":
            raise MeasurementError(
                f"--picture: expected a name that ends in .svg, got '{arguments.picture}'. Do: name it so."
            )
        check_target(arguments.picture, "--picture")


def _taken(arguments: argparse.Namespace) -> "Profile":
    if arguments.show is not None:
        from edgebert.benchmark.profiling.profile import read_profile

        return read_profile(arguments.show)
    place = arguments.on.partition(":")[0]
    if arguments.on != _HOST and place != _EMULATED:
        raise MeasurementError(
            f"--on: expected {_HOST} or {_EMULATED}:CORE,..., got '{arguments.on}'. "
            "Do: choose one (`edgebert emulator list`)."
        )
    plan = read_plan(arguments, _TEXTS[place], _RUNS[place], minimum_seconds=0.0)
    with ProgressLine() as progress:
        if place == _EMULATED:
            from edgebert.benchmark.emulated.cores import choose_cores
            from edgebert.benchmark.profiling.counting import profile_on_cores

            return profile_on_cores(plan, choose_cores(arguments.on), progress)
        from edgebert.benchmark.profiling.measuring import profile

        return profile(plan, note, progress)


def _by_place(defaults: Mapping[str, int]) -> str:
    return f"{defaults[_HOST]}; {defaults[_EMULATED]} on emulated cores"


def _print(profile: "Profile", reports: "Sequence[CaseReport]", top: int) -> None:
    from edgebert.benchmark.profiling import reasons
    from edgebert.benchmark.profiling import report as figures

    for entry in reports:
        print("\n".join(figures.coverage_lines(entry)), end="\n\n")
        print(table(*figures.kind_rows(entry)), end="\n\n")
        if top:
            print(_with_reasons(figures.node_rows(entry, top), reasons.node_reasons(entry, top)), end="\n\n")
        by_kind = reasons.reason_lines(entry)
        if by_kind:
            print("\n  ".join(["not in XNNPACK:", *by_kind]), end="\n\n")
    print("\n".join(figures.profile_verdict_lines(profile, reports)))
    inputs = profile.measurement.cases[0].inputs
    print(f"inputs: {len(inputs.lengths)} of {inputs.texts_available or len(inputs.lengths)} from {inputs.source}")


def _with_reasons(nodes: "Rows", below: Sequence[str]) -> str:
    """The slowest nodes as a table, and below each one's row why XNNPACK does not run it."""
    header, rows = nodes
    # A name may hold what would break a line.
    titles, rule, *lines = table(header, [[" ".join(cell.split()) for cell in row] for row in rows]).split("\n")
    pairs = ((line, f"{_BELOW}{reason}" if reason else "") for line, reason in zip(lines, below, strict=True))
    return "\n".join([titles, rule, *(line for pair in pairs for line in pair if line)])
