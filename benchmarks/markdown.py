"""Records as the tables that README.md quotes."""

from collections.abc import Sequence


def markdown_table(header: Sequence[object], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """Of the columns the first `left` are words; the others are numbers and stand to the right."""
    ruler = ("---",) * left + ("---:",) * (len(header) - left)
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in (header, ruler, *rows))
