"""README's tables of what every way to compress brings: python -m benchmarks.methods.tables"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.markdown import markdown_table
from benchmarks.methods.run import RESULTS
from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import mean_by_class, millions
from edgebert.measurement import Record
from edgebert.measurement_file import read_record

CORES = ("cortex-a53", "cortex-a55", "cortex-a76", "i8mm")
# Measured beside the rows: what times are shares of.
PLAIN = {"plain-tiny4-128-dynamic": "plain graph, dynamic", "plain-tiny4-128-float32": "plain graph, float32"}
UNKNOWN = "-"


def tables() -> str:
    paths = sorted(path for path in RESULTS.glob("*.json") if not path.stem.endswith(("-latency", "-instructions")))
    return "\n\n".join(_table(path.stem) for path in paths)


def _table(dataset: str) -> str:
    result = json.loads((RESULTS / f"{dataset}.json").read_text(encoding="utf-8"))
    times = _times(RESULTS / f"{dataset}-latency.json")
    counts = _counts(RESULTS / f"{dataset}-instructions.json")
    base = next((times[name] for name in PLAIN if name in times), None)
    rows = [
        (name, *_facts(one), *_speed(one["sha256"], times, counts, base), *_where_it_runs(one))
        for name, one in result["rows"].items()
    ]
    rows += [
        (words, *[UNKNOWN] * 5, *_speed(name, times, counts, base), UNKNOWN, UNKNOWN)
        for name, words in PLAIN.items()
        if name in times
    ]
    header = (f"{dataset}, {result['dev_examples']:,} dev examples", "MB", "gzipped", "zeros", "dev", "same answer")
    header += ("ms", "time", *(f"{core}, M" for core in CORES), "XNNPACK", "runtime")
    return markdown_table(header, rows)


def _facts(one: dict[str, Any]) -> tuple[str, ...]:
    shares = (one["zero_share"], one["dev_score"], one["agreement"])
    sizes = (one["bytes"], one["gzipped_bytes"])
    zeros, *others = (100 * share for share in shares)
    return *(f"{size / 1e6:.2f}" for size in sizes), f"{zeros:.0f} %", *(f"{other:.2f}" for other in others)


def _where_it_runs(one: dict[str, Any]) -> tuple[str, str]:
    return f"{one['taken']}/{one['operators']}", one["minimum_runtime"]


def _speed(key: str, times: dict[str, float], counts: dict[str, dict[str, float]], base: float | None) -> list[str]:
    cells = [UNKNOWN, UNKNOWN] if key not in times else [f"{times[key]:.2f}", f"{times[key] / base:.2f}×"]
    return cells + [millions(counts[key][core]) if core in counts.get(key, {}) else UNKNOWN for core in CORES]


def _times(path: Path) -> dict[str, float]:
    """Milliseconds of CPU time by the file's hash, or its name where its weights are random."""
    if not path.exists():
        return {}
    record = read_record(path)
    return {
        _key(record, case.model): float(np.median(case.samples.values["thread_cpu_ns"])) / 1e6 for case in record.cases
    }


def _counts(path: Path) -> dict[str, dict[str, float]]:
    found = defaultdict(dict)
    if path.exists():
        record = read_record(path)
        for case in record.cases:
            found[_key(record, case.model)][case.emulation.core] = mean_by_class(case)[ALL]
    return found


def _key(record: Record, number: int) -> str:
    model = record.models[number]
    name = Path(model.name).stem
    return name if name in PLAIN else model.sha256


if __name__ == "__main__":
    print(tables())
