"""The bars of the schemes, each with what the committed records say; measures nothing.

python -m benchmarks.compression.bars
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.markdown import markdown_table
from edgebert.benchmark.emulated.counts import ALL
from edgebert.benchmark.emulated.report import mean_by_class
from edgebert.measurement import Case, Record
from edgebert.measurement_file import read_record

HERE = Path(__file__).parent
METHODS, DATASETS = HERE.parent / "methods" / "results", ("clinc150", "sst2")
PLAIN_DYNAMIC, PLAIN_FLOAT32 = "plain-tiny4-128-dynamic", "plain-tiny4-128-float32"


@dataclass(frozen=True)
class Bar:
    what: str
    limit: float
    found: float
    # Whether more is better: a cosine, a speed-up.
    is_least: bool = False

    @property
    def holds(self) -> bool:
        return self.found >= self.limit if self.is_least else self.found <= self.limit

    def row(self) -> tuple[str, str, str, str]:
        sign = "≥" if self.is_least else "≤"
        return self.what, f"{sign} {self.limit:g}", f"{self.found:.4f}", "yes" if self.holds else "NO"


def find_bars() -> list[Bar]:
    """Of the schemes, as `benchmarks.compression.run` leaves them, and of benchmarks/methods' students."""
    bars = [*_accuracy(HERE / "accuracy.json"), *_times(HERE / "latency.json")]
    bars += _instructions(HERE / "instructions.json")
    return bars + [bar for dataset in DATASETS for bar in _trained(METHODS / f"{dataset}.json", dataset)]


def tables() -> str:
    return markdown_table(("bar", "limit", "found", "holds"), [bar.row() for bar in find_bars()])


def _accuracy(path: Path) -> Iterator[Bar]:
    """MiniLM's sentence embedding."""
    if path.is_file():
        found = json.loads(path.read_text())
        for scheme, least in (("dynamic", 0.998), ("hybrid", 0.998), ("static", 0.995), ("int4-embedding", 0.99)):
            yield Bar(f"cosine to float32, {scheme}", least, found[scheme]["mean"], is_least=True)


def _times(path: Path) -> Iterator[Bar]:
    """Of TinyBERT4's shape, thread CPU time, medians of runs in turns."""
    if path.is_file():
        record = read_record(path)
        times = {_name(record, case): float(np.median(case.samples.values["thread_cpu_ns"])) for case in record.cases}
        yield Bar("static, times faster than plain float32", 3.3, times[PLAIN_FLOAT32] / times["static"], is_least=True)
        for scheme, limit in (("static", 0.78), ("hybrid", 0.78), ("full-int8", 1.0)):
            yield Bar(f"{scheme}, of plain dynamic's time", limit, times[scheme] / times[PLAIN_DYNAMIC])


def _instructions(path: Path) -> Iterator[Bar]:
    if path.is_file():
        record = read_record(path)
        counts = {
            (case.emulation.core, _name(record, case)): mean_by_class(case)[ALL]
            for case in record.cases
            if case.emulation is not None
        }
        for scheme, core, limit in (
            ("static", "cortex-a76", 0.65),
            ("static", "cortex-a53", 0.92),
            ("full-int8", "cortex-a76", 1.0),
        ):
            ratio = counts[core, scheme] / counts[core, PLAIN_DYNAMIC]
            yield Bar(f"{scheme}, of plain dynamic's instructions on {core}", limit, ratio)


def _trained(path: Path, dataset: str) -> Iterator[Bar]:
    """Of int8 that a student was trained for: points below the student in float32, and whether it is what Keras saw."""
    if not path.is_file():
        return
    rows = json.loads(path.read_text())["rows"]
    for name, limit in (("static, trained", 0.3), ("full-int8, trained", 1.0)):
        if name in rows and "float32" in rows:
            lost = 100 * (rows["float32"]["dev_score"] - rows[name]["dev_score"])
            yield Bar(f"{name}: points below float32, {dataset}", limit, lost)
            agreeing = 100 * rows[name]["parity"]["agreement"]
            yield Bar(f"{name}: % of answers as in Keras, {dataset}", 99.5, agreeing, is_least=True)


def _name(record: Record, case: Case) -> str:
    return Path(record.models[case.model].name).stem


if __name__ == "__main__":
    print(tables())
