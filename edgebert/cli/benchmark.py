"""`edgebert benchmark`: what files cost, here, on a board, a phone or emulated cores, and whether to believe it."""

import argparse
import contextlib
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edgebert.cli.benchmark_arguments import add_run_arguments, add_sweep_argument, check_target, read_plan
from edgebert.cli.output import note, table
from edgebert.cli.places import Place, Presentation, choose_place, default_in_help, places_in_help, present
from edgebert.cli.progress_line import ProgressLine
from edgebert.errors import EdgebertError, MeasurementError
from edgebert.files import write_atomically
from edgebert.measurement import Record

HELP = "measure .tflite files with real token ids: times here, on boards and phones; instructions on emulated cores"
EXAMPLES = """\
  edgebert benchmark model.tflite
  edgebert benchmark ours.tflite theirs.tflite --threads 1,2 --data texts.txt --json result.json
  edgebert benchmark model.tflite --sweep threads=1,2 length=16,32,64,128
  edgebert benchmark ours.tflite theirs.tflite --on emulated:cortex-a76,cortex-a53
  edgebert benchmark model.tflite --on ssh:pi@board --cores 2,3
  edgebert benchmark model.tflite --on adb --benchmark-model android_arm64/benchmark_model
  edgebert benchmark --show result.json

Several files run in turns, so that a busy machine slows them alike; ratios refer to the first one.
A board needs python3 (3.10 or newer) and a login by key: LiteRT, numpy and our worker are sent when it lacks them,
nothing comes from the internet there, and ~/.cache/edgebert-board keeps at most 1 GB for the next time.
Emulated cores (`edgebert emulator install`) count instructions: a cost proxy for comparing models, not a time.
Needs numpy and LiteRT only: pip install '.[benchmark]' in edgebert's checkout"""

_TO_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a .tflite with input_ids and input_mask")
    what = parser.add_argument_group("what is run")
    what.add_argument("--on", default="host", metavar="PLACE", help=f"{places_in_help()} (default: host)")
    add_sweep_argument(what)
    add_run_arguments(what, default_in_help("texts"))
    what.add_argument(
        "--benchmark-model",
        type=Path,
        metavar="PATH",
        help="on phones: TFLite's benchmark_model built for Android, instead of our app",
    )
    long = parser.add_argument_group("how long")
    long.add_argument(
        "--runs",
        type=int,
        metavar="N",
        help=f"at least N runs each, on emulated cores of every text (default: {default_in_help('runs')})",
    )
    long.add_argument(
        "--min-seconds",
        type=float,
        metavar="S",
        help=f"and on average S seconds each (default: {default_in_help('minimum_seconds')})",
    )
    long.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the turns' order (default: 0)")
    out = parser.add_argument_group("result")
    out.add_argument(
        "--json", metavar="FILE", help="write the record, every raw value in it; - prints it instead of tables"
    )
    out.add_argument("--show", metavar="FILE", help="print the tables of a record and measure nothing")


def run(arguments: argparse.Namespace) -> int:
    if arguments.show is not None:
        return _show(arguments)
    place = choose_place(arguments.on)
    if arguments.benchmark_model is not None and place.name != "adb":
        raise MeasurementError(
            f"--benchmark-model: expected --on adb with it, got --on {arguments.on}. Do: add --on adb, or drop it."
        )
    machines = place.each(arguments)
    if len(machines) == 1:
        _measure(place, arguments, _Keeper(arguments.json))
        return 0
    return _measure_each(place, machines, arguments)


def _measure_each(place: Place, machines: Sequence[str], arguments: argparse.Namespace) -> int:
    """One after another; a machine that fails does not cost the others their records."""
    keepers = [_Keeper(_numbered(arguments.json, number)) for number in range(1, len(machines) + 1)]
    failed: EdgebertError | None = None
    for machine, keeper in zip(machines, keepers, strict=True):
        note(f"--on {machine}")
        try:
            _measure(place, argparse.Namespace(**{**vars(arguments), "on": machine}), keeper)
        except EdgebertError as error:
            if failed is not None:
                note(f"edgebert benchmark: {failed}")
            failed = error
    if failed is not None:
        raise failed
    return 0


def _measure(place: Place, arguments: argparse.Namespace, keeper: "_Keeper") -> None:
    measure = place.measuring(arguments)
    plan = read_plan(arguments, place.texts, place.runs, place.minimum_seconds)
    try:
        with _termination_as_interrupt(), ProgressLine() as progress:
            record = measure(plan, keeper.keep, progress)
    except (EdgebertError, KeyboardInterrupt):
        keeper.present_unfinished()
        raise
    keeper.present(record)


def _numbered(target: str | None, number: int) -> str | None:
    """A file for each of several machines: `result.json` as `result-1.json`."""
    if target is None:
        return None
    if target == _TO_STDOUT:
        raise MeasurementError(
            "--json: expected a file for the records of several machines, got -. Do: give a file's name."
        )
    path = Path(target)
    return str(path.with_name(f"{path.stem}-{number}{path.suffix}"))


class _Keeper:
    """Where the record goes: a file, or standard output."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._unfinished: Record | None = None
        if target not in (None, _TO_STDOUT):
            check_target(Path(target), "--json")

    def keep(self, record: Record) -> None:
        """Take an unfinished record: it replaces the file now, because there may be no later."""
        self._unfinished = record
        if self._target not in (None, _TO_STDOUT):
            write_atomically(self._target, _json(record, None))

    def present(self, record: Record) -> None:
        shown = present(record)
        if self._target == _TO_STDOUT:
            sys.stdout.write(_json(record, shown.derived).decode())
            return
        # First the tables: should the file fail to be written, the figures have been seen.
        _print(shown, record)
        if self._target is not None:
            write_atomically(self._target, _json(record, shown.derived))
            note(f"wrote {self._target}")

    def present_unfinished(self) -> None:
        if self._unfinished is not None:
            self.present(self._unfinished)


def _show(arguments: argparse.Namespace) -> int:
    from edgebert.measurement_file import read_record

    if arguments.models:
        raise MeasurementError("--show: expected no model beside it, got one. Do: leave out the one or the other.")
    record = read_record(arguments.show)
    _print(present(record), record)
    return 0


def _print(shown: Presentation, record: Record) -> None:
    from edgebert.benchmark.sweeping import sweep_rows

    for header, rows in (*shown.tables, sweep_rows(record)):
        if rows:
            print(table(header, rows), end="\n\n")
    print("\n".join(shown.lines))
    inputs = record.cases[0].inputs
    print(f"inputs: {len(inputs.lengths)} of {inputs.texts_available or len(inputs.lengths)} from {inputs.source}")


def _json(record: Record, derived: Mapping[str, object] | None) -> bytes:
    from edgebert.measurement_file import to_json

    return to_json(record, derived)


@contextlib.contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """A polite kill keeps the finished samples, as Ctrl-C does."""

    def interrupt(signal_number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
