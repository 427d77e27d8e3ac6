"""What the record of a whole run says that its stages do not: where the weights and the data come from.

Only what the user typed is told: of a file its name without its folders, which are nobody's business.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgebert.data.layouts import bundled_names
from edgebert.errors import DataError
from edgebert.run_directory import RUN_FILE


@dataclass(frozen=True)
class Source:
    """Data of a run. `examples` is how many were taken of those that were read; older records do not say."""

    name: str
    examples: int | None = None
    examples_read: int | None = None
    # The bundled dataset that it is.
    bundled: str | None = None


@dataclass(frozen=True)
class RunFile:
    """Nothing is known of a run without the record."""

    train: Source | None = None
    dev: Source | None = None
    # Where the student has examples of its own.
    student_train: Source | None = None
    plain_texts: tuple[str, ...] = ()
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    # What the student was asked to begin as: a way, or a folder.
    student_start: str | None = None
    # Those of the run as it was last asked for; older records do not say.
    stages: frozenset[str] | None = None


def read_run_file(folder: Path) -> RunFile:
    path = folder / RUN_FILE
    if not path.exists():
        return RunFile()
    try:
        record = json.loads(path.read_bytes())
        return _parsed(record, record["inputs"], record.get("config", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path}: expected the record of a run, got something else ({error}). Do: remove it."
        ) from error


def _parsed(record: Mapping[str, Any], inputs: Mapping[str, Any], config: Mapping[str, Any]) -> RunFile:
    data, stages = config.get("data", {}), record.get("stages")
    student_train = inputs.get("student_train")
    return RunFile(
        train=_source(inputs["train"], None if "train" in data else data.get("source")),
        dev=_source(inputs["dev"], None if "dev" in data else data.get("source")),
        student_train=None if student_train is None else _source(student_train, None),
        plain_texts=tuple(Path(file).name for file in inputs.get("corpus", ())),
        checkpoint=_told(config.get("teacher")),
        checkpoint_sha256=inputs.get("checkpoint_sha256"),
        student_start=_told(config.get("distill", {}).get("start")),
        stages=None if stages is None else frozenset(stages),
    )


def _source(entry: Mapping[str, Any], typed: str | None) -> Source:
    """A folder with a bundled dataset's name is typed with a dot or a slash."""
    bundled = typed if typed in bundled_names() else None
    return Source(Path(entry["source"]).name, entry.get("examples"), entry.get("examples_read"), bundled)


def _told(place: str | None) -> str | None:
    """A name or a relative path as it was typed."""
    return Path(place).name if place is not None and Path(place).is_absolute() else place
