"""Bytes on disk → text, with nothing replaced behind the user's back."""

import gzip
import io
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from edgebert.errors import DataError

# What `errors="surrogateescape"` turns a byte into that is not UTF-8. Strict UTF-8 never decodes to these.
UNDECODABLE = re.compile("[\udc80-\udcff]")
HALF_SURROGATE_PAIR = re.compile("[\ud800-\udfff]")

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class TextFile:
    """Decoded lines with their line ends (`\\n`, `\\r\\n` or `\\r`, also mixed).

    A byte that is not UTF-8 is kept as a `surrogateescape` character, so that its row can be named and written out.
    """

    path: str
    lines: list[str]


def read_bytes(path: str | os.PathLike) -> bytes:
    """The whole file; one that ends in `.gz` is unpacked."""
    try:
        content = Path(path).read_bytes()
        return gzip.decompress(content) if str(path).endswith(".gz") else content
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"{path}: expected a file that can be read, got '{reason}'. Do: check the path and the file."
        ) from error


def read_lines(path: str | os.PathLike) -> TextFile:
    """Lines of a UTF-8 file; blank lines at its end hold nothing and are left off, an empty file is an error."""
    content = read_bytes(path)
    if content.startswith(_UTF16_MARKS):
        raise DataError(
            f"{path}: expected UTF-8 text, got the byte order mark of UTF-16 or UTF-32. Do: save the file as UTF-8."
        )
    text = content.removeprefix(_UTF8_MARK).decode("utf-8", "surrogateescape")
    # newline="" splits at \n, \r\n and \r only and keeps them; str.splitlines would also split at U+2028 and others.
    lines = list(io.StringIO(text, newline=""))
    while lines and not lines[-1].strip("\r\n"):
        lines.pop()
    if not lines:
        raise DataError(f"{path}: expected rows of data, got an empty file. Do: check how it was written.")
    return TextFile(str(path), lines)


def decode_document(path: str | os.PathLike, content: bytes) -> tuple[str, str | None]:
    """A JSON document's text, and a note where it is not plain UTF-8.

    SNIPS's train_PlayMusic_full.json is usually opened as latin-1, which garbles its two dozen accented titles. It is
    UTF-8 but for one emoji that was written as the two halves of a UTF-16 pair, three bytes each (CESU-8).
    """
    content = content.removeprefix(_UTF8_MARK)
    try:
        return content.decode("utf-8"), None
    except UnicodeDecodeError as error:
        where = f"{path}: byte {content[error.start]:#04x} at offset {error.start} is not UTF-8"
    try:
        halves = content.decode("utf-8", "surrogatepass")
        text = halves.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        return text, f"{where}; read as CESU-8 (a UTF-16 pair in six bytes), in which the whole file is valid"
    except UnicodeDecodeError:
        return content.decode("latin-1"), f"{where} nor CESU-8; read as latin-1: check the accents"


def without_line_end(line: str) -> str:
    return line.rstrip("\r\n")


def byte_problem(raw: str) -> str | None:
    """What is wrong with the bytes of a raw row, in the form `expected X, got Y`; None when nothing is."""
    undecodable = UNDECODABLE.search(raw)
    if undecodable:
        byte = ord(undecodable.group()) - 0xDC00
        return f"expected UTF-8, got the byte {byte:#04x} at character {undecodable.start() + 1}"
    return character_problem(raw)


def character_problem(text: str) -> str | None:
    """The same for text that was unescaped since: JSON can spell NUL and half of a surrogate pair in plain ASCII."""
    if "\0" in text:
        return f"expected text, got a NUL character at character {text.index(chr(0)) + 1}"
    if HALF_SURROGATE_PAIR.search(text):
        return "expected text, got one half of a surrogate pair"
    return None
