"""README's table of what the configurations reached: python -m benchmarks.configs.tables

A run's record is its report without texts:
edgebert report RUN --without-texts --json > benchmarks/configs/results/NAME.json
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.markdown import markdown_table

CONFIGS = Path(__file__).parent
RESULTS = CONFIGS / "results"
FASTER_AT_TOKENS = 128
NOT_MEASURED = "-"


@dataclass(frozen=True)
class Aim:
    """What a configuration named after it is for, of one int8 file against the float32 teacher's."""

    retention: float
    times_smaller: float
    times_faster: float

    def missed(self, row: dict[str, Any], times_faster: float | None) -> str:
        reached = {
            "score": (row["retention"], self.retention),
            "size": (row["times_smaller"], self.times_smaller),
            "speed": (times_faster or 0.0, self.times_faster),
        }
        return ", ".join(name for name, (value, least) in reached.items() if value < least) or "nothing"


AIMS = {"97": Aim(0.97, 20, 9.4), "94": Aim(0.94, 60, 30)}


def tables() -> str:
    names = sorted((path.stem for path in RESULTS.glob("*.json")), key=lambda name: (_dataset(name), -int(_aim(name))))
    datasets = dict.fromkeys(map(_dataset, names))
    return "\n\n".join(_table(one, [name for name in names if _dataset(name) == one]) for one in datasets)


def _table(dataset: str, names: list[str]) -> str:
    reports = {name: json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8")) for name in names}
    first = next(iter(reports.values()))["runs"][0]
    header = (
        f"{dataset}, {first['dev_examples']:,} dev examples",
        "file",
        "MB",
        "smaller",
        first["metric"],
        "retained",
    )
    header += (f"ms, {FASTER_AT_TOKENS} tokens", "faster", "clients that agree", "missed of the aim")
    rows = [
        _row(name, row, report["reference"] == number)
        for name, report in reports.items()
        for number, row in enumerate(report["rows"])
    ]
    return markdown_table(header, rows, left=2)


def _row(name: str, row: dict[str, Any], is_reference: bool) -> tuple[str, ...]:
    at = next((one for one in row["latencies"] if (one["threads"], one["length"]) == (1, FASTER_AT_TOKENS)), None)
    agreeing = sum(word == "agrees" for word in row["clients"].values())
    # A float file is a step on the way, which nothing was promised of.
    is_aimed = not is_reference and not row["precision"].startswith("float")
    return (
        name,
        row["name"],
        f"{row['size_bytes'] / 1e6:.2f}",
        f"{row['times_smaller']:.1f}×",
        f"{100 * row['score']:.2f}",
        f"{100 * row['retention']:.1f} %",
        NOT_MEASURED if at is None else f"{at['median_ns'] / 1e6:.2f}",
        NOT_MEASURED if at is None else f"{at['times_faster']:.1f}×",
        f"{agreeing} of {len(row['clients'])}",
        AIMS[_aim(name)].missed(row, at and at["times_faster"]) if is_aimed else "",
    )


def _dataset(name: str) -> str:
    return name.rpartition("-")[0]


def _aim(name: str) -> str:
    return name.rpartition("-")[2]


if __name__ == "__main__":
    print(tables())
