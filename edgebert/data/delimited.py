"""CSV and TSV lines → rows of fields, with the right line number and the raw text of each.

Not the standard library's `csv`: its field limit is a setting of the whole process, it does not give back the raw text
of a row, and after a quote that is never closed it has swallowed the rest of the file. On well-formed input the tests
hold this one equal to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgebert.data.decoding import without_line_end


@dataclass(frozen=True, slots=True)
class FieldRow:
    """Fields of one row, or the problem that kept it from being split. `line` is its first line, from 1."""

    line: int
    fields: tuple[str, ...]
    raw: str
    problem: str | None = None


def split_rows(lines: Sequence[str], delimiter: str, *, quoted: bool) -> Iterator[FieldRow]:
    """Split lines into rows. `quoted` is RFC 4180: `"` around a field, doubled inside, line ends allowed.

    After a quoting error only its first line is given up, and reading goes on with the next: one stray quote must not
    take the good rows after it along.
    """
    position = 0
    while position < len(lines):
        line = lines[position]
        if not quoted or '"' not in line:
            fields, line_count, problem = without_line_end(line).split(delimiter), 1, None
        else:
            fields, line_count, problem = _split_quoted(lines, position, delimiter)
        raw = without_line_end("".join(lines[position : position + line_count]))
        yield FieldRow(position + 1, tuple(fields), raw, problem)
        position += line_count


def _split_quoted(lines: Sequence[str], start: int, delimiter: str) -> tuple[list[str], int, str | None]:
    """Fields, number of lines taken and the problem of the row that starts at `lines[start]`."""
    fields: list[str] = []
    pieces: list[str] = []
    in_quotes = False
    for index in range(start, len(lines)):
        line, position = lines[index], 0
        while True:
            if in_quotes:
                position, in_quotes = _quoted_piece(line, position, pieces)
                if in_quotes:
                    break
                fields.append("".join(pieces))
                pieces = []
                following = line[position : position + 1]
                if following != delimiter and without_line_end(following):
                    return [], 1, f"expected {delimiter!r} or the line's end after a closing quote, got {following!r}"
            elif line.startswith('"', position):
                in_quotes, position = True, position + 1
                continue
            else:
                end = line.find(delimiter, position)
                fields.append(line[position:end] if end >= 0 else without_line_end(line[position:]))
                position = end if end >= 0 else len(line)
            if not line.startswith(delimiter, position):
                return fields, index - start + 1, None
            position += len(delimiter)
    return [], 1, "expected a closing quote, got the end of the file"


def _quoted_piece(line: str, position: int, pieces: list[str]) -> tuple[int, bool]:
    """Collect quoted text from `position` on; return where it ended and whether the quotes are still open."""
    while True:
        end = line.find('"', position)
        if end < 0:
            pieces.append(line[position:])
            return len(line), True
        if not line.startswith('"', end + 1):
            pieces.append(line[position:end])
            return end + 1, False
        pieces.append(line[position : end + 1])
        position = end + 2
