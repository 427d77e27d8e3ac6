"""Measure a device for the board: one command, one file.

    python -m benchmarks.devices.measure raspberry-pi-5                    this machine
    python -m benchmarks.devices.measure raspberry-pi-5 --on ssh:user@board
    python -m benchmarks.devices.measure pixel-7 --on adb --benchmark-model android_aarch64_benchmark_model

makes the reference models (or takes them from --models), measures as `edgebert benchmark` does, takes out what names
you (paths, addresses, serial numbers), and writes `benchmarks/devices/records/NAME.json`. Let the device idle and cool.
A phone is measured in TFLite's benchmark_model until our app is written (README.md says where to get it).
"""

import argparse
import contextlib
import dataclasses
import getpass
import re
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.devices.checking import FEWEST_RUNS, PLACES, problems, remarks
from benchmarks.devices.reference import HERE, LENGTHS, PRECISIONS, THREADS, file_name, read_reference, write_models
from edgebert.benchmark.phone.devices import ALL
from edgebert.benchmark.phone.devices import PLACE as PHONE
from edgebert.cli import main as edgebert
from edgebert.cli.output import note
from edgebert.files import write_atomically
from edgebert.measurement import Record
from edgebert.measurement_file import read_record, to_json

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_RUNS, _SECONDS = 3 * FEWEST_RUNS, 1.0
# Two of them are a process of the tool, which loads the model and warms up: about a second.
_TOOL_RUNS = FEWEST_RUNS


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parse(argv)
    with _models(arguments.models) as models, tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "record.json"
        code = edgebert([*_command(arguments, models), "--json", str(raw)])
        if code:
            return code
        record = without_owner(read_record(raw))
    found = problems(record, read_reference()) + _still_there(record, (arguments.on.partition(":")[2],))
    if found:
        print("\n".join(f"not written: {words}" for words in found), file=sys.stderr)
        return 1
    target = write_atomically(HERE / "records" / f"{arguments.name}.json", to_json(record))
    for words in remarks(record):
        note(f"the row will say: {words}")
    note(f"wrote {target}; now `python -m benchmarks.devices.tables`, and commit both files")
    return 0


def _command(arguments: argparse.Namespace, models: Sequence[Path]) -> list[str]:
    sweep = (f"threads={','.join(map(str, THREADS))}", f"length={','.join(map(str, LENGTHS))}")
    command = ["benchmark", *map(str, models), "--on", arguments.on, "--sweep", *sweep]
    if arguments.benchmark_model is None:
        return [*command, "--runs", str(_RUNS), "--min-seconds", str(_SECONDS)]
    return [*command, "--runs", str(_TOOL_RUNS), "--min-seconds", "0", "--benchmark-model", arguments.benchmark_model]


def without_owner(record: Record) -> Record:
    """The command line says how it was measured, not on whose disk or at which address."""
    line = ("edgebert", "benchmark", *(model.name for model in record.models), "--on", record.place)
    return dataclasses.replace(record, provenance=dataclasses.replace(record.provenance, command_line=line))


def _still_there(record: Record, addresses: Sequence[str]) -> list[str]:
    """Names that only this machine knows to be somebody's."""
    text = to_json(record).decode()
    names = {getpass.getuser(), socket.gethostname(), *addresses} - {"", "root", "localhost"}
    words = [name for name in sorted(names) if re.search(rf"\b{re.escape(name)}\b", text)]
    return [f"record: expected nothing that names its owner, got '{name}'" for name in words]


@contextlib.contextmanager
def _models(folder: Path | None) -> Iterator[list[Path]]:
    if folder is not None:
        yield [folder / file_name(precision) for precision in PRECISIONS]
        return
    with tempfile.TemporaryDirectory() as made:
        note("making the reference models")
        yield write_models(Path(made))


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the record's file name: small letters, digits and dashes, as pixel-7")
    parser.add_argument("--on", default="host", metavar="PLACE", help="host, ssh:... or adb[:SERIAL] (default: host)")
    parser.add_argument(
        "--benchmark-model", metavar="PATH", help="on a phone: TFLite's benchmark_model built for Android"
    )
    parser.add_argument("--models", type=Path, metavar="FOLDER", help="a folder with the reference models")
    arguments = parser.parse_args(argv)
    if _NAME.fullmatch(arguments.name) is None:
        parser.error(f"name: expected small letters, digits and dashes, got '{arguments.name}'")
    place, _, address = arguments.on.partition(":")
    if place not in PLACES:
        parser.error(f"--on: expected {', '.join(PLACES)}, got '{arguments.on}'")
    if place == PHONE and (address == ALL or "," in address):
        parser.error(f"--on: expected one phone, got '{arguments.on}': each has a name and a record of its own")
    if place != PHONE and arguments.benchmark_model is not None:
        parser.error(f"--benchmark-model: expected --on {PHONE} with it, got --on {arguments.on}")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
