"""The stage records of a run folder, in the order in which one stage builds on another; nothing is locked."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.errors import DataError
from edgebert.report.model import Fact
from edgebert.run_directory import FINISHED, RECORD_FILE

# A list of more entries is told by its number.
_LISTED = 6


@dataclass(frozen=True)
class StageRecord:
    name: str
    folder: Path
    finished: bool
    edgebert_version: str | None
    inputs: dict[str, Any]
    result: Any
    # Relative path to sha256.
    files: dict[str, str]

    def mentions(self, other: "StageRecord") -> bool:
        """Whether it was made from a file of the other stage."""
        return bool(set(other.files.values()) & set(_texts(self.inputs)))


def read_stages(run_folder: str | os.PathLike) -> tuple[StageRecord, ...]:
    folder = Path(run_folder)
    found = [_read(path, folder) for path in sorted(folder.glob(f"**/{RECORD_FILE}"))]
    if not found:
        raise DataError(
            f"{folder}: expected a run folder, got one without a stage's record ({RECORD_FILE}). "
            "Do: give the folder that `edgebert compress --run` made."
        )
    return _in_order(found)


def facts_of(values: Any, name: str = "") -> Iterator[Fact]:
    """Nested tables with dotted names, long lists as their number."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from facts_of(value, f"{name}.{key}" if name else key)
    elif isinstance(values, list) and (len(values) > _LISTED or any(isinstance(each, (dict, list)) for each in values)):
        yield Fact(name, f"{len(values):,} entries")
    elif isinstance(values, list):
        yield Fact(name, ", ".join(map(str, values)))
    else:
        yield Fact(name, "none" if values is None else str(values))


def _read(path: Path, run_folder: Path) -> StageRecord:
    try:
        record = json.loads(path.read_bytes())
        result = record.get("result")
        return StageRecord(
            name=str(path.parent.relative_to(run_folder)),
            folder=path.parent,
            finished=record["state"] == FINISHED,
            edgebert_version=record.get("version"),
            inputs=dict(record["inputs"]),
            result=result,
            files=dict(record.get("files", {})),
        )
    except OSError as error:
        raise DataError(f"{path}: expected a stage's record, got '{error.strerror}'. Do: check the folder.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(
            f"{path}: expected a stage's record, got something else ({error}). Do: run the stage again."
        ) from error


def _in_order(stages: list[StageRecord]) -> tuple[StageRecord, ...]:
    """A stage after all that it was made from; among free ones by name. A ring, which no pipeline makes, stays."""
    waiting, ordered = list(stages), []
    while waiting:
        free = [one for one in waiting if not any(one.mentions(other) for other in waiting if other is not one)]
        ordered.append((free or waiting)[0])
        waiting.remove(ordered[-1])
    return tuple(ordered)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
