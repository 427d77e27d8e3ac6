"""Examples in numbered files: each is written whole or not at all, and what stands there is not made again."""

import dataclasses
import gzip
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgebert.data.examples import Dataset, Example
from edgebert.data.reading import read_examples
from edgebert.errors import DataError
from edgebert.files import write_atomically
from edgebert.run_directory import FINISHED, RECORD_FILE

# Of the run folder that an augmentation is.
STAGE = "augmented"
TEXT, SECOND_TEXT, LABEL = "text", "text_pair", "label"


@dataclass(frozen=True)
class Shards:
    """The files of one folder."""

    folder: Path

    def path(self, number: int) -> Path:
        return self.folder / f"shard-{number:05}.jsonl.gz"

    def remove_unfinished(self) -> None:
        """What a killed process left of a file that it was writing."""
        for path in self.folder.glob(".*.partial"):
            path.unlink()

    def rows(self, number: int) -> int | None:
        """How many examples the file holds; None if it is not there or not whole."""
        try:
            with gzip.open(self.path(number), "rb") as file:
                return sum(1 for _ in file)
        except (OSError, EOFError, zlib.error):
            return None

    def write(self, number: int, examples: Sequence[Example]) -> None:
        lines = b"".join(_line(example) for example in examples)
        # Without the time of writing, equal examples give equal bytes.
        write_atomically(self.path(number), gzip.compress(lines, compresslevel=6, mtime=0))


def augmented_folder(path: Path) -> Path | None:
    """The folder of shards that `edgebert augment --out PATH` made, or PATH if it is that folder; else none."""
    return next((folder for folder in (path / STAGE, path) if Shards(folder).path(0).is_file()), None)


def read_augmented(folder: Path, labels: Sequence[str] | None = None) -> Dataset[Example]:
    """What `augment` wrote to a folder, in the label order of the source, or in that of `labels`."""
    made = _read_result(folder)
    parts = [
        read_examples(
            Shards(folder).path(number),
            text_column=TEXT,
            second_text_column=SECOND_TEXT if made["pairs"] else None,
            label_column=LABEL if made["labelled"] else None,
            labels=labels or made["labels"],
            regression=True if made["labelled"] and made["labels"] is None else None,
        )
        for number in range(made["shards"])
    ]
    examples = tuple(example for part in parts for example in part.examples)
    return dataclasses.replace(parts[0], examples=examples, source=str(folder))


def _read_result(folder: Path) -> dict:
    path = folder / RECORD_FILE
    try:
        record = json.loads(path.read_bytes())
        if record["state"] == FINISHED:
            return record["result"]
        got = "an unfinished one"
    except OSError as error:
        got = f"'{error.strerror}'"
    except (ValueError, KeyError, TypeError):
        got = "another document"
    raise DataError(
        f"{path}: expected the record of a finished augmentation, got {got}. Do: run edgebert augment to its end."
    )


def _line(example: Example) -> bytes:
    values = {TEXT: example.text, SECOND_TEXT: example.second_text, LABEL: example.label}
    present = {name: value for name, value in values.items() if value is not None}
    return json.dumps(present, ensure_ascii=False).encode("utf-8") + b"\n"
