"""Plain text to sequences without labels, for distillation before any task: documents cut and packed into windows.

A line is a paragraph or a sentence, a blank line ends a document. WikiText's files, as published with a token between
blanks, and WikiSplit's tables are known besides; see `_LAYOUTS`.
"""

import hashlib
import io
import itertools
import lzma
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgebert.data.batches import EncodedDataset
from edgebert.data.decoding import read_bytes
from edgebert.data.windows import Documents, Windows
from edgebert.data.wordpiece import Encoded, WordPiece
from edgebert.errors import DataError
from edgebert.progress import Progress, Report, silent

TEXT_NAME = re.compile(r"\.(txt|tsv)(\.gz|\.xz)?$")
ARCHIVE_NAME = re.compile(r"\.(tar(\.gz|\.xz)?|tgz)$")
# Held out, but at most this share of all.
DEV_SEQUENCES = 500
MOST_DEV_SHARE = 0.1
REPORT_EVERY = 1000

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
# WikiText: ` = Title = `, ` = = Section = = `; `1 @,@ 000`, `3 @.@ 5`, `well @-@ known`.
_HEADING = re.compile(r"^ ?(= )+.*( =)+ ?$")
_TITLE = re.compile(r"^ ?= [^=].*[^=] = ?$")
_JOINED = re.compile(r" @([-,.])@ ")


@dataclass(frozen=True)
class PlainText:
    """The sequences of a corpus; no sequence of `dev` stands in `train` too."""

    train: EncodedDataset
    dev: EncodedDataset
    files: tuple[str, ...]

    @property
    def tokens(self) -> int:
        return sum(len(one.input_ids) for data in (self.train, self.dev) for one in data.encoded)


def read_plain_text(
    sources: str | os.PathLike | Sequence[str | os.PathLike],
    tokenizer: WordPiece,
    length: int = 128,
    *,
    most_sequences: int | None = None,
    dev_sequences: int = DEV_SEQUENCES,
    report: Report = silent,
) -> PlainText:
    """Read .txt files in UTF-8, folders of them (with all below) and tar archives of them; .gz and .xz too.

    Each sequence is `[CLS] ... [SEP]` in at most `length` tokens: the lines of one document, as many as fit. With
    `most_sequences` every file gives equally many, as long as it has them: a hundred novels are not their first three.
    """
    for name, count in (("most_sequences", most_sequences), ("dev_sequences", dev_sequences)):
        if count is not None and count < 1:
            raise DataError(f"{name}: expected 1 or more, got {count}. Do: raise it.")
    named = [sources] if isinstance(sources, str | os.PathLike) else list(sources)
    windows = Windows(tokenizer, length)
    texts = [text for source in named for text in _read(Path(source))]
    encoded = _encode(texts, windows, most_sequences, report)
    if not encoded:
        listed = ", ".join(map(str, named)) or "no file"
        got = "only blank lines" if any(text for _, text in texts) else "nothing in it"
        raise DataError(f"{listed}: expected a corpus of plain text, got {got}. Do: give files with text in them.")
    train, dev = _hold_out(encoded, dev_sequences)
    return PlainText(EncodedDataset(train, None), EncodedDataset(dev, None), tuple(name for name, _ in texts))


def _encode(
    texts: Sequence[tuple[str, str]], windows: Windows, most: int | None, report: Report
) -> tuple[Encoded, ...]:
    each_file = [windows.of_documents(_documents(name, text)) for name, text in texts]
    everything = itertools.chain(*each_file) if most is None else itertools.islice(_in_turn(each_file), most)
    encoded = []
    for sequence in everything:
        encoded.append(sequence)
        if len(encoded) % REPORT_EVERY == 0:
            report(Progress("sequences", len(encoded), most or len(encoded)))
    return tuple(encoded)


def _in_turn(iterators: Sequence[Iterator[Encoded]]) -> Iterator[Encoded]:
    waiting = list(iterators)
    while waiting:
        left = []
        for iterator in waiting:
            for sequence in itertools.islice(iterator, 1):
                left.append(iterator)
                yield sequence
        waiting = left


def _hold_out(encoded: Sequence[Encoded], dev_sequences: int) -> tuple[tuple[Encoded, ...], tuple[Encoded, ...]]:
    """Train and dev. Chosen by content: what stands twice is on one side, and files in another order change nothing."""
    digests = [hashlib.sha256(np.array(one.input_ids, np.int32).tobytes()).digest() for one in encoded]
    distinct = sorted(set(digests))
    if len(distinct) < 2:
        raise DataError(
            f"corpus: expected two different sequences or more, one to train on and one held out, got {len(distinct)}. "
            "Do: give more text."
        )
    held_out = set(distinct[: max(min(dev_sequences, int(len(distinct) * MOST_DEV_SHARE)), 1)])
    sides = [digest in held_out for digest in digests]
    return tuple(itertools.compress(encoded, [not side for side in sides])), tuple(itertools.compress(encoded, sides))


def _documents(name: str, text: str) -> Documents:
    for fits, documents in _LAYOUTS:
        if fits(name, text):
            return documents(text)
    return _paragraphs(text)


def _paragraphs(text: str) -> Iterator[list[str]]:
    for is_blank, lines in itertools.groupby(_lines(text), lambda line: not line.strip()):
        if not is_blank:
            yield list(lines)


def _articles(text: str) -> Iterator[list[str]]:
    """WikiText: a title begins a document. Headings go, as in BERT's corpus ("only the text passages")."""
    article: list[str] = []
    for line in _lines(text):
        if _TITLE.match(line):
            yield article
            article = []
        elif line.strip() and not _HEADING.match(line):
            article.append(_JOINED.sub(r"\1", line))
    yield article


def _first_column(text: str) -> Iterator[list[str]]:
    """WikiSplit: whole sentences of different articles, then the same in two halves."""
    for line in _lines(text):
        yield [line.partition("\t")[0]]


def _is_wikitext(name: str, text: str) -> bool:
    first = next((line for line in _lines(text) if line.strip()), "")
    return first.startswith(" ") and _TITLE.match(first) is not None


def _is_table(name: str, text: str) -> bool:
    return ".tsv" in Path(name).suffixes


# What a file must be like, and how it falls into documents.
_LAYOUTS: tuple[tuple[Callable[[str, str], bool], Callable[[str], Documents]], ...] = (
    (_is_table, _first_column),
    (_is_wikitext, _articles),
)


def _lines(text: str) -> Iterator[str]:
    # Universal line ends, and nothing else that `str.splitlines` takes for one.
    return (line.rstrip("\n") for line in io.StringIO(text, newline=None))


def _read(path: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of each file that a path stands for, in the order of their names."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if TEXT_NAME.search(file.name) and file.is_file())
        if not files:
            raise DataError(f"{path}: expected a folder with .txt files, got none in it. Do: name the files.")
        for file in files:
            yield str(file), _decode(str(file), _unpacked(file))
    elif ARCHIVE_NAME.search(path.name):
        yield from _archived(path)
    else:
        yield str(path), _decode(str(path), _unpacked(path))


def _unpacked(path: Path) -> bytes:
    content = read_bytes(path)
    if path.suffix != ".xz":
        return content
    try:
        return lzma.decompress(content)
    except lzma.LZMAError as error:
        raise _unreadable(path, str(error)) from error


def _archived(path: Path) -> Iterator[tuple[str, str]]:
    try:
        with tarfile.open(path) as archive:
            members = sorted(archive.getmembers(), key=lambda member: member.name)
            files = [member for member in members if member.isfile() and TEXT_NAME.search(member.name)]
            for member in files:
                name = f"{path}/{member.name}"
                yield name, _decode(name, archive.extractfile(member).read())
    except (OSError, EOFError, tarfile.TarError, lzma.LZMAError, zlib.error) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    if not files:
        raise DataError(f"{path}: expected an archive with .txt files, got none in it. Do: name the files.")


def _decode(name: str, content: bytes) -> str:
    if content.startswith(_UTF16_MARKS):
        raise DataError(
            f"{name}: expected UTF-8 text, got the byte order mark of UTF-16 or UTF-32. Do: save the file as UTF-8."
        )
    plain = content.removeprefix(_UTF8_MARK)
    skipped = len(content) - len(plain)
    # Text in UTF-8 may hold a NUL, but no text does; object files, images and archives do.
    zero = plain.find(b"\0")
    try:
        text = plain.decode("utf-8")
    except UnicodeDecodeError as error:
        where = error.start if zero < 0 else min(zero, error.start)
    else:
        if zero < 0:
            return text
        where = zero
    raise DataError(
        f"{name}: expected UTF-8 text, got the byte 0x{plain[where]:02x} at offset {where + skipped:,}. "
        "Do: save the file as UTF-8, or leave it out if it is no text."
    )


def _unreadable(path: Path, reason: str) -> DataError:
    # tarfile lists every way that it tried, a line each.
    reason = reason.partition(":\n")[0]
    return DataError(f"{path}: expected a file that can be read, got '{reason}'. Do: check the path and the file.")
