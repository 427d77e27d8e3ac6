"""README's table of what structured pruning brings and costs: python -m benchmarks.shrinking.tables"""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.markdown import markdown_table
from benchmarks.shrinking.run import RESULTS, TOKENS, WHOLE
from edgebert.measurement_file import read_record

HEADER = (
    "student",
    "heads and neurons",
    "in blocks",
    "all parameters",
    "float32, MB",
    "dynamic, MB",
    "gzipped",
    "dev, float32",
    "dev, dynamic",
    f"dynamic, {TOKENS} tokens, ms",
    "time",
)


def rows(path: Path) -> Iterator[tuple[object, ...]]:
    result = json.loads(path.read_text())
    times = [
        float(np.median(case.samples.values["thread_cpu_ns"])) / 1e6
        for case in read_record(path.with_name(f"{path.stem}-latency.json")).cases
    ]
    for time_ms, (name, one) in zip(times, result["rows"].items(), strict=True):
        plain, dynamic = one["files"]["float32"], one["files"]["dynamic"]
        share = one["block_parameters"] / result["rows"][WHOLE]["block_parameters"]
        yield (
            f"{result['data']}, {name}",
            f"{one['counts']['heads']} × {one['counts']['feed_forward_width']:,}",
            f"{one['block_parameters']:,} ({share:.3f}×)",
            f"{one['parameters']:,}",
            *(f"{size / 1e6:.2f}" for size in (plain["bytes"], dynamic["bytes"], dynamic["gzipped_bytes"])),
            *(f"{100 * file['dev_score']:.2f}" for file in (plain, dynamic)),
            f"{time_ms:.2f}",
            f"{time_ms / times[0]:.3f}×",
        )


def table() -> str:
    found = [path for path in sorted(RESULTS.glob("*.json")) if not path.stem.endswith("-latency")]
    return markdown_table(HEADER, [row for path in found for row in rows(path)])


if __name__ == "__main__":
    print(table())
