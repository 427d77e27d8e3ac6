"""Word vectors from a text file in GloVe's format: a word and its numbers a line, divided by blanks."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgebert.augment.nearest_words import NearestWords
from edgebert.augment.words import WordFinder
from edgebert.errors import DataError
from edgebert.files import sha256_of_file

# As in TinyBERT's published code: the files are sorted by frequency, and what comes after is rare.
MOST_WORDS = 100_000
# A line longer than this is no word with its numbers; a binary file may be one line.
_LONGEST_LINE_BYTES = 2**16
_SHOWN_CHARACTERS = 40


def nearest_by_vectors(path: Path, finder: WordFinder, count: int) -> NearestWords:
    """The nearest of the file's words that can stand in a text; the other lines are checked and left out."""
    words, vectors = read_word_vectors(path)
    kept = [row for row, word in enumerate(words) if finder.is_plain_word(word)]
    if not kept:
        raise DataError(
            f"{path}: expected words of letters, got none among {len(words):,} lines. Do: check the file's format."
        )
    return NearestWords([words[row] for row in kept], vectors[kept], count)


def read_word_vectors(path: Path) -> tuple[list[str], np.ndarray]:
    """The first 100,000 words and their vectors, float32 [words, width].

    The first line of word2vec's and fastText's text files, which counts words and numbers, is passed over. The file
    may be packed (`.gz`).
    """
    words: list[str] = []
    vectors, width = np.empty((0, 0), np.float32), 0
    for number, line in _lines(path):
        fields = line.rstrip().split(" ")
        if number == 1 and len(fields) == 2 and all(field.isdigit() for field in fields):
            continue
        width = width or len(fields) - 1
        values = _vector(fields, width)
        if values is None:
            raise _malformed(path, number, line, width)
        if len(words) == len(vectors):
            # In place: a file of 300 numbers a word is 120 MB, and a list of rows would need as much again.
            vectors.resize((max(2 * len(words), 1024), width), refcheck=False)
        vectors[len(words)] = values
        words.append(" ".join(fields[:-width]))
        if len(words) == MOST_WORDS:
            break
    if not words:
        raise DataError(f"{path}: expected a word and its numbers a line, got no line. Do: check the file.")
    return words, vectors[: len(words)]


def vectors_sha256(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise _unreadable(path, error.strerror) from error


def _vector(fields: list[str], width: int) -> np.ndarray | None:
    """The numbers of a line, or None where it is not a word with `width` of them."""
    if width < 2 or len(fields) <= width:
        return None
    # Some words hold blanks themselves (`. . .` in GloVe 840B); numbers there are a line that is too long.
    between = fields[1:-width]
    if between and _numbers(between) is not None:
        return None
    return _numbers(fields[-width:])


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, blank ones left out, read as they are asked for."""
    number = 0
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE_BYTES):
                number += 1
                if line.strip():
                    yield number, line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}:{number}: expected UTF-8, got the byte {error.object[error.start]:#04x}. "
            "Do: give a text file in GloVe's format, not a binary one."
        ) from error
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error


def _numbers(fields: list[str]) -> np.ndarray | None:
    """The fields as float32, or None if one of them is no finite number."""
    try:
        with np.errstate(over="ignore"):
            values = np.array(fields, np.float32)
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _unreadable(path: Path, reason: str) -> DataError:
    return DataError(f"{path}: expected a file that can be read, got '{reason}'. Do: check the path and the file.")


def _malformed(path: Path, number: int, line: str, width: int) -> DataError:
    shown = line.strip()
    shown = ascii(shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 3]}...")
    expected = f"{width} finite numbers as on the first line" if width >= 2 else "two finite numbers or more"
    return DataError(
        f"{path}:{number}: expected a word and {expected}, got {len(line.split()) - 1} fields after {shown}. "
        "Do: give a whole text file in GloVe's format."
    )
