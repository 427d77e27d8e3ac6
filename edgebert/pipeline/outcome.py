"""What a run came to: a row for each produced file, every figure of it taken on the file itself."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.benchmark.report import report_on
from edgebert.export.inspect import summarize
from edgebert.measurement import Record


@dataclass(frozen=True)
class FileRow:
    model: str
    precision: str
    path: Path
    size_bytes: int
    parameters: int
    minimum_runtime: str
    score: float
    # The share of dev answers that are the reference file's.
    agreement: float
    # At the first number of threads and the first length that were measured.
    latency_ms: float
    clients: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """The first row is the reference: the teacher in float32."""

    folder: Path
    metric: str
    dev_examples: int
    rows: tuple[FileRow, ...]
    # Of files that had to pass and did not, a line each.
    problems: tuple[str, ...]
    # Reasons to distrust the latencies.
    doubts: tuple[str, ...] = ()
    # What a budget made of the settings, and what it gave up.
    budget: tuple[str, ...] = ()
    # The page that shows all this.
    report: Path | None = None

    @property
    def passed(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        reference = self.rows[0]
        rows = [
            dataclasses.asdict(row)
            | {
                "path": str(row.path),
                "smaller": reference.size_bytes / row.size_bytes,
                "faster": reference.latency_ms / row.latency_ms,
                "retained": row.score / reference.score if reference.score > 0 else None,
            }
            for row in self.rows
        ]
        return {
            "folder": str(self.folder),
            "metric": self.metric,
            "dev_examples": self.dev_examples,
            "files": rows,
            "problems": list(self.problems),
            "doubts": list(self.doubts),
            "budget": list(self.budget),
            "report": None if self.report is None else str(self.report),
        }


def doubts_of(record: Record) -> tuple[str, ...]:
    """What the measurement says against itself: of the whole run, then of each file."""
    measured = report_on(record)
    found = [verdict.words for verdict in measured.verdicts]
    return (*found, *(f"{one.label}: {verdict.words}" for one in measured.cases for verdict in one.verdicts))


def rows_of(
    files: dict[str, Path],
    models: dict[str, str],
    scores: dict[str, Any],
    clients: dict[str, Any],
    record: Record,
) -> tuple[FileRow, ...]:
    """models: of each file, by its name."""
    first = record.cases[0]
    measured = {
        Path(entry.label).stem: entry.wall.median / 1e6
        for entry in report_on(record).cases
        if (entry.case.threads, entry.case.length) == (first.threads, first.length)
    }
    return tuple(
        _row(
            path,
            models[name],
            scores["scores"][name],
            scores["agreement"][name],
            measured[name],
            clients["clients"][name],
        )
        for name, path in files.items()
    )


def _row(path: Path, model: str, score: float, agreement: float, latency_ms: float, clients: dict[str, str]) -> FileRow:
    summary = summarize(path)
    return FileRow(
        model=model,
        precision=path.stem.removeprefix(f"{model}-"),
        path=path,
        size_bytes=summary.size_bytes,
        parameters=summary.parameters,
        minimum_runtime=summary.minimum_runtime,
        score=score,
        agreement=agreement,
        latency_ms=latency_ms,
        clients=clients,
    )
