"""`edgebert benchmark`: what files cost, on this machine or on emulated cores, and whether to believe the figures."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.output import note, table
from edgebert.cli.places import Presentation, choose_place, default_in_help, places_in_help, present
from edgebert.cli.progress_line import ProgressLine
from edgebert.errors import EdgebertError, MeasurementError, OutputError
from edgebert.files import write_atomically
from edgebert.measurement import Record

if TYPE_CHECKING:
    from edgebert.benchmark.plan import Plan

HELP = "measure .tflite files with real token ids: times on this machine, instructions on emulated cores"
EXAMPLES = """\
  edgebert benchmark model.tflite
  edgebert benchmark ours.tflite theirs.tflite --threads 1,2 --data texts.txt --json result.json
  edgebert benchmark model.tflite --length 16,32,64,128
  edgebert benchmark ours.tflite theirs.tflite --on emulated:cortex-a76,cortex-a53
  edgebert benchmark --show result.json

Several files run in turns, so that a busy machine slows them alike; ratios refer to the first one.
Emulated cores (`edgebert emulator install`) count instructions: a cost proxy for comparing models, not a time.
Needs numpy and LiteRT only: pip install edgebert[benchmark]"""

_TO_STDOUT = "-"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a .tflite with input_ids and input_mask")
    what = parser.add_argument_group("what is run")
    what.add_argument("--on", default="host", metavar="PLACE", help=f"{places_in_help()} (default: host)")
    what.add_argument("--threads", default="1", metavar="N,...", help="numbers of threads (default: 1)")
    what.add_argument(
        "--length", metavar="N,...", help="pad and cut texts to these lengths (default: each text's own, or the file's)"
    )
    what.add_argument(
        "--data", metavar="FILE", help="a .txt with a text a line, or .csv, .tsv, .jsonl (default: built-in ones)"
    )
    what.add_argument("--split", metavar="NAME", help="split of --data, where it has several")
    what.add_argument("--layout", metavar="NAME", help="layout of --data, where its name does not tell")
    what.add_argument("--text-column", metavar="NAME", help="column of the text in --data (default: guessed)")
    what.add_argument(
        "--texts", type=int, metavar="N", help=f"take at most N texts, evenly (default: {default_in_help('texts')})"
    )
    what.add_argument("--vocab", type=Path, metavar="FILE", help="a vocab.txt, where the file has none packed")
    what.add_argument("--synthetic-ids", action="store_true", help="random ids instead of texts; the record says so")
    what.add_argument("--cores", metavar="N,...", help="stay on these cores (default: all)")
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
    measure = choose_place(arguments.on).measuring(arguments)
    plan = _plan(arguments)
    keeper = _Keeper(arguments.json)
    try:
        with _termination_as_interrupt(), ProgressLine() as progress:
            record = measure(plan, keeper.keep, progress)
    except (EdgebertError, KeyboardInterrupt):
        keeper.present_unfinished()
        raise
    keeper.present(record)
    return 0


class _Keeper:
    """Where the record goes: a file, or standard output."""

    def __init__(self, target: str | None) -> None:
        self._target = target
        self._unfinished: Record | None = None
        if target not in (None, _TO_STDOUT):
            _check_target(Path(target))

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


def _plan(arguments: argparse.Namespace) -> "Plan":
    from edgebert.benchmark.plan import Plan
    from edgebert.benchmark.texts import builtin_texts, read_texts

    place = choose_place(arguments.on)
    limit = place.texts if arguments.texts is None else arguments.texts
    if limit < 1:
        raise MeasurementError(f"--texts: expected 1 or more, got {limit}. Do: give a number of at least 1.")
    reading = {"split": arguments.split, "layout": arguments.layout, "text_column": arguments.text_column}
    texts = builtin_texts(limit) if arguments.data is None else read_texts(arguments.data, limit, **reading)
    return Plan(
        models=tuple(Path(model) for model in arguments.models),
        texts=texts,
        threads=_integers("--threads", arguments.threads),
        lengths=() if arguments.length is None else _integers("--length", arguments.length),
        vocabulary=arguments.vocab,
        synthetic_ids=arguments.synthetic_ids,
        cores=None if arguments.cores is None else _integers("--cores", arguments.cores),
        runs=place.runs if arguments.runs is None else arguments.runs,
        minimum_seconds=place.minimum_seconds if arguments.min_seconds is None else arguments.min_seconds,
        seed=arguments.seed,
        command_line=tuple(sys.argv),
    )


def _integers(option: str, text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise MeasurementError(f"{option}: expected numbers with commas between, got '{text}'. Do: write {option} 1,2.")
    return tuple(int(part) for part in parts)


def _show(arguments: argparse.Namespace) -> int:
    from edgebert.measurement_file import read_record

    if arguments.models:
        raise MeasurementError("--show: expected no model beside it, got one. Do: leave out the one or the other.")
    record = read_record(arguments.show)
    _print(present(record), record)
    return 0


def _print(shown: Presentation, record: Record) -> None:
    for header, rows in shown.tables:
        if rows:
            print(table(header, rows), end="\n\n")
    print("\n".join(shown.lines))
    inputs = record.cases[0].inputs
    print(f"inputs: {len(inputs.lengths)} of {inputs.texts_available or len(inputs.lengths)} from {inputs.source}")


def _json(record: Record, derived: Mapping[str, object] | None) -> bytes:
    from edgebert.measurement_file import to_json

    return to_json(record, derived)


def _check_target(target: Path) -> None:
    """Refuse a place that cannot be written now, not after minutes of measuring."""
    folder = target.parent
    if not folder.is_dir() or target.is_dir() or not os.access(folder, os.W_OK):
        raise OutputError(
            f"{target}: expected a file in an existing folder that can be written, got none. "
            "Do: choose another place for --json."
        )


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
