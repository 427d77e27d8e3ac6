"""What is packed beside the graph: a zip appended to the .tflite, as tflite-support's clients expect it.

`vocab.txt` and `labels.txt` are what the clients read; `edgebert.json` is what we read: how to tokenize, what the
output means, and which checkpoint, settings and calibration the file came from. It repeats the labels and the
vocabulary's hash, so that a file whose `labels.txt` was exchanged afterwards can be told from a good one.
"""

import hashlib
import json
import mmap
import os
import re
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Self

from edgebert.data.tokenizer_settings import TokenizerSettings
from edgebert.errors import ArtefactError, EdgebertError

VOCABULARY_FILE = "vocab.txt"
LABELS_FILE = "labels.txt"
DESCRIPTION_FILE = "edgebert.json"
DESCRIPTION_FORMAT = 1
TFLITE_IDENTIFIER = b"TFL3"
# Ours are below 5 MB; an entry that claims more is damaged or hostile.
LARGEST_PACKED_FILE_BYTES = 64 * 1024 * 1024

# The head of a zip entry that holds one of our files: what is left to find when the directory at the end was cut off.
_ENTRY_HEAD = re.compile(rb"PK\x03\x04.{26}(?:vocab\.txt|labels\.txt|edgebert\.json)", re.DOTALL)
# Whatever zipfile raises for a damaged archive; it is not a closed set in its documentation.
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


@dataclass(frozen=True, slots=True)
class Description:
    """`edgebert.json`: what a reader must know to use the graph as it was meant."""

    task: str
    pooling: str
    # Tokens of the inputs, or None for as many as the text has; never more than `maximum_length`.
    length: int | None
    maximum_length: int
    precision: str
    tokenizer: TokenizerSettings
    vocabulary_sha256: str
    labels: tuple[str, ...] | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "format": DESCRIPTION_FORMAT,
            "task": self.task,
            "pooling": self.pooling,
            "length": self.length,
            "maximum_length": self.maximum_length,
            "precision": self.precision,
            "tokenizer": self.tokenizer.to_json(),
            "vocabulary_sha256": self.vocabulary_sha256,
            "labels": None if self.labels is None else list(self.labels),
            "provenance": dict(self.provenance),
        }

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Raises ValueError, KeyError or TypeError where `content` is not a description of a known format."""
        if content["format"] != DESCRIPTION_FORMAT:
            raise ValueError(f"format {content['format']!r} where this edgebert reads {DESCRIPTION_FORMAT}")
        checked = {name: _typed(content, name, types) for name, types in _FIELD_TYPES.items()}
        labels = checked.pop("labels")
        if labels is not None and not all(isinstance(label, str) for label in labels):
            raise TypeError("'labels' is not a list of texts")
        tokenizer = TokenizerSettings.from_json(checked.pop("tokenizer"), subject="tokenizer")
        return cls(tokenizer=tokenizer, labels=None if labels is None else tuple(labels), **checked)


_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "task": (str,),
    "pooling": (str,),
    "length": (int, type(None)),
    "maximum_length": (int,),
    "precision": (str,),
    "tokenizer": (dict,),
    "vocabulary_sha256": (str,),
    "labels": (list, type(None)),
    "provenance": (dict,),
}


@dataclass(frozen=True, slots=True)
class Bundle:
    """What was found beside the graph; None for what is not there."""

    vocabulary: tuple[str, ...] | None = None
    labels: tuple[str, ...] | None = None
    description: Description | None = None


def read_bundle(path: str | os.PathLike) -> Bundle:
    """Read what is packed in a .tflite of any maker, without reading the graph."""
    model = Path(path)
    try:
        with model.open("rb") as file:
            head = file.read(8)
            if head[4:8] != TFLITE_IDENTIFIER:
                raise ArtefactError(
                    f"{model}: expected a .tflite (TFL3 at byte 4), got {head[4:8]!r}. Do: name an exported model."
                )
            packed = _packed_files(model, file)
    except OSError as error:
        raise ArtefactError(
            f"{model}: expected a readable .tflite, got '{error.strerror or error}'. Do: check the path."
        ) from error
    return Bundle(
        vocabulary=_lines(model, VOCABULARY_FILE, packed.get(VOCABULARY_FILE)),
        labels=_lines(model, LABELS_FILE, packed.get(LABELS_FILE)),
        description=_description(model, packed.get(DESCRIPTION_FILE)),
    )


def vocabulary_sha256(vocabulary: Sequence[str]) -> str:
    """The hash of a vocabulary as it is packed: one piece a line, no newline after the last."""
    return hashlib.sha256("\n".join(vocabulary).encode("utf-8")).hexdigest()


def _packed_files(model: Path, file: IO[bytes]) -> dict[str, bytes]:
    names = (VOCABULARY_FILE, LABELS_FILE, DESCRIPTION_FILE)
    try:
        with zipfile.ZipFile(file) as archive:
            present = set(archive.namelist())
            return {name: _read_entry(archive, name) for name in names if name in present}
    except _DAMAGE as error:
        if _holds_packed_files(file):
            raise ArtefactError(
                f"{model}: expected the packed vocabulary and labels to be whole, got a damaged zip ({error}). "
                "Do: copy or export the file again."
            ) from error
        return {}


def _read_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    size_bytes = archive.getinfo(name).file_size
    if size_bytes > LARGEST_PACKED_FILE_BYTES:
        raise ValueError(f"{name} claims {size_bytes:,} bytes")
    return archive.read(name)


def _holds_packed_files(file: IO[bytes]) -> bool:
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return _ENTRY_HEAD.search(content) is not None


def _lines(model: Path, name: str, content: bytes | None) -> tuple[str, ...] | None:
    if content is None:
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtefactError(
            f"{model}: expected {name} in UTF-8, got byte {content[error.start]:#04x} at {error.start}. "
            "Do: export the file again."
        ) from error
    # Only a newline ends a line, as in the clients: a multilingual vocabulary has pieces that str.splitlines splits.
    return tuple(text.removesuffix("\n").split("\n")) if text else ()


def _description(model: Path, content: bytes | None) -> Description | None:
    if content is None:
        return None
    try:
        return Description.from_json(json.loads(content))
    except (ValueError, KeyError, TypeError, RecursionError, EdgebertError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise ArtefactError(
            f"{model}: expected {DESCRIPTION_FILE} in format {DESCRIPTION_FORMAT}, got {reason}. "
            "Do: export the file again with this edgebert, or use the edgebert that wrote it."
        ) from error


def _typed(content: Mapping[str, Any], name: str, types: tuple[type, ...]) -> Any:
    value = content[name]
    if not isinstance(value, types) or isinstance(value, bool):
        raise TypeError(f"{value!r} as '{name}'")
    return value
