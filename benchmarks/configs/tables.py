"""README's tables of what the configurations reached: python -m benchmarks.configs.tables

A run's record is its report without texts:
edgebert report RUN --without-texts --json | python -m json.tool --compact > benchmarks/configs/results/NAME.json
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.markdown import markdown_table

RESULTS = Path(__file__).parent / "results"
FASTER_AT_TOKENS = 128
NOT_MEASURED = "-"


@dataclass(frozen=True)
class Aim:
    """What a configuration named after it is for, of one int8 file against the float32 teacher's."""

    retention: float
    times_smaller: float
    times_faster: float


AIMS = {"97": Aim(0.97, 20, 9.4), "94": Aim(0.94, 60, 30)}


@dataclass(frozen=True)
class File:
    """A row of a run's report. `run` is named after the data and the aim, such as clinc150-97."""

    run: str
    row: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.run} {self.row['name']}"

    @property
    def megabytes(self) -> float:
        return self.row["size_bytes"] / 1e6

    @cached_property
    def latency(self) -> dict[str, Any] | None:
        of_one_thread = (one for one in self.row["latencies"] if one["threads"] == 1)
        return next((one for one in of_one_thread if one["length"] == FASTER_AT_TOKENS), None)

    @property
    def missed(self) -> str:
        """Of the aim; float files are steps on the way, of which nothing was promised."""
        if self.row["precision"].startswith("float"):
            return ""
        aim = AIMS[aim_of(self.run)]
        reached = {
            "score": (self.row["retention"], aim.retention),
            "size": (self.row["times_smaller"], aim.times_smaller),
            "speed": (0.0 if self.latency is None else self.latency["times_faster"], aim.times_faster),
        }
        return ", ".join(name for name, (value, least) in reached.items() if value < least) or "nothing"


def dataset_of(run: str) -> str:
    return run.rpartition("-")[0]


def aim_of(run: str) -> str:
    return run.rpartition("-")[2]


def datasets() -> dict[str, list[File]]:
    """The files of each dataset, those of the nearer aim first, each content once: runs share their teacher."""
    found: dict[str, dict[str, File]] = {}
    for path in sorted(RESULTS.glob("*.json"), key=lambda path: (dataset_of(path.stem), -int(aim_of(path.stem)))):
        files = found.setdefault(dataset_of(path.stem), {})
        for row in _report(path)["rows"]:
            files.setdefault(row["sha256"], File(path.stem, row))
    return {dataset: list(files.values()) for dataset, files in found.items()}


def tables() -> str:
    return "\n\n".join(_table(dataset, files) for dataset, files in datasets().items())


def _report(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _table(dataset: str, files: list[File]) -> str:
    first = _report(RESULTS / f"{files[0].run}.json")["runs"][0]
    header = ("", f"{dataset}, {first['dev_examples']:,} dev examples", "file", "MB", "smaller", first["metric"])
    header += ("retained", f"ms, {FASTER_AT_TOKENS} tokens", "faster", "clients that agree", "missed of the aim")
    return markdown_table(header, [(number, *_cells(file)) for number, file in enumerate(files, 1)], left=3)


def _cells(file: File) -> tuple[str, ...]:
    row, at = file.row, file.latency
    return (
        file.run,
        row["name"],
        f"{file.megabytes:.2f}",
        f"{row['times_smaller']:.1f}×",
        f"{100 * row['score']:.2f}",
        f"{100 * row['retention']:.1f} %",
        NOT_MEASURED if at is None else f"{at['median_ns'] / 1e6:.2f}",
        NOT_MEASURED if at is None else f"{at['times_faster']:.1f}×",
        f"{sum(word == 'agrees' for word in row['clients'].values())} of {len(row['clients'])}",
        file.missed,
    )


if __name__ == "__main__":
    print(tables())
