"""`edgebert benchmark`: what files cost, on this machine or on emulated cores, and whether to believe the figures."""

import argparse
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edgebert.cli.output import note, table
from edgebert.cli.progress_line import ProgressLine
from edgebert.errors import EdgebertError, MeasurementError, OutputError
from edgebert.files import write_atomically
from edgebert.measurement import Record

if TYPE_CHECKING:
    from edgebert.benchmark.plan import Plan
    from edgebert.benchmark.report import Rows

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
_HOST, _EMULATED = "host", "emulated"
# What is taken where the user does not say: counts repeat, and texts of one length cost the same there.
_TEXTS = {_HOST: 20, _EMULATED: 5}
_RUNS = {_HOST: 100, _EMULATED: 2}
_MINIMUM_SECONDS = {_HOST: 0.5, _EMULATED: 0.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("models", nargs="*", metavar="MODEL", help="a .tflite with input_ids and input_mask")
    what = parser.add_argument_group("what is run")
    what.add_argument(
        "--on", default=_HOST, metavar="PLACE", help="host, or emulated:CORE,... as `edgebert emulator list` names them"
    )
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
        "--texts", type=int, metavar="N", help=f"take at most N texts, evenly (default: {_by_place(_TEXTS)})"
    )
    what.add_argument("--vocab", type=Path, metavar="FILE", help="a vocab.txt, where the file has none packed")
    what.add_argument("--synthetic-ids", action="store_true", help="random ids instead of texts; the record says so")
    what.add_argument("--cores", metavar="N,...", help="stay on these cores (default: all)")
    long = parser.add_argument_group("how long")
    long.add_argument(
        "--runs",
        type=int,
        metavar="N",
        help=f"at least N runs each, on emulated cores of every text (default: {_by_place(_RUNS)})",
    )
    long.add_argument("--min-seconds", type=float, metavar="S", help="and on average S seconds each (default: 0.5)")
    long.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the turns' order (default: 0)")
    out = parser.add_argument_group("result")
    out.add_argument(
        "--json", metavar="FILE", help="write the record, every raw value in it; - prints it instead of tables"
    )
    out.add_argument("--show", metavar="FILE", help="print the tables of a record and measure nothing")


def run(arguments: argparse.Namespace) -> int:
    if arguments.show is not None:
        return _show(arguments)
    measure = _measure_on(arguments.on)
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


def _measure_on(place: str) -> "Callable[[Plan, Callable[[Record], None], ProgressLine], Record]":
    """What measures a plan at `place`, and hands unfinished records to its second argument."""
    if place == _HOST:
        from edgebert.benchmark.host import measure

        return lambda plan, keep, progress: measure(plan, keep, note, progress)
    if _kind(place) == _EMULATED:
        from edgebert.benchmark.emulated.cores import choose_cores
        from edgebert.benchmark.emulated.measuring import count

        cores = choose_cores(place)
        return lambda plan, keep, progress: count(plan, cores, keep, progress)
    raise MeasurementError(
        f"--on: expected {_HOST} or {_EMULATED}:CORE,..., got '{place}'. Do: choose one (`edgebert emulator list`)."
    )


def _kind(place: str) -> str:
    return place.partition(":")[0]


def _by_place(defaults: Mapping[str, int]) -> str:
    return f"{defaults[_HOST]}; {defaults[_EMULATED]} on emulated cores"


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
        shown = _presentation(record)
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

    kind = _kind(arguments.on)
    limit = _TEXTS[kind] if arguments.texts is None else arguments.texts
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
        runs=_RUNS[kind] if arguments.runs is None else arguments.runs,
        minimum_seconds=_MINIMUM_SECONDS[kind] if arguments.min_seconds is None else arguments.min_seconds,
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
    _print(_presentation(record), record)
    return 0


@dataclass(frozen=True, slots=True)
class _Presentation:
    """A record for people: tables, then lines; `derived` is the same for the JSON file."""

    tables: "Sequence[Rows]"
    lines: Sequence[str]
    derived: Mapping[str, object]


def _presentation(record: Record) -> _Presentation:
    if record.place == _EMULATED:
        from edgebert.benchmark.emulated import report as counts

        counted = counts.report_on_counts(record)
        lines = [*counts.EXPLANATION, "", *counts.function_lines(counted), ""]
        lines += counts.count_verdict_lines(record, counted)
        return _Presentation([counts.count_rows(counted)], lines, counts.derived_counts(counted))
    from edgebert.benchmark import report as times

    timed = times.report_on(record)
    tables = [times.latency_rows(timed), times.start_rows(timed), times.ratio_rows(timed)]
    return _Presentation(tables, times.verdict_lines(timed), times.derived(timed))


def _print(shown: _Presentation, record: Record) -> None:
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
