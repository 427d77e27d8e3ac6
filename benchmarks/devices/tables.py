"""Check every contributed record and render the board into README.md.

    python -m benchmarks.devices.tables [--check]

With --check nothing is written; exit code 1 where a record cannot stand there, or the README is not what they say.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.devices.checking import (
    find_case,
    is_another_build,
    measured_by_the_tool,
    problems,
    record_of_phone,
    remarks,
)
from benchmarks.devices.reference import HERE, Reference, read_reference
from benchmarks.markdown import markdown_table
from edgebert.benchmark.phone.tool import NAME as TOOL
from edgebert.benchmark.report import milliseconds
from edgebert.errors import EdgebertError
from edgebert.files import write_atomically
from edgebert.measurement import Device, Record
from edgebert.measurement_file import read_record

RECORDS, README = HERE / "records", HERE / "README.md"
_BEGIN, _END = "<!-- benchmarks.devices.tables -->", "<!-- end -->"
# Precision, threads, length: the figures of a row.
_COLUMNS = (("dynamic", 1, 32), ("dynamic", 1, 128), ("dynamic", 2, 128), ("float32", 1, 128))
_NONE_YET = "No device has been contributed yet, so there is no phone here either, and nothing is claimed of any."
_NO_PHONE_YET = "No phone has been contributed yet; nothing is claimed of any."


def check_records(folder: Path, reference: Reference) -> tuple[list[Record], list[str]]:
    """The records that can stand on the board, and what is wrong with the others, each line with the file's name."""
    records, wrong = [], []
    seen: dict[tuple, str] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            record = read_record(path)
        except EdgebertError as error:
            wrong.append(f"{path.name}: {error}")
            continue
        found = problems(record, reference)
        same = seen.setdefault(_identity(record.device), path.name)
        if same != path.name:
            found.append(f"expected one record a device, got {same} of the same; keep the better one")
        wrong += [f"{path.name}: {words}" for words in found]
        records += [] if found else [record]
    wrong += [
        f"{path.name}: expected only .json files here"
        for path in sorted(folder.iterdir())
        if path.suffix != ".json" and path.name != ".gitkeep"
    ]
    return records, wrong


def board(records: Sequence[Record], reference: Reference) -> str:
    """The table, fastest device first, and under it what must be said beside the figures."""
    if not records:
        return _NONE_YET
    ordered = sorted(records, key=lambda record: _median_ns(record, *_COLUMNS[1]))
    header = ["device", "cores", "system", "LiteRT"]
    header += [f"{name}, {length} tokens, {count} thread{'s' * (count > 1)}, ms" for name, count, length in _COLUMNS]
    rows, notes = [], []
    for record in ordered:
        said = remarks(record) + ["another build of the reference models"] * is_another_build(record, reference)
        mark = ""
        if said:
            notes.append(f"{len(notes) + 1}. {_name(record.device)}: {'; '.join(said)}.")
            mark = f" ({len(notes)})"
        figures = [milliseconds(_median_ns(record, *column)) for column in _COLUMNS]
        device = record.device
        runtime = TOOL if measured_by_the_tool(record) else record.cases[0].runtime.version or "unknown"
        system = f"{device.operating_system or 'unknown'}, {record.provenance.started_at_utc[:10]}"
        rows.append([f"{_name(device)}{mark}", _cores(device), system, runtime, *figures])
    parts = [markdown_table(header, rows, left=4)]
    if notes:
        parts.append("\n".join(notes))
    if not any(record_of_phone(record.device) for record in records):
        parts.append(_NO_PHONE_YET)
    return "\n\n".join(parts)


def rendered(text: str, table: str) -> str:
    """The README's text with `table` between its marks."""
    pattern = re.compile(f"{re.escape(_BEGIN)}\n.*?\n{re.escape(_END)}", re.DOTALL)
    if pattern.search(text) is None:
        raise ValueError(f"README.md: expected {_BEGIN} and {_END}")
    return pattern.sub(lambda _: f"{_BEGIN}\n{table}\n{_END}", text)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    arguments = parser.parse_args(argv)
    reference = read_reference()
    records, wrong = check_records(RECORDS, reference)
    text = README.read_text(encoding="utf-8")
    wanted = rendered(text, board(records, reference))
    if not wrong and not arguments.check:
        write_atomically(README, wanted.encode())
    elif arguments.check and wanted != text:
        wrong.append("README.md: expected the table of the records. Do: python -m benchmarks.devices.tables")
    print("\n".join(wrong) if wrong else f"{len(records)} records")
    return 1 if wrong else 0


def _median_ns(record: Record, precision: str, threads: int, length: int) -> float:
    case = find_case(record, precision, threads, length)
    return float(np.median(case.samples.values["wall_ns"]))


def _name(device: Device) -> str:
    models = dict.fromkeys(cluster.model for cluster in device.clusters if cluster.model)
    name = device.name or device.soc or " + ".join(models) or device.architecture
    return _plain(f"{name} ({device.soc})" if device.soc and device.soc != name else name)


def _cores(device: Device) -> str:
    clusters = []
    for cluster in device.clusters:
        frequency = cluster.maximum_frequency_hz
        speed = "" if frequency is None else f" at {frequency / 1e9:.1f} GHz"
        clusters.append(f"{len(cluster.cores)} × {cluster.model or device.architecture}{speed}")
    return _plain(" + ".join(clusters) or f"{device.logical_cores} × {device.architecture}")


def _plain(text: str) -> str:
    """Without what Markdown or HTML would take for its own."""
    return re.sub(r"[|<>`*_\[\]\\\n]", " ", text)


def _identity(device: Device) -> tuple:
    clusters = tuple((len(cluster.cores), cluster.model, cluster.maximum_frequency_hz) for cluster in device.clusters)
    return (device.name, device.soc, device.architecture, clusters, device.memory_bytes)


if __name__ == "__main__":
    sys.exit(main())
