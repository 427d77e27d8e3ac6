"""What every command shows alike: tables and notes."""

import sys
from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows as aligned text: numbers to the right, everything else to the left."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(header), *cells]) for column in range(len(header))]
    numeric = [bool(cells) and all(_reads_as_number(row[column]) for row in cells) for column in range(len(header))]

    def line(row: Sequence[str]) -> str:
        aligned = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        return "  ".join(aligned).rstrip()

    return "\n".join([line(header), line(["-" * width for width in widths]), *(line(row) for row in cells)])


def note(text: str) -> None:
    """A remark for the person at the terminal; never part of the result."""
    print(text, file=sys.stderr, flush=True)


def counted(count: int, name: str) -> str:
    """`1 text`, `1,200 texts`."""
    return f"{count:,} {name}" if count == 1 else f"{count:,} {name}s"


def _reads_as_number(text: str) -> bool:
    return text in ("", "-") or text.strip("%×x+-").replace(",", "").replace(".", "", 1).isdigit()
