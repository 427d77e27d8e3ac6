"""`edgebert compare`: what a second measurement takes of a first, and whether the difference is more than noise."""

import argparse
import dataclasses
import json
import math
from typing import TYPE_CHECKING

from edgebert.cli.output import table
from edgebert.errors import MeasurementError

if TYPE_CHECKING:
    from edgebert.benchmark.comparing import Compared, Comparison

HELP = "compare two records of edgebert benchmark: ratios with intervals, only where the conditions are alike"
EXAMPLES = """\
  edgebert compare before.json after.json
  edgebert compare before.json after.json --at-most 1.05     for CI: exit code 1 where something got slower
  edgebert compare laptop.json board.json --across device    the device may differ, nothing else

Cases match by model name, threads, length and emulated core. Records under unlike conditions are refused, each
difference named; --across says which are the question. Models may always differ: that is what is compared.
What is above --at-most only in doubt (a verdict on either measurement, or both of the same file) is refused too.

exit codes: 0 compared · 1 some case is shown to be above --at-most · 2 cannot be compared, or not for sure"""

JSON_FORMAT = "edgebert-comparison/1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="FIRST.json", help="what is compared with")
    parser.add_argument("second", metavar="SECOND.json", help="what is compared")
    parser.add_argument(
        "--across",
        nargs="+",
        default=(),
        metavar="FACT",
        help="may differ: device (with its system, cores and place), system, place, runtime, cores, inputs, emulator",
    )
    parser.add_argument("--at-most", type=float, metavar="RATIO", help="exit with 1 where the second takes more")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")


def run(arguments: argparse.Namespace) -> int:
    from edgebert.benchmark.comparing import compare
    from edgebert.benchmark.comparison_report import comparison_document, comparison_lines, comparison_rows
    from edgebert.measurement_file import read_record

    _check(arguments)
    first, second = (read_record(path) for path in (arguments.first, arguments.second))
    compared = compare(first, second, arguments.across)
    above = [] if arguments.at_most is None else _above(compared, arguments.at_most)
    if arguments.json:
        document = comparison_document(first, second, compared)
        print(json.dumps({"format": JSON_FORMAT, **document, "above": above}, indent=1, allow_nan=False))
    else:
        header, rows = comparison_rows(compared)
        if rows:
            print(table(header, rows), end="\n\n")
        print("\n".join(comparison_lines(first, second, compared)))
        for name in above:
            print(f"above {arguments.at_most:g}: {name}")
    return 1 if above else 0


def _check(arguments: argparse.Namespace) -> None:
    from edgebert.benchmark.provenance import FACTS

    for fact in arguments.across:
        if fact not in FACTS:
            raise MeasurementError(f"--across: expected {', '.join(FACTS)}, got '{fact}'. Do: name what may differ.")
    if arguments.at_most is not None and not arguments.at_most > 0:
        raise MeasurementError(
            f"--at-most: expected a ratio above 0, got {arguments.at_most}. Do: write 1.05 for 5 % more."
        )


def _above(compared: "Compared", limit: float) -> list[str]:
    """The cases that are shown to take more, by wall time or instructions; without an interval nothing is shown.

    Where all that is above is in doubt, an error: it shows neither that the second takes more nor that it does not.
    """
    from edgebert.benchmark.comparing import name_of, shown_ratio

    above, doubtful = [], []
    for entry in compared.comparisons:
        ratio = shown_ratio(entry)
        if ratio is None or None in (ratio.low, ratio.high) or not all(map(math.isfinite, dataclasses.astuple(ratio))):
            raise MeasurementError(
                f"--at-most: expected an interval for every case, got none for {name_of(entry)}. "
                "Do: measure it with more --runs, in rounds."
            )
        if ratio.low > limit:
            (doubtful if entry.repeated or entry.doubts else above).append(entry)
    if doubtful and not above:
        raise _doubtful(doubtful[0], limit)
    return [name_of(entry) for entry in above]


def _doubtful(entry: "Comparison", limit: float) -> MeasurementError:
    from edgebert.benchmark.comparing import name_of, shown_ratio

    doubts = (*(("the same file in both",) if entry.repeated else ()), *entry.doubts)
    return MeasurementError(
        f"--at-most: expected what is above {limit:g} to be so for sure, got {shown_ratio(entry).ratio:.3f}x for "
        f"{name_of(entry)} in doubt ({', '.join(doubts)}). Do: measure both files in turns on a machine that does "
        "nothing else (edgebert benchmark FIRST.tflite SECOND.tflite)."
    )
