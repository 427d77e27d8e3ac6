"""What a configuration file in `configs/` says: checkpoints, each by one edgebert command, and their files."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CONFIGS = Path(__file__).parent / "configs"
# Given to the run, not made by it.
STUDENT, TEACHER = "student", "teacher"


@dataclass(frozen=True)
class RowPlan:
    name: str
    checkpoint: str
    precision: str
    # Whether its int8 ranges come from training texts, rather than from the checkpoint's own training.
    calibrated: bool = False


@dataclass(frozen=True)
class MethodsPlan:
    dataset: str
    # A bundled dataset, or a folder inside --data.
    data: str
    # The command that makes each checkpoint, without --output; {NAME} stands for the folder of another one.
    checkpoints: dict[str, str]
    rows: dict[str, RowPlan]

    def needed(self, checkpoint: str) -> tuple[str, ...]:
        """The checkpoints to make, in order, before `checkpoint` is there; it is the last of them."""
        return tuple(dict.fromkeys(self._needed(checkpoint)))

    def commands(self, row: RowPlan) -> list[str]:
        return [self.checkpoints[name] for name in self.needed(row.checkpoint)]

    def _needed(self, checkpoint: str) -> Iterator[str]:
        if checkpoint in (STUDENT, TEACHER):
            return
        command = self.checkpoints[checkpoint]
        for other in self.checkpoints:
            if f"{{{other}}}" in command:
                yield from self._needed(other)
        yield checkpoint


def read_plan(dataset: str) -> MethodsPlan:
    raw = tomllib.loads((CONFIGS / f"{dataset}.toml").read_text(encoding="utf-8"))
    common = raw.get("common", {})
    checkpoints = {
        name: command.replace("{healing}", common.get("healing", "")) for name, command in raw["checkpoints"].items()
    }
    rows = {name: RowPlan(name, **fields) for name, fields in raw["rows"].items()}
    return MethodsPlan(dataset, raw["data"], checkpoints, rows)
